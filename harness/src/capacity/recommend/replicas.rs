//! How few and how many replicas. Pure.

use super::{Ground, Number, REACT_S, RecommendError, Subject};
use crate::{
    capacity::scaler::MOST_REPLICAS,
    numbers::{count, plural, rate},
};

/// A candidate for a number of replicas.
struct Candidate {
    replicas: u32,
    binding: &'static str,
    because: String,
    changes: &'static str,
}

pub(super) struct Replicas {
    pub min: u32,
    pub max: u32,
    /// What the peak asks for, before anything caps it.
    pub needed: u32,
    pub numbers: Vec<Number>,
}

/// The fewest and the most, with the range that the bracket leaves.
pub(super) fn replicas(ground: &Ground<'_>) -> Result<Replicas, RecommendError> {
    let cap = caps(ground).into_iter().min_by_key(|cap| cap.replicas);
    if let Some(cap) = cap.as_ref().filter(|cap| cap.replicas == 0) {
        return Err(RecommendError::Wrong {
            text: format!("{} leaves no room for a single replica: {}", cap.binding, cap.because),
            help: cap.changes.to_owned(),
        });
    }
    let (low, high) = ground.rates();
    let peak = ground.ask.burst * ground.ask.peak;
    let headroom = ground.ask.headroom;
    if let Some(ceiling) = ground.measured.ceiling.filter(|ceiling| peak > headroom * ceiling) {
        return Err(RecommendError::TooLittle {
            why: format!(
                "the edge or the database takes {} requests a second with the headroom, whatever the number of replicas, and the peak with \
                 its burst is {}",
                rate(headroom * ceiling),
                rate(peak)
            ),
            next: "enlarge what was full beside the replicas, then run `stocktake capacity` again".to_owned(),
        });
    }
    if ground.sharing().replicas(peak / ground.planned(low)).is_none() {
        let sharing = ground.sharing();
        // Where two carry no more than one, or less, what fewer carry is not said by the law.
        let (who, carried) = match sharing.sigma() >= 1.0 {
            true => (
                format!("{} and more of them carry no more than", sharing.at),
                ground.carried(sharing.at),
            ),
            false => (
                "however many there are, they carry no more than".to_owned(),
                ground.carried(u32::MAX),
            ),
        };
        return Err(RecommendError::TooLittle {
            why: format!(
                "replicas share something, such as a database, a lock or the edge: {who} {} requests a second with the headroom, and the peak \
                 with its burst is {}",
                rate(headroom * carried),
                rate(peak)
            ),
            next: "find what replicas share and what it sustains, enlarge it, then run `stocktake capacity` again with one replica and with two"
                .to_owned(),
        });
    }
    let at = |rate: f64| {
        let min = most(floors(ground, rate));
        let needed = most(needs(ground, rate, min.replicas));
        let most = cap.as_ref().map_or(MOST_REPLICAS, |cap| cap.replicas);
        (min, needed, most)
    };
    let (min, needed, most) = at(low);
    let (min_best, needed_best, _) = at(high);
    let wanted = needed.replicas;
    // With the most that the brackets let replicas lose to each other.
    let worst = ground.sharing().at_worst().replicas(peak / ground.planned(low));
    let worst = worst.map_or(wanted.min(most), |replicas| whole(replicas).min(most));
    let capped = cap.filter(|cap| cap.replicas < wanted);
    let max = wanted.min(most);
    let least = min.replicas.min(max);
    let limiting = |candidate: Candidate, capped: Option<&Candidate>| match capped {
        None => [
            candidate.binding.to_owned(),
            candidate.because,
            candidate.changes.to_owned(),
        ],
        Some(cap) => [
            cap.binding.to_owned(),
            format!(
                "{}; {} would take {}",
                cap.because, candidate.binding, candidate.because
            ),
            cap.changes.to_owned(),
        ],
    };
    let min_capped = capped.as_ref().filter(|cap| cap.replicas < min.replicas);
    let numbers = vec![
        ground.number(
            Subject::MinReplicas,
            f64::from(least),
            (f64::from(min_best.replicas.min(most)), f64::from(least)),
            limiting(min, min_capped),
        ),
        ground.number(
            Subject::MaxReplicas,
            f64::from(max),
            (f64::from(needed_best.replicas.min(most)), f64::from(max.max(worst))),
            limiting(needed, capped.as_ref()),
        ),
    ];
    Ok(Replicas {
        min: least,
        max,
        needed: wanted,
        numbers,
    })
}

/// The first of the largest.
fn most(candidates: Vec<Candidate>) -> Candidate {
    let first = Candidate {
        replicas: 1,
        binding: "one replica",
        because: "one is the least that serves".to_owned(),
        changes: "more traffic, or a wish for redundancy",
    };
    candidates
        .into_iter()
        .fold(first, |most, one| if one.replicas > most.replicas { one } else { most })
}

/// As many replicas as carry so many times what one was measured to carry, rounded up; a rounding error of a double asks for none more.
fn up(ground: &Ground<'_>, times: f64) -> u32 {
    let replicas = ground.sharing().replicas(times).unwrap_or(f64::INFINITY);
    whole(replicas)
}

fn whole(replicas: f64) -> u32 {
    (replicas * (1.0 - 1e-9)).ceil() as u32
}

fn floors(ground: &Ground<'_>, passed: f64) -> Vec<Candidate> {
    let ask = ground.ask;
    let mut floors = vec![Candidate {
        replicas: ask.at_least,
        binding: "redundancy",
        because: format!(
            "{} shall run, whatever happens to one",
            plural(u64::from(ask.at_least), "replica", "replicas")
        ),
        changes: "how many may be lost at once: 1 for none to spare, 2, or 3 for three zones",
    }];
    if let Some(base) = ask.base {
        let planned = ground.planned(passed);
        floors.push(Candidate {
            replicas: up(ground, base / planned),
            binding: "the base rate",
            because: format!("ceil({} / {}){}", rate(base), rate(planned), ground.loss()),
            changes: "another base rate, headroom or capacity of a replica",
        });
        let limit = ground.limit_of(passed);
        let jump = base * ask.burst;
        let react = REACT_S + ground.start_s();
        // Backlog (jump - n R) t at most what is served within the patience, n R p.
        floors.push(Candidate {
            replicas: up(ground, jump * react / (limit * (react + ask.patience_s))),
            binding: "a burst, until more replicas serve",
            because: format!(
                "the fewest n with ({} - n {}) x {} s at most n {} x {} s{}",
                rate(jump),
                rate(limit),
                rate(react),
                rate(limit),
                rate(ask.patience_s),
                ground.loss()
            ),
            changes: "another burst factor, patience or cold start",
        });
    }
    floors.extend(streams(ground));
    floors
}

/// The scale rule does not see open streams, so that many replicas have to be there before.
fn streams(ground: &Ground<'_>) -> Option<Candidate> {
    let (open, each) = (ground.ask.streams?, ground.measured.streams.filter(|each| *each > 0)?);
    Some(Candidate {
        replicas: u32::try_from(open.div_ceil(each)).unwrap_or(u32::MAX),
        binding: "open streams",
        because: format!(
            "ceil({} / {}), the most that a replica was seen to hold; the HTTP rule does not see them",
            count(open),
            count(each)
        ),
        changes: "a run of `stocktake capacity` with more --streams, fewer streams, or an app of their own for them",
    })
}

fn needs(ground: &Ground<'_>, passed: f64, min: u32) -> Vec<Candidate> {
    let ask = ground.ask;
    let (planned, limit) = (ground.planned(passed), ground.limit_of(passed));
    let mut needs = vec![Candidate {
        replicas: up(ground, ask.burst * ask.peak / planned),
        binding: "the peak rate",
        because: format!(
            "ceil({} x {} / {}){}",
            rate(ask.burst),
            rate(ask.peak),
            rate(planned),
            ground.loss()
        ),
        changes: "another peak, burst factor, headroom or capacity of a replica",
    }];
    if ask.at_least > 1 {
        needs.push(Candidate {
            replicas: up(ground, ask.peak / limit).saturating_add(1),
            binding: "the peak rate with a replica away",
            because: format!("ceil({} / {}){} + 1", rate(ask.peak), rate(limit), ground.loss()),
            changes: "another peak, or no need to bear it while a replica moves",
        });
    }
    needs.push(Candidate {
        replicas: min,
        binding: "the fewest replicas",
        because: format!("{} run at least", count(u64::from(min))),
        changes: "what binds min replicas",
    });
    needs
}

fn caps(ground: &Ground<'_>) -> Vec<Candidate> {
    let (ask, bounds) = (ground.ask, ground.ask.bounds);
    let revisions = f64::from(ask.revisions);
    let beside = match ask.revisions {
        1 => String::new(),
        n => format!(" / {n} revisions beside each other"),
    };
    let down = |replicas: f64| (replicas * (1.0 + 1e-9)).floor().max(0.0) as u32;
    let mut caps = vec![Candidate {
        replicas: MOST_REPLICAS,
        binding: "the platform",
        because: format!("a revision has at most {}", count(u64::from(MOST_REPLICAS))),
        changes: "another app beside this one",
    }];
    if ask.in_memory {
        caps.push(Candidate {
            replicas: 1,
            binding: "state in memory",
            because: "of n replicas n - 1 do not know what was written to one".to_owned(),
            changes: "a store that all replicas share",
        });
    }
    if let Some(connections) = bounds.connections {
        let left = f64::from(connections.most.saturating_sub(connections.reserved));
        caps.push(Candidate {
            replicas: down(left / f64::from(connections.pool) / revisions),
            binding: "connections of the database",
            because: format!(
                "floor(({} - {}) / {}{beside})",
                connections.most, connections.reserved, connections.pool
            ),
            changes: "a smaller pool, a pooler in between, or a database with more connections",
        });
    }
    if let (Some(cores), Some(size)) = (bounds.cores, ground.size) {
        caps.push(Candidate {
            replicas: down(cores / size.cpu / revisions),
            binding: "the core quota",
            because: format!("floor({} / {}{beside})", rate(cores), rate(size.cpu)),
            changes: "more quota, or smaller replicas",
        });
    }
    if let (Some(budget), Some(size)) = (bounds.budget, ground.size) {
        let month = ground.prices.replica_month(size);
        caps.push(Candidate {
            replicas: if month > 0.0 {
                down(budget / month)
            } else {
                MOST_REPLICAS
            },
            binding: "the budget",
            because: format!(
                "floor({} / {} for a month of a replica)",
                ground.prices.money(budget),
                ground.prices.money(month)
            ),
            changes: "a larger budget, smaller replicas, or more capacity of each",
        });
    }
    caps
}
