//! The healthy service passes every time: on an idle machine, with every core busy, and 300 ms away, over gRPC.
//! `scripts/soak` does the same fifty times, over REST too.

use crate::support::stocktake::{attempt, serve};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

/// How often in a row.
const TIMES: usize = 3;

fn passes(name: &str, arguments: &[&str]) {
    let server = serve(&[&["--log", "error"], arguments].concat());
    for time in 1..=TIMES {
        let run = attempt(&server.address, &["--level", "should", "--protocol", "grpc"]);
        assert_eq!(run.code, Some(0), "{name}, run {time}:\n{}{}", run.stdout, run.stderr);
    }
}

/// Keeps every core busy until it is dropped.
struct Busy {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Busy {
    fn start() -> Busy {
        let stop = Arc::new(AtomicBool::new(false));
        let spin = |stop: Arc<AtomicBool>| {
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        };
        let cores = thread::available_parallelism().map_or(2, usize::from);
        Busy {
            threads: (0..cores).map(|_| spin(stop.clone())).collect(),
            stop,
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

#[test]
fn the_healthy_service_passes_three_times_idle_busy_and_far_away() {
    // One after the other: each condition is to be alone.
    passes("idle", &[]);
    let busy = Busy::start();
    passes("every core busy", &[]);
    drop(busy);
    passes("300 ms away", &["--simulate", "delay=300ms"]);
}
