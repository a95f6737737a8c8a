//! goose, and what keeps it to its part.
//!
//! goose is made to be a program of its own: it sets the log of the process, prints, opens ports, and takes SIGINT. Here the log
//! is taken before it can, printing and ports are turned off, and of its hold on SIGINT see [`keep_interrupts`].

use super::{GATHER, JourneyError, Played, plan::JourneyPlan, round::Round};
use crate::{
    client::{Client, Protocol},
    load::{usage::Usage, workload::JourneyStep},
};
use goose::{
    GooseAttack, GooseError,
    client::GooseClientBuilder,
    config::GooseConfiguration,
    goose::{GooseUser, Scenario, Transaction, TransactionFunction},
    metrics::GooseMetrics,
    reset_killswitch, trigger_killswitch,
};
use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{
        Arc, Once, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::Mutex,
    time::{sleep, timeout},
};

/// How often it is looked whether the round has to end, and how long a user whose round is over is kept from asking goose for
/// more; goose itself looks twice a second.
const LOOK: Duration = Duration::from_millis(20);
/// What goose may take to end after the last call.
const GRACE: Duration = Duration::from_secs(30);
/// goose starts all users within a twentieth of a second; the time over which they begin is kept here, to the millisecond.
const STARTS_A_SECOND: usize = 20;

/// goose's switch to end is one of the whole process: one round at a time.
static ONE: Mutex<()> = Mutex::const_new(());

/// SIGINT came.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// See [`super::keep_interrupts`]. goose's handler is that of the crate ctrlc, which takes one per process: this one.
pub fn keep_interrupts() -> Result<(), JourneyError> {
    static KEPT: OnceLock<bool> = OnceLock::new();
    let kept = KEPT.get_or_init(|| ctrlc::try_set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed)).is_ok());
    if *kept { Ok(()) } else { Err(JourneyError::Interrupts) }
}

/// Takes goose's log: it writes nothing, unless the process has a log already.
fn keep_log() {
    struct Nowhere;
    impl log::Log for Nowhere {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            false
        }
        fn log(&self, _: &log::Record<'_>) {}
        fn flush(&self) {}
    }
    static NOWHERE: Nowhere = Nowhere;
    static ONCE: Once = Once::new();
    // An error means that somebody else has set one: then it is theirs.
    ONCE.call_once(|| drop(log::set_logger(&NOWHERE)));
}

/// See [`super::play`].
pub async fn play(
    plan: &Arc<JourneyPlan>,
    client: &Client,
    seed: u64,
    stop: &AtomicBool,
) -> Result<Played, JourneyError> {
    let _one = ONE.lock().await;
    keep_interrupts()?;
    keep_log();
    let round = Arc::new(Round::new(Arc::clone(plan), client, seed));
    let attack = attack(&round, client).map_err(refused)?;
    let before = Usage::of(std::process::id());
    let limit = plan.operations.iter().map(|operation| operation.timeout).max();
    let limit = GATHER + plan.window.warm_up + plan.window.measured + limit.unwrap_or_default() + GRACE;
    let played = tokio::select! {
        played = timeout(limit, attack.execute()) => played.map_err(|_| JourneyError::Endless),
        never = watch(&round, stop) => match never {},
    };
    reset_killswitch();
    let metrics = played?.map_err(refused)?;
    let began = match round.began() {
        Some(began) => began,
        None if is_asked(stop) => Instant::now(),
        None => return Err(JourneyError::Gather),
    };
    let spent = Usage::of(std::process::id())
        .zip(before)
        .and_then(|(after, before)| after.since(&before));
    let (recorder, end) = round.result(spent.unwrap_or_default());
    Ok(Played {
        recorder,
        ends: vec![end],
        began,
        mirrored: mirrored(&metrics),
    })
}

fn refused(error: GooseError) -> JourneyError {
    JourneyError::Goose(error.to_string())
}

/// Ends the round when its time is over, or `stop` or SIGINT say so. Never returns: goose clears its switch while it starts, so it is
/// told again and again.
async fn watch(round: &Round, stop: &AtomicBool) -> Infallible {
    let gather = Instant::now() + GATHER;
    let late = || round.began().is_none() && Instant::now() > gather;
    while !round.is_over() {
        if is_asked(stop) || late() {
            round.stopped.cancel();
        } else {
            sleep(LOOK).await;
        }
    }
    round.over.cancel();
    loop {
        // Calls that are under way can still be stopped.
        if is_asked(stop) {
            round.stopped.cancel();
        }
        trigger_killswitch("the round is over");
        sleep(LOOK).await;
    }
}

/// Whether somebody wants everything to end.
fn is_asked(stop: &AtomicBool) -> bool {
    stop.load(Ordering::Relaxed) || INTERRUPTED.load(Ordering::Relaxed)
}

/// The users and their journeys, as goose wants them.
fn attack(round: &Arc<Round>, client: &Client) -> Result<GooseAttack, GooseError> {
    let plan = &round.plan;
    let mut configuration = GooseConfiguration::default();
    // Nothing is sent there by goose, but it wants one.
    configuration.host = Some(client.target().to_string());
    configuration.users = Some(plan.users);
    configuration.increase_rate = Some((plan.users * STARTS_A_SECOND).to_string());
    configuration.quiet = 1;
    configuration.no_print_metrics = true;
    configuration.no_error_summary = true;
    configuration.no_transaction_metrics = true;
    configuration.no_scenario_metrics = true;
    configuration.no_telnet = true;
    configuration.no_websocket = true;
    // One HTTP client for all instead of one for each: none is used.
    let unused = GooseClientBuilder::new().without_cookies();
    let mut attack = GooseAttack::initialize_with_config(configuration)?.set_client_builder_without_cookies(unused)?;
    for journey in &plan.journeys {
        let mut scenario = Scenario::new(&journey.id.value).set_weight(journey.weight as usize)?;
        for (at, step) in journey.steps.iter().enumerate() {
            // Sequences count from 1; they keep the steps in order.
            scenario = scenario.register_transaction(transaction(round, *step).set_sequence(at + 1));
        }
        attack = attack.register_scenario(scenario);
    }
    Ok(attack)
}

fn transaction(round: &Arc<Round>, step: JourneyStep) -> Transaction {
    let round = Arc::clone(round);
    let function: TransactionFunction = Arc::new(move |user| {
        let round = Arc::clone(&round);
        Box::pin(async move {
            play_step(&round, user, step).await;
            Ok(())
        })
    });
    Transaction::new(function)
}

/// One step of one user.
async fn play_step(round: &Round, user: &mut GooseUser, step: JourneyStep) {
    let index = user.weighted_users_index;
    round.enter(index).await;
    if round.is_over() {
        sleep(LOOK).await;
        return;
    }
    let Some(told) = round.call(index, step.operation).await else {
        return;
    };
    if told.counts
        && let Some(operation) = round.plan.operations.get(step.operation)
    {
        let method = label(round.plan.leg.protocol());
        // It fails only where goose listens no more.
        let _ = user
            .record_custom_request_duration(method, &operation.id, told.time, told.success, told.code, None)
            .await;
    }
    round.think(index, step.think).await;
}

fn label(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Grpc => "GRPC",
        Protocol::Rest => "REST",
    }
}

/// By operation, whatever their end.
fn mirrored(metrics: &GooseMetrics) -> BTreeMap<String, u64> {
    let count = |request: &goose::metrics::GooseRequestMetricAggregate| {
        let all = request.success_count + request.fail_count;
        (request.path.clone(), all as u64)
    };
    metrics.requests.values().map(count).collect()
}
