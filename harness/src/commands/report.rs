//! `stocktake report`: renders a stored run again, byte for byte.

use super::Refusal;
use stocktake::{cli::ReportArgs, exit::Exit, report::store};

/// Renders into the run's folder, or another one.
pub fn report(args: &ReportArgs) -> Result<Exit, Refusal> {
    let record = store::read_any(&args.run).map_err(|error| Refusal::input(error.to_string()))?;
    let folder = args.out.as_deref().unwrap_or(&args.run);
    if args.out.is_some() {
        store::create(folder).map_err(|error| Refusal::input(error.to_string()))?;
    }
    record
        .write(folder)
        .map_err(|error| Refusal::input(error.to_string()))?;
    let report = folder.join("index.html");
    let text = format!("{}\nreport: {}\n", record.sentence(), report.display());
    super::print(&text).map_err(|error| Refusal::not_judged(format!("no output: {error}")))?;
    Ok(Exit::Passed)
}
