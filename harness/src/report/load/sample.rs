//! Load records made by hand, for the tests of the renderers.

use crate::{
    load::{exchange::Decoding, leg::Leg, record::*},
    report::sample::HOSTILE,
    verify::record::{Caveat, HostRecord},
};

/// Two legs, one cell, all measured, a claim.
pub fn measured() -> LoadRecord {
    let sides = vec![side(Leg::Grpc, 0, 1.0), side(Leg::RestH1, 0, 1.35)];
    let cell = CellRecord {
        id: "c1".into(),
        factors: vec![],
        arrivals: ArrivalsRecord::Constant {
            stages: vec![(500.0, 500.0, 5.0)],
        },
        decoding: Decoding::Off,
        connections: 2,
        streams_per_connection: 8,
        measured_s: 5.0,
        warm_up_s: 1.0,
        sides,
        void: None,
    };
    let grpc = SideName {
        leg: Leg::Grpc,
        target: 0,
    };
    let rest = SideName {
        leg: Leg::RestH1,
        target: 0,
    };
    LoadRecord {
        load_version: LOAD_VERSION,
        command: "load".into(),
        run_id: "8q2m4x".into(),
        started: "2026-11-22T19:05:00.125Z".into(),
        elapsed_ms: 134_310,
        targets: vec![target("target", "built-in service at http://127.0.0.1:50051")],
        workload: WorkloadRecord {
            id: "mixed".into(),
            name: "reads with some stock changes".into(),
            file: "embedded".into(),
            sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
            seed: 42,
            operations: vec![
                operation_share("get", "inventory.InventoryService/GetProduct", 0.9),
                operation_share("update", "inventory.InventoryService/UpdateStock", 0.1),
            ],
            claim: Some(ClaimRecord {
                text: "gRPC is typically 5-10x faster than REST".into(),
                faster: Leg::Grpc,
                slower: Leg::RestH1,
                ratio: (5.0, 10.0),
            }),
            objective: None,
        },
        host: HostRecord {
            stocktake: "0.1.0".into(),
            system: "linux x86_64".into(),
            cpus: 2,
        },
        generator: GeneratorRecord {
            threads: 1,
            processor: Some("Example CPU @ 2.50GHz".into()),
            kernel: Some("6.8.0".into()),
            bare_wait_p99: Some(58_000),
        },
        options: vec![("legs".into(), "grpc,rest-h1".into()), ("rounds".into(), "12".into())],
        comparisons: compared("c1", grpc, rest, 1.35),
        cells: vec![cell],
        residue: vec!["product st-8q2m4x-1".into()],
        caveats: vec![Caveat {
            text: "target and generator share 2 processors".into(),
            remedy: "read ratios, not capacities; or run the generator on another machine".into(),
        }],
        verdict: LoadVerdict {
            result: LoadResult::Measured,
            exit_code: 0,
            sentence: "\"gRPC is typically 5-10x faster than REST\": supported in 0 of 1 cell; not supported in 1, between 1.33 and 1.37 times".into(),
            complete: true,
        },
    }
}

/// Two cells, three sides, one of them void in the first, an objective that does not hold in the second.
pub fn failing() -> LoadRecord {
    let mut record = measured();
    let sides = [(Leg::Grpc, 1.0), (Leg::RestH1, 1.35), (Leg::RestH2, 1.2)];
    let names: Vec<SideName> = sides.iter().map(|(leg, _)| SideName { leg: *leg, target: 0 }).collect();
    record.cells.clear();
    record.comparisons.clear();
    for (n, (payload, slower)) in [("10", 1.0), ("100", 4.0)].into_iter().enumerate() {
        let id = format!("c{}", n + 1);
        record.cells.push(CellRecord {
            id: id.clone(),
            factors: vec![("products".into(), payload.into()), ("decoding".into(), "full".into())],
            arrivals: ArrivalsRecord::Poisson {
                stages: vec![(500.0, 500.0, 5.0)],
            },
            decoding: Decoding::Full,
            connections: 2,
            streams_per_connection: 8,
            measured_s: 5.0,
            warm_up_s: 1.0,
            sides: sides.iter().map(|(leg, of)| side(*leg, 0, of * slower)).collect(),
            void: None,
        });
        for (other, (_, slower)) in names.iter().zip(&sides).skip(1) {
            record.comparisons.extend(compared(&id, names[0], *other, *slower));
        }
    }
    let void = "the generator was late: p99 of the lateness was 12 ms, at most 1 ms is allowed";
    if let Some(side) = record.cells.first_mut().and_then(|cell| cell.sides.get_mut(2)) {
        side.void = Some(void.into());
    }
    for of in record
        .comparisons
        .iter_mut()
        .filter(|of| of.cell == "c1" && of.other.leg == Leg::RestH2)
    {
        of.finding = Finding::Void;
        (of.ratio, of.interval, of.p_adjusted, of.detectable, of.pairs) = (None, None, None, None, 0);
    }
    for of in record
        .comparisons
        .iter_mut()
        .filter(|of| of.cell == "c2" && of.other.leg == Leg::RestH2)
    {
        if of.measure == Measure::P99 {
            of.finding = Finding::TooFew;
            (of.ratio, of.interval, of.p_adjusted, of.detectable, of.pairs) = (None, None, None, None, 2);
        }
    }
    let slow = record.cells.get_mut(1).and_then(|cell| cell.sides.get_mut(1));
    if let Some(slow) = slow {
        for round in &mut slow.rounds {
            (round.succeeded, round.failed, round.throughput) = (2400, 100, 480.0);
        }
        if let Some(get) = slow.operations.first_mut() {
            get.outcomes = vec![
                ("OK".into(), 8600),
                ("timeout".into(), 390),
                ("connection lost".into(), 10),
            ];
        }
    }
    record.workload.objective = Some(ObjectiveRecord {
        latency: vec![(0.99, 12_000_000), (0.99999, 100_000_000)],
        errors: Some(0.01),
    });
    record.elapsed_ms = 412_000;
    record.verdict = LoadVerdict {
        result: LoadResult::Failed,
        exit_code: 1,
        sentence:
            "p99 over gRPC with products = 100, decoding = full is 23.2 ms, the objective is at most 12.0 ms; 4 more"
                .into(),
        complete: true,
    };
    record
}

/// An old target against a new one over gRPC.
pub fn against() -> LoadRecord {
    let mut record = measured();
    record.targets = vec![
        target("old", "https://old.example"),
        target("new", "https://new.example"),
    ];
    let side_name = |target| SideName { leg: Leg::Grpc, target };
    if let Some(cell) = record.cells.first_mut() {
        cell.arrivals = ArrivalsRecord::InFlight { calls: 8 };
        cell.sides = vec![side(Leg::Grpc, 0, 1.0), side(Leg::Grpc, 1, 1.25)];
        for side in &mut cell.sides {
            side.rounds.iter_mut().for_each(|round| round.server_cpu_us = None);
        }
    }
    record.comparisons = compared("c1", side_name(0), side_name(1), 1.25);
    record.comparisons.retain(|of| of.measure != Measure::ServerCpu);
    record.workload.claim = None;
    record.verdict = LoadVerdict {
        result: LoadResult::Failed,
        exit_code: 1,
        sentence: "the new target is worse: median response time of grpc in c1: 25 % more, 95 % interval 20 % more to 30 % more; and 1 more".into(),
        complete: true,
    };
    record
}

/// Foreign texts that would like to be more than text, everywhere.
pub fn hostile() -> LoadRecord {
    let mut record = failing();
    let bad = || HOSTILE.to_owned();
    record.command = bad();
    record.run_id = bad();
    record.started = bad();
    for target in &mut record.targets {
        (target.name, target.address, target.descriptors) = (bad(), bad(), bad());
    }
    let workload = &mut record.workload;
    (workload.id, workload.name, workload.file, workload.sha256) = (bad(), bad(), bad(), bad());
    for operation in &mut workload.operations {
        (operation.id, operation.method) = (bad(), bad());
    }
    if let Some(claim) = &mut workload.claim {
        claim.text = bad();
    }
    (record.host.stocktake, record.host.system) = (bad(), bad());
    (record.generator.processor, record.generator.kernel) = (Some(bad()), Some(bad()));
    record.options.push((bad(), bad()));
    record.residue.push(bad());
    record.caveats.push(Caveat {
        text: bad(),
        remedy: bad(),
    });
    for (n, cell) in record.cells.iter_mut().enumerate() {
        let id = format!("{HOSTILE}{n}");
        record
            .comparisons
            .iter_mut()
            .filter(|of| of.cell == cell.id)
            .for_each(|of| of.cell.clone_from(&id));
        cell.id = id;
        cell.factors = vec![(bad(), bad())];
        for side in &mut cell.sides {
            if side.void.is_some() {
                side.void = Some(bad());
            }
            for operation in side.operations.iter_mut().chain(&mut side.all) {
                operation.id = bad();
                operation.outcomes.push((bad(), 1));
                operation.hlog = Some(bad());
            }
            if let Some(round) = side.rounds.first_mut() {
                round.void = Some(bad());
            }
        }
    }
    record.verdict.sentence = bad();
    record
}

fn target(name: &str, address: &str) -> LoadTarget {
    LoadTarget {
        name: name.into(),
        address: address.into(),
        descriptors: "reflection v1".into(),
        loopback: address.contains("127.0.0.1"),
        cold_start_ms: None,
    }
}

fn operation_share(id: &str, method: &str, share: f64) -> WorkloadOperation {
    WorkloadOperation {
        id: id.into(),
        method: method.into(),
        share,
    }
}

/// A leg that takes so many times of 1.2 ms.
fn side(leg: Leg, target: usize, slower: f64) -> SideRecord {
    let rounds = 12;
    let scatter = leg as usize * 3 + target;
    let median = 1.2e6 * slower;
    let round = |n: usize| RoundRecord {
        order: n * 2 + n % 2,
        block: n,
        began_ms: n as u64 * 12_000,
        seconds: 5.0,
        scheduled: 2500,
        sent: 2500,
        succeeded: 2500,
        failed: 0,
        throughput: 500.0,
        mean: Some(median * 1.1),
        p50: Some((median * (1.0 + ((n * 7 + scatter) % 5) as f64 * 0.01)) as u64),
        p99: Some((median * 2.9) as u64),
        server_cpu_us: Some(88.5 * slower),
        client_cpu_us: 61.25,
        bytes: (96.5 * slower, 143.25 * slower),
        in_flight: 0.61 * slower,
        littles: 0.6 * slower,
        most_waiting: 3,
        void: None,
    };
    SideRecord {
        leg,
        target,
        rounds: (0..rounds).map(round).collect(),
        operations: vec![
            operation("get", 9000, median, leg),
            operation("update", 1000, median * 1.3, leg),
        ],
        all: Some(operation("all", 10_000, median * 1.02, leg)),
        series: (0..20).map(|second| point(second, median)).collect(),
        void: None,
    }
}

fn operation(id: &str, count: u64, median: f64, leg: Leg) -> OperationRecord {
    OperationRecord {
        id: id.into(),
        outcomes: vec![("OK".into(), count)],
        response: curve(count, median),
        service: curve(count, median * 0.86),
        lateness: curve(count, 21_000.0),
        slot_wait: curve(count, 2_000.0),
        failures: CurveRecord::default(),
        first_message: None,
        gaps: None,
        delivery: None,
        hlog: Some(format!("c1-{}-{id}.hlog", leg.name())),
    }
}

/// With a tail: the slower the rarer.
fn curve(count: u64, median: f64) -> CurveRecord {
    let all = [
        0.0, 0.1, 0.25, 0.5, 0.6, 0.75, 0.8, 0.9, 0.925, 0.95, 0.975, 0.99, 0.995, 0.999, 0.9995, 0.9999, 0.99999,
    ];
    let value = |q: f64| {
        let rarity = -(1.0 - q).log2();
        (median * (0.78 + 0.2 * rarity + 0.009 * rarity.powi(3))) as u64
    };
    let shown = all.into_iter().filter(|q| count as f64 * (1.0 - q) >= 10.0);
    CurveRecord {
        count,
        min: Some(value(0.0)),
        mean: Some(median * 1.08),
        max: Some(value(1.0 - 0.5 / count as f64)),
        percentiles: shown.map(|q| (q, value(q))).collect(),
    }
}

fn point(second: u64, median: f64) -> PointRecord {
    let wave = 1.0 + 0.06 * ((second * 7 % 11) as f64 - 5.0) / 5.0;
    let spike = if second == 12 { 4.0 } else { 1.0 };
    PointRecord {
        second,
        scheduled: 500,
        succeeded: 500,
        failed: 0,
        p50: Some((median * wave) as u64),
        p99: (second != 7).then_some((median * 2.9 * wave * spike) as u64),
        max: Some((median * 5.5 * wave * spike * spike) as u64),
    }
}

/// All measures of two sides. Throughput of an open loop does not differ.
fn compared(cell: &str, base: SideName, other: SideName, slower: f64) -> Vec<ComparisonRecord> {
    let of = |measure, ratio: f64, half: f64, finding| ComparisonRecord {
        cell: cell.into(),
        measure,
        base,
        other,
        pairs: 12,
        ratio: Some(ratio),
        interval: Some((ratio * (1.0 - half), ratio * (1.0 + half))),
        p_adjusted: Some(if finding == Finding::NoDifference { 0.43 } else { 0.0004 }),
        detectable: Some(1.0 + half * 1.5),
        finding,
    };
    vec![
        of(Measure::P50, slower, 0.037, Finding::More),
        of(Measure::P99, 1.0 + (slower - 1.0) / 4.0, 0.14, Finding::NoDifference),
        of(Measure::Mean, slower * 0.99, 0.05, Finding::More),
        of(Measure::Throughput, 0.9996, 0.002, Finding::NoDifference),
        of(Measure::ServerCpu, slower * 1.1, 0.03, Finding::More),
        of(Measure::Bytes, 0.82, 0.001, Finding::Less),
    ]
}
