//! What one user draws: which request is next, and how long to think. Pure.

use super::plan::JourneyPlan;
use crate::load::{
    draw::{Draw, Purpose},
    exchange::Order,
    workload::Think,
};
use std::time::Duration;

/// The place of one user. The same seed gives the same requests and the same waits.
pub struct Seat {
    requests: Draw,
    waits: Draw,
    /// By operation: the next of its requests, where they go in order.
    next: Vec<usize>,
    /// Whether the user has begun.
    pub begun: bool,
}

impl Seat {
    /// Of a user. Users begin at different requests, spread evenly over them.
    pub fn new(plan: &JourneyPlan, seed: u64, user: usize) -> Seat {
        let first = |calls: &Vec<_>| calls.len().saturating_mul(user) / plan.users.max(1);
        Seat {
            requests: Draw::new(seed, Purpose::Mix, user),
            waits: Draw::new(seed, Purpose::Think, user),
            next: plan.calls.iter().map(first).collect(),
            begun: false,
        }
    }

    /// Position of the next request of an operation.
    pub fn request(&mut self, plan: &JourneyPlan, operation: usize) -> usize {
        let order = plan.operations.get(operation).map(|operation| operation.order);
        let of = plan.calls.get(operation).map_or(0, Vec::len).max(1);
        let Some(next) = self.next.get_mut(operation) else {
            return 0;
        };
        match order {
            Some(Order::Random) => self.requests.below(of as u64) as usize,
            _ => {
                let request = *next % of;
                *next = request + 1;
                request
            }
        }
    }

    /// How long to think.
    pub fn think(&mut self, think: Think) -> Duration {
        let room = u64::try_from(think.to.saturating_sub(think.from).as_nanos()).unwrap_or(u64::MAX - 1);
        think.from + Duration::from_nanos(self.waits.below(room + 1))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::{
        load::{leg::Leg, prepare::scope, workload::parse},
        scenario::source::SourceFile,
        schema::Schema,
    };

    fn plan(order: &str) -> JourneyPlan {
        let text = format!(
            "version: 1\nid: x\nname: x\nservice: inventory.InventoryService\neffects: read-only\n\
             feeders: {{ ids: {{ each: \"${{{{ ['a', 'b', 'c', 'd'] }}}}\", order: {order} }} }}\nusers:\n  count: 2\n  journeys:\n    \
             - {{ id: a, steps: [ {{ call: GetProduct, feed: ids, request: {{ id: \"${{{{ feed }}}}\" }} }} ] }}\n"
        );
        let workload = parse(SourceFile::new("x.yaml", text), &|_| Err("no file".to_owned()));
        let workload = workload.map_err(|errors| errors[0].render()).unwrap();
        let scope = scope(&workload, "run1").unwrap();
        let plan = JourneyPlan::new(&workload, &workload.cells[0], &Schema::built_in(), &scope, Leg::Grpc);
        plan.map_err(|error| error.render()).unwrap()
    }

    fn requests(plan: &JourneyPlan, seed: u64, user: usize, count: usize) -> Vec<usize> {
        let mut seat = Seat::new(plan, seed, user);
        (0..count).map(|_| seat.request(plan, 0)).collect()
    }

    #[test]
    fn users_begin_at_different_requests_and_go_round() {
        let plan = plan("sequential");
        assert_eq!(requests(&plan, 1, 0, 5), [0, 1, 2, 3, 0]);
        assert_eq!(requests(&plan, 1, 1, 5), [2, 3, 0, 1, 2]);
    }

    #[test]
    fn the_same_seed_draws_the_same_and_another_does_not() {
        let plan = plan("random");
        let drawn = requests(&plan, 1, 0, 40);
        assert_eq!(drawn, requests(&plan, 1, 0, 40));
        assert_ne!(drawn, requests(&plan, 2, 0, 40));
        assert_ne!(drawn, requests(&plan, 1, 1, 40));
        assert!((0..4).all(|request| drawn.contains(&request)), "{drawn:?}");
    }

    #[test]
    fn think_times_lie_between_their_ends() {
        let plan = plan("sequential");
        let (from, to) = (Duration::from_millis(100), Duration::from_millis(300));
        let mut seat = Seat::new(&plan, 1, 0);
        let drawn: Vec<Duration> = (0..1000).map(|_| seat.think(Think { from, to })).collect();
        assert!(drawn.iter().all(|time| (from..=to).contains(time)));
        let mean = drawn.iter().sum::<Duration>() / 1000;
        // Uniform: standard deviation of the mean 58 ms / sqrt(1000) = 1.8 ms, and this is five of them.
        assert!(
            mean.abs_diff(Duration::from_millis(200)) < Duration::from_millis(9),
            "{mean:?}"
        );
        assert_eq!(seat.think(Think { from, to: from }), from);
    }
}
