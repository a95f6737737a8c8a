//! Virtual users: what they do, step by step, and how long they think.

use super::{Pass, feeder::Known, operation::STEP, setting::Setting};
use crate::{
    load::workload::{
        model::{Journey, JourneyStep, OperationSpec, Think, Users},
        written,
    },
    scenario::{
        error::{Problem, short},
        field::{Field, Given, Raw},
        source::{Located, Span},
        tree::Kind,
    },
};
use std::collections::BTreeSet;

const THINK: &str = "write `1s` or `{ from: 100ms, to: 300ms }`";

/// The users, and the settings that may differ between cells.
pub struct KnownUsers {
    /// As they run.
    pub model: Users,
    /// How many.
    pub count: Option<Setting>,
    /// The time over which they begin.
    pub start: Option<Setting>,
}

impl Pass<'_, '_> {
    /// The steps of all journeys become operations.
    pub fn users(
        &mut self,
        users: &Given<written::Users>,
        whole: &written::Workload,
        feeders: &[Known],
        operations: &mut Vec<OperationSpec>,
    ) -> Option<KnownUsers> {
        self.apart(whole);
        let written = &users.value;
        for (is_written, key, help) in [
            (
                written.count.is_written(),
                "count",
                "write how many, such as `count: 20`",
            ),
            (written.journeys.is_written(), "journeys", "list what they do"),
        ] {
            if !is_written && !self.lower.is_misspelt(users.node, key) {
                let span = self.lower.tree.span(users.key);
                self.problem(Problem::new(span, format!("`users` has no `{key}`")).help(help));
            }
        }
        let count = self.setting(&written.count);
        let start = self.setting(&written.start);
        let journeys = self.journeys(&written.journeys, feeders, operations);
        (!journeys.is_empty()).then_some(KnownUsers {
            model: Users {
                span: self.lower.tree.span(users.key),
                journeys,
            },
            count,
            start,
        })
    }

    /// What belongs to requests that are sent without users.
    fn apart(&mut self, whole: &written::Workload) {
        fn key<T>(field: &Field<T>) -> Option<crate::scenario::tree::NodeId> {
            field.given().map(|given| given.key)
        }
        const OWN: &str = "each user has connections of its own: leave it out";
        for (key, name, help) in [
            (
                key(&whole.operations),
                "operations",
                "the steps of the journeys are what is measured: leave it out",
            ),
            (
                key(&whole.arrivals),
                "arrivals",
                "a user sends when the answer before is there: leave it out",
            ),
            (
                key(&whole.saturation),
                "saturation",
                "a closed loop has no rate of its own: leave it out",
            ),
            (
                key(&whole.watches),
                "watches",
                "make the stream a step of a journey, with `until`",
            ),
            (key(&whole.connections), "connections", OWN),
            (key(&whole.streams_per_connection), "streams_per_connection", OWN),
            (
                key(&whole.threads),
                "threads",
                "users share the threads of the process: leave it out",
            ),
            (
                key(&whole.decoding),
                "decoding",
                "every answer is decoded: leave it out",
            ),
        ] {
            if let Some(key) = key {
                let span = self.lower.tree.span(key);
                self.problem(Problem::new(span, format!("`{name}` does not go with `users`")).help(help));
            }
        }
    }

    fn journeys(
        &mut self,
        journeys: &Field<Vec<Field<written::Journey>>>,
        feeders: &[Known],
        operations: &mut Vec<OperationSpec>,
    ) -> Vec<Journey> {
        let Some(given) = journeys.given() else {
            return Vec::new();
        };
        if given.value.is_empty() {
            let span = self.lower.tree.span(given.key);
            self.problem(Problem::new(span, "`journeys` is empty: the users would do nothing"));
        }
        let mut lowered: Vec<Journey> = Vec::new();
        let mut names = BTreeSet::new();
        for journey in given.value.iter().filter_map(Field::given) {
            let written = &journey.value;
            let Some(id) = written.id.given() else {
                if !written.id.is_written() && !self.lower.is_misspelt(journey.node, "id") {
                    let span = self.lower.tree.span(journey.node);
                    let span = Span {
                        end: span.start + 1,
                        ..span
                    };
                    self.problem(Problem::new(span, "this journey has no `id`").help("reports name it"));
                }
                continue;
            };
            if !names.insert(id.value.clone()) {
                let text = format!("two journeys are named `{}`", short(&id.value));
                self.problem(Problem::new(self.lower.tree.span(id.node), text));
            }
            let id = self.operation_id(id, "journey");
            let weight = self.weight(&written.weight);
            let steps = self.journey_steps(journey, &id, weight, feeders, operations);
            lowered.push(Journey { id, weight, steps });
        }
        lowered
    }

    fn journey_steps(
        &mut self,
        journey: &Given<written::Journey>,
        id: &Located<String>,
        weight: u32,
        feeders: &[Known],
        operations: &mut Vec<OperationSpec>,
    ) -> Vec<JourneyStep> {
        let Some(given) = journey.value.steps.given() else {
            if !journey.value.steps.is_written() && !self.lower.is_misspelt(journey.node, "steps") {
                let text = format!("the journey `{}` has no `steps`", short(&id.value));
                self.problem(Problem::new(id.span, text).help("list its calls"));
            }
            return Vec::new();
        };
        if given.value.is_empty() {
            let span = self.lower.tree.span(given.key);
            self.problem(Problem::new(span, "`steps` is empty: the users would do nothing"));
        }
        let mut steps = Vec::new();
        for step in given.value.iter().filter_map(Field::given) {
            let think = step.value.think.given().map(|think| self.think(think));
            let Some(mut operation) = self.operation(&as_operation(step), feeders, STEP) else {
                continue;
            };
            operation.id.value = format!("{}_{}", id.value, operation.id.value);
            operation.weight = weight;
            let name = &operation.id;
            if name.value.len() > 64 {
                let text = format!(
                    "`{}` is too long: journey and step have 63 letters together",
                    short(&name.value)
                );
                self.problem(Problem::new(name.span, text));
            }
            if operations.iter().any(|other| other.id.value == name.value) {
                let text = format!("two steps are named `{}`", short(&name.value));
                self.problem(Problem::new(name.span, text).help("give one of them another `id`"));
            }
            steps.push(JourneyStep {
                operation: operations.len(),
                think: think.flatten().unwrap_or_default(),
            });
            operations.push(operation);
        }
        steps
    }

    fn think(&mut self, think: &Given<Raw>) -> Option<Think> {
        let tree = self.lower.tree;
        let Kind::Map(entries) = &tree.node(think.node).kind else {
            let time = self.lower.time(think)?;
            return Some(Think { from: time, to: time });
        };
        let mut ends = [None, None];
        let mut known = true;
        for entry in entries {
            let end = match entry.name.value.as_str() {
                "from" => &mut ends[0],
                "to" => &mut ends[1],
                other => {
                    let text = format!("unknown key `{}`", short(other));
                    self.lower.problem(Problem::new(entry.name.span, text).help(THINK));
                    known = false;
                    continue;
                }
            };
            let time = Given {
                key: entry.key,
                node: entry.value,
                value: Raw(entry.value),
            };
            *end = self.lower.time(&time);
            known &= end.is_some();
        }
        match ends {
            [Some(from), Some(to)] if from <= to => Some(Think { from, to }),
            [Some(_), Some(_)] => {
                self.problem(Problem::new(tree.span(think.node), "`from` is longer than `to`"));
                None
            }
            _ => {
                if known {
                    let text = "`think` is a time, or has `from` and `to`";
                    self.problem(Problem::new(tree.span(think.key), text).help(THINK));
                }
                None
            }
        }
    }
}

/// A step as the operation that it is; without a name it has that of its method.
fn as_operation(step: &Given<written::JourneyStep>) -> Given<written::Operation> {
    let written = &step.value;
    let id = match (&written.id, written.call.given()) {
        (Field::Missing, Some(call)) => Field::Given(Given {
            key: call.key,
            node: call.node,
            value: call.value.rsplit('/').next().unwrap_or_default().to_owned(),
        }),
        (id, _) => id.clone(),
    };
    Given {
        key: step.key,
        node: step.node,
        value: written::Operation {
            id,
            weight: Field::Missing,
            call: written.call.clone(),
            feed: written.feed.clone(),
            variants: written.variants.clone(),
            request: written.request.clone(),
            requests: written.requests.clone(),
            metadata: written.metadata.clone(),
            accept: written.accept.clone(),
            timeout: written.timeout.clone(),
            until: written.until.clone(),
        },
    }
}
