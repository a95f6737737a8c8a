//! What the options of a verify run mean before anything is sent.
#![expect(clippy::print_stderr, reason = "commands talk to people")]

use crate::commands::{self, Refusal};
use std::fs;
use stocktake::{
    cli::{LevelChoice, ProtocolChoice, VerifyArgs},
    exit::Exit,
    scenario::{
        model::{Action, Step},
        suite::Suite,
    },
    verify::{
        matrix::{self, Case, Selection},
        record::Caveat,
    },
};

/// Which cases run.
pub fn selection(args: &VerifyArgs) -> Result<Selection, Refusal> {
    let known_failing = match &args.known_failing {
        None => None,
        Some(file) => {
            let name = file.display().to_string();
            let text =
                fs::read_to_string(file).map_err(|error| Refusal::input(format!("cannot read {name}: {error}")))?;
            let lines = matrix::parse_known_failing(&name, &text).map_err(Refusal::input)?;
            Some((name, lines))
        }
    };
    Ok(Selection {
        filter: args.filter.clone(),
        tags: args.tag.clone(),
        known_failing,
    })
}

/// `--list`.
pub fn list(matrix: &[Case]) -> Result<Exit, Refusal> {
    let lines = matrix
        .iter()
        .map(|case| format!("{:<60} {}\n", case.name(), case.scenario.name));
    commands::print(&lines.collect::<String>()).map_err(|error| Refusal::not_judged(format!("no output: {error}")))?;
    eprintln!("{} cases", matrix.len());
    Ok(Exit::Passed)
}

/// Whether a step names an approved answer.
pub fn uses_snapshots(matrix: &[Case]) -> bool {
    let named = |step: &Step| matches!(&step.action, Action::Call(call) if call.snapshot.is_some());
    matrix
        .iter()
        .any(|case| case.scenario.steps.iter().chain(&case.scenario.setup).any(named))
}

/// The options that bear on the verdict.
pub fn recorded_options(args: &VerifyArgs) -> Vec<(String, String)> {
    let mut options = vec![(
        "level".to_owned(),
        match args.level {
            LevelChoice::Must => "must".to_owned(),
            LevelChoice::Should => "should".to_owned(),
        },
    )];
    let protocol = match args.protocol {
        ProtocolChoice::Auto => None,
        ProtocolChoice::Grpc => Some("grpc"),
        ProtocolChoice::Rest => Some("rest"),
        ProtocolChoice::Both => Some("both"),
    };
    options.extend(protocol.map(|name| ("protocol".to_owned(), name.to_owned())));
    let mut flag = |name: &str, on: bool| {
        if on {
            options.push((name.to_owned(), "yes".to_owned()));
        }
    };
    flag("read-only", args.read_only);
    flag("allow-writes", args.allow_writes);
    flag("allow-disruption", args.allow_disruption);
    flag("allow-odd-data", args.allow_odd_data);
    let mut list = |name: &str, values: &[String]| {
        if !values.is_empty() {
            options.push((name.to_owned(), values.join(", ")));
        }
    };
    list("filter", &args.filter);
    list("tag", &args.tag);
    list(
        "known-failing",
        &args
            .known_failing
            .iter()
            .map(|file| file.display().to_string())
            .collect::<Vec<_>>(),
    );
    list(
        "http-rules",
        &args
            .connection
            .http_rules
            .iter()
            .map(|file| file.display().to_string())
            .collect::<Vec<_>>(),
    );
    list("against", &args.against.iter().cloned().collect::<Vec<_>>());
    list(
        "expect-revision",
        &args.expect_revision.iter().cloned().collect::<Vec<_>>(),
    );
    options
}

/// Doubts that the options bring.
pub fn caveats(notes: Vec<Caveat>, snapshots_unjudged: bool, matrix: &[Case], suite: &Suite) -> Vec<Caveat> {
    let mut caveats = notes;
    if snapshots_unjudged {
        let text = "approved answers were not compared".to_owned();
        caveats.push(Caveat {
            text,
            remedy: "name their file with --snapshot".to_owned(),
        });
    }
    let run: std::collections::HashSet<&str> = matrix.iter().map(|case| case.scenario.id.value.as_str()).collect();
    let left_out = suite
        .scenarios
        .iter()
        .filter(|scenario| !run.contains(scenario.id.value.as_str()))
        .count();
    if left_out > 0 {
        let text = format!("{left_out} of {} scenarios were not selected", suite.scenarios.len());
        caveats.push(Caveat {
            text,
            remedy: "run without --filter, --tag and --protocol to judge all of them".to_owned(),
        });
    }
    caveats
}
