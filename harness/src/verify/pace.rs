//! Cases that take their steps together: none begins its next step before all others are there too.

use std::sync::Arc;
use tokio::sync::watch;

#[derive(Debug)]
struct State {
    members: usize,
    /// How many stand before the next step.
    arrived: usize,
    /// How many steps were begun.
    round: u64,
}

impl State {
    fn turn(&mut self) {
        if self.arrived >= self.members {
            self.arrived = 0;
            self.round += 1;
        }
    }
}

/// One of those who go together. Dropped, it is waited for no longer.
#[derive(Debug)]
pub struct Pace(Arc<watch::Sender<State>>);

impl Pace {
    /// So many who go together.
    pub fn of(members: usize) -> Vec<Pace> {
        let state = State {
            members,
            arrived: 0,
            round: 0,
        };
        let shared = Arc::new(watch::Sender::new(state));
        (0..members).map(|_| Pace(shared.clone())).collect()
    }

    /// Waits for the others. Each of them has deadlines of its own: this one does not.
    pub async fn step(&self) {
        let mut seen = self.0.subscribe();
        let mut before = 0;
        self.0.send_modify(|state| {
            before = state.round;
            state.arrived += 1;
            state.turn();
        });
        // The sender is ours: it does not close.
        let _ = seen.wait_for(|state| state.round != before).await;
    }
}

impl Drop for Pace {
    fn drop(&mut self) {
        self.0.send_modify(|state| {
            state.members = state.members.saturating_sub(1);
            state.turn();
        });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[tokio::test]
    async fn nobody_begins_a_step_before_the_others_have_ended_theirs() {
        let done = Arc::new(Mutex::new(Vec::new()));
        let mut walkers = tokio::task::JoinSet::new();
        for (name, pace) in Pace::of(3).into_iter().enumerate() {
            let done = done.clone();
            walkers.spawn(async move {
                for step in 0..5 {
                    pace.step().await;
                    // Of unequal length.
                    for _ in 0..name * 10 {
                        tokio::task::yield_now().await;
                    }
                    done.lock().unwrap().push(step);
                }
            });
        }
        walkers.join_all().await;
        let expected: Vec<usize> = (0..5).flat_map(|step| [step; 3]).collect();
        assert_eq!(*done.lock().unwrap(), expected);
    }

    #[tokio::test]
    async fn who_has_left_is_waited_for_no_longer() {
        let mut members = Pace::of(2);
        let (first, second) = (members.remove(0), members.remove(0));
        let walker = tokio::spawn(async move {
            first.step().await;
            first.step().await;
        });
        second.step().await;
        drop(second);
        walker.await.unwrap();
    }
}
