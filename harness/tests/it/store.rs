//! `stocktake serve --store file:PATH` as its user meets it.

use crate::support::{
    process::Server,
    stocktake::{attempt, binary, run, serve},
};
use inventory_contract::{
    CreateProductRequest, GetProductRequest, ListProductsRequest, inventory_service_client::InventoryServiceClient,
};
use std::{fs, path::Path, process::Command};
use tempfile::TempDir;
use tonic::Code;

fn at(path: &Path) -> String {
    format!("file:{}", path.display())
}

#[test]
fn the_suite_passes_on_a_store_file() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.redb");
    let server = serve(&["--log", "error", "--store", &at(&path)]);
    let run = attempt(&server.address, &["--level", "should"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
}

#[test]
fn what_cannot_be_a_store_ends_the_start_with_the_reason() {
    let folder = TempDir::new().unwrap();
    let (note, store) = (folder.path().join("note.txt"), folder.path().join("store.redb"));
    fs::write(&note, "milk\n").unwrap();
    let _server = serve(&["--log", "error", "--store", &at(&store)]);
    let cases = [
        ("redis".into(), "", 2, "write memory or file:PATH"),
        ("file:".into(), "", 2, "write memory or file:PATH"),
        (
            "file:/no/such/folder/store.redb".into(),
            "",
            2,
            "No such file or directory",
        ),
        (at(folder.path()), "", 2, "Is a directory"),
        (at(&note), "", 2, "is no stocktake store: name another file"),
        (at(&store), "", 3, "is in use: stop the server"),
        (
            at(&folder.path().join("new")),
            "list-overlap",
            2,
            "leave out the fault or the file",
        ),
    ];
    for (store, fault, code, words) in cases {
        let mut arguments = vec!["serve", "--listen", "127.0.0.1:0", "--store", &store];
        if !fault.is_empty() {
            arguments.extend(["--fault", fault]);
        }
        let ended = run(&arguments);
        assert_eq!(ended.code, Some(code), "{}", ended.shown());
        assert!(ended.stderr.contains(words), "{words}: {}", ended.shown());
        assert_eq!(ended.stdout, "", "it said that it listens");
    }
    assert_eq!(fs::read_to_string(&note).unwrap(), "milk\n");
}

/// The disk is full: files of the server cannot grow beyond 512 KiB, and it is not killed for trying.
#[tokio::test]
async fn a_full_disk_refuses_writes_and_keeps_what_was_acknowledged() {
    let folder = TempDir::new().unwrap();
    let store = at(&folder.path().join("store.redb"));
    let mut command = Command::new("bash");
    command
        .args(["-c", r#"trap "" XFSZ; ulimit -f 512; exec "$@""#, "full"])
        .arg(binary());
    let mut server = Server::start(command.args(["serve", "--listen", "127.0.0.1:0", "--store", &store]));
    let client = InventoryServiceClient::connect(format!("http://{}", server.address));
    let mut client = client.await.unwrap();
    let wanted = |n: i32| CreateProductRequest {
        name: "n".into(),
        sku: format!("full-{n}"),
        description: "long ".repeat(2000),
        ..CreateProductRequest::default()
    };
    let mut made = Vec::new();
    let refused = loop {
        match client.create_product(wanted(i32::try_from(made.len()).unwrap())).await {
            Ok(product) => made.push(product.into_inner()),
            Err(status) => break status,
        }
    };
    assert_eq!(refused.code(), Code::Internal, "{refused}");
    assert!(made.len() > 10, "only {} products fit", made.len());
    for product in &made {
        let request = GetProductRequest { id: product.id.clone() };
        assert_eq!(client.get_product(request).await.unwrap().get_ref(), product);
    }
    let told = server.kill();
    assert!(
        told.contains("cannot write to the store") && told.contains("File too large"),
        "{told}"
    );

    let server = serve(&["--log", "error", "--store", &store]);
    let client = InventoryServiceClient::connect(format!("http://{}", server.address));
    let mut client = client.await.unwrap();
    let request = ListProductsRequest {
        page_size: 100,
        ..ListProductsRequest::default()
    };
    let stored = client.list_products(request).await.unwrap().into_inner().products;
    assert_eq!(stored[4..], made);
    client.create_product(wanted(-1)).await.unwrap();
}
