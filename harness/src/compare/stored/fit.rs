//! Which stored runs are like the new one: same machine, same workload, same settings, and whole.

use super::StoredRun;
use crate::load::record::{ArrivalsRecord, CellRecord, LoadRecord};

/// The BASE runs that may stand beside the new one, and the others with the reason.
pub(super) fn sort<'a>(base: &[StoredRun<'a>], new: StoredRun) -> (Vec<StoredRun<'a>>, Vec<(String, String)>) {
    let mut used: Vec<StoredRun> = Vec::new();
    let mut set_aside = Vec::new();
    for run in base {
        let twin = |other: &StoredRun| identity(other.record) == identity(run.record);
        let reason = if twin(&new) {
            Some("is the new run itself".to_owned())
        } else if let Some(other) = used.iter().find(|other| twin(other)) {
            Some(format!("is the same run as {}", other.name))
        } else {
            unusable(run.record).or_else(|| difference(run.record, new.record))
        };
        match reason {
            None => used.push(*run),
            Some(reason) => set_aside.push((run.name.to_owned(), reason)),
        }
    }
    (used, set_aside)
}

/// Why a run stands for nothing at all.
pub(super) fn unusable(run: &LoadRecord) -> Option<String> {
    if !run.verdict.complete {
        Some("was interrupted".to_owned())
    } else if run.cells.iter().all(|cell| cell.sides.is_empty()) {
        Some("has no measured side".to_owned())
    } else {
        None
    }
}

/// Whether two cells of two runs ask for the same.
pub(super) fn is_same_cell(a: &CellRecord, b: &CellRecord) -> bool {
    let settings = |cell: &CellRecord| {
        (
            cell.decoding,
            cell.connections,
            cell.streams_per_connection,
            cell.measured_s.to_bits(),
            cell.warm_up_s.to_bits(),
        )
    };
    a.id == b.id && a.factors == b.factors && a.arrivals == b.arrivals && settings(a) == settings(b)
}

/// Why a run is set aside whose cells have nothing different but their rates. Rates that are written are the same in one workload
/// with one set of options and factors.
pub(super) const OTHER_RATES: &str = "has other rates: those of its workload are shares of a saturation that each run measures \
                                      anew, so stored runs of it never compare; give a fixed rate";

/// The first thing that makes another run of it.
fn difference(run: &LoadRecord, new: &LoadRecord) -> Option<String> {
    let named = |name: &Option<String>| name.clone().unwrap_or_else(|| "one without a name".to_owned());
    let processor = |run: &LoadRecord| named(&run.generator.processor);
    let kernel = |run: &LoadRecord| named(&run.generator.kernel);
    let same = [
        ("workload", workload(run), workload(new)),
        (
            "stocktake version",
            run.host.stocktake.clone(),
            new.host.stocktake.clone(),
        ),
        ("system", run.host.system.clone(), new.host.system.clone()),
        (
            "number of processors",
            run.host.cpus.to_string(),
            new.host.cpus.to_string(),
        ),
        ("processor", processor(run), processor(new)),
        ("kernel", kernel(run), kernel(new)),
        (
            "number of threads",
            run.generator.threads.to_string(),
            new.generator.threads.to_string(),
        ),
        ("set of targets", targets(run), targets(new)),
        ("set of options", options(run), options(new)),
    ];
    let different = same.into_iter().find(|(_, run, new)| run != new);
    let told = different.map(|(what, run, new)| format!("has another {what}: {run}, the new run has {new}"));
    told.or_else(|| {
        let all = |same: fn(&CellRecord, &CellRecord) -> bool| {
            run.cells.len() == new.cells.len() && run.cells.iter().zip(&new.cells).all(|(a, b)| same(a, b))
        };
        if all(is_same_cell) {
            None
        } else if all(|a, b| is_same_cell(&without_rates(a), &without_rates(b))) {
            Some(OTHER_RATES.to_owned())
        } else {
            Some("has other cells: arrivals, connections, seconds or factors differ".to_owned())
        }
    })
}

/// What a cell asks for but how many requests a second.
fn without_rates(cell: &CellRecord) -> CellRecord {
    let mut arrivals = cell.arrivals.clone();
    if let ArrivalsRecord::Constant { stages } | ArrivalsRecord::Poisson { stages } = &mut arrivals {
        stages.iter_mut().for_each(|(from, to, _)| (*from, *to) = (0.0, 0.0));
    }
    CellRecord {
        id: cell.id.clone(),
        factors: cell.factors.clone(),
        arrivals,
        sides: Vec::new(),
        void: None,
        ..*cell
    }
}

/// A run is one, however often its folder is named.
fn identity(run: &LoadRecord) -> (&str, &str) {
    (&run.run_id, &run.started)
}

/// Its name and the hash that decides.
fn workload(run: &LoadRecord) -> String {
    let hash = &run.workload.sha256;
    format!("{} ({hash})", run.workload.id)
}

/// Where they lie, not their addresses: a service that a run starts has another port each time.
fn targets(run: &LoadRecord) -> String {
    let place = |loopback: bool| if loopback { "on this machine" } else { "elsewhere" };
    let targets = run.targets.iter().map(|t| format!("{} {}", t.name, place(t.loopback)));
    targets.collect::<Vec<_>>().join(", ")
}

fn options(run: &LoadRecord) -> String {
    let options = run.options.iter().map(|(name, value)| format!("{name} = {value}"));
    options.collect::<Vec<_>>().join(", ")
}
