//! What a run is told: read, and refused where it is wrong, before anything is sent.

use crate::commands::{
    Refusal, begin,
    child::Service,
    load::{self, targets::Address},
};
use std::time::Duration;
use stocktake::{
    capacity::objective,
    cli::CapacityArgs,
    client::Target,
    load::{
        leg::Leg,
        record::ObjectiveRecord,
        workload::{Arrivals, Cell, MOST_REQUESTS, Rate, Stage, Workload},
    },
    scenario::model::Effects,
};

/// What a run is told before it begins.
pub struct Told {
    pub workload: Workload,
    pub file: String,
    pub objective: ObjectiveRecord,
    pub leg: Leg,
    pub cell: Cell,
    pub steps: Vec<usize>,
    pub run_id: String,
}

/// Everything that can be wrong before anything is sent.
pub fn told(args: &CapacityArgs) -> Result<Told, Refusal> {
    let (file, mut workload) = load::read(&args.workload)?;
    if workload.users.is_some() {
        return Err(Refusal::input(format!(
            "--workload {}: virtual users pace themselves, so no rate can be searched for; give a workload of operations",
            args.workload
        )));
    }
    workload.seed = args.seed.unwrap_or(workload.seed);
    let [cell] = workload.cells.as_slice() else {
        return Err(Refusal::input(format!(
            "--workload {}: it has {} combinations of factors, and a search is about one; give a workload without factors",
            args.workload,
            workload.cells.len()
        )));
    };
    let wrong = |text: String| Refusal::input(format!("--objective: {text}"));
    let objective = match (&args.objective, workload.record(&file).objective) {
        (Some(text), _) => objective::parse(text).map_err(wrong)?,
        (None, Some(of_workload)) => {
            objective::usable(&of_workload).map_err(|text| {
                Refusal::input(format!("the objective of the workload: {text}; or give --objective"))
            })?;
            of_workload
        }
        (None, None) => objective::parse(objective::USUAL).map_err(wrong)?,
    };
    let known = || Leg::ALL.map(Leg::name).join(", ");
    let leg = Leg::of_name(&args.leg)
        .ok_or_else(|| Refusal::input(format!("--leg: `{}` is no leg: write one of {}", args.leg, known())))?;
    let cell = with(cell, args)?;
    let steps = steps(&args.steps, cell.slots())?;
    if args.start_rate > args.max_rate {
        return Err(Refusal::input(
            "--start-rate is above --max-rate: nothing could be tried",
        ));
    }
    let longest = args.stage.max(args.confirm).as_secs_f64() * 1.2;
    if args.max_rate * longest > MOST_REQUESTS {
        return Err(Refusal::input(format!(
            "--max-rate {} for {longest:.0} s makes more than {MOST_REQUESTS} requests of a stage: lower one of them",
            args.max_rate
        )));
    }
    Ok(Told {
        run_id: begin::run_id(args.run_id.as_deref())?,
        cell,
        file,
        objective,
        leg,
        steps,
        workload,
    })
}

/// The one cell with the settings of the command line.
fn with(cell: &Cell, args: &CapacityArgs) -> Result<Cell, Refusal> {
    let mut cell = cell.clone();
    let rate = Rate::PerSecond(args.start_rate);
    cell.arrivals = Arrivals::Poisson(vec![Stage {
        from: rate,
        to: rate,
        length: args.stage,
    }]);
    cell.saturation = None;
    cell.connections = args.connections;
    cell.streams_per_connection = args.streams_per_connection;
    cell.threads = args.threads;
    cell.duration = args.stage;
    cell.warm_up = warm_up(args.stage);
    cell.rounds = 1;
    match cell.wrong() {
        Some(reason) => Err(Refusal::input(reason)),
        None => Ok(cell),
    }
}

/// What does not count before a stage: a fifth of it.
pub fn warm_up(stage: Duration) -> Duration {
    stage / 5
}

/// `1,2,4,8,16,32`, or `none`.
fn steps(text: &str, slots: usize) -> Result<Vec<usize>, Refusal> {
    if text == "none" {
        return Ok(Vec::new());
    }
    let wrong = |why: &str| Refusal::input(format!("--steps `{text}`: {why}"));
    let read = |part: &str| part.trim().parse::<usize>().ok().filter(|n| *n > 0);
    let steps: Option<Vec<usize>> = text.split(',').map(read).collect();
    let mut steps = steps.ok_or_else(|| wrong("write calls in flight such as 1,2,4,8,16,32, or none"))?;
    steps.sort_unstable();
    steps.dedup();
    if let Some(most) = steps.last().filter(|most| **most > slots) {
        return Err(wrong(&format!(
            "{most} calls do not fit into {slots} slots: more --connections or --streams-per-connection"
        )));
    }
    Ok(steps)
}

pub fn address(args: &CapacityArgs, service: Option<&Service>) -> Result<Address, Refusal> {
    let (Some(text), _) = (&args.target, ()) else {
        return match service {
            Some(service) => Address::built_in(service),
            None => Err(Refusal::input("give a target")),
        };
    };
    let target = Target::parse(text).map_err(|error| Refusal::input(error.to_string()))?;
    if args.server_pid.is_some() && !target.is_loopback() {
        return Err(Refusal::input(
            "--server-pid is of a process on this machine, and the target is not on it",
        ));
    }
    Ok(Address {
        process: args.server_pid,
        ..Address::reached(target)
    })
}

/// Nobody else's target is driven beyond what it can take unless somebody agreed.
pub fn consent(args: &CapacityArgs, address: &Address, told: &Told) -> Result<(), Refusal> {
    if address.target.is_loopback() {
        return Ok(());
    }
    if !args.allow_overload {
        return Err(Refusal::input(format!(
            "{} is not on this machine, and a search drives it beyond what it can take: agree with --allow-overload",
            address.target
        )));
    }
    load::consent(address, &told.workload, args.allow_writes)?;
    let creating = told.workload.creating();
    if told.workload.effects != Effects::ReadOnly && !creating.is_empty() {
        return Err(Refusal::input(format!(
            "`{}` creates something with each request, and a search sends as many as it can: give a workload that creates nothing",
            creating.join("`, `")
        )));
    }
    Ok(())
}
