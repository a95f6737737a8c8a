//! Factors, and the cells that their combinations make.

use super::{
    Pass, SETTING,
    arrivals::is_share,
    feeder::KnownWatch,
    is_null,
    setting::{Reader, Setting},
    users::KnownUsers,
};
use crate::{
    load::{
        exchange::Decoding,
        workload::{
            cell::{Arrivals, Cell, MOST_CONNECTIONS, MOST_ROUNDS, MOST_SLOTS, MOST_THREADS, MOST_USERS, MOST_WATCHES},
            written,
        },
    },
    scenario::{
        data::{Data, DataNode},
        error::{Problem, suggest},
        expr::{Scope, Value, print},
        field::{Field, Raw},
        lower::Place,
        source::Located,
        tree::Kind,
    },
    verify::pattern::text_of,
};
use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

/// More combinations are no study but a mistake.
const MOST_CELLS: usize = 200;
/// Connections of an open loop where a file does not say; in a closed loop no more than calls.
const CONNECTIONS: usize = 4;
/// Calls at once on each where a file does not say; in a closed loop as many as the calls need.
const STREAMS: usize = 16;
const ROUNDS: usize = 10;
const WARM_UP: Duration = Duration::from_secs(1);
const DURATION: Duration = Duration::from_secs(3);

/// A factor and its values, as data and in words.
pub struct Factor {
    /// Its name.
    pub name: Located<String>,
    /// At least one.
    values: Vec<(Value, String)>,
}

/// The settings that may differ between cells.
#[derive(Default)]
struct Settings {
    arrivals: Option<Setting>,
    saturation: Option<Setting>,
    connections: Option<Setting>,
    streams: Option<Setting>,
    threads: Option<Setting>,
    warm_up: Option<Setting>,
    duration: Option<Setting>,
    rounds: Option<Setting>,
    decoding: Option<Setting>,
}

impl Pass<'_, '_> {
    pub fn factors(&mut self, factors: &Field<Raw>) -> Vec<Factor> {
        let Some(given) = factors.given() else {
            return Vec::new();
        };
        let tree = self.lower.tree;
        let Kind::Map(entries) = &tree.node(given.node).kind else {
            self.lower.wrong(given.node, "a map of names and lists of values");
            return Vec::new();
        };
        let place = Place {
            only: Some("the values of a factor are written out"),
            ..Place::default()
        };
        let mut lowered = Vec::new();
        self.lower.records.insert(
            "factor".to_owned(),
            entries.iter().map(|entry| entry.name.value.clone()).collect(),
        );
        for entry in entries {
            self.lower.identifier(&entry.name, "factor");
            let Kind::List(items) = &tree.node(entry.value).kind else {
                self.lower.wrong(entry.value, "a list of values");
                continue;
            };
            if items.is_empty() {
                let text = format!("`{}` is empty: there would be no cell", entry.name.value);
                self.problem(Problem::new(entry.name.span, text));
                continue;
            }
            let mut values: Vec<(Value, String)> = Vec::new();
            for item in items {
                let template = self.lower.template(*item, &place);
                // An expression was refused above.
                let Ok(data) = template.render(&Scope::default()) else {
                    continue;
                };
                let shown = in_words(&data);
                if values.iter().any(|(_, other)| *other == shown) {
                    let text = format!("the value {shown} stands twice");
                    self.problem(Problem::new(template.span, text));
                }
                values.push((data.value(), shown));
            }
            lowered.push(Factor {
                name: entry.name.clone(),
                values,
            });
        }
        let cells = lowered
            .iter()
            .map(|factor| factor.values.len())
            .fold(1, usize::saturating_mul);
        if cells > MOST_CELLS {
            let text = format!("{cells} combinations of factors, at most {MOST_CELLS} can be measured");
            self.problem(Problem::new(tree.span(given.key), text));
            lowered.iter_mut().for_each(|factor| factor.values.truncate(1));
        }
        lowered
    }

    /// A setting that may differ between cells. `None`: left out, or its mistake is noted.
    pub fn setting(&mut self, field: &Field<Raw>) -> Option<Setting> {
        let given = field.given()?;
        let extra = self.factor();
        let place = Place {
            extra,
            only: Some(SETTING),
            ..Place::default()
        };
        let tree = self.lower.tree;
        let before = self.lower.problems.len();
        let template = self.lower.template(given.node, &place);
        let is_bad = matches!(tree.node(given.node).kind, Kind::Bad) || self.lower.problems.len() > before;
        (!is_bad || is_null(&tree.node(given.node).kind)).then_some(Setting {
            key: tree.span(given.key),
            template,
        })
    }

    /// Every cell; none when a setting of one is wrong.
    pub fn cells(
        &mut self,
        written: &written::Workload,
        factors: &[Factor],
        watches: &[KnownWatch],
        users: Option<&KnownUsers>,
    ) -> Vec<Cell> {
        let before = self.lower.problems.len();
        let settings = Settings {
            arrivals: self.setting(&written.arrivals),
            saturation: self.setting(&written.saturation),
            connections: self.setting(&written.connections),
            streams: self.setting(&written.streams_per_connection),
            threads: self.setting(&written.threads),
            warm_up: self.setting(&written.warm_up),
            duration: self.setting(&written.duration),
            rounds: self.setting(&written.rounds),
            decoding: self.setting(&written.decoding),
        };
        if self.lower.problems.len() > before {
            return Vec::new();
        }
        let mut cells = Vec::new();
        let mut shares = false;
        for (at, combination) in combinations(factors).into_iter().enumerate() {
            let values: HashMap<String, Value> = combination
                .iter()
                .map(|(name, (value, _))| ((*name).to_owned(), value.clone()))
                .collect();
            let shown: Vec<(String, String)> = combination
                .iter()
                .map(|(name, (_, shown))| ((*name).to_owned(), shown.clone()))
                .collect();
            let in_words: Vec<String> = shown.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let title = match in_words.is_empty() {
                true => String::new(),
                false => format!(", where {}", in_words.join(", ")),
            };
            let factor = Value::from(values);
            let mut scope = Scope::default();
            scope.set("factor", factor.clone());
            let mut reader = Reader {
                problems: &mut self.lower.problems,
                scope: &scope,
                cell: &title,
            };
            let cell = reader.cell(&settings, watches, users).map(|cell| Cell {
                id: format!("c{}", at + 1),
                factors: shown,
                factor,
                ..cell
            });
            // The mistakes of one cell are those of most.
            let Some(cell) = cell.filter(|_| self.lower.problems.len() == before) else {
                return Vec::new();
            };
            shares |= cell.needs_saturation();
            cells.push(cell);
        }
        if let Some(saturation) = settings.saturation
            && !shares
        {
            let problem = Problem::new(saturation.key, "no rate is a share of saturation: this is not used");
            self.problem(problem.help("write a rate such as `50%`, or leave `saturation` out"));
        }
        cells
    }
}

/// Every combination, the last factor changing first.
fn combinations(factors: &[Factor]) -> Vec<Vec<(&str, &(Value, String))>> {
    let mut all = vec![Vec::new()];
    for factor in factors {
        let name = factor.name.value.as_str();
        all = all
            .iter()
            .flat_map(|before: &Vec<(&str, &(Value, String))>| {
                let with = |value| before.iter().copied().chain([(name, value)]).collect();
                factor.values.iter().map(with)
            })
            .collect();
    }
    all
}

/// A text without quotes, everything else as in the file.
fn in_words(data: &Data) -> String {
    match &data.node {
        DataNode::List(_) | DataNode::Map(_) => text_of(data),
        _ => print(&data.value()).unwrap_or_else(|| text_of(data)),
    }
}

impl Reader<'_> {
    fn number(&mut self, setting: &Option<Setting>, most: usize) -> Result<Option<usize>, ()> {
        let Some(setting) = setting else { return Ok(None) };
        let data = self.evaluate(setting, "a number").ok_or(())?;
        self.whole(&data, most).map(Some).ok_or(())
    }

    fn length(&mut self, setting: &Option<Setting>, zero: bool) -> Result<Option<Duration>, ()> {
        let Some(setting) = setting else { return Ok(None) };
        let data = self.evaluate(setting, "a time such as `3s`").ok_or(())?;
        self.time(&data, zero).map(Some).ok_or(())
    }

    /// Without its names. `None`: a mistake was noted.
    fn cell(&mut self, settings: &Settings, watches: &[KnownWatch], users: Option<&KnownUsers>) -> Option<Cell> {
        // Each is read, so that all mistakes are found at once.
        let warm_up = self.length(&settings.warm_up, true);
        let written = self.length(&settings.duration, false);
        let rounds = self.number(&settings.rounds, MOST_ROUNDS);
        let threads = self.number(&settings.threads, MOST_THREADS);
        let connections = self.number(&settings.connections, MOST_CONNECTIONS);
        let streams = self.number(&settings.streams, MOST_SLOTS);
        let decoding = self.decoding(settings.decoding.as_ref());
        if let Some(users) = users {
            return self.cell_of_users(users, warm_up.ok()?, written.ok()?, rounds.ok()?);
        }
        let counts: Vec<_> = watches
            .iter()
            .map(|watch| self.number(&watch.count, MOST_WATCHES))
            .collect();
        let saturation = match &settings.saturation {
            Some(setting) => {
                let data = self.evaluate(setting, "a map")?;
                Some(self.saturation(&data)?)
            }
            None => None,
        };
        let arrivals_setting = settings.arrivals.as_ref()?;
        let arrivals = self.evaluate(arrivals_setting, "a map")?;
        let (arrivals, stages) = self.arrivals(&arrivals, written.ok()?.unwrap_or(DURATION))?;
        if stages.is_some()
            && let Some(duration) = &settings.duration
        {
            let text = format!("`duration` does not go with stages{}", self.cell);
            self.note(Problem::new(duration.key, text).help("a round is as long as its stages: leave `duration` out"));
            return None;
        }
        if is_share(&arrivals) && saturation.is_none() {
            let text = format!(
                "a rate is a share of saturation, which nothing says how to find{}",
                self.cell
            );
            let problem = Problem::new(arrivals_setting.template.span, text);
            self.note(problem.help("write `saturation: { in_flight: 16 }`"));
            return None;
        }
        let calls = match arrivals {
            Arrivals::InFlight(calls) => Some(calls),
            _ => None,
        };
        let connections = connections
            .ok()?
            .unwrap_or(CONNECTIONS.min(calls.unwrap_or(CONNECTIONS)));
        let needed = calls.map_or(STREAMS, |calls| calls.div_ceil(connections));
        let cell = Cell {
            id: String::new(),
            factors: Vec::new(),
            factor: Value::Null,
            saturation: saturation.filter(|_| is_share(&arrivals)),
            connections,
            streams_per_connection: streams.ok()?.unwrap_or(needed),
            threads: threads.ok()?.unwrap_or(1),
            decoding: decoding?,
            warm_up: warm_up.ok()?.unwrap_or(WARM_UP),
            duration: stages.or(written.ok()?).unwrap_or(DURATION),
            rounds: rounds.ok()?.unwrap_or(ROUNDS),
            watches: counts
                .into_iter()
                .map(|count| count.map(|count| count.unwrap_or(1)))
                .collect::<Result<_, _>>()
                .ok()?,
            arrivals,
        };
        if let Some(reason) = cell.wrong() {
            let places = match cell.threads > cell.connections {
                true => [&settings.threads, &settings.connections],
                false => [&settings.connections, &settings.streams],
            };
            let place = places.into_iter().flatten().next().unwrap_or(arrivals_setting);
            self.note(Problem::new(place.key, format!("{reason}{}", self.cell)));
            return None;
        }
        Some(cell)
    }

    /// A cell of virtual users. Each has connections of its own, and its client reads every answer into messages.
    fn cell_of_users(
        &mut self,
        users: &KnownUsers,
        warm_up: Option<Duration>,
        duration: Option<Duration>,
        rounds: Option<usize>,
    ) -> Option<Cell> {
        let start = self.length(&users.start, true).ok()?.unwrap_or_default();
        let setting = users.count.as_ref()?;
        let data = self.evaluate(setting, "a number")?;
        let count = self.whole(&data, MOST_USERS)?;
        let journeys = users.model.journeys.len();
        if count < journeys {
            let text = format!(
                "{journeys} journeys need at least as many users, found {count}{}",
                self.cell
            );
            self.note(Problem::new(setting.template.span, text));
            return None;
        }
        Some(Cell {
            id: String::new(),
            factors: Vec::new(),
            factor: Value::Null,
            arrivals: Arrivals::Users { count, start },
            saturation: None,
            connections: count,
            streams_per_connection: 1,
            threads: 1,
            decoding: Decoding::Full,
            warm_up: start + warm_up.unwrap_or(WARM_UP),
            duration: duration.unwrap_or(DURATION),
            rounds: rounds.unwrap_or(ROUNDS),
            watches: Vec::new(),
        })
    }

    fn decoding(&mut self, setting: Option<&Setting>) -> Option<Decoding> {
        let Some(setting) = setting else {
            return Some(Decoding::Off);
        };
        let data = self.evaluate(setting, "`\"off\"`, `sampled` or `full`")?;
        let known: BTreeSet<&str> = ["off", "sampled", "full"].into();
        match &data.node {
            DataNode::Str(word) if word == "off" => Some(Decoding::Off),
            DataNode::Str(word) if word == "sampled" => Some(Decoding::Sampled),
            DataNode::Str(word) if word == "full" => Some(Decoding::Full),
            DataNode::Str(word) => {
                let text = suggest(format!("unknown value `{word}`"), word, known);
                self.wrong(&data, text, Some("write `\"off\"`, `sampled` or `full`"));
                None
            }
            _ => {
                let text = format!("expected a word, found {}", crate::schema::scalar::describe(&data));
                self.wrong(&data, text, Some("write `\"off\"`, `sampled` or `full`"));
                None
            }
        }
    }
}
