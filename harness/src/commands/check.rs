//! What `check` does beside verify: a short comparison of gRPC and REST, which never changes the verdict.

use super::{
    child::Service,
    load::{self, Order, screen::Screen, targets::Address},
};
use std::time::Duration;
use stocktake::{
    cli::{Format, VerifyArgs},
    client::{Protocol, Target},
    load::{
        leg::Leg,
        record::LoadRecord,
        workload::{DEFAULT, Overrides},
    },
    verify::record::Caveat,
};

/// Rounds of each leg: two more than a comparison needs, for one that the machine was too busy for may be void. Each is as long as
/// a newcomer waits for.
const SHORT: (usize, Duration, Duration) = (12, Duration::from_millis(500), Duration::from_millis(100));

/// A service that fails more than this is no longer asked.
const MAX_ERRORS: f64 = 0.05;

/// Requests a second to a target that is not on this machine: somebody's production.
const GENTLE: f64 = 50.0;

/// Things that it leaves on the target, at most.
pub fn residue() -> u64 {
    load::read(DEFAULT).map_or(0, |(_, workload)| workload.residue_of_setup())
}

/// What verify has found out.
pub struct Reached<'a> {
    /// Whom.
    pub target: &'a Target,
    /// Where the run started it.
    pub service: Option<&'a Service>,
    /// The id in every name on the target.
    pub run_id: &'a str,
    /// What it speaks.
    pub protocols: &'a [Protocol],
}

/// Drives the built-in workload for some seconds.
///
/// # Errors
/// Why there is no comparison.
pub async fn in_short(args: &VerifyArgs, reached: Reached<'_>) -> Result<LoadRecord, Caveat> {
    let none = |why: String| Caveat {
        text: format!("gRPC and REST were not compared under load: {why}"),
        remedy: "run stocktake load".to_owned(),
    };
    if args.read_only {
        return Err(none("its workload writes, and the run is read-only".to_owned()));
    }
    let legs: Vec<Leg> = [Leg::Grpc, Leg::RestH1]
        .into_iter()
        .filter(|leg| reached.protocols.contains(&leg.protocol()))
        .collect();
    if legs.len() < 2 {
        return Err(none("the run is not about both".to_owned()));
    }
    let (file, workload) = load::read(DEFAULT).map_err(|refusal| none(refusal.text().to_owned()))?;
    let overrides = Overrides {
        rate: (!reached.target.is_loopback()).then_some(GENTLE),
        rounds: Some(SHORT.0),
        duration: Some(SHORT.1),
        warm_up: Some(SHORT.2),
        ..Overrides::default()
    };
    let cells = workload.cells.iter().map(|cell| cell.with(&overrides));
    let cells = cells.collect::<Result<Vec<_>, _>>().map_err(none)?;
    let address = match reached.service {
        Some(service) => Address::built_in(service).map_err(|refusal| none(refusal.text().to_owned()))?,
        None => Address::reached(reached.target.clone()),
    };
    if args.output.format == Format::Text && !args.output.quiet {
        let took = (SHORT.1 + SHORT.2) * (SHORT.0 * legs.len()) as u32;
        let seconds = took.as_secs().max(1);
        // Whoever reads along has gone: the report is still written.
        let _ = super::print(&format!("\ngRPC against REST, in short: about {seconds} s …\n"));
    }
    let order = Order {
        command: "check",
        addresses: vec![address],
        workload,
        file,
        legs: Some(legs),
        cells,
        max_errors: MAX_ERRORS,
        run_id: reached.run_id.to_owned(),
        options: Vec::new(),
        connection: &args.connection,
    };
    let made = load::run(order, &mut Screen::dark()).await;
    made.map(|made| without_files(made.record))
        .map_err(|refusal| none(refusal.text().to_owned()))
}

/// The histograms of a check are not kept: its record names no files.
fn without_files(mut record: LoadRecord) -> LoadRecord {
    for side in record.cells.iter_mut().flat_map(|cell| &mut cell.sides) {
        for operation in side.operations.iter_mut().chain(&mut side.all) {
            operation.hlog = None;
        }
    }
    record
}
