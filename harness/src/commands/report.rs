//! `stocktake report`: renders a stored run again, byte for byte; into another folder with the histograms of a load run.

use super::Refusal;
use stocktake::{
    cli::ReportArgs,
    exit::Exit,
    report::{
        escape,
        store::{self, Stored},
    },
};

/// Renders into the run's folder, or another one.
pub fn report(args: &ReportArgs) -> Result<Exit, Refusal> {
    let record = store::read_any(&args.run).map_err(|error| Refusal::input(error.to_string()))?;
    let folder = args.out.as_deref().unwrap_or(&args.run);
    if args.out.is_some() {
        store::create(folder).map_err(|error| Refusal::input(error.to_string()))?;
    }
    let mut missing = 0;
    if let (Some(folder), Stored::Load(load)) = (&args.out, &record) {
        let copied = store::copy_beside(&args.run, load, folder);
        missing = copied.map_err(|error| Refusal::input(error.to_string()))?;
    }
    record
        .write(folder)
        .map_err(|error| Refusal::input(error.to_string()))?;
    let report = folder.join("index.html");
    let sentence = escape::visible(record.sentence());
    let mut text = format!("{}\nreport: {}\n", escape::log_line(&sentence), report.display());
    if missing > 0 {
        text += &format!("{missing} files with histograms, which the record names, are not beside it\n");
    }
    super::print(&text).map_err(|error| Refusal::not_judged(format!("no output: {error}")))?;
    Ok(Exit::Passed)
}
