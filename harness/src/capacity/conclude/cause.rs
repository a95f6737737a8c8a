//! What limits, and how that is known: from the stages that failed nearest above the rate that was found. Pure.

use super::Known;
use crate::{
    capacity::record::{StageJudged, StageRecord},
    numbers,
};

/// A replica that uses this share of its processors has no more to give.
const FULL: f64 = 0.85;

/// One that uses less than this waits for something else.
const IDLE: f64 = 0.5;

/// More than this share of the time that came on top under load was spent before the server.
const BEFORE: f64 = 0.5;

/// So many times what a call grew may its calls to a database have grown, one after the other.
const TOGETHER: f64 = 1.2;

/// Processors' worth that one thread at work takes, from and to.
const ONE: (f64, f64) = (0.85, 1.15);

/// What limits, and how that is known: from the stages that failed nearest above.
pub(super) fn cause(stages: &[StageRecord], best: f64, errors: bool, known: &Known) -> (String, String) {
    let told = |limit: &str, because: String| (limit.to_owned(), because);
    let failed = stages.iter().filter(|stage| {
        let rate = stage.rate.unwrap_or_default();
        matches!(stage.judged, StageJudged::Failed { .. }) && rate >= best * 0.98 && rate <= best * 2.1
    });
    let failed: Vec<&StageRecord> = failed.collect();
    // A queue that grows breaks an objective of errors alone too, and no request needs to fail for it.
    let refused = |stage: &StageRecord| matches!(&stage.judged, StageJudged::Failed { limit, .. } if limit == "errors");
    let all = !failed.is_empty() && failed.iter().all(|stage| refused(stage));
    if all || errors && (failed.is_empty() || failed.iter().any(|stage| refused(stage))) {
        return told("errors", "beyond it too many requests fail".to_owned());
    }
    let replicas = f64::from(known.replicas.max(1));
    let cores = mean(&failed, |stage| stage.server_cpus).map(|all| all / replicas);
    let of_all = if known.shared { replicas } else { 1.0 };
    let used = cores.zip(known.cpus).map(|(cores, cpus)| cores * of_all / cpus);
    if let Some(used) = used.filter(|used| *used >= FULL) {
        let because = format!("its processors are busy {} of the time there", numbers::percent(used));
        return told("cpu", because);
    }
    if let Some(cores) = cores.filter(|cores| (ONE.0..=ONE.1).contains(cores)) {
        let because = format!("it takes {cores:.2} processors there, one processor's worth: a single thread?");
        return told("unknown", because);
    }
    // Those that it refuses it answers at once, and its mean time is of those, too.
    let slow: Vec<&StageRecord> = failed.iter().copied().filter(|stage| !refused(stage)).collect();
    // Its processors are known, nobody else uses them, and they are not full.
    let own = used.is_some() && !known.shared;
    let most_of = |(grown, part): &(f64, f64)| *grown > 0.0 && *part > BEFORE * grown;
    let time = |seconds: f64| numbers::latency((seconds * 1e9) as u64);
    if let Some((grown, earlier)) = before(stages, &slow).filter(most_of) {
        let because = format!(
            "of the {} that a call takes longer there than at the lowest rate, {} are spent before the server",
            time(grown),
            time(earlier)
        );
        // A replica without a moment to spare, or one whose threads are all taken, keeps calls waiting there too.
        return if known.handler_clocks {
            told(
                "unknown",
                because + ": an edge, or the server's own queue before its handlers",
            )
        } else if own {
            told("edge", because)
        } else {
            told(
                "unknown",
                because + ": an edge, or processors that are full, as --cpu would tell",
            )
        };
    }
    // Calls to it that run beside each other add up to more than the call itself: those say nothing.
    let asked = database(stages, &slow).filter(|of| most_of(of) && of.1 <= TOGETHER * of.0);
    if let Some((grown, asked)) = asked.filter(|_| own) {
        let because = format!(
            "of the {} that the server takes longer for a call there than at the lowest rate, {} are spent on its calls to the database",
            time(grown),
            time(asked)
        );
        return told("database", because);
    }
    match (used, cores) {
        (Some(used), Some(cores)) if used < IDLE && cores < IDLE && !known.shared => told(
            "waiting",
            format!(
                "its processors are busy {} of the time there: it waits, for a pool of its own or for a database that replicas share",
                numbers::percent(used)
            ),
        ),
        (Some(used), _) if used < IDLE => told(
            "unknown",
            format!(
                "its processors are busy {} of the time there, and what it waits for cannot be told{}",
                numbers::percent(used),
                if known.shared { ": others share them" } else { "" }
            ),
        ),
        (Some(used), _) => told(
            "latency",
            format!("its processors are busy {} of the time there", numbers::percent(used)),
        ),
        (None, _) => told(
            "unknown",
            "what is behind it cannot be told without --metrics-url and --cpu".to_owned(),
        ),
    }
}

/// The mean of what is known of some stages.
fn mean(stages: &[&StageRecord], value: impl Fn(&StageRecord) -> Option<f64>) -> Option<f64> {
    let values: Vec<f64> = stages.iter().filter_map(|stage| value(stage)).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// How much longer a call takes at the stages that failed than at the lowest rate that passed, and how much of that lies before the
/// server, seconds. The distance to it is in both, and so in neither.
fn before(stages: &[StageRecord], failed: &[&StageRecord]) -> Option<(f64, f64)> {
    let (seen, own) = growth(stages, failed, |stage| stage.service_s.zip(stage.server_s))?;
    Some((seen, seen - own))
}

/// How much longer the server takes for a call there, and how much of that it spends on its database, seconds.
fn database(stages: &[StageRecord], failed: &[&StageRecord]) -> Option<(f64, f64)> {
    growth(stages, failed, |stage| stage.server_s.zip(stage.database_s))
}

/// How much two times grew from the lowest rate that passed to the stages that failed, of those stages that know both.
fn growth(
    stages: &[StageRecord],
    failed: &[&StageRecord],
    times: impl Fn(&StageRecord) -> Option<(f64, f64)>,
) -> Option<(f64, f64)> {
    let passed = stages
        .iter()
        .filter(|stage| stage.rate.is_some() && stage.judged == StageJudged::Passed && times(stage).is_some());
    let lowest = passed.min_by(|a, b| a.rate.unwrap_or_default().total_cmp(&b.rate.unwrap_or_default()))?;
    let (first, second) = times(lowest)?;
    let known: Vec<(f64, f64)> = failed.iter().filter_map(|stage| times(stage)).collect();
    let n = known.len() as f64;
    let sums = known.iter().fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    (n > 0.0).then(|| (sums.0 / n - first, sums.1 / n - second))
}

/// What is not a replica's, in words, and what to run next; `None` for every limit that is.
pub(super) fn elsewhere(limit: &str) -> Option<(&'static str, &'static str)> {
    match limit {
        "edge" => Some((
            "the edge in front of the replicas",
            "the same at an address behind the edge, or with fewer replicas: what one replica carries is not known",
        )),
        "database" => Some((
            "the database behind the replicas",
            "find what the database sustains, or the pool of connections where its wait is counted with the calls, and enlarge it; then \
             the same again",
        )),
        _ => None,
    }
}

/// Whether the stages say that something else than the replicas is the limit between a rate that passed and one that failed.
pub fn is_elsewhere(stages: &[StageRecord], (passed, failed): (f64, f64), known: &Known) -> bool {
    elsewhere(&cause(stages, (passed * failed).sqrt(), false, known).0).is_some()
}
