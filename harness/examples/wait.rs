//! How late a bare timed wait is: `wait constant|poisson RATE SECONDS` sleeps until each instant of such a timetable and prints the
//! p99 of how late it woke, nanoseconds. `scripts/bench late` runs it beside a load run.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::time::Duration;
use stocktake::load::clock::bare_wait_p99;
use stocktake::load::pacer::{Kind, Schedule, Share, Stage};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [kind, rate, seconds] = words.as_slice() else {
        return Err("usage: wait constant|poisson RATE SECONDS".into());
    };
    let kind = match kind.as_str() {
        "constant" => Kind::Constant,
        "poisson" => Kind::Poisson,
        other => return Err(format!("{other} is no timetable: constant or poisson").into()),
    };
    let stage = Stage::level(rate.parse()?, Duration::try_from_secs_f64(seconds.parse()?)?);
    let late = bare_wait_p99(Schedule::new(kind, &[stage], 1, Share::WHOLE))
        .ok_or("a p99 needs 1,000 waits: a higher rate, or more seconds")?;
    println!("{late}");
    Ok(())
}
