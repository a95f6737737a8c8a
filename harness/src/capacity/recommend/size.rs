//! vCPU, memory, and what a month costs. Pure.

use super::{Ground, Number, Priced, Subject};
use crate::{
    capacity::{
        prices::{Size, Usage},
        scaler::Limits,
    },
    numbers::{bytes, plural, rate},
};

/// The steps of the Consumption plan, and its largest replica in an environment with workload profiles.
const STEP: f64 = 0.25;
pub(super) const LARGEST: f64 = 4.0;

/// GiB of a vCPU.
const MEMORY: f64 = 2.0;

const GIB: f64 = (1u64 << 30) as f64;

/// Memory to have over memory that was seen.
const SPARE: f64 = 1.3;

/// Up to the next step.
fn step(cpu: f64) -> f64 {
    ((cpu / STEP * (1.0 - 1e-9)).ceil() * STEP).max(STEP)
}

/// What a replica needs: vCPU, what binds it, and how it was computed.
struct Need {
    cpu: f64,
    binding: &'static str,
    because: String,
}

/// The replica of the Consumption plan with so many processors; `None`: it has none that large.
pub fn of_cpu(cpu: f64) -> Option<Size> {
    (cpu <= LARGEST).then_some(Size {
        cpu,
        memory: cpu * MEMORY,
    })
}

/// The size to set: what was measured, unless memory or CPU time ask for more; without either nothing.
pub(super) fn size(ground: &Ground<'_>) -> (Option<Size>, Vec<Number>) {
    let needs: Vec<Need> = [memory(ground), cpu(ground)].into_iter().flatten().collect();
    let needed = needs.iter().map(|need| step(need.cpu)).fold(0.0, f64::max);
    let tested = ground.ask.size.map(|size| step(size.cpu.max(size.memory / MEMORY)));
    let cpu = match tested {
        Some(tested) => tested.max(needed),
        None if needed > 0.0 => needed,
        None => return (None, Vec::new()),
    };
    let cpu = cpu.min(LARGEST);
    let size = Size {
        cpu,
        memory: cpu * MEMORY,
    };
    let bound = needs.into_iter().filter(|need| step(need.cpu) >= cpu);
    let bound = bound.max_by(|a, b| a.cpu.total_cmp(&b.cpu));
    let (binding, because) = match (bound, tested) {
        (Some(need), _) => (need.binding, need.because),
        (None, tested) => {
            let tested = tested.unwrap_or(cpu);
            ("what was measured", format!("the objective held with {tested} vCPU"))
        }
    };
    let smaller = if needed > 0.0 { needed.min(cpu) } else { cpu };
    let changes = if smaller < cpu {
        format!("CPU time and memory would fit into {smaller} vCPU: measure again with that limit")
    } else {
        "another objective or other traffic; measure again with the next smaller or larger limit".to_owned()
    };
    let words = || [binding.to_owned(), because.clone(), changes.clone()];
    let numbers = vec![
        ground.number(Subject::Cpu, cpu, (smaller, cpu), words()),
        ground.number(Subject::Memory, size.memory, (smaller * MEMORY, size.memory), words()),
    ];
    (Some(size), numbers)
}

/// vCPU that memory or CPU time ask for, where no replica is that large.
pub(super) fn beyond(ground: &Ground<'_>) -> Option<f64> {
    let needs = [memory(ground), cpu(ground)].into_iter().flatten();
    let most = needs.map(|need| step(need.cpu)).fold(0.0, f64::max);
    (most > LARGEST).then_some(most)
}

/// Memory of the server, and of the streams of one replica where both are known.
fn memory(ground: &Ground<'_>) -> Option<Need> {
    let measured = ground.measured;
    let seen = measured.memory? as f64;
    let streams = match (ground.ask.streams, measured.streams, measured.stream_memory) {
        (Some(open), Some(each), Some(bytes)) => {
            let replicas = open.div_ceil(each.max(1)).max(u64::from(ground.ask.at_least)).max(1);
            open.div_ceil(replicas) as f64 * bytes as f64
        }
        _ => 0.0,
    };
    let with = if streams > 0.0 {
        format!(" and {} of streams", bytes(streams))
    } else {
        String::new()
    };
    Some(Need {
        cpu: SPARE * (seen + streams) / GIB / MEMORY,
        binding: "memory",
        because: format!("{SPARE} x {}{with}, at {MEMORY} GiB a vCPU", bytes(seen)),
    })
}

/// CPU time at the rate that passed.
fn cpu(ground: &Ground<'_>) -> Option<Need> {
    let each = ground.measured.cpu_s.filter(|each| each.is_finite() && *each > 0.0)?;
    Some(Need {
        cpu: each * ground.measured.passed,
        binding: "CPU time",
        because: format!(
            "{} of CPU a request x {} requests a second",
            crate::numbers::latency((each * 1e9) as u64),
            rate(ground.measured.passed)
        ),
    })
}

/// What a month costs; nothing is said of it without a size.
pub(super) fn priced(ground: &Ground<'_>, limits: Limits, known: &[Number]) -> (Option<Priced>, Vec<Number>) {
    let Some(size) = ground.size else {
        return (None, Vec::new());
    };
    let prices = ground.prices;
    let active = |replicas: u32| Usage {
        active: f64::from(replicas),
        ..Usage::default()
    };
    let idle = Usage {
        idle: f64::from(limits.min),
        ..Usage::default()
    };
    let priced = Priced {
        least: prices.month(size, active(limits.min)),
        idle: prices.month(size, idle),
        most: prices.month(size, active(limits.max)),
        prices: prices.clone(),
    };
    let changes = "other prices or another size; requests from outside come on top, a free grant goes off".to_owned();
    let range = |subject| known.iter().find(|one| one.subject == subject).map(|one| one.range);
    let of = |subject, bound: Subject, replicas: u32, each: f64| {
        let cost = f64::from(replicas) * each;
        let (from, to) = range(bound).unwrap_or((f64::from(replicas), f64::from(replicas)));
        let because = format!(
            "{} x {} for 30 days of {} vCPU and {} GiB",
            plural(u64::from(replicas), "replica", "replicas"),
            prices.money(each),
            size.cpu,
            size.memory
        );
        let binding = format!("list prices of {}", prices.date);
        ground.number(
            subject,
            cost,
            (from * each, to * each),
            [binding, because, changes.clone()],
        )
    };
    let month = prices.replica_month(size);
    let resting = prices.idle.of(size) * crate::capacity::prices::MONTH_S;
    let (low, high) = ground.rates();
    let planned = |rate: f64| ground.planned(rate) * ground.sharing().share(limits.max);
    let million = |rate: f64| prices.active.of(size) / planned(rate) * 1e6 + prices.per_million;
    let mut numbers = vec![
        of(Subject::CostIdle, Subject::MinReplicas, limits.min, resting),
        of(Subject::CostLeast, Subject::MinReplicas, limits.min, month),
        of(Subject::CostMost, Subject::MaxReplicas, limits.max, month),
    ];
    numbers.push(ground.number(
        Subject::CostMillion,
        million(low),
        (million(high), million(low)),
        [
            format!("list prices of {}", prices.date),
            format!(
                "a replica second / {} requests, and {} for requests from outside",
                rate(planned(low)),
                prices.money(prices.per_million)
            ),
            "more capacity of a replica, or replicas that are nearer to their limit".to_owned(),
        ],
    ));
    (Some(priced), numbers)
}
