//! Capacity records made by hand, for the tests of the renderers. What follows from the bracket is computed as the command does it.

use crate::{
    capacity::{
        measured::Measured,
        prices::{Prices, Size},
        recommend::{Advice, Ask, Current, recommend, replica},
        record::*,
        scaler::{Deployment, Limits, Reading, simulate},
        traffic::{Profile, Spec},
    },
    load::{
        leg::Leg,
        record::{GeneratorRecord, LoadTarget, ObjectiveRecord, WorkloadOperation, WorkloadRecord},
    },
    report::sample::HOSTILE,
    verify::record::{Caveat, HostRecord},
};

/// Calls in flight and accepted answers a second.
const STEPS: [(f64, f64); 6] = [
    (1.0, 48.1),
    (2.0, 93.5),
    (3.0, 134.0),
    (4.0, 150.2),
    (6.0, 149.0),
    (8.0, 147.1),
];

/// What a run finds with the planted truth of 142 requests a second.
pub fn found() -> CapacityRecord {
    let bracket = Bracket {
        low: 138.0,
        high: Some(149.0),
        best: 143.0,
        confidence: 0.95,
        stages: 12,
        binding: "p99 <= 200ms".into(),
        limit: "cpu".into(),
        because: "the server took 0.97 of the processor that it has".into(),
    };
    let measured = Measured {
        passed: bracket.low,
        failed: bracket.high,
        limit: bracket.limit.clone(),
        in_flight: 3.4,
        service_s: 0.0212,
        cpu_s: Some(0.0034),
        memory: Some(96 << 20),
        streams: Some(2000),
        streams_allowed: Some(20_000),
        stream_memory: Some(5_400),
        cold_start_s: Some(1.4),
        drain_s: Some(2.2),
        skew: 1.0,
        sharing: None,
        ceiling: None,
        from: vec!["reports/runs/2026-11-27-capacity".into()],
    };
    CapacityRecord {
        capacity_version: CAPACITY_VERSION,
        run_id: "8q2m4x".into(),
        started: "2026-11-27T07:05:00.125Z".into(),
        elapsed_ms: 634_310,
        target: Some(LoadTarget {
            cold_start_ms: None,
            name: "target".into(),
            address: "built-in service at http://127.0.0.1:50051".into(),
            descriptors: "reflection v1".into(),
            loopback: true,
        }),
        workload: Some(workload()),
        leg: Some(Leg::Grpc),
        replicas: 1,
        host: HostRecord {
            stocktake: "0.1.0".into(),
            system: "linux x86_64".into(),
            cpus: 2,
        },
        generator: Some(GeneratorRecord {
            threads: 1,
            processor: Some("a processor".into()),
            kernel: None,
            bare_wait_p99: Some(61_000),
        }),
        options: vec![("legs".into(), "grpc".into())],
        objective: ObjectiveRecord {
            latency: vec![(0.99, 200_000_000)],
            errors: Some(0.001),
        },
        stages: stages(),
        points: vec![],
        bracket: Some(bracket),
        scalability: Some(scalability()),
        prediction: None,
        advice: Some(advice(&measured)),
        measured: Some(measured),
        residue: vec!["product st-8q2m4x-1".into()],
        caveats: vec![Caveat {
            text: "generator and target share the processors of this machine".into(),
            remedy: "measure from another one".into(),
        }],
        next: vec![],
        verdict: CapacityVerdict {
            result: CapacityResult::Found,
            exit_code: 0,
            sentence: "one replica sustains 138 to 149 requests a second at p99 <= 200 ms".into(),
            complete: true,
        },
    }
}

/// The generator was the limit.
pub fn too_little() -> CapacityRecord {
    let mut record = found();
    record.bracket = None;
    record.advice = None;
    record.measured = None;
    record.scalability = Some(ScalabilityRecord {
        of: "calls in flight".into(),
        steps: vec![(1.0, 48.0), (2.0, 93.0)],
        fit: None,
        note: Some("2 steps are too few for the law: at least 6 are needed".into()),
    });
    record.stages.truncate(1);
    record.stages.extend(stages().into_iter().skip(6).take(1));
    record.next = vec!["stocktake capacity --connections 64, from a larger machine".into()];
    record.verdict = CapacityVerdict {
        result: CapacityResult::Inconclusive,
        exit_code: 4,
        sentence: "the generator was the limit, so what a replica sustains is not known".into(),
        complete: true,
    };
    record
}

/// Foreign texts that are hostile, and names as long as anyone likes.
pub fn hostile() -> CapacityRecord {
    let mut record = found();
    let long = || format!("st-{}{HOSTILE}", "x".repeat(400));
    if let Some(target) = &mut record.target {
        (target.address, target.descriptors) = (long(), HOSTILE.into());
    }
    if let Some(workload) = &mut record.workload {
        (workload.id, workload.name) = (long(), HOSTILE.into());
    }
    for stage in &mut record.stages {
        if let StageJudged::Failed { why, .. } | StageJudged::Void { why, .. } = &mut stage.judged {
            *why = long();
        }
    }
    if let Some(bracket) = &mut record.bracket {
        (bracket.limit, bracket.because) = (long(), HOSTILE.into());
    }
    if let Some(advice) = &mut record.advice {
        for number in &mut advice.recommendation.numbers {
            number.from = vec![long(), HOSTILE.into()];
        }
        if let Some(traffic) = &mut advice.traffic {
            traffic.name = long();
        }
        if let Some(priced) = &mut advice.recommendation.priced {
            (priced.prices.currency, priced.prices.file, priced.prices.source) =
                (HOSTILE.into(), long(), HOSTILE.into());
        }
    }
    record.options.push((long(), HOSTILE.into()));
    record.residue = vec![long(), HOSTILE.into()];
    record.next = vec![long()];
    record.caveats[0].text = long();
    record.verdict.sentence = long();
    record
}

fn workload() -> WorkloadRecord {
    WorkloadRecord {
        id: "mixed".into(),
        name: "reads with some stock changes".into(),
        file: "embedded".into(),
        sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
        seed: 42,
        operations: vec![WorkloadOperation {
            id: "get".into(),
            method: "inventory.InventoryService/GetProduct".into(),
            share: 1.0,
        }],
        claim: None,
        objective: None,
    }
}

fn stages() -> Vec<StageRecord> {
    let failed = |why: &str| StageJudged::Failed {
        why: why.into(),
        limit: "latency".into(),
    };
    let late = StageJudged::Void {
        why: "the generator was busy for 93 % of its time".into(),
        limit: "generator".into(),
    };
    let mut stages = vec![
        stage(Phase::Explore, 50.0, 31, StageJudged::Passed),
        stage(Phase::Explore, 100.0, 74, StageJudged::Passed),
        stage(Phase::Explore, 200.0, 1900, failed("p99 was 1.90 s")),
        stage(Phase::Bisect, 141.0, 188, StageJudged::Passed),
        stage(Phase::Bisect, 141.0, 214, failed("p99 was 214 ms")),
        stage(Phase::Bisect, 170.0, 820, failed("p99 was 820 ms")),
        stage(Phase::Confirm, 141.0, 0, late),
        stage(Phase::Confirm, 138.0, 176, StageJudged::Passed),
        stage(Phase::Confirm, 149.0, 262, failed("p99 was 262 ms")),
    ];
    for (calls, throughput) in STEPS {
        let mut step = stage(Phase::Steps, 0.0, 40, StageJudged::Measured);
        (step.rate, step.calls, step.throughput) = (None, Some(calls as usize), throughput);
        stages.push(step);
    }
    stages
}

fn stage(phase: Phase, rate: f64, p99_ms: u64, judged: StageJudged) -> StageRecord {
    let goodput = rate.min(150.0);
    StageRecord {
        phase,
        rate: Some(rate),
        calls: None,
        began_ms: 12_000,
        seconds: 10.0,
        scheduled: (rate * 10.0) as u64,
        sent: (rate * 10.0) as u64,
        succeeded: (goodput * 10.0) as u64,
        failed: 0,
        beyond: vec![3],
        throughput: goodput,
        p50: Some(p99_ms * 300_000),
        p99: Some(p99_ms * 1_000_000),
        service_s: Some(0.0212),
        service_p99: Some(40_000_000),
        in_flight: goodput * 0.0212,
        most_waiting: 4,
        slot_wait: 0.01,
        server_cpu_s: Some(0.0034),
        server_cpus: Some(0.5),
        server_memory: Some(96 << 20),
        server_s: None,
        database_s: None,
        generator_busy: 0.12,
        judged,
    }
}

fn scalability() -> ScalabilityRecord {
    let steps = STEPS.to_vec();
    let (lambda, sigma, kappa) = (50.0, 0.06, 0.013);
    let law = |n: f64| lambda * n / (1.0 + sigma * (n - 1.0) + kappa * n * (n - 1.0));
    ScalabilityRecord {
        of: "calls in flight".into(),
        fit: Some(UslRecord {
            lambda,
            lambda_interval: (46.0, 55.0),
            sigma,
            sigma_interval: (0.02, 0.1),
            kappa,
            kappa_interval: Some((0.006, 0.021)),
            r_squared: 0.981,
            residuals: steps.iter().map(|(n, y)| y / law(*n) - 1.0).collect(),
            peak: Some(8.5),
            peak_throughput: Some(law(8.5)),
            measured_to: 8.0,
        }),
        note: Some("poor between 3 and 4 calls in flight".into()),
        steps,
    }
}

fn crowd() -> Option<Profile> {
    match Spec::parse("flash:base=20,peak=600,ramp=30s,hold=5m") {
        Ok(Spec::Flash(profile)) => Some(profile),
        _ => None,
    }
}

fn advice(measured: &Measured) -> Advice {
    let prices = Prices::embedded().expect("the built-in prices are right");
    let ask = Ask {
        peak: 600.0,
        base: Some(20.0),
        streams: Some(3000),
        size: Some(Size { cpu: 0.5, memory: 1.0 }),
        current: Some(Current {
            limits: Limits::new(1, 5, 10),
            size: None,
        }),
        ..Ask::default()
    };
    let recommendation = recommend(measured, &ask, &prices).expect("the sample is enough");
    let traffic = crowd();
    let mut outcomes = Vec::new();
    if let Some(profile) = &traffic {
        for reading in Reading::ALL {
            let concurrency = match reading {
                Reading::Rate => recommendation.limits.concurrency,
                Reading::InFlight => recommendation.concurrency_in_flight.unwrap_or(1),
            };
            for max in [5, 8, 12] {
                let deployment = Deployment {
                    limits: Limits {
                        max,
                        concurrency,
                        ..recommendation.limits
                    },
                    reading,
                    replica: replica(measured, &ask),
                    size: recommendation.size,
                };
                outcomes.push(simulate(profile, &deployment, &prices));
            }
        }
    }
    Advice {
        recommendation,
        traffic,
        outcomes,
    }
}
