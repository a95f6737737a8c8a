//! Cells made up for the tests of this room.

use crate::load::{
    exchange::Decoding,
    leg::Leg,
    record::{ArrivalsRecord, CellRecord, RoundRecord, SideRecord},
};

/// What differs between rounds here; the rest stands still.
#[derive(Clone, Copy, Debug)]
pub struct Values {
    /// Nanoseconds: the mean and p50; p99 is three times it.
    pub time: f64,
    /// A second.
    pub throughput: f64,
    /// Microseconds.
    pub cpu: f64,
}

impl Values {
    /// Everything times a factor; throughput by it.
    pub fn of_time(time: f64) -> Values {
        Values {
            time,
            throughput: 1e9 / time,
            cpu: time / 10_000.0,
        }
    }
}

/// A round of a block.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "made-up times are small"
)]
pub fn round(block: usize, values: Values) -> RoundRecord {
    RoundRecord {
        order: block * 2,
        block,
        began_ms: 0,
        seconds: 5.0,
        scheduled: 5_000,
        sent: 5_000,
        succeeded: 5_000,
        failed: 0,
        throughput: values.throughput,
        mean: Some(values.time),
        p50: Some(values.time as u64),
        p99: Some((3.0 * values.time) as u64),
        server_cpu_us: Some(values.cpu),
        client_cpu_us: 40.0,
        bytes: (120.0, 380.0),
        in_flight: 1.0,
        littles: 1.0,
        most_waiting: 0,
        void: None,
    }
}

/// A side with a round in each block, one for each value.
pub fn side(leg: Leg, target: usize, values: impl IntoIterator<Item = Values>) -> SideRecord {
    let rounds = values.into_iter().enumerate();
    SideRecord {
        leg,
        target,
        rounds: rounds.map(|(block, values)| round(block, values)).collect(),
        operations: Vec::new(),
        all: None,
        series: Vec::new(),
        void: None,
    }
}

/// A side whose times scatter a little around a value, each leg in its own way.
pub fn steady(leg: Leg, target: usize, time: f64, rounds: usize) -> SideRecord {
    const SCATTER: [f64; 7] = [1.0, 1.012, 0.991, 1.006, 0.985, 1.003, 0.998];
    let turn = leg as usize * 2 + target * 3;
    side(
        leg,
        target,
        (0..rounds).map(|block| Values::of_time(time * SCATTER[(block + turn + block * turn) % 7])),
    )
}

/// An open-loop cell.
pub fn open(id: &str, sides: Vec<SideRecord>) -> CellRecord {
    CellRecord {
        id: id.to_owned(),
        factors: Vec::new(),
        arrivals: ArrivalsRecord::Constant {
            stages: vec![(1000.0, 1000.0, 5.0)],
        },
        decoding: Decoding::Sampled,
        connections: 4,
        streams_per_connection: 8,
        measured_s: 5.0,
        warm_up_s: 1.0,
        sides,
        void: None,
    }
}

/// A closed-loop cell.
pub fn closed(id: &str, sides: Vec<SideRecord>) -> CellRecord {
    CellRecord {
        arrivals: ArrivalsRecord::InFlight { calls: 8 },
        ..open(id, sides)
    }
}
