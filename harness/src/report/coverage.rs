//! What a run reached of what there is, and what it did not: the words and sums of all reports. Pure.

use super::standing;
use crate::{
    client::{Code, Protocol},
    verify::record::{MethodCoverage, RunRecord},
};
use std::collections::{BTreeMap, BTreeSet};

/// How much of something was reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// So many were.
    pub reached: u64,
    /// Of so many.
    pub of: u64,
}

impl Share {
    fn add(&mut self, reached: bool) {
        self.reached += u64::from(reached);
        self.of += 1;
    }
}

/// The reach of a run on one protocol, over the services that its scenarios are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Which.
    pub protocol: Protocol,
    /// Methods that were called.
    pub methods: Share,
    /// Request fields that some request set.
    pub request: Share,
    /// Response fields that some response set.
    pub response: Share,
    /// Response fields that some expectation was held against.
    pub judged: Share,
}

/// By protocol.
pub fn reach(record: &RunRecord) -> Vec<Reach> {
    let of = |protocol: Protocol| {
        let mut reach = Reach {
            protocol,
            methods: Share::default(),
            request: Share::default(),
            response: Share::default(),
            judged: Share::default(),
        };
        for method in record
            .coverage
            .methods
            .iter()
            .filter(|method| method.protocol == protocol)
        {
            reach.methods.add(method.calls > 0);
            method.request.iter().for_each(|field| reach.request.add(field.set > 0));
            for field in &method.response {
                reach.response.add(field.set > 0);
                reach.judged.add(field.judged > 0);
            }
        }
        reach
    };
    record.target.protocols.iter().map(|protocol| of(*protocol)).collect()
}

/// Something that nothing in the run has touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Such as `Methods never called`.
    pub what: &'static str,
    /// By name, with the protocol where another one reached it.
    pub items: Vec<String>,
}

/// All that was never exercised; of a method that was never called, the fields go without saying.
pub fn gaps(record: &RunRecord) -> Vec<Gap> {
    let called = |method: &MethodCoverage| method.calls > 0;
    let methods = missed(record, |method| vec![(String::new(), called(method))]);
    let fields = |of: fn(&MethodCoverage) -> Vec<(String, bool)>| {
        missed(
            record,
            move |method| if method.calls > 0 { of(method) } else { Vec::new() },
        )
    };
    let request = fields(|method| {
        method
            .request
            .iter()
            .map(|field| (field.field.clone(), field.set > 0))
            .collect()
    });
    let response = fields(|method| {
        method
            .response
            .iter()
            .map(|field| (field.field.clone(), field.set > 0))
            .collect()
    });
    let judged = fields(|method| {
        let seen = method.response.iter().filter(|field| field.set > 0);
        seen.map(|field| (field.field.clone(), field.judged > 0)).collect()
    });
    let answered: BTreeSet<&str> = all_methods(record)
        .flat_map(|method| &method.ends)
        .map(|(end, _)| end.as_str())
        .collect();
    let codes = Code::ALL
        .iter()
        .map(|code| code.name())
        .filter(|name| !answered.contains(name));
    let all = [
        ("Methods never called", methods),
        ("Services with no call", record.coverage.services_not_called.clone()),
        ("Request fields never set", request),
        ("Response fields that no answer set", response),
        ("Response fields that came and were never judged", judged),
        ("Status codes that no answer had", codes.map(str::to_owned).collect()),
    ];
    let gaps = all.into_iter().map(|(what, items)| Gap { what, items });
    gaps.filter(|gap| !gap.items.is_empty()).collect()
}

/// Every method of the record.
pub fn all_methods(record: &RunRecord) -> impl Iterator<Item = &MethodCoverage> {
    record.coverage.methods.iter().chain(&record.coverage.by_the_way)
}

/// `InventoryService/GetProduct` of `inventory.InventoryService/GetProduct`.
pub fn short(method: &str) -> &str {
    let (service, _) = method.rsplit_once('/').unwrap_or((method, ""));
    let start = service.rfind('.').map_or(0, |dot| dot + 1);
    method.get(start..).unwrap_or(method)
}

/// The names of what was not reached, each with the protocols on which it was not, where it was on another.
fn missed(record: &RunRecord, of: impl Fn(&MethodCoverage) -> Vec<(String, bool)>) -> Vec<String> {
    let mut found: Vec<(String, Vec<Protocol>, bool)> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for method in &record.coverage.methods {
        for (field, reached) in of(method) {
            let name = match field.as_str() {
                "" => short(&method.method).to_owned(),
                field => format!("{} {field}", short(&method.method)),
            };
            let place = *places.entry(name.clone()).or_insert(found.len());
            if place == found.len() {
                found.push((name, Vec::new(), false));
            }
            if let Some((_, missing, elsewhere)) = found.get_mut(place) {
                match reached {
                    true => *elsewhere = true,
                    false => missing.push(method.protocol),
                }
            }
        }
    }
    let gaps = found.into_iter().filter(|(_, missing, _)| !missing.is_empty());
    gaps.map(|(name, missing, elsewhere)| match elsewhere {
        false => name,
        true => {
            let titles: Vec<&str> = missing.into_iter().map(standing::title).collect();
            format!("{name} over {}", titles.join(" and "))
        }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn what_was_not_reached_is_named() {
        let told: Vec<String> = gaps(&sample::failing())
            .into_iter()
            .map(|gap| format!("{}: {}", gap.what, gap.items.join(", ")))
            .collect();
        let codes = "CANCELLED, UNKNOWN, INVALID_ARGUMENT, ALREADY_EXISTS, PERMISSION_DENIED, RESOURCE_EXHAUSTED, \
                     FAILED_PRECONDITION, ABORTED, OUT_OF_RANGE, INTERNAL, UNAVAILABLE, DATA_LOSS, UNAUTHENTICATED";
        assert_eq!(
            told,
            [
                "Methods never called: InventoryService/GetProduct over REST",
                "Services with no call: inventory.Admin",
                "Request fields never set: InventoryService/WatchStockChanges threshold",
                "Response fields that no answer set: InventoryService/GetProduct description",
                "Response fields that came and were never judged: InventoryService/WatchStockChanges timestamp over gRPC",
                &format!("Status codes that no answer had: {codes}"),
            ]
        );
    }

    #[test]
    fn the_reach_counts_what_there_is() {
        let reach = reach(&sample::failing());
        let share = |reached, of| Share { reached, of };
        assert_eq!(reach[0].methods, share(2, 2));
        assert_eq!(reach[1].methods, share(1, 2));
        assert_eq!(reach[0].request, share(2, 3));
        assert_eq!(reach[0].response, share(3, 4));
        assert_eq!(reach[0].judged, share(3, 4));
    }
}
