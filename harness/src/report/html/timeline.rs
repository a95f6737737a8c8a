//! The timeline of a case with streams, drawn: a lane for the calls, one for each stream, one for the clean-up. Pure.
//!
//! Time runs from left to right. A pause takes the square root of its length: what happens within milliseconds stays apart
//! beside a wait of seconds. The ticks name the true offsets.

use crate::{report::text, verify::record::TimelineEntry};
use minijinja::{Value, context};
use std::collections::BTreeMap;

/// Streams that are drawn; a case that opens a hundred is told by its list.
const STREAMS: usize = 12;

/// The least distance of two ticks, in percent of the width.
const TICK: f64 = 11.0;

/// The lane of foreground calls, and of clean-up.
const CALLS: &str = "calls";
const CLEAN_UP: &str = "clean-up";

/// A mark at a point of a lane.
struct Mark {
    at: f64,
    kind: &'static str,
    title: String,
}

/// A bar on a lane.
struct Bar {
    from: f64,
    to: f64,
    kind: &'static str,
}

#[derive(Default)]
struct Lane {
    bars: Vec<Bar>,
    marks: Vec<Mark>,
}

/// The picture's parts in percent of its width, or nothing for a case without streams.
pub fn picture(entries: &[TimelineEntry]) -> Option<Value> {
    let mut names: Vec<&str> = Vec::new();
    for entry in entries.iter().filter(|entry| is_stream(entry)) {
        if !names.contains(&entry.step.as_str()) {
            names.push(&entry.step);
        }
    }
    if names.is_empty() || names.len() > STREAMS {
        return None;
    }
    let scale = Scale::of(entries);
    let mut lanes: BTreeMap<&str, Lane> = BTreeMap::new();
    for (index, entry) in entries.iter().enumerate() {
        let at = scale.at(index);
        let title = format!(
            "{}  {} {}",
            text::offset(entry.at_ms),
            entry.kind,
            text::cap(&entry.text, 160)
        );
        let stream = stream_of(&entry.step, &names);
        let lane = lanes
            .entry(stream.unwrap_or_else(|| other_lane(&entry.step)))
            .or_default();
        let mut mark = |kind| {
            lane.marks.push(Mark {
                at,
                kind,
                title: title.clone(),
            })
        };
        match (entry.kind.as_str(), stream) {
            ("call", Some(stream)) if entry.step == stream => {
                let end = end_of(entries, index, &["end", "cancel"]);
                let to = end.map_or(100.0, |end| scale.at(end));
                lane.bars.push(Bar {
                    from: at,
                    to,
                    kind: "open",
                });
            }
            // Probes stand on the lane of the stream that they prove.
            ("call", Some(_)) => mark("probe"),
            ("answer", Some(_)) => {}
            ("call", None) => {
                let answer = end_of(entries, index, &["answer"]);
                let refused = answer
                    .and_then(|at| entries.get(at))
                    .is_some_and(|answer| !answer.text.starts_with("OK"));
                let to = answer.map_or(at, |answer| scale.at(answer));
                lane.bars.push(Bar {
                    from: at,
                    to,
                    kind: if refused { "refused" } else { "call" },
                });
                mark(if refused { "refused" } else { "call" });
            }
            ("message", _) => mark("message"),
            ("ready", _) => mark("ready"),
            ("send", _) => mark("send"),
            ("end", _) => mark("end"),
            ("cancel", _) => mark("cancel"),
            _ => {}
        }
    }
    let order = [CALLS].into_iter().chain(names.iter().copied()).chain([CLEAN_UP]);
    let drawn: Vec<Value> = order
        .filter_map(|name| lanes.remove(name).map(|lane| drawn(name, lane)))
        .collect();
    let seen = |kind: &str| entries.iter().any(|entry| entry.kind == kind);
    let probed = entries.iter().any(|entry| entry.step.ends_with(" / probe"));
    Some(context! {
        lanes => drawn,
        ticks => scale.ticks(entries),
        messages => seen("message"), ready => seen("ready"), ends => seen("end"), cancels => seen("cancel"), probes => probed,
    })
}

fn is_stream(entry: &TimelineEntry) -> bool {
    matches!(entry.kind.as_str(), "message" | "ready" | "end" | "cancel" | "send") && !entry.step.is_empty()
        || entry.kind == "call" && entry.text.ends_with(" in the background")
}

/// The stream that an entry belongs to: its own, or the one that it probes.
fn stream_of<'a>(step: &str, names: &[&'a str]) -> Option<&'a str> {
    let step = step.strip_suffix(" / probe").unwrap_or(step);
    names.iter().copied().find(|name| *name == step)
}

fn other_lane(step: &str) -> &'static str {
    if step.ends_with(" / clean-up") { CLEAN_UP } else { CALLS }
}

/// The first later entry of the same step that ends what began at `index`.
fn end_of(entries: &[TimelineEntry], index: usize, kinds: &[&str]) -> Option<usize> {
    let begun = entries.get(index)?;
    let ends = |entry: &TimelineEntry| entry.step == begun.step && kinds.contains(&entry.kind.as_str());
    // Calls of a `repeat` share a name: the n-th answer ends the n-th call.
    let earlier = entries.iter().take(index);
    let (calls, answers) =
        earlier
            .filter(|entry| entry.step == begun.step)
            .fold((0usize, 0usize), |(calls, answers), entry| {
                (
                    calls + usize::from(entry.kind == "call"),
                    answers + usize::from(kinds.contains(&entry.kind.as_str())),
                )
            });
    let skip = calls.saturating_sub(answers);
    let later = entries
        .iter()
        .enumerate()
        .skip(index + 1)
        .filter(|(_, entry)| ends(entry));
    later.map(|(at, _)| at).nth(skip)
}

fn drawn(name: &str, lane: Lane) -> Value {
    let bars: Vec<Value> = lane
        .bars
        .iter()
        .map(|bar| {
            context! { from => percent(bar.from), to => percent(bar.to.max(bar.from)), kind => bar.kind }
        })
        .collect();
    let marks: Vec<Value> = lane
        .marks
        .iter()
        .map(|mark| {
            context! { at => percent(mark.at), kind => mark.kind, title => super::shown(&mark.title) }
        })
        .collect();
    context! { name => super::name(name), bars, marks }
}

fn percent(at: f64) -> String {
    format!("{:.2}%", at.clamp(0.0, 100.0))
}

/// Where each entry stands, in percent.
struct Scale(Vec<f64>);

impl Scale {
    fn of(entries: &[TimelineEntry]) -> Scale {
        let mut at = 0.0;
        let mut before: Option<f64> = None;
        let mut places = Vec::with_capacity(entries.len());
        for entry in entries {
            let now = if entry.at_ms.is_finite() { entry.at_ms } else { 0.0 };
            at += before.map_or(0.0, |before: f64| (now - before).max(0.0).sqrt());
            before = Some(before.map_or(now, |before| now.max(before)));
            places.push(at);
        }
        // Room at both ends, so that no mark is cut.
        let width = if at > 0.0 { at } else { 1.0 };
        Scale(places.into_iter().map(|place| 1.5 + place / width * 97.0).collect())
    }

    fn at(&self, index: usize) -> f64 {
        self.0.get(index).copied().unwrap_or(100.0)
    }

    /// Offsets of some entries, as many as have room; the last one always.
    fn ticks(&self, entries: &[TimelineEntry]) -> Vec<Value> {
        let mut chosen: Vec<usize> = Vec::new();
        for index in 0..entries.len() {
            if chosen.last().is_none_or(|last| self.at(index) - self.at(*last) >= TICK) {
                chosen.push(index);
            }
        }
        let last = entries.len().saturating_sub(1);
        if chosen.last().is_some_and(|at| *at != last) {
            if chosen
                .last()
                .is_some_and(|at| chosen.len() > 1 && self.at(last) - self.at(*at) < TICK)
            {
                chosen.pop();
            }
            chosen.push(last);
        }
        let tick = |index: usize| {
            let at = self.at(index);
            let anchor = match at {
                ..8.0 => "start",
                92.0.. => "end",
                _ => "middle",
            };
            let label = entries.get(index).map(|entry| whole(entry.at_ms)).unwrap_or_default();
            context! { at => percent(at), anchor, label }
        };
        chosen.into_iter().map(tick).collect()
    }
}

/// An offset in few letters: `313 ms`, `1.84 s`.
fn whole(ms: f64) -> String {
    match ms {
        ms if !ms.is_finite() => "?".to_owned(),
        ..1000.0 => format!("{ms:.0} ms"),
        _ => format!("{:.2} s", ms / 1000.0),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn entry(at_ms: f64, step: &str, kind: &str, text: &str) -> TimelineEntry {
        TimelineEntry {
            at_ms,
            step: step.into(),
            kind: kind.into(),
            text: text.into(),
        }
    }

    #[test]
    fn a_case_without_streams_has_no_picture() {
        let entries = [
            entry(0.1, "p", "call", "GetProduct {}"),
            entry(2.0, "p", "answer", "OK {}"),
        ];
        assert!(picture(&entries).is_none() && picture(&[]).is_none());
    }

    #[test]
    fn lanes_hold_what_happened_in_order() {
        let entries = [
            entry(1.0, "p", "call", "CreateProduct {}"),
            entry(3.0, "p", "answer", "OK {}"),
            entry(4.0, "watch", "call", "WatchStockChanges {} in the background"),
            entry(54.0, "watch / probe", "call", "UpdateStock {}"),
            entry(55.0, "watch / probe", "answer", "OK {}"),
            entry(56.0, "watch", "message", "{}"),
            entry(57.0, "watch", "ready", "subscribed"),
            entry(60.0, "rush", "call", "UpdateStock 1"),
            entry(60.1, "rush", "call", "UpdateStock 2"),
            entry(62.0, "rush", "answer", "FAILED_PRECONDITION"),
            entry(63.0, "rush", "answer", "OK {}"),
            entry(5063.0, "watch", "cancel", "cancelled by the client"),
            entry(5070.0, "now / clean-up", "call", "GetProduct {}"),
        ];
        let picture = picture(&entries).unwrap();
        let lanes: Vec<Value> = picture.get_attr("lanes").unwrap().try_iter().unwrap().collect();
        let names: Vec<String> = lanes
            .iter()
            .map(|lane| lane.get_attr("name").unwrap().to_string())
            .collect();
        assert_eq!(names, ["calls", "watch", "clean-up"]);
        let kinds = |lane: &Value, of: &str| -> Vec<String> {
            let all = lane.get_attr(of).unwrap().try_iter().unwrap();
            all.map(|one| one.get_attr("kind").unwrap().to_string()).collect()
        };
        // The n-th answer of a step that repeats ends its n-th call.
        assert_eq!(kinds(&lanes[0], "bars"), ["call", "refused", "call"]);
        assert_eq!(kinds(&lanes[1], "marks"), ["probe", "message", "ready", "cancel"]);
        let places: Vec<f64> = (0..entries.len()).map(|index| Scale::of(&entries).at(index)).collect();
        assert!(
            places.is_sorted() && places[0] >= 0.0 && *places.last().unwrap() <= 100.0,
            "{places:?}"
        );
        let ticks = picture.get_attr("ticks").unwrap().try_iter().unwrap();
        let labels: Vec<String> = ticks.map(|tick| tick.get_attr("label").unwrap().to_string()).collect();
        assert_eq!(labels, ["1 ms", "55 ms", "5.07 s"]);
    }

    #[test]
    fn a_damaged_timeline_breaks_nothing() {
        let entries = [
            entry(f64::NAN, "w", "call", "W in the background"),
            entry(-5.0, "w", "message", ""),
            entry(f64::INFINITY, "", "end", "9 more entries left out"),
            entry(2.0, "w", "what is this", ""),
        ];
        let picture = picture(&entries).unwrap().to_string();
        assert!(!picture.contains("NaN") && !picture.contains("inf%"), "{picture}");
    }
}
