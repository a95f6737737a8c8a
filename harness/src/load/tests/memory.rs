//! Merges are exact, and memory does not grow with the number of requests.

use super::honesty::operation;
use crate::{
    client::Code,
    load::{
        recorder::{Recorder, Window},
        sample::{Moment, Outcome, Sample, Sink},
    },
};
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;

fn recorder(seconds: u64) -> Recorder {
    let operations = [
        operation("get", &[Code::OK, Code::NOT_FOUND]),
        operation("create", &[Code::OK]),
    ];
    let window = Window {
        warm_up: Duration::from_secs(1),
        measured: Duration::from_secs(seconds),
    };
    Recorder::new(&operations, window)
}

/// The n-th of so many samples, spread over the seconds: times from 50 µs to 0.8 s, all ends.
fn sample(n: u64, of: u64, seconds: u64) -> Sample {
    let scattered = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let intended = (u128::from(n) * u128::from((seconds + 1) * SECOND) / u128::from(of)) as u64;
    let able = intended + scattered % 3 * 7_000;
    let sent = able + scattered % 100_000;
    let done = sent + 50_000 + (scattered % 900) * (scattered % 900) * 1_000;
    let outcome = match scattered % 50 {
        0 => Outcome::Timeout,
        1 => Outcome::Lost,
        2 => Outcome::Garbled,
        3 => Outcome::Status(Code::NOT_FOUND),
        4 => Outcome::Status(Code::UNAVAILABLE),
        _ => Outcome::Status(Code::OK),
    };
    Sample {
        operation: (n % 2) as u32,
        intended,
        able,
        sent,
        first: done,
        done,
        outcome,
        messages: 1,
    }
}

fn moments(sample: &Sample) -> [Moment; 2] {
    let operation = sample.operation;
    [
        Moment::Gap {
            operation,
            at: sample.done,
            gap: sample.done - sample.sent,
        },
        Moment::Delivery {
            operation,
            intended: sample.intended,
            at: sample.done,
        },
    ]
}

#[test]
fn threads_merged_in_any_order_are_the_whole() {
    let mut whole = recorder(5);
    let mut threads: Vec<Recorder> = (0..3).map(|_| recorder(5)).collect();
    for n in 0..60_000 {
        let sample = sample(n, 60_000, 5);
        let thread = &mut threads[(n * 7 % 13 % 3) as usize];
        for recorder in [&mut whole, thread] {
            recorder.sample(&sample);
            moments(&sample).into_iter().for_each(|moment| recorder.moment(moment));
        }
    }
    for order in [[0, 1, 2], [2, 0, 1]] {
        let mut merged = recorder(5);
        order.iter().for_each(|thread| merged.merge(&threads[*thread]));
        assert_eq!(merged.tallies(), whole.tallies());
        assert_eq!(
            (merged.completed(), merged.service()),
            (whole.completed(), whole.service())
        );
        assert_eq!(merged.scheduled(), 50_000);
        assert_eq!(merged.seconds().len(), 5);
        for (merged, whole) in merged.seconds().iter().zip(whole.seconds()) {
            assert_eq!((merged.succeeded, merged.failed), (whole.succeeded, whole.failed));
            assert_eq!(merged.response.len(), whole.response.len());
            for quantile in [0.0, 0.1, 0.5, 0.9, 0.99, 1.0] {
                let at = |second: &crate::load::recorder::Second| second.response.value_at_quantile(quantile);
                assert_eq!(at(merged), at(whole));
            }
        }
    }
    // Nothing of it is trivial: every distribution holds something, and so does every kind of end.
    for tally in whole.tallies() {
        let filled = tally
            .distributions()
            .iter()
            .filter(|(_, times)| times.count() > 100)
            .count();
        assert_eq!(filled, 7, "first_message is of streams alone");
        assert_eq!(tally.outcomes.len(), 6);
    }
}

#[test]
fn a_million_requests_take_no_more_memory_than_ten_thousand() {
    let bytes = |requests: u64| {
        let mut recorder = recorder(10);
        for n in 0..requests {
            let sample = sample(n, requests, 10);
            recorder.sample(&sample);
            moments(&sample).into_iter().for_each(|moment| recorder.moment(moment));
        }
        assert!(recorder.scheduled() >= requests * 9 / 10);
        recorder.buffer_bytes()
    };
    let (few, many) = (bytes(10_000), bytes(1_000_000));
    assert_eq!(many, few);
    // Two operations with seven distributions of 270 KB, and ten seconds.
    assert!(few < 4_000_000, "{few}");
}

#[test]
fn warm_up_is_left_out_by_the_intended_send() {
    let mut recorder = recorder(2);
    let mut at = |intended, done| {
        recorder.sample(&Sample {
            operation: 0,
            intended,
            able: intended,
            sent: intended,
            first: done,
            done,
            outcome: Outcome::Status(Code::OK),
            messages: 1,
        });
    };
    // Meant for the warm-up, over in the measured time; meant for the measured time, over after it; and after the end.
    at(SECOND - 1, SECOND + 5);
    at(SECOND, SECOND + 5);
    at(3 * SECOND - 1, 4 * SECOND);
    at(3 * SECOND, 3 * SECOND + 5);
    assert_eq!(recorder.tallies()[0].response.count(), 2);
    assert_eq!(recorder.scheduled(), 2);
    // A throughput counts ends, whenever they were meant to be sent; Little's law counts everything.
    assert_eq!(recorder.completed(), 2);
    assert_eq!(recorder.service(), u128::from(6 + 5 + SECOND + 1 + 5));
}

#[test]
fn only_accepted_ends_are_successes_and_a_timeout_counts_with_its_limit() {
    let mut recorder = recorder(2);
    let mut end = |operation, outcome, takes| {
        recorder.sample(&Sample {
            operation,
            intended: SECOND,
            able: SECOND,
            sent: SECOND,
            first: SECOND + takes,
            done: SECOND + takes,
            outcome,
            messages: 0,
        });
    };
    end(0, Outcome::Status(Code::NOT_FOUND), 1_000);
    end(1, Outcome::Status(Code::NOT_FOUND), 2_000);
    end(1, Outcome::Timeout, 500_000_000);
    end(7, Outcome::Timeout, 1);
    let [get, create] = recorder.tallies() else {
        panic!("two operations")
    };
    assert_eq!((get.response.count(), get.failures.count()), (1, 0));
    assert_eq!((create.response.count(), create.failures.count()), (0, 2));
    assert_eq!(create.failures.min(), Some(2_000));
    assert!(create.failures.max().unwrap() >= 500_000_000);
}
