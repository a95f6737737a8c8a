//! Whether runs are of one kind: the same target, workload and protocol variant. What a run does not say is not held against it. Pure.

use super::Run;
use crate::{load::leg::Leg, verify::record::Caveat};

/// What a run says of itself.
struct Facts<'a> {
    path: &'a str,
    target: Option<&'a str>,
    /// Id and hash.
    workload: Option<(&'a str, &'a str)>,
    legs: Vec<Leg>,
}

/// Where a target lies.
#[derive(PartialEq)]
enum Place {
    /// Started by the run, on another port each time.
    BuiltIn,
    /// On this machine, where a port says little.
    Here(String),
    /// Elsewhere.
    Away(String),
}

/// Doubts whether the runs are of one kind.
///
/// # Errors
/// They are not: which two, and in what they differ.
pub(super) fn alike(runs: &[(&str, Run<'_>)]) -> Result<Vec<Caveat>, String> {
    let facts: Vec<Facts<'_>> = runs.iter().map(|(path, run)| of(path, run)).collect();
    let mut caveats = Vec::new();
    let mut first: Option<(&str, &str)> = None;
    for (path, target) in facts.iter().filter_map(|one| Some((one.path, one.target?))) {
        let Some((other, known)) = first else {
            first = Some((path, target));
            continue;
        };
        match (place(known), place(target)) {
            (a, b) if a == b => {}
            (Place::Here(a), Place::Here(b)) => caveats.push(Caveat {
                text: format!("{other} and {path} had two addresses on one machine, {a} and {b}"),
                remedy: "taken for the same server, started anew: leave one out where it was another".to_owned(),
            }),
            _ => {
                return Err(differ(other, path, "targets", known, target));
            }
        }
    }
    let mut first: Option<(&str, (&str, &str))> = None;
    for (path, workload) in facts.iter().filter_map(|one| Some((one.path, one.workload?))) {
        match first {
            None => first = Some((path, workload)),
            Some((other, known)) if known.1 != workload.1 => {
                let named = |(id, hash): (&str, &str)| format!("{id} ({})", hash.get(..8).unwrap_or(hash));
                return Err(differ(other, path, "workloads", &named(known), &named(workload)));
            }
            Some(_) => {}
        }
    }
    let mut common: Option<(&str, Vec<Leg>)> = None;
    for one in facts.iter().filter(|one| !one.legs.is_empty()) {
        let Some((other, known)) = &mut common else {
            common = Some((one.path, one.legs.clone()));
            continue;
        };
        let names = |legs: &[Leg]| legs.iter().map(|leg| leg.name()).collect::<Vec<_>>().join(", ");
        let before = names(known);
        known.retain(|leg| one.legs.contains(leg));
        if known.is_empty() {
            return Err(differ(other, one.path, "protocol variants", &before, &names(&one.legs)));
        }
    }
    Ok(caveats)
}

fn differ(one: &str, other: &str, what: &str, a: &str, b: &str) -> String {
    format!(
        "{one} and {other} have different {what}, {a} and {b}: their rates say nothing of each other; leave one out"
    )
}

fn of<'a>(path: &'a str, run: &Run<'a>) -> Facts<'a> {
    match run {
        Run::Verify(record) => Facts {
            path,
            target: Some(&record.target.address),
            workload: None,
            legs: Vec::new(),
        },
        Run::Load(record) => {
            let newest = record.newest();
            let sides = record.cells.iter().flat_map(|cell| &cell.sides);
            let mut legs: Vec<Leg> = sides
                .filter(|side| side.target == newest)
                .map(|side| side.leg)
                .collect();
            legs.sort();
            legs.dedup();
            Facts {
                path,
                target: record.targets.get(newest).map(|target| target.address.as_str()),
                workload: Some((&record.workload.id, &record.workload.sha256)),
                legs,
            }
        }
        Run::Capacity(record) => Facts {
            path,
            target: record.target.as_ref().map(|target| target.address.as_str()),
            workload: record
                .workload
                .as_ref()
                .map(|workload| (workload.id.as_str(), workload.sha256.as_str())),
            legs: record.leg.into_iter().collect(),
        },
    }
}

fn place(address: &str) -> Place {
    if address.starts_with("built-in service") {
        return Place::BuiltIn;
    }
    let plain = address.trim_end_matches('/').to_ascii_lowercase();
    let plain = match plain.strip_prefix("https://") {
        Some(secure) => format!("https://{}", secure.strip_suffix(":443").unwrap_or(secure)),
        None => plain.strip_prefix("http://").unwrap_or(&plain).to_owned(),
    };
    let host = plain.strip_prefix("https://").unwrap_or(&plain);
    let here = ["127.", "localhost:", "[::1]"]
        .iter()
        .any(|start| host.starts_with(start))
        || host == "localhost";
    if here { Place::Here(plain) } else { Place::Away(plain) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{
        super::tests::{capacity, load},
        *,
    };
    use crate::capacity::record::CapacityRecord;

    /// A capacity run of the target, workload and leg of this load run.
    fn of_load(record: &crate::load::record::LoadRecord) -> CapacityRecord {
        CapacityRecord {
            target: Some(record.targets[0].clone()),
            workload: Some(record.workload.clone()),
            leg: Some(Leg::Grpc),
            ..capacity(1, 145.0, 156.0)
        }
    }

    #[test]
    fn runs_of_two_kinds_are_refused_by_name() {
        let load = load(100.0, 40_000_000);
        let same = of_load(&load);
        let told = |other: &CapacityRecord| alike(&[("a", Run::Load(&load)), ("b", Run::Capacity(other))]);
        assert!(told(&same).unwrap().is_empty());

        let mut target = same.clone();
        target.target.as_mut().unwrap().address = "https://shop.example.org".to_owned();
        let mut workload = same.clone();
        workload.workload.as_mut().unwrap().sha256 = "00".to_owned();
        let leg = CapacityRecord {
            leg: Some(Leg::RestH2),
            ..same.clone()
        };
        for (other, words) in [(target, "targets"), (workload, "workloads"), (leg, "protocol variants")] {
            let error = told(&other).unwrap_err();
            assert!(
                error.starts_with(&format!("a and b have different {words}, ")),
                "{error}"
            );
        }
        // What a run does not say is not held against it.
        assert!(told(&capacity(1, 145.0, 156.0)).unwrap().is_empty());
    }

    #[test]
    fn a_port_of_this_machine_is_a_doubt_and_an_address_elsewhere_is_another_target() {
        let base = of_load(&load(100.0, 40_000_000));
        let at = |address: &str| {
            let mut record = base.clone();
            record.target.as_mut().unwrap().address = address.to_owned();
            record
        };
        let told = |a: &str, b: &str| {
            alike(&[("a", Run::Capacity(&at(a))), ("b", Run::Capacity(&at(b)))]).map(|caveats| caveats.len())
        };
        let built_in = "built-in service at http://127.0.0.1:";
        assert_eq!(told(&format!("{built_in}1"), &format!("{built_in}2")), Ok(0));
        assert_eq!(told("127.0.0.1:50051", "http://127.0.0.1:50051/"), Ok(0));
        assert_eq!(told("127.0.0.1:50051", "localhost:50052"), Ok(1));
        assert_eq!(told("https://Shop.example.org/", "https://shop.example.org:443"), Ok(0));
        assert!(told("https://shop.example.org", "https://old.example.org").is_err());
        assert!(told("https://shop.example.org", "127.0.0.1:50051").is_err());
        assert!(told(&format!("{built_in}1"), "127.0.0.1:50051").is_err());
    }
}
