//! Virtual users against the service: what is recorded, what goose counts of it, and that goose keeps to its part.

use crate::support::{process, stocktake::serve};
use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use stocktake::{
    client::{Client, Code, Options, Protocol, Target},
    load::{
        journey::{JourneyPlan, Played, keep_interrupts, play},
        leg::Leg,
        prepare::scope,
        recorder::Tally,
        sample::Outcome,
        setup::setup,
        workload::{self, Workload},
    },
    scenario::source::SourceFile,
    schema::Schema,
    verify::residue::Created,
};
use tokio::signal::unix::{SignalKind, signal};

const HEAD: &str = "version: 1\nid: x\nname: x\nservice: inventory.InventoryService\neffects: writes\nwarm_up: 0s\n";

fn read(text: &str) -> Workload {
    let source = SourceFile::new("x.yaml", format!("{HEAD}{text}"));
    workload::parse(source, &|_| Err("no file".to_owned())).unwrap_or_else(|errors| panic!("{}", errors[0].render()))
}

fn client(address: &str) -> Client {
    Client::new(Target::parse(address).unwrap(), Options::default()).unwrap()
}

/// The set-up, then one round.
async fn played(workload: &Workload, address: &str, leg: Leg) -> (JourneyPlan, Played) {
    let (schema, client) = (Schema::built_in(), client(address));
    let mut scope = scope(workload, leg.name()).unwrap();
    let mut created = Created::default();
    setup(workload, &client, &schema, Protocol::Grpc, &mut scope, &mut created)
        .await
        .unwrap();
    let plan = JourneyPlan::new(workload, &workload.cells[0], &schema, &scope, leg);
    let plan = Arc::new(plan.unwrap_or_else(|error| panic!("{}", error.render())));
    let played = play(&plan, &client, 7, &AtomicBool::new(false)).await.unwrap();
    (Arc::into_inner(plan).unwrap(), played)
}

fn count(tally: &Tally) -> u64 {
    tally.outcomes.values().sum()
}

const SHOP: &str = "duration: 1s
setup:
  - { id: made, call: CreateProduct, request: { name: a, sku: \"st-${{ run.id }}-j\", stock_quantity: 10 } }
users:
  count: 5
  start: 200ms
  journeys:
    - id: browse
      weight: 3
      steps:
        - { call: ListProducts, think: { from: 5ms, to: 10ms } }
        - { id: one, call: GetProduct, request: { id: \"${{ made.response.id }}\" } }
        - { id: none, call: GetProduct, request: { id: nothing }, think: 5ms }
    - id: watch
      steps:
        - { id: open, call: WatchStockChanges, until: { time: 20ms } }
";

#[tokio::test(flavor = "multi_thread")]
async fn goose_counts_what_is_recorded_over_both_protocols() {
    let server = serve(&[]);
    let workload = read(SHOP);
    for leg in Leg::OF_USERS {
        let (plan, played) = played(&workload, &server.address, leg).await;
        let tallies = played.recorder.tallies();
        assert_eq!(plan.operations.len(), 4);
        for tally in tallies {
            assert!(count(tally) > 3, "{leg:?} {}: {:?}", tally.id, tally.outcomes);
            assert_eq!(
                played.mirrored.get(&tally.id),
                Some(&count(tally)),
                "{leg:?} {}",
                tally.id
            );
            let wanted = if tally.id == "browse_none" {
                Code::NOT_FOUND
            } else {
                Code::OK
            };
            let seen: Vec<_> = tally.outcomes.keys().copied().collect();
            assert_eq!(seen, [Outcome::Status(wanted)], "{leg:?} {}", tally.id);
            assert_eq!(tally.lateness.max(), Some(0), "a closed loop is never late");
        }
        assert_eq!(played.mirrored.len(), 4);
        assert_eq!(
            (tallies[2].response.count(), tallies[2].failures.count()),
            (0, count(&tallies[2]))
        );
        // One in two users at most plays the other journey: each of its calls takes 20 ms.
        let watched = tallies[3].response.min().unwrap();
        assert!(watched >= 20_000_000, "{watched}");
        assert!(count(&tallies[3]) <= 2 * 50 + 2, "{}", count(&tallies[3]));

        let [end] = played.ends.as_slice() else {
            panic!("one end")
        };
        let all: u64 = tallies.iter().map(count).sum();
        // The start is left out of the tallies.
        assert!(end.sent > all && end.sent == end.done && end.scheduled == end.sent);
        assert!(end.elapsed >= Duration::from_millis(1200), "{:?}", end.elapsed);
        assert!(end.failures[0].contains("NOT_FOUND"), "{:?}", end.failures);
        // A user has one call in flight at most; the counter and the samples are kept apart and agree.
        let in_flight = end.in_flight_integral as f64 / end.elapsed.as_nanos() as f64;
        let service = played.recorder.service() as f64 / end.elapsed.as_nanos() as f64;
        assert!(in_flight > 0.5 && in_flight <= 5.0, "{in_flight}");
        assert!((service / in_flight - 1.0).abs() < 0.1, "{service} {in_flight}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_to_nobody_are_samples_of_lost_connections() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let workload = read(
        "duration: 300ms\nusers:\n  count: 2\n  journeys:\n    - { id: a, steps: [ { call: ListProducts, think: 20ms } ] }\n",
    );
    for leg in Leg::OF_USERS {
        let (_, played) = played(&workload, &address, leg).await;
        let tally = &played.recorder.tallies()[0];
        let seen: Vec<_> = tally.outcomes.keys().copied().collect();
        assert_eq!(seen, [Outcome::Lost], "{leg:?}");
        assert_eq!(played.recorder.completed(), 0);
        assert!(!played.ends[0].failures[0].is_empty());
    }
}

const ENDLESS: &str = "duration: 60s\nusers:\n  count: 2\n  journeys:\n    - { id: a, steps: [ { call: ListProducts, timeout: 60s } ] }\n";

fn endless() -> Arc<JourneyPlan> {
    let workload = read(ENDLESS);
    let scope = scope(&workload, "x").unwrap();
    let plan = JourneyPlan::new(&workload, &workload.cells[0], &Schema::built_in(), &scope, Leg::Grpc);
    Arc::new(plan.unwrap_or_else(|error| panic!("{}", error.render())))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_that_is_stopped_before_it_begins_ends() {
    let stop = AtomicBool::new(true);
    let played = play(&endless(), &client("127.0.0.1:1"), 7, &stop).await.unwrap();
    assert_eq!(played.recorder.scheduled(), 0);
}

/// Run by the test below, in a process of its own. The target takes connections and never answers.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it interrupts its own process"]
async fn interrupted() {
    keep_interrupts().unwrap();
    let mut interrupts = signal(SignalKind::interrupt()).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let stop = Arc::new(AtomicBool::new(false));
    let told = stop.clone();
    let heard = tokio::spawn(async move {
        // A connection: the round is under way.
        let silent = listener.accept().await.unwrap();
        let process = std::process::id().to_string();
        assert!(
            Command::new("kill")
                .args(["-INT", &process])
                .status()
                .unwrap()
                .success()
        );
        interrupts.recv().await.unwrap();
        println!("HEARD");
        told.store(true, Ordering::Relaxed);
        // Both stay: the other user's connection is made and waits too.
        (silent, listener)
    });
    let began = Instant::now();
    let played = play(&endless(), &client(&address), 7, &stop).await.unwrap();
    heard.await.unwrap();
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "the round and its calls would take 60 s"
    );
    assert_eq!(
        count(&played.recorder.tallies()[0]),
        0,
        "what was under way is no sample"
    );
}

#[test]
fn goose_prints_nothing_and_leaves_sigint_to_us() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["journeys::interrupted", "--exact", "--ignored", "--nocapture"]);
    let ended = process::run(&mut command, Duration::from_secs(120));
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    assert!(ended.stdout.contains("HEARD"), "{}", ended.shown());
    let of_the_test = |line: &&str| {
        [
            "running 1 test",
            "test journeys::interrupted ...",
            "HEARD",
            "ok",
            "test result: ok. 1 passed",
        ]
        .iter()
        .all(|known| !line.starts_with(known))
    };
    let lines = ended.stdout.lines().chain(ended.stderr.lines());
    let others: Vec<&str> = lines.filter(|line| !line.is_empty()).filter(of_the_test).collect();
    assert!(others.is_empty(), "{others:?}");
}
