//! A REST side that was not written with this program: Envoy's grpc_json_transcoder, before servers of this project and of
//! others. The verdict over REST is the one over gRPC, but for what `cases/envoy/known-failing.txt` explains.

use crate::{
    foreign::{DEFECTS, SEED_ALWAYS, SEED_SHOULD, SEED_SOMETIMES, judge, set},
    support::{
        fixture,
        process::Server,
        python::{self, Seed},
        stocktake, tools,
    },
};
use ::stocktake::{client::Protocol, verify::record::Outcome};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// The rule that only gRPC can show.
const GRPC_ONLY: &str = "rpc.health";

/// Envoy before a gRPC server. It is ended first.
struct Chain {
    envoy: Server,
    _upstream: Server,
}

impl Chain {
    fn before(python: &Path, upstream: Server) -> Chain {
        let envoy = python::serve(python, "transcoder.py", &[&upstream.address]);
        Chain {
            envoy,
            _upstream: upstream,
        }
    }
}

fn known_failing() -> PathBuf {
    fixture("cases/envoy/known-failing.txt")
}

#[test]
fn correct_servers_behind_envoy_keep_their_promises_over_rest() {
    let Some(python) = tools::python("correct_servers_behind_envoy_keep_their_promises_over_rest") else {
        return;
    };
    let known = known_failing();
    let arguments = ["--protocol", "both", "--known-failing", known.to_str().unwrap()];
    // One after the other: deadlines are judged.
    let ours = || stocktake::serve(&[]);
    let theirs = || python::serve(&python, "inventory_server.py", &[]);
    for (name, upstream) in [("ours", &ours as &dyn Fn() -> Server), ("Python", &theirs)] {
        let chain = Chain::before(&python, upstream());
        let run = stocktake::verify(&chain.envoy.address, &arguments);
        assert_eq!(
            run.ended.code,
            Some(0),
            "{name}: {}{}",
            run.failures(),
            run.ended.stderr
        );
        let judged = |protocol: Protocol| run.record.cases.iter().filter(move |case| case.protocol == protocol);
        let passed = |protocol| judged(protocol).filter(|case| case.outcome == Outcome::Passed).count();
        assert_eq!(judged(Protocol::Grpc).count(), passed(Protocol::Grpc), "{name}: gRPC");
        assert_eq!(
            judged(Protocol::Rest).count() - 4,
            passed(Protocol::Rest),
            "{name}: all but the rows of rpc_deadline"
        );
        assert!(
            passed(Protocol::Rest) > 130,
            "{name}: {} cases passed over REST",
            passed(Protocol::Rest)
        );
    }
}

#[test]
fn all_defects_are_seen_over_rest_through_envoy() {
    let Some(python) = tools::python("all_defects_are_seen_over_rest_through_envoy") else {
        return;
    };
    let defects = DEFECTS.map(|(defect, ..)| defect).join(",");
    let upstream = python::serve(&python, "inventory_server.py", &["--defects", &defects]);
    let chain = Chain::before(&python, upstream);
    let known = known_failing();
    let arguments = ["--protocol", "rest", "--known-failing", known.to_str().unwrap()];
    let mut always = &(&set(&SEED_ALWAYS) | &set(&SEED_SHOULD)) | &set(&SEED_SOMETIMES);
    always.remove(GRPC_ONLY);
    judge("all", (&chain.envoy, &arguments), 1, &always, &BTreeSet::new());
}

#[test]
fn the_posts_server_breaks_the_same_rules_over_rest_through_envoy() {
    let test = "the_posts_server_breaks_the_same_rules_over_rest_through_envoy";
    let (Some(post), Some(python)) = (tools::post(test), tools::python(test)) else {
        return;
    };
    let seed = Seed::extract(&python, &post);
    let chain = Chain::before(&python, seed.serve(&python));
    // It sends no headers before its first message, so that nothing is known to fail for Envoy's sake.
    let arguments = ["--protocol", "rest", "--jobs", "1"];
    let mut always = &set(&SEED_ALWAYS) | &set(&SEED_SHOULD);
    always.remove(GRPC_ONLY);
    judge(
        "over REST",
        (&chain.envoy, &arguments),
        1,
        &always,
        &set(&SEED_SOMETIMES),
    );
}
