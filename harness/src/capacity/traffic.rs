//! Traffic over time: requests a second, in straight lines between points. Pure.
//!
//! A profile is a table in CSV with the columns `seconds` and `rate`, or a flash crowd in words,
//! `flash:base=20,peak=400,ramp=30s,hold=5m`.

use crate::numbers;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use thiserror::Error;

/// A profile is no longer than a week.
pub const LONGEST_S: f64 = 7.0 * 24.0 * 3600.0;

/// Rows of a table.
pub const MOST_ROWS: usize = 100_000;

/// Requests a second.
const MOST_RATE: f64 = 10_000_000.0;

/// What a flash crowd begins with.
const FLASH: &str = "flash:";

const EXAMPLE: &str = "flash:base=20,peak=400,ramp=30s,hold=5m";

/// What is wrong with a profile.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{place}: {text}; {help}")]
pub struct TrafficError {
    /// The file and the line, or the words.
    pub place: String,
    /// What is wrong.
    pub text: String,
    /// What to do.
    pub help: String,
}

/// Requests a second over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Where it comes from: a file's name, or the words of a flash crowd.
    pub name: String,
    /// Seconds and rate, at least two: the first at 0, none before the one before it. Two at the same second are a jump.
    points: Vec<(f64, f64)>,
}

/// What a user can name as traffic.
#[derive(Clone, Debug, PartialEq)]
pub enum Spec {
    /// A flash crowd.
    Flash(Profile),
    /// The path of a table.
    File(String),
}

impl Spec {
    /// Reads what was typed: a flash crowd, or the path of a table.
    pub fn parse(text: &str) -> Result<Spec, TrafficError> {
        match text.strip_prefix(FLASH) {
            Some(words) => flash(text, words).map(Spec::Flash),
            None => Ok(Spec::File(text.to_owned())),
        }
    }
}

impl Profile {
    /// Reads a table; `name` is its file's.
    pub fn csv(name: &str, text: &str) -> Result<Profile, TrafficError> {
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .comment(Some(b'#'))
            .from_reader(text.as_bytes());
        let header = reader.headers().map_err(|error| in_words(name, &error))?;
        if header.iter().ne(["seconds", "rate"]) {
            let found = header.iter().collect::<Vec<_>>().join(",");
            return Err(wrong(
                format!("{name}, line 1"),
                format!("the header is `{found}`"),
                "write `seconds,rate`, and below it rows such as `0,20`",
            ));
        }
        let mut points = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| in_words(name, &error))?;
            let line = record.position().map_or(0, csv::Position::line);
            let place = format!("{name}, line {line}");
            if points.len() >= MOST_ROWS {
                let text = format!("there are more than {} rows", numbers::count(MOST_ROWS as u64));
                return Err(wrong(
                    place,
                    text,
                    "leave out rows between which the rate is a straight line",
                ));
            }
            let last = points.last().map(|(seconds, _)| *seconds);
            points.push(row(
                place,
                record.get(0).unwrap_or(""),
                record.get(1).unwrap_or(""),
                last,
            )?);
        }
        let end = points.last().map_or(0.0, |(seconds, _)| *seconds);
        if points.len() < 2 || end <= 0.0 {
            return Err(wrong(
                name.to_owned(),
                "there is no time between the first row and the last".to_owned(),
                "write at least two rows, the last at the second at which the profile ends",
            ));
        }
        Ok(Profile {
            name: name.to_owned(),
            points,
        })
    }

    /// How long it is.
    pub fn seconds(&self) -> f64 {
        self.points.last().map_or(0.0, |(seconds, _)| *seconds)
    }

    /// Requests a second at a time; after a jump where there is one. Beyond the end it is 0.
    pub fn rate(&self, at: f64) -> f64 {
        let after = self.points.partition_point(|(seconds, _)| *seconds <= at);
        let Some(before) = after.checked_sub(1).and_then(|n| self.points.get(n)) else {
            return 0.0;
        };
        match self.points.get(after) {
            Some(next) => between(*before, *next, at),
            None if at <= before.0 => before.1,
            None => 0.0,
        }
    }

    /// Requests that arrive from one second to another: what lies below the lines, exactly.
    pub fn requests(&self, from: f64, to: f64) -> f64 {
        let first = self
            .points
            .partition_point(|(seconds, _)| *seconds <= from)
            .saturating_sub(1);
        let mut sum = 0.0;
        for pair in self.points.get(first..).unwrap_or_default().windows(2) {
            let [a, b] = pair else { continue };
            if a.0 >= to {
                break;
            }
            let (left, right) = (from.max(a.0), to.min(b.0));
            if right > left {
                sum += (right - left) * (between(*a, *b, left) + between(*a, *b, right)) / 2.0;
            }
        }
        sum
    }

    /// The highest rate.
    pub fn peak(&self) -> f64 {
        self.points.iter().map(|(_, rate)| *rate).fold(0.0, f64::max)
    }

    /// The lowest rate.
    pub fn base(&self) -> f64 {
        self.points.iter().map(|(_, rate)| *rate).fold(f64::INFINITY, f64::min)
    }

    /// Its points: seconds and rate.
    pub fn points(&self) -> &[(f64, f64)] {
        &self.points
    }
}

fn between(a: (f64, f64), b: (f64, f64), at: f64) -> f64 {
    if b.0 > a.0 {
        a.1 + (b.1 - a.1) * (at - a.0) / (b.0 - a.0)
    } else {
        b.1
    }
}

fn wrong(place: String, text: String, help: &str) -> TrafficError {
    TrafficError {
        place,
        text,
        help: help.to_owned(),
    }
}

fn in_words(name: &str, error: &csv::Error) -> TrafficError {
    let line = error.position().map_or(0, csv::Position::line);
    let text = match error.kind() {
        csv::ErrorKind::UnequalLengths { len, .. } => format!("there are {len} values"),
        csv::ErrorKind::Utf8 { .. } => "this is no UTF-8".to_owned(),
        _ => error.to_string(),
    };
    wrong(
        format!("{name}, line {line}"),
        text,
        "write two, the second and the rate, such as `60,400`",
    )
}

fn row(place: String, seconds: &str, rate: &str, last: Option<f64>) -> Result<(f64, f64), TrafficError> {
    let number = |text: &str| {
        text.parse::<f64>()
            .ok()
            .filter(|value| value.is_finite() && *value >= 0.0)
    };
    let Some(at) = number(seconds) else {
        let text = format!("`{seconds}` is no second");
        return Err(wrong(place, text, "write a number of at least 0"));
    };
    let Some(rate) = number(rate).filter(|rate| *rate <= MOST_RATE) else {
        let text = format!("`{rate}` is no rate");
        return Err(wrong(place, text, "write requests a second, from 0 to 10000000"));
    };
    if at > LONGEST_S {
        let text = format!("second {seconds} is more than a week after the begin");
        return Err(wrong(place, text, "write a profile of at most 604800 seconds"));
    }
    match last {
        None if at > 0.0 => {
            let text = format!("the profile begins at second {seconds}");
            Err(wrong(place, text, "let the first row be that of second 0"))
        }
        Some(last) if at < last => {
            let text = format!("second {seconds} comes after second {last}");
            Err(wrong(place, text, "write rows in the order of time"))
        }
        _ => Ok((at, rate)),
    }
}

/// The settings of a flash crowd.
struct Crowd {
    base: Option<f64>,
    peak: Option<f64>,
    ramp: Option<f64>,
    hold: Option<f64>,
    before: f64,
    after: f64,
}

/// A base rate, a rise, the peak, a fall as long as the rise, and the base rate again until scale-in has shown.
fn flash(whole: &str, words: &str) -> Result<Profile, TrafficError> {
    let refuse = |text: String, help: &str| Err(wrong(format!("`{whole}`"), text, help));
    let mut crowd = Crowd {
        base: None,
        peak: None,
        ramp: None,
        hold: None,
        before: 60.0,
        after: 600.0,
    };
    let mut seen = Vec::new();
    for word in words.split(',') {
        let Some((key, value)) = word.split_once('=').map(|(key, value)| (key.trim(), value.trim())) else {
            let text = format!("`{}` has no value", word.trim());
            return refuse(text, &format!("write it as `{EXAMPLE}`"));
        };
        if seen.contains(&key) {
            return refuse(format!("`{key}` stands twice"), "leave one out");
        }
        seen.push(key);
        let rate = || {
            value
                .parse::<f64>()
                .ok()
                .filter(|rate| (0.0..=MOST_RATE).contains(rate))
        };
        let time = || {
            humantime::parse_duration(value)
                .ok()
                .map(|time: Duration| time.as_secs_f64())
        };
        let read = match key {
            "base" => rate().map(|rate| crowd.base = Some(rate)),
            "peak" => rate().map(|rate| crowd.peak = Some(rate)),
            "ramp" => time().map(|time| crowd.ramp = Some(time)),
            "hold" => time().map(|time| crowd.hold = Some(time)),
            "before" => time().map(|time| crowd.before = time),
            "after" => time().map(|time| crowd.after = time),
            _ => {
                let text = format!("there is no `{key}`");
                return refuse(text, "write base, peak, ramp, hold and, if you like, before and after");
            }
        };
        if read.is_none() {
            let help = match key {
                "base" | "peak" => "write requests a second, such as 400",
                _ => "write a number with a unit, such as 30s or 5m",
            };
            return refuse(format!("`{value}` is no value for `{key}`"), help);
        }
    }
    let (Some(base), Some(peak), Some(ramp), Some(hold)) = (crowd.base, crowd.peak, crowd.ramp, crowd.hold) else {
        let needed = ["base", "peak", "ramp", "hold"];
        let missing = needed.into_iter().filter(|key| !seen.contains(key)).collect::<Vec<_>>();
        let text = format!("{} missing", missing.join(", "));
        return refuse(text, &format!("write it as `{EXAMPLE}`"));
    };
    if peak <= base {
        return refuse("the peak is not above the base".to_owned(), "write a larger `peak`");
    }
    let mut points = vec![(0.0, base)];
    for (seconds, rate) in [
        (crowd.before, base),
        (ramp, peak),
        (hold, peak),
        (ramp, base),
        (crowd.after, base),
    ] {
        let at = points.last().map_or(0.0, |(at, _)| *at) + seconds;
        points.push((at, rate));
    }
    let profile = Profile {
        name: whole.to_owned(),
        points,
    };
    if profile.seconds() > LONGEST_S || hold <= 0.0 {
        let text = "the crowd stays for no time, or the whole takes more than a week".to_owned();
        return refuse(text, "write shorter times, and a `hold` above 0s");
    }
    Ok(profile)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn crowd(text: &str) -> Profile {
        match Spec::parse(text).unwrap() {
            Spec::Flash(profile) => profile,
            Spec::File(file) => panic!("{file} is no flash crowd"),
        }
    }

    #[test]
    fn a_flash_crowd_rises_holds_and_falls() {
        let profile = crowd(EXAMPLE);
        let expected = [
            (0.0, 20.0),
            (60.0, 20.0),
            (90.0, 400.0),
            (390.0, 400.0),
            (420.0, 20.0),
            (1020.0, 20.0),
        ];
        assert_eq!(profile.points(), expected);
        assert_eq!(
            (profile.base(), profile.peak(), profile.seconds()),
            (20.0, 400.0, 1020.0)
        );
        assert_eq!(
            [0.0, 75.0, 100.0, 405.0, 1020.0, 1021.0].map(|at| profile.rate(at)),
            [20.0, 210.0, 400.0, 210.0, 20.0, 0.0]
        );
        let sudden = crowd("flash: base=0, peak=10, ramp=0s, hold=1m, before=0s, after=1s");
        assert_eq!((sudden.rate(0.0), sudden.rate(60.0)), (10.0, 0.0));
    }

    #[test]
    fn requests_are_what_lies_below_the_lines() {
        let profile = crowd(EXAMPLE);
        assert_eq!(profile.requests(0.0, 60.0), 1200.0);
        assert_eq!(profile.requests(60.0, 90.0), 6300.0);
        assert_eq!(profile.requests(60.0, 75.0), 15.0 * 115.0);
        let all = 60.0 * 20.0 + 6300.0 + 300.0 * 400.0 + 6300.0 + 600.0 * 20.0;
        assert_eq!(profile.requests(0.0, 5000.0), all);
        let pieces: f64 = (0..1020)
            .map(|at| profile.requests(f64::from(at), f64::from(at) + 1.0))
            .sum();
        assert!((pieces - all).abs() < 1e-6);
        let jump = Profile::csv("t.csv", "seconds,rate\n0,10\n5,10\n5,30\n10,30\n").unwrap();
        assert_eq!(
            (jump.rate(4.999), jump.rate(5.0), jump.requests(4.0, 6.0)),
            (10.0, 30.0, 40.0)
        );
    }

    #[test]
    fn a_table_may_have_comments_and_spaces() {
        let text = "# a morning\nseconds, rate\n0, 5\n\n3600, 50.5\n";
        let profile = Profile::csv("morning.csv", text).unwrap();
        assert_eq!(profile.points(), [(0.0, 5.0), (3600.0, 50.5)]);
        assert_eq!(Spec::parse("morning.csv"), Ok(Spec::File("morning.csv".into())));
    }

    #[test]
    fn mistakes_are_named_with_their_place_and_what_to_write() {
        let table = |text: &str| Profile::csv("t.csv", text).unwrap_err().to_string();
        let words = |text: &str| Spec::parse(text).unwrap_err().to_string();
        let found = [
            table(""),
            table("time,rate\n0,1\n"),
            table("seconds,rate\n0,1\n"),
            table("seconds,rate\n1,1\n2,1\n"),
            table("seconds,rate\n0,1\n5,many\n"),
            table("seconds,rate\n0,1\nsoon,1\n"),
            table("seconds,rate\n0,-1\n5,1\n"),
            table("seconds,rate\n0,1\n9,1\n8,1\n"),
            table("seconds,rate\n0,1\n9,1,1\n"),
            table("seconds,rate\n0,1\n700000,1\n"),
            table("seconds,rate\n0,NaN\n7,1\n"),
            words("flash:"),
            words("flash:base=1"),
            words("flash:base=1,base=2"),
            words("flash:base=1,peak=9,ramp=30,hold=5m"),
            words("flash:base=1,peak=lots,ramp=30s,hold=5m"),
            words("flash:base=9,peak=1,ramp=30s,hold=5m"),
            words("flash:base=1,peak=9,ramp=30s,hold=0s"),
            words("flash:base=1,peak=9,ramp=30s,hold=5m,top=4"),
        ];
        insta::assert_snapshot!(found.join("\n"));
    }
}
