//! Whether brackets and intervals hold what they promise: whole searches on queues whose limit is known, and steps drawn from a law
//! whose parameters are known. 400 seeds each.

use super::{
    search::{End, Judged, Next, Search, Seen, Settings, Why},
    usl,
};

/// Runs of each kind.
const SEEDS: u64 = 400;

/// SplitMix64 (Steele, Lea, Flood 2014): quick in a debug build, and good enough to draw with.
struct Draw(u64);

impl Draw {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64 + 1e-17
    }

    fn exponential(&mut self) -> f64 {
        -self.unit().ln()
    }

    /// Box and Muller, one of the two.
    fn normal(&mut self) -> f64 {
        (2.0 * self.exponential()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }
}

#[derive(Clone, Copy)]
enum Service {
    Exponential,
    Fixed,
}

/// A queue with one line, in seconds.
struct Queue {
    service: Service,
    /// Mean.
    time: f64,
    workers: usize,
    /// What p99 of the response may be.
    limit: f64,
    /// Where it is that: the truth.
    capacity: f64,
    stage: f64,
    confirm: f64,
}

impl Queue {
    /// A stage from an empty queue on: its warm-up is a fifth of it.
    fn stage(&self, draw: &mut Draw, rate: f64, length: f64) -> Seen {
        let mut free = [f64::NEG_INFINITY; 8];
        let free = &mut free[..self.workers];
        let (mut now, mut requests, mut beyond) = (-0.2 * length, 0u32, 0u32);
        loop {
            now += draw.exponential() / rate;
            if now >= length {
                break;
            }
            let mut first = 0;
            for worker in 1..free.len() {
                if free[worker] < free[first] {
                    first = worker;
                }
            }
            let time = match self.service {
                Service::Exponential => self.time * draw.exponential(),
                Service::Fixed => self.time,
            };
            let done = now.max(free[first]) + time;
            free[first] = done;
            if now >= 0.0 {
                requests += 1;
                beyond += u32::from(done - now > self.limit);
            }
        }
        let (requests, beyond) = (f64::from(requests), f64::from(beyond));
        Seen {
            requests,
            beyond: vec![beyond],
            judged: if beyond <= 0.01 * requests {
                Judged::Passed
            } else {
                Judged::Failed
            },
        }
    }

    fn search(&self, seed: u64) -> End {
        let mut draw = Draw(seed.wrapping_mul(7919).wrapping_add(12_345));
        let mut search = Search::new(Settings {
            start: self.capacity / 7.0 * (1.0 + draw.unit()),
            most: 1e7,
            allowed: vec![0.01],
        });
        loop {
            match search.next() {
                Next::End(end) => return end,
                Next::Play(rate, why) => {
                    let length = if why == Why::Confirm { self.confirm } else { self.stage };
                    search.take(&self.stage(&mut draw, rate, length));
                }
            }
        }
    }

    /// The share of brackets that hold the truth is 92 to 98 %, most searches have one, and it is narrow.
    fn holds(&self) {
        let (mut found, mut held, mut widths) = (0u32, 0u32, Vec::new());
        for seed in 0..SEEDS {
            let End::Found { crossing, interval, .. } = self.search(seed) else {
                continue;
            };
            assert!(interval, "seed {seed}: a queue has no cliff");
            found += 1;
            held += u32::from(crossing.low <= self.capacity && self.capacity <= crossing.high);
            widths.push((crossing.high - crossing.low) / self.capacity);
        }
        widths.sort_by(f64::total_cmp);
        let share = f64::from(held) / f64::from(found);
        let at = |part: usize| widths[widths.len() * part / 100];
        let told = format!(
            "held {:.1} % of {found}, width median {:.3}, 95th {:.3}",
            share * 100.0,
            at(50),
            at(95)
        );
        assert!((0.92..=0.98).contains(&share), "{told}");
        assert!(found >= 380, "{told}");
        assert!(at(50) < 0.09 && at(99) < 0.20, "{told}");
    }
}

/// The response time of M/M/1 is exponential with rate mu - lambda (Kleinrock, Queueing Systems I, 1975, 5.2), so p99 is
/// ln(100) / (mu - lambda).
#[test]
fn brackets_hold_the_limit_of_m_m_1() {
    let (time, limit) = (0.001, 0.02);
    Queue {
        service: Service::Exponential,
        time,
        workers: 1,
        limit,
        capacity: 1.0 / time - 100.0_f64.ln() / limit,
        stage: 4.0,
        confirm: 12.0,
    }
    .holds();
}

/// Four workers, 20 ms: what `serve --simulate capacity=workers:4,service:20ms` is.
#[test]
fn brackets_hold_the_limit_of_m_d_4() {
    Queue {
        service: Service::Fixed,
        time: 0.02,
        workers: 4,
        limit: 0.06,
        capacity: MD4,
        stage: 10.0,
        confirm: 30.0,
    }
    .holds();
}

/// Where p99 of M/D/4 with 20 ms is 60 ms, requests a second.
const MD4: f64 = 152.546_168;

/// In M/D/c all that are served at t have left at t + D, so a call waits no longer than m D if and only if it finds fewer than
/// c (m + 1) in the system; and the number in the system, looked at every D, goes from x to max(x - c, 0) + Poisson(lambda D)
/// (Crommelin 1932; Tijms, A First Course in Stochastic Models, 2003, 9.6.2). Poisson arrivals find what there is.
#[test]
fn the_limit_of_m_d_4_is_solved() {
    let share = |rate: f64| {
        let (workers, mean) = (4usize, rate * 0.02);
        let mut poisson = vec![(-mean).exp()];
        for n in 1..40u32 {
            let last = poisson[poisson.len() - 1];
            poisson.push(last * mean / f64::from(n));
        }
        let mut now = vec![0.0; 200];
        now[0] = 1.0;
        for _ in 0..400 {
            let mut next = vec![0.0; now.len()];
            for (x, weight) in now.iter().enumerate().filter(|(_, weight)| **weight > 1e-15) {
                for (n, chance) in poisson.iter().enumerate() {
                    if let Some(to) = next.get_mut(x.saturating_sub(workers) + n) {
                        *to += weight * chance;
                    }
                }
            }
            now = next;
        }
        // Longer than 3 D means a wait of more than 2 D.
        now[workers * 3..].iter().sum::<f64>()
    };
    assert!((share(MD4) - 0.01).abs() < 1e-5, "{}", share(MD4));
    assert!(share(MD4 * 1.01) > 0.0105 && share(MD4 * 0.99) < 0.0095);
}

/// A queue that forgets slowly beside a stage: most searches say that the stages are too few, and the others are right.
#[test]
fn too_little_data_is_said() {
    let queue = Queue {
        service: Service::Fixed,
        time: 0.02,
        workers: 4,
        limit: 0.06,
        capacity: MD4,
        stage: 0.5,
        confirm: 0.5,
    };
    let (mut none, mut wrong) = (0u32, 0u32);
    for seed in 0..SEEDS {
        match queue.search(seed) {
            End::Found { crossing, .. } => {
                wrong += u32::from(crossing.low > queue.capacity || crossing.high < queue.capacity);
            }
            _ => none += 1,
        }
    }
    assert!(none >= 200 && wrong <= 40, "no answer {none}, wrong {wrong}");
}

/// Steps with 3 % of noise: intervals hold the planted values in 92 to 98 %.
#[test]
fn intervals_of_the_scalability_law_hold_what_was_planted() {
    let steps = [1.0, 2.0, 4.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0];
    let (lambda, sigma, kappa) = (100.0, 0.03, 0.0005);
    let (mut fits, mut held, mut widths) = (0u32, [0u32; 3], [Vec::new(), Vec::new(), Vec::new()]);
    for seed in 0..SEEDS {
        let mut draw = Draw(seed.wrapping_mul(104_729).wrapping_add(17));
        let points: Vec<(f64, f64)> = steps
            .iter()
            .map(|n| (*n, usl::law(lambda, sigma, kappa, *n) * (1.0 + 0.03 * draw.normal())))
            .collect();
        let Ok(fit) = usl::fit(&points, seed) else { continue };
        fits += 1;
        let of_kappa = fit.kappa_interval.unwrap_or((0.0, 0.0));
        let intervals = [
            (fit.lambda_interval, lambda),
            (fit.sigma_interval, sigma),
            (of_kappa, kappa),
        ];
        for (index, ((low, high), truth)) in intervals.into_iter().enumerate() {
            held[index] += u32::from(low <= truth && truth <= high);
            widths[index].push((high - low) / truth);
        }
    }
    for (index, name) in ["lambda", "sigma", "kappa"].iter().enumerate() {
        widths[index].sort_by(f64::total_cmp);
        let share = f64::from(held[index]) / f64::from(fits);
        let median = widths[index][widths[index].len() / 2];
        assert!((0.92..=0.98).contains(&share), "{name}: {share}");
        assert!(median < [0.15, 0.8, 0.8][index], "{name}: {median}");
    }
    assert!(fits >= 380, "{fits}");
}
