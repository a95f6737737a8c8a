//! `stocktake compare`: a stored load run beside at least five older ones.

use super::Refusal;
use stocktake::{
    cli::CompareArgs,
    compare::{
        regression::Minimum,
        stored::{self, StoredRun, Verdict},
    },
    exit::Exit,
    load::record::LoadRecord,
    report::{store, stored as shown},
};

/// Compares and prints.
pub fn compare(args: &CompareArgs) -> Result<Exit, Refusal> {
    let read = |run: &std::path::PathBuf| -> Result<(String, LoadRecord), Refusal> {
        let record = store::read_load(run).map_err(|error| Refusal::input(with_cause(&error)))?;
        Ok((run.display().to_string(), record))
    };
    let base: Vec<(String, LoadRecord)> = args.base.iter().map(read).collect::<Result<_, _>>()?;
    let new = read(&args.new)?;
    let stored = |(name, record)| StoredRun { name, record };
    let base: Vec<StoredRun> = base.iter().map(|(name, record)| stored((name, record))).collect();
    let comparison = stored::compare(&base, stored((&new.0, &new.1)), &Minimum::default());
    super::print(&shown::render(&comparison)).map_err(|error| Refusal::not_judged(format!("no output: {error}")))?;
    Ok(match comparison.verdict {
        Verdict::NoRegression => Exit::Passed,
        Verdict::Regression => Exit::Failed,
        Verdict::Inconclusive => Exit::Inconclusive,
    })
}

/// An error and what caused it, unless it says that itself.
fn with_cause(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    match error.source().map(ToString::to_string) {
        Some(cause) if !text.contains(&cause) => format!("{text}: {cause}"),
        _ => text,
    }
}
