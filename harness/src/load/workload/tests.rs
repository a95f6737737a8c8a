use super::*;
use crate::{
    load::{exchange::Decoding, leg::Leg, record::ArrivalsRecord},
    scenario::{expr::Value, source::SourceFile},
    schema::Schema,
};
use std::time::Duration;

const HEAD: &str = "version: 1\nid: x\nname: x\nservice: inventory.InventoryService\neffects: writes\n";
const LIST: &str = "operations:\n  - { id: list, call: ListProducts }\n";

fn nowhere(_: &str) -> Result<String, String> {
    Err("there is no such file".to_owned())
}

fn read(text: &str) -> Result<Workload, String> {
    parse(SourceFile::new("x.yaml", format!("{HEAD}{text}")), &nowhere)
        .map_err(|errors| errors.iter().map(|error| error.render()).collect())
}

fn workload(text: &str) -> Workload {
    read(&format!("{text}\n{LIST}")).unwrap_or_else(|errors| panic!("{errors}"))
}

fn per_second(rate: f64, length: u64) -> Stage {
    Stage {
        from: Rate::PerSecond(rate),
        to: Rate::PerSecond(rate),
        length: Duration::from_secs(length),
    }
}

#[test]
fn what_is_left_out_has_its_default() {
    let workload = workload("arrivals: { constant: 100 }");
    assert_eq!(workload.legs, [Leg::Grpc, Leg::RestH1, Leg::RestH2]);
    assert_eq!(workload.seed, 1);
    let [cell] = workload.cells.as_slice() else {
        panic!("one cell")
    };
    assert_eq!(cell.arrivals, Arrivals::Constant(vec![per_second(100.0, 3)]));
    assert_eq!((cell.id.as_str(), cell.factors.len()), ("c1", 0));
    assert_eq!(
        (cell.connections, cell.streams_per_connection, cell.threads),
        (4, 16, 1)
    );
    assert_eq!(
        (cell.warm_up, cell.duration),
        (Duration::from_secs(1), Duration::from_secs(3))
    );
    assert_eq!((cell.rounds, cell.decoding, cell.saturation), (10, Decoding::Off, None));
    let operation = &workload.operations[0];
    assert_eq!((operation.weight, operation.timeout), (1, Duration::from_secs(10)));
    assert_eq!(operation.accepted, [crate::client::Code::OK]);
}

#[test]
fn a_closed_loop_has_the_slots_that_it_needs() {
    for (calls, connections, streams) in [(1, 1, 1), (3, 3, 1), (16, 4, 4), (17, 4, 5)] {
        let workload = workload(&format!("arrivals: {{ in_flight: {calls} }}"));
        let cell = &workload.cells[0];
        assert_eq!(
            (cell.connections, cell.streams_per_connection),
            (connections, streams),
            "{calls}"
        );
        assert!(cell.slots() >= calls);
    }
    let two = workload("arrivals: { in_flight: 16 }\nconnections: 2");
    assert_eq!(two.cells[0].streams_per_connection, 8);
}

#[test]
fn every_combination_is_a_cell_and_the_last_factor_changes_first() {
    let workload = workload(
        "factors: { calls: [1, 16], decoding: [\"off\", full], length: [2s] }\n\
         arrivals: { in_flight: \"${{ factor.calls }}\" }\n\
         decoding: \"${{ factor.decoding }}\"\nduration: \"${{ factor.length }}\"\n\
         rounds: \"${{ factor.calls == 1 ? 5 : 20 }}\"",
    );
    let shown: Vec<_> = workload
        .cells
        .iter()
        .map(|cell| {
            let factors: Vec<_> = cell.factors.iter().map(|(_, value)| value.as_str()).collect();
            (
                cell.id.as_str(),
                factors.join(" "),
                cell.arrivals.clone(),
                cell.decoding,
                cell.rounds,
            )
        })
        .collect();
    let flight = Arrivals::InFlight;
    assert_eq!(
        shown,
        [
            ("c1", "1 off 2s".to_owned(), flight(1), Decoding::Off, 5),
            ("c2", "1 full 2s".to_owned(), flight(1), Decoding::Full, 5),
            ("c3", "16 off 2s".to_owned(), flight(16), Decoding::Off, 20),
            ("c4", "16 full 2s".to_owned(), flight(16), Decoding::Full, 20),
        ]
    );
    assert_eq!(workload.cells[0].duration, Duration::from_secs(2));
    assert_eq!(workload.cells[2].title(), "cell c3 (calls=16, decoding=off, length=2s)");
    let Value::Map(factor) = &workload.cells[3].factor else {
        panic!("a map")
    };
    assert_eq!(factor.map.len(), 3);
}

#[test]
fn arrivals_may_be_chosen_by_a_factor() {
    let workload = workload(
        "factors: { arrivals: [ { in_flight: 4 }, { poisson: [ { from: 10, to: 20, for: 2s }, { rate: 20, for: 1s } ] } ] }\n\
         arrivals: \"${{ factor.arrivals }}\"",
    );
    assert_eq!(workload.cells[0].arrivals, Arrivals::InFlight(4));
    assert_eq!(workload.cells[0].factors[0].1, "{in_flight: 4}");
    let ramp = Stage {
        to: Rate::PerSecond(20.0),
        ..per_second(10.0, 2)
    };
    assert_eq!(
        workload.cells[1].arrivals,
        Arrivals::Poisson(vec![ramp, per_second(20.0, 1)])
    );
    assert_eq!(workload.cells[1].duration, Duration::from_secs(3));
    assert_eq!(workload.cells[1].round(), Duration::from_secs(4));
}

#[test]
fn a_share_is_of_what_was_measured_at_saturation() {
    let workload = workload("arrivals: { poisson: 50% }\nsaturation: { in_flight: 16 }");
    let cell = &workload.cells[0];
    assert_eq!((cell.saturation, cell.needs_saturation()), (Some(16), true));
    assert_eq!(cell.stages()[0].from, Rate::OfSaturation(0.5));
    assert_eq!(cell.stages()[0].from.per_second(Some(1000.0)), Some(500.0));
    assert_eq!(cell.arrivals_record(None), None);
    let stages = vec![(500.0, 500.0, 3.0)];
    assert_eq!(
        cell.arrivals_record(Some(1000.0)),
        Some(ArrivalsRecord::Poisson { stages })
    );
}

#[test]
fn the_command_line_replaces_settings_that_fit() {
    let open = workload("arrivals: { poisson: 100 }");
    let changed = open.cells[0]
        .with(&Overrides {
            rate: Some(250.0),
            duration: Some(Duration::from_secs(1)),
            rounds: Some(4),
            connections: Some(2),
            ..Overrides::default()
        })
        .unwrap();
    assert_eq!(changed.arrivals, Arrivals::Poisson(vec![per_second(250.0, 1)]));
    assert_eq!(
        (changed.rounds, changed.slots(), changed.duration),
        (4, 32, Duration::from_secs(1))
    );
    assert_eq!(open.cells[0].with(&Overrides::default()), Ok(open.cells[0].clone()));

    let rate = Overrides {
        rate: Some(1.0),
        ..Overrides::default()
    };
    let closed = workload("arrivals: { in_flight: 16 }");
    assert_eq!(
        closed.cells[0].with(&rate).unwrap_err(),
        "cell c1: a closed loop has no rate of its own"
    );
    let one = Overrides {
        connections: Some(1),
        ..Overrides::default()
    };
    assert_eq!(
        closed.cells[0].with(&one).unwrap().slots(),
        16,
        "the same calls on fewer connections"
    );
    let small = Overrides {
        streams_per_connection: Some(4),
        ..one
    };
    let text = closed.cells[0].with(&small).unwrap_err();
    assert_eq!(
        text,
        "cell c1: 16 calls in flight do not fit into 1 connections x 4 streams"
    );
    let staged = workload("arrivals: { constant: [ { rate: 1, for: 1s }, { rate: 2, for: 1s } ] }");
    assert_eq!(
        staged.cells[0].with(&rate).unwrap_err(),
        "cell c1: its arrivals have stages of their own"
    );
    let zero = Overrides {
        rate: Some(0.0),
        ..Overrides::default()
    };
    assert_eq!(
        open.cells[0].with(&zero).unwrap_err(),
        "cell c1: a rate must be more than 0"
    );
}

#[test]
fn rows_of_a_file_are_texts() {
    let beside = |name: &str| match name {
        "ids.csv" => Ok("id,note\n1,\"a, b\"\n2,\n".to_owned()),
        other => Err(format!("{other} was asked for")),
    };
    let text = format!(
        "{HEAD}arrivals: {{ constant: 1 }}\nfeeders: {{ ids: {{ csv: ids.csv, order: random }} }}\n\
         operations:\n  - {{ id: get, call: GetProduct, feed: ids, request: {{ id: \"${{{{ feed.id }}}}\" }} }}\n"
    );
    let workload = parse(SourceFile::new("x.yaml", text), &beside).unwrap();
    let Values::Texts(keys, rows) = &workload.feeders[0].values else {
        panic!("texts")
    };
    assert_eq!((keys.join(" "), rows.len()), ("id note".to_owned(), 2));
    assert_eq!(rows[0], ["1", "a, b"]);
    assert_eq!(workload.feeders[0].order, crate::load::exchange::Order::Random);
}

#[test]
fn a_record_has_shares_and_objectives() {
    let text = "arrivals: { constant: 1 }\nobjective: { p99: 20ms, p99.9: 1s, errors: 0.1% }\n\
                claim: { text: faster, faster: grpc, slower: rest-h1, ratio: [5, 10] }\n\
                operations:\n  - { id: list, weight: 3, call: ListProducts }\n  - { id: health, call: grpc.health.v1.Health/Check }\n";
    let workload = read(text).unwrap();
    let record = workload.record("embedded");
    let operations: Vec<_> = record.operations.iter().map(|o| (o.method.as_str(), o.share)).collect();
    assert_eq!(
        operations,
        [
            ("inventory.InventoryService/ListProducts", 0.75),
            ("grpc.health.v1.Health/Check", 0.25)
        ]
    );
    let objective = record.objective.unwrap();
    assert_eq!(
        objective.latency,
        [(0.99, 20_000_000), (0.9990000000000001, 1_000_000_000)]
    );
    assert_eq!(objective.errors, Some(0.001));
    let claim = record.claim.unwrap();
    assert_eq!(
        (claim.faster, claim.slower, claim.ratio),
        (Leg::Grpc, Leg::RestH1, (5.0, 10.0))
    );
    assert_eq!(record.sha256.len(), 64);
}

#[test]
fn the_steps_of_users_are_operations_and_their_start_does_not_count() {
    let users = "factors: { n: [2, 10] }\nusers:\n  count: \"${{ factor.n }}\"\n  start: 2s\n  journeys:\n    \
                 - { id: a, weight: 3, steps: [ { call: ListProducts, think: 1s }, { id: again, call: ListProducts } ] }\n    \
                 - { id: b, steps: [ { call: ListProducts, think: { from: 1s, to: 2s } } ] }\n";
    let workload = read(users).unwrap_or_else(|errors| panic!("{errors}"));
    let ids: Vec<&str> = workload
        .operations
        .iter()
        .map(|operation| operation.id.value.as_str())
        .collect();
    assert_eq!(ids, ["a_ListProducts", "a_again", "b_ListProducts"]);
    assert_eq!(workload.legs, Leg::OF_USERS);
    let journeys = &workload.users.as_ref().unwrap().journeys;
    let second = Duration::from_secs(1);
    let think = |from, to| Think { from, to };
    let steps = |journey: &Journey| {
        journey
            .steps
            .iter()
            .map(|step| (step.operation, step.think))
            .collect::<Vec<_>>()
    };
    assert_eq!(steps(&journeys[0]), [(0, think(second, second)), (1, Think::default())]);
    assert_eq!(steps(&journeys[1]), [(2, think(second, 2 * second))]);
    assert_eq!((journeys[0].weight, journeys[1].weight), (3, 1));

    let cell = &workload.cells[1];
    let start = 2 * second;
    assert_eq!(cell.arrivals, Arrivals::Users { count: 10, start });
    assert_eq!((cell.warm_up, cell.slots(), cell.wrong()), (3 * second, 10, None));
    assert_eq!(cell.arrivals_record(None), Some(ArrivalsRecord::Users { users: 10 }));
    assert!(cell.stages().is_empty() && !cell.needs_saturation());
    let with = |overrides| cell.with(&overrides);
    let shorter = with(Overrides {
        warm_up: Some(Duration::ZERO),
        duration: Some(second),
        ..Overrides::default()
    });
    let shorter = shorter.unwrap();
    assert_eq!(
        (shorter.warm_up, shorter.duration),
        (start, second),
        "the start stays outside"
    );
    let rate = with(Overrides {
        rate: Some(1.0),
        ..Overrides::default()
    });
    assert_eq!(
        rate.unwrap_err(),
        "cell c2 (n=10): a closed loop has no rate of its own"
    );
    let connections = with(Overrides {
        connections: Some(1),
        ..Overrides::default()
    });
    assert_eq!(
        connections.unwrap_err(),
        "cell c2 (n=10): each user has connections of its own"
    );
}

#[test]
fn what_stays_is_known_before_anything_is_sent() {
    let workload = workload(
        "arrivals: { constant: 1 }\nsetup:\n  - { call: CreateProduct, repeat: 25, request: { sku: \"${{ run.id }}-${{ index }}\" } }",
    );
    assert_eq!((workload.residue_of_setup(), workload.creating().len()), (25, 0));
    let creating = read(
        "arrivals: { constant: 1 }\noperations:\n  - { id: make, call: CreateProduct, request: { sku: \"${{ mark }}\" } }\n",
    );
    assert_eq!(creating.unwrap().creating(), ["make"]);
}

#[test]
fn the_built_in_workloads_are_right() {
    let schema = Schema::built_in();
    assert_eq!(EMBEDDED.len(), 3);
    for (name, text) in EMBEDDED {
        let workload = parse(SourceFile::new(*name, *text), &nowhere);
        let workload = workload.unwrap_or_else(|errors| panic!("{}", errors[0].render()));
        let errors = link::check(&workload, &schema, &workload.legs);
        assert!(errors.is_empty(), "{}", errors[0].render());
        assert_eq!(embedded(&workload.id.value).unwrap().0, *name);
        assert!(text.starts_with("# yaml-language-server: $schema=../load.schema.json\n"));
        // Off loopback a run may leave 500 things.
        assert!(workload.residue_of_setup() <= 100 && workload.creating().is_empty());
    }
    let (name, text) = embedded(DEFAULT).unwrap();
    let mixed = parse(SourceFile::new(name, text), &nowhere).unwrap();
    assert_eq!(mixed.cells.len(), 1);
    let (name, text) = embedded("grpc_vs_rest").unwrap();
    let study = parse(SourceFile::new(name, text), &nowhere).unwrap();
    assert_eq!((study.cells.len(), study.legs.len()), (18, 4));
    let many = study.cells.iter().find(|cell| cell.factors[1].1 == "many").unwrap();
    assert_eq!((&many.arrivals, many.slots()), (&Arrivals::InFlight(16), 16));
    assert!(embedded("nothing").is_none());
}

#[test]
fn the_files_of_the_guide_are_right() {
    let guide = include_str!("../../../../scenarios/load/README.md");
    let whole: Vec<&str> = guide
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .filter(|block| block.contains("\nversion: 1\n"))
        .collect();
    assert!(!whole.is_empty());
    for block in whole {
        let workload = parse(SourceFile::new("README.md", block), &nowhere);
        let workload = workload.unwrap_or_else(|errors| panic!("{}", errors[0].render()));
        assert!(link::check(&workload, &Schema::built_in(), &workload.legs).is_empty());
    }
    let cells = "factors:\n  products: [1, 10, 100]\n";
    let study = guide.split("```yaml\n").find(|rest| rest.starts_with(cells)).unwrap();
    let study = read(study.split("```").next().unwrap()).unwrap();
    assert_eq!(study.cells.len(), 18);
}
