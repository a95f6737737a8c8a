//! Which request is sent next: an operation by its weight, and of that operation the next request by its order. Pure.

use super::{
    draw::{Draw, Purpose},
    exchange::{Operation, Order},
    pacer::Share,
};

/// The choices of one thread, without end. The same seed and share give the same ones, so that every leg and every round of a
/// study is asked for the same.
#[derive(Clone, Debug)]
pub struct Mix {
    /// The sums of the weights up to and with each operation.
    weights: Vec<u64>,
    turns: Vec<Turn>,
    draw: Draw,
}

/// What is sent next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Position of the operation.
    pub operation: usize,
    /// Position among the requests of the operation.
    pub exchange: usize,
}

/// Where a thread stands in the requests of one operation.
#[derive(Clone, Debug)]
struct Turn {
    order: Order,
    next: usize,
    of: usize,
}

impl Mix {
    /// The choices of one share. Sequential requests start at another place in each thread: the threads are spread evenly over
    /// them, so that they do not ask for the same at the same time. `None` where there is nothing to choose from: no operation
    /// has a weight above 0, or one that has no request.
    pub fn new(operations: &[Operation], seed: u64, share: Share) -> Option<Mix> {
        let mut sum = 0;
        let mut weights = Vec::with_capacity(operations.len());
        let mut turns = Vec::with_capacity(operations.len());
        for operation in operations {
            let of = operation.exchanges.len();
            if of == 0 && operation.weight > 0 {
                return None;
            }
            sum += u64::from(operation.weight);
            weights.push(sum);
            turns.push(Turn {
                order: operation.order,
                next: (of * share.index / share.of.max(1)).min(of.saturating_sub(1)),
                of,
            });
        }
        let draw = Draw::new(seed, Purpose::Mix, share.index);
        (sum > 0).then_some(Mix { weights, turns, draw })
    }

    /// The next one.
    pub fn choose(&mut self) -> Choice {
        let sum = self.weights.last().copied().unwrap_or_default();
        let drawn = self.draw.below(sum);
        let operation = self.weights.partition_point(|below| *below <= drawn);
        let turn = &mut self.turns[operation];
        let exchange = match turn.order {
            Order::Sequential => {
                let exchange = turn.next;
                turn.next = (turn.next + 1) % turn.of;
                exchange
            }
            Order::Random => self.draw.below(turn.of as u64) as usize,
        };
        Choice { operation, exchange }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::{
        client::Code,
        load::exchange::{Answer, Exchange},
    };
    use std::time::Duration;

    fn operation(weight: u32, requests: usize, order: Order) -> Operation {
        let exchange = Exchange {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            headers: Vec::new(),
            body: Default::default(),
            answer: Answer::Message,
            mark: None,
        };
        Operation {
            id: "op".to_owned(),
            weight,
            exchanges: vec![exchange; requests],
            order,
            accepted: vec![Code::OK],
            timeout: Duration::from_secs(1),
        }
    }

    fn choices(operations: &[Operation], seed: u64, share: Share, count: usize) -> Vec<Choice> {
        let mut mix = Mix::new(operations, seed, share).unwrap();
        (0..count).map(|_| mix.choose()).collect()
    }

    #[test]
    fn operations_come_by_their_weights() {
        let operations = [
            operation(70, 3, Order::Sequential),
            operation(0, 1, Order::Sequential),
            operation(25, 2, Order::Random),
            operation(5, 1, Order::Sequential),
        ];
        let mut counts = [0u32; 4];
        for choice in choices(&operations, 1, Share::WHOLE, 100_000) {
            counts[choice.operation] += 1;
        }
        // Five standard deviations of a binomial are at most 725.
        let wanted = [70_000, 0, 25_000, 5_000];
        assert!(
            counts.iter().zip(wanted).all(|(n, wanted)| n.abs_diff(wanted) < 725),
            "{counts:?}"
        );
        assert_eq!(counts[1], 0);
    }

    #[test]
    fn sequential_requests_follow_each_other_from_another_place_in_each_thread() {
        let operations = [operation(1, 10, Order::Sequential)];
        let numbers = |index| -> Vec<usize> {
            let choices = choices(&operations, 1, Share { index, of: 4 }, 12);
            choices.into_iter().map(|choice| choice.exchange).collect()
        };
        assert_eq!(numbers(0), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
        assert_eq!([numbers(1)[0], numbers(2)[0], numbers(3)[0]], [2, 5, 7]);
    }

    #[test]
    fn random_requests_are_all_as_likely() {
        let operations = [operation(1, 5, Order::Random)];
        let mut counts = [0u32; 5];
        for choice in choices(&operations, 3, Share::WHOLE, 50_000) {
            counts[choice.exchange] += 1;
        }
        assert!(counts.iter().all(|n| n.abs_diff(10_000) < 450), "{counts:?}");
    }

    #[test]
    fn the_same_seed_asks_for_the_same_and_another_does_not() {
        let operations = [operation(3, 7, Order::Random), operation(2, 4, Order::Sequential)];
        let of = |seed, index| choices(&operations, seed, Share { index, of: 2 }, 1_000);
        assert_eq!(of(42, 0), of(42, 0));
        assert_ne!(of(42, 0), of(43, 0));
        assert_ne!(of(42, 0), of(42, 1));
        // Pinned, so that a later version that would send other traffic for a stored seed is noticed.
        let first: Vec<_> = of(42, 0).iter().take(8).map(|c| (c.operation, c.exchange)).collect();
        assert_eq!(first, [(1, 0), (0, 5), (0, 5), (0, 3), (0, 1), (0, 6), (0, 6), (0, 4)]);
    }

    #[test]
    fn nothing_to_choose_from_is_no_mix() {
        assert!(Mix::new(&[], 1, Share::WHOLE).is_none());
        assert!(Mix::new(&[operation(0, 1, Order::Random)], 1, Share::WHOLE).is_none());
        assert!(Mix::new(&[operation(1, 0, Order::Random)], 1, Share::WHOLE).is_none());
    }
}
