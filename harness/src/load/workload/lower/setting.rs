//! Settings of a run: evaluated for a cell, then read as numbers, times and rates.

use crate::{
    load::workload::cell::Rate,
    scenario::{
        data::{Data, DataNode},
        error::{Problem, short, suggest},
        expr::Scope,
        lower::read_time,
        model::Template,
        source::{Located, Span},
    },
    schema::scalar::describe,
};
use std::time::Duration;

/// A setting, before it is evaluated.
pub struct Setting {
    /// Its key.
    pub key: Span,
    /// Its value.
    pub template: Template,
}

/// Reads the settings of one cell; mistakes are noted.
pub struct Reader<'r> {
    /// Where mistakes go.
    pub problems: &'r mut Vec<Problem>,
    /// `factor`.
    pub scope: &'r Scope,
    /// Said behind a mistake in what an expression yields; empty without factors.
    pub cell: &'r str,
}

impl Reader<'_> {
    /// The value in this cell.
    pub fn evaluate(&mut self, setting: &Setting, expected: &str) -> Option<Data> {
        match setting.template.render(self.scope) {
            Ok(data) if matches!(data.node, DataNode::Null) && !data.computed => {
                let text = format!("this key has no value, expected {expected}");
                self.note(Problem::new(setting.key, text));
                None
            }
            Ok(data) => Some(data),
            Err(error) => {
                self.note(Problem::new(error.span, format!("{}{}", error.text, self.cell)));
                None
            }
        }
    }

    /// A whole number from 1.
    pub fn whole(&mut self, data: &Data, most: usize) -> Option<usize> {
        match data.node {
            DataNode::Int(value) if (1..=most as i128).contains(&value) => Some(value as usize),
            _ => {
                let text = format!("expected a number from 1 to {most}, found {}", describe(data));
                self.wrong(data, text, None);
                None
            }
        }
    }

    /// A time; 0 where `zero` allows it.
    pub fn time(&mut self, data: &Data, zero: bool) -> Option<Duration> {
        const HELP: &str = "write `500ms`, `2s` or `1m`";
        let time = match &data.node {
            DataNode::Duration(nanos) => Ok(Duration::from_nanos(u64::try_from(*nanos).unwrap_or(0))),
            DataNode::Str(text) => read_time(text, data.span),
            DataNode::Int(_) | DataNode::Float(_) => {
                let text = format!("{} is a time without a unit", describe(data));
                Err(Problem::new(data.span, text).help(HELP))
            }
            _ => Err(Problem::new(data.span, format!("expected a time, found {}", describe(data))).help(HELP)),
        };
        match time {
            Ok(time) if time.is_zero() && !zero => {
                self.wrong(data, "a time must be longer than 0".to_owned(), None);
                None
            }
            Ok(time) => Some(time),
            Err(problem) => {
                self.wrong(data, problem.text, problem.help.as_deref());
                None
            }
        }
    }

    /// Requests a second, or a share such as `50%`.
    pub fn rate(&mut self, data: &Data) -> Option<Rate> {
        let share = |text: &str| {
            text.strip_suffix('%')?
                .trim()
                .parse::<f64>()
                .ok()
                .map(|share| share / 100.0)
        };
        let rate = match &data.node {
            DataNode::Int(value) => Some(Rate::PerSecond(*value as f64)),
            DataNode::Float(value) => Some(Rate::PerSecond(*value)),
            DataNode::Str(text) => share(text).map(Rate::OfSaturation),
            _ => None,
        };
        match rate {
            Some(Rate::PerSecond(value) | Rate::OfSaturation(value)) if !(value.is_finite() && value > 0.0) => {
                let text = format!("a rate must be more than 0, found {}", describe(data));
                self.wrong(data, text, None);
                None
            }
            Some(Rate::PerSecond(value)) if value > 1e7 => {
                let text = format!("a rate can be 10 million a second at most, found {}", describe(data));
                self.wrong(data, text, None);
                None
            }
            Some(Rate::OfSaturation(share)) if share > 2.0 => {
                self.wrong(data, "a share of saturation can be 200% at most".to_owned(), None);
                None
            }
            Some(rate) => Some(rate),
            None => {
                let help = "write requests a second, such as `500`, or a share of saturation, such as `50%`";
                self.wrong(data, format!("expected a rate, found {}", describe(data)), Some(help));
                None
            }
        }
    }

    /// The entries of a map with these keys; others are noted.
    pub fn map<'d>(&mut self, data: &'d Data, keys: &[&str], help: &str) -> Option<&'d [(Located<String>, Data)]> {
        let DataNode::Map(entries) = &data.node else {
            let text = format!("expected a map, found {}", describe(data));
            self.wrong(data, text, Some(help));
            return None;
        };
        let mut known = true;
        for (key, _) in entries.iter().filter(|(key, _)| !keys.contains(&key.value.as_str())) {
            known = false;
            let text = suggest(
                format!("unknown key `{}`", short(&key.value)),
                &key.value,
                keys.iter().copied(),
            );
            let problem = Problem::new(key.span, format!("{text}{}", self.of_cell(data)));
            self.note(match text.contains("did you mean") {
                true => problem,
                false => problem.help(format!("the keys here are {}", keys.join(", "))),
            });
        }
        for (key, _) in entries.iter().filter(|(_, value)| matches!(value.node, DataNode::Null)) {
            known = false;
            self.note(Problem::new(key.span, "this key has no value"));
        }
        known.then_some(entries)
    }

    /// Notes a mistake in a value.
    pub fn wrong(&mut self, data: &Data, text: String, help: Option<&str>) {
        let problem = Problem::new(data.span, format!("{text}{}", self.of_cell(data)));
        self.note(match help {
            Some(help) => problem.help(help),
            None => problem,
        });
    }

    fn of_cell(&self, data: &Data) -> &str {
        if data.computed { self.cell } else { "" }
    }

    /// Notes a problem once.
    pub fn note(&mut self, problem: Problem) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

/// The value of a key.
pub fn get<'d>(entries: &'d [(Located<String>, Data)], key: &str) -> Option<&'d Data> {
    entries
        .iter()
        .find(|(name, _)| name.value == key)
        .map(|(_, value)| value)
}
