//! The healthy service passes every time over both protocols: on an idle machine, with every core busy, and 300 ms away.
//! `scripts/soak` does the same fifty times.

use crate::support::stocktake::{attempt, serve};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

/// So many times in a row.
fn passes(name: &str, times: usize, arguments: &[&str]) {
    let server = serve(&[&["--log", "error"], arguments].concat());
    for time in 1..=times {
        let run = attempt(&server.address, &["--level", "should", "--protocol", "both"]);
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
fn the_healthy_service_passes_again_and_again_idle_busy_and_far_away() {
    // One after the other: each condition is to be alone.
    passes("idle", 3, &[]);
    let busy = Busy::start();
    passes("every core busy", 3, &[]);
    drop(busy);
    passes("300 ms away", 2, &["--simulate", "delay=300ms"]);
}
