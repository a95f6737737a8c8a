//! What was found out about one replica: the ground on which limits are recommended. Pure.

use serde::{Deserialize, Serialize};

/// What replicas lose to each other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sharing {
    /// Replicas that [`Measured::passed`] was measured with.
    pub at: u32,
    /// The most replicas that were measured.
    pub most: u32,
    /// What they lose; `None`: one number of replicas alone was measured.
    pub loss: Option<Loss>,
}

/// sigma of X(n) = R n / (1 + sigma (n - 1)), from 0 (replicas share nothing) to 1 (more of them carry no more), see [`super::growth`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// What is planned with: 0 where the brackets leave it open whether there is any.
    pub sigma: f64,
    /// The most that the brackets leave.
    pub most: f64,
}

impl Sharing {
    /// What is planned with.
    pub fn sigma(&self) -> f64 {
        self.loss.map_or(0.0, |loss| loss.sigma)
    }

    /// The same with the most loss that the brackets leave.
    pub fn at_worst(&self) -> Sharing {
        let loss = self.loss.map(|loss| Loss {
            sigma: loss.most,
            ..loss
        });
        Sharing { loss, ..*self }
    }

    /// Of two of the same replicas: the larger loss, and the most that were measured.
    pub fn cautious(&self, other: &Sharing) -> Sharing {
        let loss = match (self.loss, other.loss) {
            (Some(a), Some(b)) => Some(Loss {
                sigma: a.sigma.max(b.sigma),
                most: a.most.max(b.most),
            }),
            (a, b) => a.or(b),
        };
        Sharing {
            at: self.at,
            most: self.most.max(other.most),
            loss,
        }
    }

    /// What each of n replicas carries, over what each carried when it was measured.
    pub fn share(&self, replicas: u32) -> f64 {
        let sigma = self.sigma();
        let held = |n: u32| 1.0 + sigma * (f64::from(n.max(1)) - 1.0);
        held(self.at) / held(replicas)
    }

    /// The fewest replicas that carry so many times what one was measured to carry; `None`: no number of them does.
    pub fn replicas(&self, times: f64) -> Option<f64> {
        // n (1 + sigma (at - 1)) / (1 + sigma (n - 1)) = times.
        let sigma = self.sigma();
        let room = self.share(1) - times * sigma;
        (room > 0.0).then(|| times * (1.0 - sigma) / room)
    }
}

/// About one replica at the objective.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Highest rate that passed, requests a second. Of several replicas: what the busiest carried of it, its skew included.
    pub passed: f64,
    /// Lowest rate that failed, where one was found.
    pub failed: Option<f64>,
    /// What limits: `latency`, `errors`, `cpu`, `generator`, `edge`, `unknown`, …
    pub limit: String,
    /// Mean calls in flight at `passed`, likewise.
    pub in_flight: f64,
    /// Mean service time at `passed`, seconds.
    pub service_s: f64,
    /// Server CPU seconds of a request, where known.
    pub cpu_s: Option<f64>,
    /// Bytes of memory of the server at `passed`, where known.
    pub memory: Option<u64>,
    /// Streams that one replica held open at once, and bytes of memory of each, where measured.
    pub streams: Option<u64>,
    /// Streams that it is set to allow: a figure of its configuration, which nobody tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streams_allowed: Option<u64>,
    /// Bytes of memory of each of them.
    pub stream_memory: Option<u64>,
    /// Seconds from start to the first answer, and to end on SIGTERM, where measured.
    pub cold_start_s: Option<f64>,
    /// From SIGTERM to the end.
    pub drain_s: Option<f64>,
    /// Largest share of a replica over the mean share; 1 where there is one replica.
    pub skew: f64,
    /// What replicas lose to each other, and of how many that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharing: Option<Sharing>,
    /// Requests a second that all replicas together carry at most, whatever their number: an edge or a database was full there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<f64>,
    /// Runs that this comes from: folders or run ids.
    pub from: Vec<String>,
}

impl Measured {
    /// A rate of the busiest replica as the mean of all: its skew taken off.
    pub fn mean(&self, rate: f64) -> f64 {
        rate / self.skew.max(1.0)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn replicas_that_share_something_carry_less_each() {
        let of = |at, sigma: Option<f64>| Sharing {
            at,
            most: 2,
            loss: sigma.map(|sigma| Loss {
                sigma,
                most: 2.0 * sigma,
            }),
        };
        for free in [of(1, None), of(2, Some(0.0))] {
            assert_eq!((free.share(9), free.replicas(7.5)), (1.0, Some(7.5)));
        }
        // 100/s alone, 3 x 100 / 1.2 = 250/s by three, 1000/s at most.
        let held = of(1, Some(0.1));
        assert!((held.share(3) - 1.0 / 1.2).abs() < 1e-12);
        assert!((held.replicas(2.5).unwrap() - 3.0).abs() < 1e-9);
        assert_eq!((held.replicas(10.0), held.replicas(11.0)), (None, None));
        assert!((held.at_worst().share(3) - 1.0 / 1.4).abs() < 1e-12);
        // The same, told of what each of two carries: 2 / 1.1 x 55 / 50.
        let two = of(2, Some(0.1));
        assert!((two.share(1) - 1.1).abs() < 1e-12);
        assert!((two.replicas(2.5 * 1.1).unwrap() - 3.0).abs() < 1e-9);
    }
}
