//! How requests arrive, read for one cell.

use super::setting::{Reader, get};
use crate::{
    load::workload::cell::{Arrivals, MOST_SLOTS, Rate, Stage},
    scenario::data::{Data, DataNode},
};
use std::time::Duration;

const HELP: &str = "write `{ constant: 500 }`, `{ poisson: 500 }` or `{ in_flight: 16 }`";
const STAGES: &str = "write `{ rate: 500, for: 10s }` or `{ from: 100, to: 500, for: 10s }`";

impl Reader<'_> {
    /// The arrivals, and the length of their stages where they have some.
    pub fn arrivals(&mut self, data: &Data, length: Duration) -> Option<(Arrivals, Option<Duration>)> {
        let entries = self.map(data, &["constant", "poisson", "in_flight"], HELP)?;
        let [(model, value)] = entries else {
            let text = match entries {
                [] => "`arrivals` says nothing".to_owned(),
                _ => "requests arrive in one way: keep one of these keys".to_owned(),
            };
            self.wrong(data, text, Some(HELP));
            return None;
        };
        if model.value == "in_flight" {
            return Some((Arrivals::InFlight(self.whole(value, MOST_SLOTS)?), None));
        }
        let (stages, total) = match &value.node {
            DataNode::List(items) => {
                let stages: Vec<Stage> = items.iter().filter_map(|item| self.stage(item)).collect();
                if items.is_empty() {
                    self.wrong(value, "no stage: nothing would be sent".to_owned(), Some(STAGES));
                }
                if stages.is_empty() || stages.len() < items.len() {
                    return None;
                }
                let total = stages.iter().map(|stage| stage.length).sum();
                (stages, Some(total))
            }
            _ => {
                let rate = self.rate(value)?;
                let stage = Stage {
                    from: rate,
                    to: rate,
                    length,
                };
                (vec![stage], None)
            }
        };
        let arrivals = match model.value.as_str() {
            "constant" => Arrivals::Constant(stages),
            _ => Arrivals::Poisson(stages),
        };
        Some((arrivals, total))
    }

    fn stage(&mut self, data: &Data) -> Option<Stage> {
        let entries = self.map(data, &["rate", "from", "to", "for"], STAGES)?;
        let Some(length) = get(entries, "for") else {
            self.wrong(data, "this stage has no `for`".to_owned(), Some(STAGES));
            return None;
        };
        let length = self.time(length, false);
        let (from, to) = match (get(entries, "rate"), get(entries, "from"), get(entries, "to")) {
            (Some(rate), None, None) => {
                let rate = self.rate(rate);
                (rate, rate)
            }
            (None, Some(from), Some(to)) => (self.rate(from), self.rate(to)),
            _ => {
                let text = "a stage has a `rate`, or `from` and `to`";
                self.wrong(data, text.to_owned(), Some(STAGES));
                return None;
            }
        };
        let (from, to) = (from?, to?);
        if std::mem::discriminant(&from) != std::mem::discriminant(&to) {
            let text = "`from` and `to` are both requests a second, or both shares";
            self.wrong(data, text.to_owned(), None);
            return None;
        }
        Some(Stage {
            from,
            to,
            length: length?,
        })
    }

    /// `{ in_flight: 16 }` of `saturation`.
    pub fn saturation(&mut self, data: &Data) -> Option<usize> {
        const HELP: &str = "write `saturation: { in_flight: 16 }`";
        let entries = self.map(data, &["in_flight"], HELP)?;
        match get(entries, "in_flight") {
            Some(calls) => self.whole(calls, MOST_SLOTS),
            None => {
                self.wrong(data, "`saturation` has no `in_flight`".to_owned(), Some(HELP));
                None
            }
        }
    }
}

/// Whether a rate of these arrivals is a share of saturation.
pub fn is_share(arrivals: &Arrivals) -> bool {
    let (Arrivals::Constant(stages) | Arrivals::Poisson(stages)) = arrivals else {
        return false;
    };
    stages.iter().any(|stage| {
        [stage.from, stage.to]
            .iter()
            .any(|rate| matches!(rate, Rate::OfSaturation(_)))
    })
}
