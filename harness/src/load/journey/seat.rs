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
