//! Sides, cells, arrivals and options in words. Everything that is returned is fit to show ([`visible`]); each format
//! escapes it by its own rules on top. Pure.

use crate::{
    load::{
        exchange::Decoding,
        record::{ArrivalsRecord, CellRecord, LoadRecord, LoadResult, SideName, SideRecord},
    },
    report::{escape::visible, text},
};

/// Characters of a foreign name.
const NAME: usize = 120;

/// Characters of a reason.
const REASON: usize = 500;

/// A result in one or two words.
pub fn result(result: LoadResult) -> &'static str {
    match result {
        LoadResult::Measured => "measured",
        LoadResult::Failed => "failed",
        LoadResult::NotJudged => "not judged",
        LoadResult::Inconclusive => "inconclusive",
        LoadResult::Interrupted => "interrupted",
    }
}

/// `gRPC`, or `gRPC on new` where there are two targets.
pub fn side(record: &LoadRecord, name: SideName) -> String {
    if record.targets.len() < 2 {
        name.leg.title().to_owned()
    } else {
        format!("{} on {}", name.leg.title(), target(record, name.target))
    }
}

/// The name of a target.
pub fn target(record: &LoadRecord, at: usize) -> String {
    match record.targets.get(at) {
        Some(target) => fit(&target.name),
        None => format!("target {at}"),
    }
}

/// `products = 10, payload = small`; the workload's id where it has no factors.
pub fn cell(record: &LoadRecord, cell: &CellRecord) -> String {
    if cell.factors.is_empty() {
        return fit(&record.workload.id);
    }
    let factors: Vec<String> = cell
        .factors
        .iter()
        .map(|(name, value)| format!("{} = {}", fit(name), fit(value)))
        .collect();
    factors.join(", ")
}

/// The name of the cell with this id.
pub fn cell_of(record: &LoadRecord, id: &str) -> String {
    match record.cells.iter().find(|cell| cell.id == id) {
        Some(found) => cell(record, found),
        None => fit(id),
    }
}

/// How requests arrive: `500 requests a second, evenly spaced`.
pub fn arrivals(arrivals: &ArrivalsRecord) -> String {
    match arrivals {
        ArrivalsRecord::Constant { stages: of } => format!("{} requests a second, evenly spaced", stages(of)),
        ArrivalsRecord::Poisson { stages: of } => {
            format!(
                "{} requests a second, as from callers that do not know of each other",
                stages(of)
            )
        }
        ArrivalsRecord::InFlight { calls } => {
            format!(
                "closed loop: {} always in flight",
                text::plural(*calls as u64, "call", "calls")
            )
        }
        ArrivalsRecord::Users { users } => format!(
            "closed loop: {} with think times",
            text::plural(*users as u64, "user", "users")
        ),
    }
}

fn stages(stages: &[(f64, f64, f64)]) -> String {
    let stage = |(from, to, seconds): &(f64, f64, f64)| {
        let rate = if from == to {
            text::rate(*from)
        } else {
            format!("{} to {}", text::rate(*from), text::rate(*to))
        };
        match stages.len() {
            ..2 => rate,
            _ => format!("{rate} for {}", seconds_of(*seconds)),
        }
    };
    stages.iter().map(stage).collect::<Vec<_>>().join(", then ")
}

/// How a cell is measured, after its arrivals.
pub fn conditions(cell: &CellRecord) -> String {
    let decoding = match cell.decoding {
        Decoding::Off => "answers read, not decoded",
        Decoding::Sampled => "one answer of a hundred decoded",
        Decoding::Full => "every answer decoded",
    };
    format!(
        "{} of {} each, {} of warm-up before each; {}; {decoding}",
        rounds(cell),
        seconds_of(cell.measured_s),
        seconds_of(cell.warm_up_s),
        connections(cell),
    )
}

fn rounds(cell: &CellRecord) -> String {
    let counts = cell.sides.iter().map(|side| side.rounds.len() as u64);
    let (least, most) = (counts.clone().min().unwrap_or(0), counts.max().unwrap_or(0));
    if least == most {
        text::plural(most, "round", "rounds")
    } else {
        format!("{least} to {}", text::plural(most, "round", "rounds"))
    }
}

fn connections(cell: &CellRecord) -> String {
    let streams = cell.streams_per_connection;
    let calls = cell.connections.saturating_mul(streams);
    let shared = text::plural(cell.connections as u64, "connection", "connections");
    format!(
        "{shared} with up to {} on each where connections are shared, else {} with one",
        text::plural(streams as u64, "call", "calls"),
        text::plural(calls as u64, "connection", "connections")
    )
}

/// Seconds: `0.5 s`, `10 s`.
pub fn seconds_of(seconds: f64) -> String {
    format!("{} s", text::tick(seconds))
}

/// Why nothing of a side may be shown.
pub fn void(cell: &CellRecord, side: &SideRecord) -> Option<String> {
    let why = cell.void.as_ref().or(side.void.as_ref())?;
    Some(reason(why))
}

/// A reason, short and visible.
pub fn reason(why: &str) -> String {
    text::cap(&visible(why), REASON)
}

/// A foreign name, short and visible.
pub fn fit(name: &str) -> String {
    text::cap(&visible(name), NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_in_words() {
        let told = [
            ArrivalsRecord::Constant {
                stages: vec![(500.0, 500.0, 10.0)],
            },
            ArrivalsRecord::Poisson {
                stages: vec![(100.0, 100.0, 5.0), (100.0, 1500.0, 30.0)],
            },
            ArrivalsRecord::InFlight { calls: 1 },
            ArrivalsRecord::Users { users: 20 },
        ]
        .map(|of| arrivals(&of));
        insta::assert_snapshot!(told.join("\n"));
    }
}
