//! The record of a verify run, `run.json`: every report is a render of it. Pure.

use crate::{client::Protocol, load::record::LoadRecord};
use serde::{Deserialize, Serialize};

/// The version of [`RunRecord`]; another one is refused when a record is read.
pub const SCHEMA_VERSION: u32 = 3;

/// A whole run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// `verify` or `check`.
    pub command: String,
    /// The id in every name that the run wrote on the target.
    pub run_id: String,
    /// RFC 3339, UTC.
    pub started: String,
    /// Milliseconds.
    pub elapsed_ms: u64,
    /// What was judged.
    pub target: TargetRecord,
    /// With which scenarios.
    pub suite: SuiteRecord,
    /// From which machine.
    pub host: HostRecord,
    /// How: the options that bear on the verdict, such as `level` = `must`.
    pub options: Vec<(String, String)>,
    /// In the order of the matrix.
    pub cases: Vec<CaseRecord>,
    /// In the order of the contract, then rules that only scenarios name.
    pub rules: Vec<RuleRecord>,
    /// What was called, and what was not.
    pub coverage: Coverage,
    /// gRPC against REST, in short, where the run measured it.
    pub load: Option<Box<LoadRecord>>,
    /// What was judged beside the cases, in the order in which it is looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckRecord>,
    /// What stays behind on the target.
    pub residue: Vec<Residue>,
    /// Doubts about the run, each with its remedy.
    pub caveats: Vec<Caveat>,
    /// The verdict.
    pub verdict: Verdict,
}

/// The target.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetRecord {
    /// As typed, without secrets; `built-in service` in front where the run started it.
    pub address: String,
    /// Where the descriptors came from, such as `reflection v1`.
    pub descriptors: String,
    /// Over which the run went.
    pub protocols: Vec<Protocol>,
    /// Asked for, and not offered by the target: the protocol, and how that showed.
    pub not_offered: Vec<(Protocol, String)>,
    /// Answers by `revision/replica`, as the response headers named them.
    pub answered_by: Vec<(String, u64)>,
}

/// The scenarios.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuiteRecord {
    /// `embedded` or the folder.
    pub name: String,
    /// How many files.
    pub files: usize,
    /// SHA-256 over names and texts, hex.
    pub sha256: String,
}

/// The machine and the program.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostRecord {
    /// Version of stocktake.
    pub stocktake: String,
    /// Such as `linux x86_64`.
    pub system: String,
    /// Logical processors.
    pub cpus: usize,
}

/// A case: one scenario, or one of its rows, on one protocol.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseRecord {
    /// The scenario's id.
    pub scenario: String,
    /// What the scenario says of itself.
    pub title: String,
    /// The row's name.
    pub row: Option<String>,
    /// Over which protocol.
    pub protocol: Protocol,
    /// The scenario's file.
    pub file: String,
    /// The line of the row, or of the scenario's id.
    pub line: usize,
    /// The rules that it names.
    pub rules: Vec<String>,
    /// `must` or `should`.
    pub level: LevelName,
    /// How it ended.
    pub outcome: Outcome,
    /// Milliseconds.
    pub elapsed_ms: u64,
    /// Whether its steps ran to the end: one that did and failed has held every rule that no mismatch names.
    pub finished: bool,
    /// How many expectations were judged.
    pub judged: u64,
    /// What did not hold.
    pub mismatches: Vec<MismatchRecord>,
    /// What was called and what came back, in order; kept for cases that did not pass.
    pub timeline: Vec<TimelineEntry>,
    /// What the case left on the target, such as `product st-8q2m4x-watched (stock 15)`.
    pub left: Vec<String>,
}

impl CaseRecord {
    /// `id[row] (protocol)`, the name that filters and known-failing lines match.
    pub fn name(&self) -> String {
        case_name(&self.scenario, self.row.as_deref(), self.protocol)
    }
}

/// `id[row] (protocol)`.
pub fn case_name(scenario: &str, row: Option<&str>, protocol: Protocol) -> String {
    match row {
        Some(row) => format!("{scenario}[{row}] ({})", protocol.name()),
        None => format!("{scenario} ({})", protocol.name()),
    }
}

/// A level in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LevelName {
    /// Decides the exit code.
    Must,
    /// Decides it with `--level should`.
    Should,
}

impl LevelName {
    /// As in a scenario.
    pub fn name(self) -> &'static str {
        match self {
            LevelName::Must => "must",
            LevelName::Should => "should",
        }
    }
}

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome", deny_unknown_fields)]
pub enum Outcome {
    /// Everything held.
    Passed,
    /// Something did not hold.
    Failed,
    /// Failed, as a `--known-failing` line said it would.
    KnownFailing {
        /// The reason in that line.
        reason: String,
    },
    /// Passed although a `--known-failing` line said it would fail: counts as failed.
    UnexpectedPass {
        /// The reason in that line.
        reason: String,
    },
    /// Not run, because the target does not offer what it needs or an option forbids it.
    Skipped {
        /// Why.
        reason: String,
    },
    /// Could not be judged: the target was lost, the run was interrupted.
    NotJudged {
        /// Why.
        reason: String,
    },
}

/// One expectation that did not hold.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MismatchRecord {
    /// The rules that fail with it; empty for a scenario without rules.
    pub rules: Vec<String>,
    /// The weightiest level of those rules, or the scenario's.
    pub level: LevelName,
    /// The step's id, or `step 3`.
    pub step: String,
    /// The file.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// Up to two lines above it, as written.
    pub before: Vec<String>,
    /// The source line, as written.
    pub source: String,
    /// Up to two lines below it, as written.
    pub after: Vec<String>,
    /// How many characters the carets cover, at least 1.
    pub width: usize,
    /// What did not hold, in one line: `3 messages, expected 2`.
    pub summary: String,
    /// More lines, each with a label of at most 7 letters: `extra`, `missing`, `got`, `when`, `http`.
    pub details: Vec<(String, String)>,
}

/// Something that happened in a case.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimelineEntry {
    /// Milliseconds since the case began, with three decimals.
    pub at_ms: f64,
    /// The step's id, or `step 3`.
    pub step: String,
    /// `call`, `answer`, `message`, `probe`, `ready`, `end`, `cancel`, `clean-up`.
    pub kind: String,
    /// One line: method and request, status and response, or the message.
    pub text: String,
}

/// A rule's verdict.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleRecord {
    /// Its id.
    pub id: String,
    /// Its weight.
    pub level: LevelName,
    /// What it says; empty when the contract of the run does not know it.
    pub text: String,
    /// Cases that judged it and held.
    pub passed: u64,
    /// Cases with a mismatch against it.
    pub failed: u64,
    /// Cases that name it and were skipped or not judged.
    pub not_judged: u64,
    /// The names of the failed cases.
    pub failed_cases: Vec<String>,
    /// `failed` if any failed (known-failing cases aside), `passed` if one held, else `not_judged`.
    pub verdict: RuleVerdict,
    /// The same for each protocol of which a case names the rule.
    pub protocols: Vec<ProtocolTally>,
}

/// A rule on one protocol; the fields mean what they mean in [`RuleRecord`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "see RuleRecord")]
pub struct ProtocolTally {
    pub protocol: Protocol,
    pub passed: u64,
    pub failed: u64,
    pub not_judged: u64,
    /// Of those not judged, the cases that were not run at all.
    pub skipped: u64,
    pub verdict: RuleVerdict,
}

/// See [`RuleRecord::verdict`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleVerdict {
    /// At least one case held and none failed.
    Passed,
    /// A case failed.
    Failed,
    /// Cases failed, all of them known failing.
    KnownFailing,
    /// Nobody looked.
    NotJudged,
}

/// What a run has exercised.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    /// Every method of a service that a scenario of the run is about, on every protocol of the run that has it, called or
    /// not, in the order of the target's descriptors.
    pub methods: Vec<MethodCoverage>,
    /// Other methods that were called, by name, with the fields that were touched: nobody set out to exercise these.
    pub by_the_way: Vec<MethodCoverage>,
    /// Services that the target describes and no call of the run went to.
    pub services_not_called: Vec<String>,
}

/// A method on one protocol.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MethodCoverage {
    /// `pkg.Service/Method`.
    pub method: String,
    /// On which protocol.
    pub protocol: Protocol,
    /// Whether the target describes it.
    pub described: bool,
    /// Calls begun, set-up, probes and clean-up included.
    pub calls: u64,
    /// How they ended, statuses by their number: the name of the status where the service gave it, else `proxy` (something
    /// in front of it answered), `connection` (it broke) or `client` (cancelled or given up on this side).
    pub ends: Vec<(String, u64)>,
    /// Fields of the requests, in the order of declaration, such as `items[].sku`.
    pub request: Vec<RequestField>,
    /// Fields of the responses, in the order of declaration.
    pub response: Vec<ResponseField>,
    /// Fields of very large types that are not in the lists.
    pub fields_left_out: u64,
}

/// See [`MethodCoverage::request`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestField {
    /// Its path.
    pub field: String,
    /// Requests that set it; a field without presence is set when it is not its default.
    pub set: u64,
}

/// See [`MethodCoverage::response`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseField {
    /// Its path.
    pub field: String,
    /// Responses that set it; a field without presence is set when it is not its default.
    pub set: u64,
    /// How often an expectation was held against it.
    pub judged: u64,
}

/// Something that was judged beside the cases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckRecord {
    /// What it is about.
    pub about: CheckName,
    /// What came of it.
    pub result: CheckResult,
    /// In one sentence.
    pub sentence: String,
    /// What it found, the gravest first.
    pub items: Vec<CheckItem>,
}

/// See [`CheckRecord::about`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckName {
    /// How long the first answer took (`--cold-start`).
    ColdStart,
    /// The target's descriptors beside the contract.
    Contract,
    /// Who answered (`--expect-revision`).
    Identity,
    /// The same cases on the old target (`--against`).
    Against,
    /// The outcome beside an approved one (`--snapshot`).
    Snapshot,
}

impl CheckName {
    /// In words, for people.
    pub fn words(self) -> &'static str {
        match self {
            CheckName::ColdStart => "cold start",
            CheckName::Contract => "contract",
            CheckName::Identity => "identity",
            CheckName::Against => "against the old target",
            CheckName::Snapshot => "snapshot",
        }
    }
}

/// See [`CheckRecord::result`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckResult {
    /// It holds.
    Passed,
    /// It does not hold, and the run fails for it.
    Failed,
    /// It is told, and decides nothing at the level of this run.
    Noted,
    /// It could not be judged.
    NotJudged,
}

impl CheckResult {
    /// In words, for people.
    pub fn words(self) -> &'static str {
        match self {
            CheckResult::Passed => "passed",
            CheckResult::Failed => "failed",
            CheckResult::Noted => "noted",
            CheckResult::NotJudged => "not judged",
        }
    }
}

/// One thing that a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckItem {
    /// Such as `regression`, `differs` or `breaking`.
    pub kind: String,
    /// A case, a method or field, a revision, a line of a file.
    pub subject: String,
    /// More, in one line; empty where the subject says it all.
    pub text: String,
}

/// Something that stays behind on the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Residue {
    /// Such as `product st-8q2m4x-bounds`.
    pub what: String,
    /// Why it stays, where clean-up failed; else empty.
    pub why: String,
}

/// A doubt about a run, with its remedy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caveat {
    /// The doubt.
    pub text: String,
    /// What to do about it.
    pub remedy: String,
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// `passed`, `failed`, `not_judged` or `interrupted`.
    pub result: VerdictResult,
    /// The exit code that follows (see `exit.rs`).
    pub exit_code: i32,
    /// In one sentence.
    pub sentence: String,
    /// Whether every case of the matrix was run to its end.
    pub complete: bool,
    /// Counts.
    pub counts: Counts,
}

/// See [`Verdict`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictResult {
    /// As expected.
    Passed,
    /// Judged and failed.
    Failed,
    /// Could not be judged.
    NotJudged,
    /// A signal ended it.
    Interrupted,
}

/// Cases by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// All of the matrix.
    pub cases: u64,
    /// Held.
    pub passed: u64,
    /// With a mismatch at a level that decides.
    pub failed: u64,
    /// With mismatches only at a level that does not decide.
    pub failed_should: u64,
    /// As a known-failing line said.
    pub known_failing: u64,
    /// Passed against a known-failing line.
    pub unexpected_pass: u64,
    /// Skipped.
    pub skipped: u64,
    /// Not judged.
    pub not_judged: u64,
}
