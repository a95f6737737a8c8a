//! Tells the CI system that runs this of the verdict: commands on the standard output, summary and outputs in its files.
//! What cannot be told is said on standard error, and never changes the exit code.

use super::Refusal;
use std::{
    env,
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};
use stocktake::{
    cli::{CiChoice, Cli, Command, Format, OutputArgs},
    load::record::LoadRecord,
    report::{
        ci::{self, Issue, azure, github},
        escape, load, markdown, store,
    },
    verify::record::RunRecord,
};

/// A CI system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// GitHub Actions.
    Github,
    /// Azure Pipelines.
    Azure,
}

/// Whom to tell of the runs of a command, and where its commands go.
#[derive(Clone, Copy, Debug)]
pub struct Ci {
    system: System,
    command: &'static str,
    to_stderr: bool,
}

/// What is told.
struct Told<'a> {
    issues: Vec<Issue>,
    markdown: &'a str,
    /// Its file, where there is one.
    file: Option<PathBuf>,
    outputs: Vec<(&'static str, String)>,
    /// Why the task has not succeeded.
    failed: Option<String>,
}

impl Ci {
    /// By the options and the environment.
    pub fn of(command: &'static str, output: &OutputArgs) -> Option<Ci> {
        let is = |name: &str| env::var(name).is_ok_and(|value| value.eq_ignore_ascii_case("true"));
        let system = match output.ci {
            CiChoice::None => None,
            CiChoice::Github => Some(System::Github),
            CiChoice::Azure => Some(System::Azure),
            CiChoice::Auto if is("GITHUB_ACTIONS") => Some(System::Github),
            CiChoice::Auto if is("TF_BUILD") => Some(System::Azure),
            CiChoice::Auto => None,
        };
        system.map(|system| Ci {
            system,
            command,
            // Standard output is the record's.
            to_stderr: output.format == Format::Json,
        })
    }

    /// Of a command line whose command has a verdict.
    pub fn of_cli(cli: &Cli) -> Option<Ci> {
        match &cli.command {
            Command::Check(args) if !args.list => Ci::of("check", &args.output),
            Command::Verify(args) if !args.list => Ci::of("verify", &args.output),
            Command::Load(args) => Ci::of("load", &args.output),
            _ => None,
        }
    }

    /// A command that ended without a record, or whose record could not be kept: then its code is no better than that of the
    /// verdict, and what was counted has been told.
    pub fn refused(self, refusal: &Refusal) {
        let text = refusal.text().trim_end();
        let (verdict, none_failed) = match refusal.code() {
            1 => ("failed", false),
            2 => ("wrong_input", true),
            130 | 143 => ("interrupted", false),
            _ => ("not_judged", true),
        };
        let failed = none_failed.then(|| ("failed", "0".to_owned()));
        let shown = escape::fence(text);
        let lines: Vec<String> = text.lines().map(|line| escape::visible(line).into_owned()).collect();
        let page = format!(
            "## ⚠️ stocktake {}: {}\n\n{shown}text\n{}\n{shown}\n",
            self.command,
            verdict.replace('_', " "),
            lines.join("\n")
        );
        self.tell(Told {
            issues: vec![ci::of_refusal(self.command, text)],
            markdown: &page,
            file: None,
            outputs: [("verdict", verdict.to_owned())].into_iter().chain(failed).collect(),
            failed: Some(text.lines().next().unwrap_or_default().to_owned()),
        });
    }

    fn tell(self, told: Told<'_>) {
        let (text, problems) = match self.system {
            System::Github => {
                let written = [
                    append("GITHUB_STEP_SUMMARY", |already| github::summary(told.markdown, already)),
                    append("GITHUB_OUTPUT", |_| github::outputs(&told.outputs)),
                ];
                (github::commands(&told.issues), written.into_iter().flatten().collect())
            }
            System::Azure => {
                let mut text = azure::commands(&told.issues);
                let mut problems = Vec::new();
                match summary_file(told.file, told.markdown) {
                    Ok(path) => text += &azure::summary(&path.display().to_string()),
                    Err(problem) => problems.push(problem),
                }
                text += &azure::outputs(&told.outputs);
                text += &told.failed.map_or(String::new(), |why| azure::failed(&why));
                (text, problems)
            }
        };
        let printed = match self.to_stderr {
            true => std::io::stderr().lock().write_all(text.as_bytes()),
            false => super::print(&text),
        };
        let problems = problems.into_iter().chain(printed.err().map(|error| error.to_string()));
        for problem in problems {
            eprintln!("warning: the CI system was not told: {problem}");
        }
    }
}

/// A verify run or a check at its end.
pub fn verified(output: &OutputArgs, record: &RunRecord, folder: &Path) {
    let command = if record.command == "check" { "check" } else { "verify" };
    let Some(ci) = Ci::of(command, output) else { return };
    let report = folder.join(store::HTML).display().to_string();
    ci.tell(Told {
        issues: ci::of_run(record),
        markdown: &markdown::render(record),
        file: Some(folder.join(store::MARKDOWN)),
        outputs: ci::outputs_of_run(record, &report),
        failed: (record.verdict.exit_code != 0).then(|| record.verdict.sentence.clone()),
    });
}

/// A load run at its end.
pub fn measured(output: &OutputArgs, record: &LoadRecord, folder: &Path) {
    let Some(ci) = Ci::of("load", output) else { return };
    let report = folder.join(store::HTML).display().to_string();
    ci.tell(Told {
        issues: ci::of_load(record),
        markdown: &load::markdown::render(record),
        file: Some(folder.join(store::MARKDOWN)),
        outputs: ci::outputs_of_load(record, &report),
        failed: (record.verdict.exit_code != 0).then(|| record.verdict.sentence.clone()),
    });
}

/// Appends to the file that a variable names; the text is told how much is there. A problem, if there was one.
fn append(variable: &str, text: impl Fn(usize) -> String) -> Option<String> {
    let file = env::var_os(variable).filter(|file| !file.is_empty())?;
    let already = fs::metadata(&file).map_or(0, |found| usize::try_from(found.len()).unwrap_or(usize::MAX));
    let mut options = OpenOptions::new();
    let opened = options.create(true).append(true).open(&file);
    let written = opened.and_then(|mut opened| opened.write_all(text(already).as_bytes()));
    written.err().map(|error| format!("{variable}: {error}"))
}

/// The absolute path of a summary; one without a file of its own goes to the agent's folder for such, else to the system's.
fn summary_file(file: Option<PathBuf>, markdown: &str) -> Result<PathBuf, String> {
    if let Some(file) = file.filter(|file| file.is_file()) {
        return std::path::absolute(&file).map_err(|error| format!("{}: {error}", file.display()));
    }
    let folder = env::var_os("AGENT_TEMPDIRECTORY").map_or_else(env::temp_dir, PathBuf::from);
    let name = format!("stocktake-{}.md", uuid::Uuid::new_v4().simple());
    let path = folder.join(name);
    fs::write(&path, markdown).map_err(|error| format!("{}: {error}", path.display()))?;
    std::path::absolute(&path).map_err(|error| format!("{}: {error}", path.display()))
}
