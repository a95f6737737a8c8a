//! How much may stay behind on a target that is not on this machine: refused before anything is written.

use crate::support::{
    process::{self, Server},
    root,
    stocktake::{binary, run},
    tools, write,
};
use std::{fs, process::Command, time::Duration};
use tempfile::TempDir;

#[test]
fn what_could_stay_behind_on_both_protocols_is_refused_unsent_where_both_are_wanted() {
    // A network that does not exist (RFC 5737): had it been sent anything, the end would be exit 3.
    let target = [
        "verify",
        "http://192.0.2.1:50051",
        "--allow-writes",
        "--connect-timeout",
        "1s",
    ];
    let seen = run(&[&target[..], &["--protocol", "both", "--max-residue", "500"]].concat());
    assert_eq!(seen.code, Some(2), "{}", seen.shown());
    assert!(seen.stderr.contains("more than --max-residue 500"), "{}", seen.stderr);
    // README says how many there are.
    let (_, most) = seen.stderr.split_once("up to ").unwrap();
    let most = most.split(' ').next().unwrap();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let said = format!("could leave {most} products over both protocols");
    let words: Vec<&str> = readme.split_whitespace().collect();
    assert!(words.join(" ").contains(&said), "{said}");
    // The default leaves room for it.
    let help = run(&["verify", "--help"]).stdout;
    let (_, default) = help.split_once("--max-residue <N>").unwrap();
    let (_, default) = default.split_once("[default: ").unwrap();
    let default = default.split(']').next().unwrap();
    assert!(
        most.parse::<u64>().unwrap() <= default.parse().unwrap(),
        "{most} of {default}"
    );
}

/// Judged off loopback, in a network of its own: the address is one of documentation (RFC 5737).
#[test]
fn nothing_is_written_before_a_run_is_refused_for_what_could_stay_behind() {
    let Some(network) = tools::own_network("nothing_is_written_before_a_run_is_refused_for_what_could_stay_behind")
    else {
        return;
    };
    let mut command = Command::new("unshare");
    command.args(&network).args([
        "sh",
        "-c",
        r#"ip link set lo up && ip addr add 192.0.2.1/32 dev lo && exec "$0" serve --listen 0.0.0.0:50051 --probe-listen 127.0.0.1:50052"#,
    ]);
    let server = Server::start(command.arg(binary()));
    let folder = TempDir::new().unwrap();
    let text = "version: 1\nid: count\nname: the sample products and nothing else\neffects: read-only\n\
                service: inventory.InventoryService\nsteps:\n  - call: ListProducts\n    request: { page_size: 100 }\n    \
                expect: { response: { total_count: 4 } }\n";
    write(folder.path(), "count.yaml", text);
    let verify = |arguments: &[&str]| {
        let mut command = Command::new("nsenter");
        command.args(["--target", &server.id().to_string(), "--net"]);
        if network.contains(&"--user") {
            command.args(["--user", "--preserve-credentials"]);
        }
        command
            .arg(binary())
            .args(["verify", "http://192.0.2.1:50051", "--connect-timeout", "5s"]);
        command.args(["--out", folder.path().join("run").to_str().unwrap()]);
        process::run(command.args(arguments), Duration::from_secs(60))
    };
    // Enough for gRPC: that REST is offered, and is too much, a look has to tell.
    for protocol in ["auto", "both"] {
        let seen = verify(&["--allow-writes", "--protocol", protocol, "--max-residue", "500"]);
        assert_eq!(seen.code, Some(2), "{}", seen.shown());
        assert!(seen.stderr.contains("more than --max-residue 500"), "{}", seen.shown());
        assert!(!folder.path().join("run").exists(), "{protocol}: a run has begun");
    }
    let scenarios = folder.path().to_str().unwrap().to_owned();
    let seen = verify(&["--read-only", "--scenarios", &scenarios]);
    assert_eq!(seen.code, Some(0), "{}", seen.shown());
}
