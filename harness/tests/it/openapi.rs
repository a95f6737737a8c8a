//! `/openapi.json` against the service, by schemathesis: requests made from the description, and what comes back.

use crate::support::{
    fixture,
    process::{self, Ended},
    stocktake, tools, write,
};
use serde_json::{Value, json};
use std::{
    env,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::Command,
    time::Duration,
};
use tempfile::TempDir;

/// Longer than any run takes, those of `scripts/soak` too.
const RUN: Duration = Duration::from_secs(1800);

/// `schemathesis run DESCRIPTION`, in a folder of its own: 15 requests for each operation where it invents them, with the
/// same choices each time. `scripts/soak` sets both otherwise.
fn schemathesis(python: &Path, folder: &Path, description: &str, arguments: &[&str]) -> Ended {
    let given = |name: &str, otherwise: &str| env::var(name).unwrap_or_else(|_| otherwise.to_owned());
    let mut command = Command::new(python);
    command
        .args(["-m", "schemathesis.cli", "--config-file"])
        .arg(fixture("cases/openapi/schemathesis.toml"))
        .args(["run", description, "--no-color"])
        .args(["--seed", &given("STOCKTAKE_OPENAPI_SEED", "1")])
        .args(["--max-examples", &given("STOCKTAKE_OPENAPI_EXAMPLES", "15")])
        .args(arguments)
        .current_dir(folder);
    process::run(&mut command, RUN)
}

fn described(address: &str) -> Value {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET /openapi.json HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

#[test]
fn the_service_is_as_openapi_describes_it() {
    let Some(python) = tools::python("the_service_is_as_openapi_describes_it") else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let server = stocktake::serve(&[]);
    let url = format!("http://{}/openapi.json", server.address);
    let ended = schemathesis(&python, folder.path(), &url, &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    for line in [
        "6 selected / 6 total",
        "Coverage",
        "Fuzzing",
        "Stateful",
        "No issues found",
    ] {
        assert!(ended.stdout.contains(line), "{line}: {}", ended.shown());
    }
}

#[test]
fn a_service_that_is_not_as_described_is_noticed() {
    let Some(python) = tools::python("a_service_that_is_not_as_described_is_noticed") else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let noticed = |what: &str, ended: Ended, check: &str| {
        assert_eq!(ended.code, Some(1), "{what}: {}", ended.shown());
        assert!(ended.stdout.contains(check), "{what}: {}", ended.shown());
    };
    let only = |operation| ["--phases", "coverage", "--include-operation-id", operation];

    // The service errs.
    for (fault, check) in [
        ("create-invalid-internal", "ST101 Server error"),
        ("create-sku-empty", "ST201 Schema-violating request accepted"),
    ] {
        let server = stocktake::serve(&["--fault", fault]);
        let url = format!("http://{}/openapi.json", server.address);
        let ended = schemathesis(&python, folder.path(), &url, &only("CreateProduct"));
        noticed(fault, ended, check);
    }

    // The description errs.
    let server = stocktake::serve(&[]);
    let right = described(&server.address);
    let get = "/paths/~1v1~1products~1{id}/get/responses/404";
    let pages = "/components/schemas/ListProductsResponse/properties/pageSize";
    for (place, wrong, operation, check) in [
        (get, Value::Null, "GetProduct", "ST103 Undocumented status code"),
        (
            pages,
            json!({ "type": "string" }),
            "ListProducts",
            "ST108 Response violates schema",
        ),
    ] {
        let mut changed = right.clone();
        let (parent, key) = place.rsplit_once('/').unwrap();
        let parent = changed.pointer_mut(parent).and_then(Value::as_object_mut).unwrap();
        assert!(parent.remove(key).is_some(), "{place} is not there");
        if !wrong.is_null() {
            parent.insert(key.to_owned(), wrong);
        }
        let file = write(folder.path(), "openapi.json", &changed.to_string());
        let url = format!("http://{}", server.address);
        let arguments = [&["--url", &url][..], &only(operation)].concat();
        let ended = schemathesis(&python, folder.path(), file.to_str().unwrap(), &arguments);
        noticed(place, ended, check);
    }
}
