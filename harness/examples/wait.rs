//! How late a bare timed wait is: `wait RATE SECONDS` sleeps until each of so many evenly spaced instants and prints the p99 of how
//! late it woke, nanoseconds. `scripts/bench late` runs it beside a load run.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::time::Duration;
use stocktake::load::clock::bare_wait_p99;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [rate, seconds] = words.as_slice() else {
        return Err("usage: wait RATE SECONDS".into());
    };
    let seconds = Duration::try_from_secs_f64(seconds.parse()?)?;
    let late =
        bare_wait_p99(rate.parse()?, seconds).ok_or("a p99 needs 1,000 waits: a higher rate, or more seconds")?;
    println!("{late}");
    Ok(())
}
