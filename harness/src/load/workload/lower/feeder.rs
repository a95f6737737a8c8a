//! Feeders and watches.

use super::{Beside, Pass, setting::Setting};
use crate::{
    load::{
        exchange::Order,
        workload::{
            model::{Feeder, Values, Watch},
            written,
        },
    },
    scenario::{
        de,
        error::Problem,
        field::{Field, Given, Raw},
        lower::Place,
        model::{Template, TemplateNode},
        source::{Located, Span},
        tree::Kind,
        written::Step as WrittenStep,
    },
};
use std::collections::BTreeSet;

/// Rows of a file.
const MOST_ROWS: usize = 100_000;

/// A feeder, and the keys of its values where they are known.
pub struct Known {
    /// As it runs.
    pub model: Feeder,
    /// `None`: the values of an expression.
    pub keys: Option<BTreeSet<String>>,
}

/// A watch, and how many.
pub struct KnownWatch {
    /// As it runs.
    pub model: Watch,
    /// For each cell; 1 when left out.
    pub count: Option<Setting>,
}

impl Pass<'_, '_> {
    pub fn feeders(&mut self, feeders: &Field<Raw>) -> Vec<Known> {
        let Some(given) = feeders.given() else {
            return Vec::new();
        };
        let tree = self.lower.tree;
        let Kind::Map(entries) = &tree.node(given.node).kind else {
            self.lower.wrong(given.node, "a map of names and feeders");
            return Vec::new();
        };
        let mut known = Vec::new();
        for entry in entries {
            self.lower.identifier(&entry.name, "feeder");
            let feeder: written::Feeder =
                de::read_node(tree, entry.value, &mut self.lower.problems).unwrap_or_default();
            // A feeder with a mistake is known by its name, so that no operation that uses it is blamed.
            let values = self.values(&entry.name, entry.value, &feeder);
            let (values, keys) = values.unwrap_or((Values::Rows(Vec::new()), None));
            let order = match feeder.order.value() {
                Some(written::Order::Random) => Order::Random,
                Some(written::Order::Sequential) | None => Order::Sequential,
            };
            let model = Feeder {
                name: entry.name.clone(),
                values,
                order,
            };
            known.push(Known { model, keys });
        }
        known
    }

    fn values(
        &mut self,
        name: &Located<String>,
        node: usize,
        feeder: &written::Feeder,
    ) -> Option<(Values, Option<BTreeSet<String>>)> {
        let written = [
            feeder.each.is_written(),
            feeder.rows.is_written(),
            feeder.csv.is_written(),
        ];
        match written.iter().filter(|is_written| **is_written).count() {
            1 => {}
            0 if ["each", "rows", "csv"]
                .iter()
                .any(|key| self.lower.is_misspelt(node, key)) =>
            {
                return None;
            }
            count => {
                let text = match count {
                    0 => format!("the feeder `{}` has no values", name.value),
                    _ => format!("the feeder `{}` has values from several places", name.value),
                };
                self.problem(Problem::new(name.span, text).help("write one of `each`, `rows` and `csv`"));
                return None;
            }
        }
        if let Some(each) = feeder.each.given() {
            return self.each(each).map(|template| (Values::Each(template), None));
        }
        if let Some(rows) = feeder.rows.given() {
            let (rows, keys) = self.maps("rows", rows, self.factor());
            return Some((Values::Rows(rows), Some(keys)));
        }
        let file = feeder.csv.given()?;
        let span = self.lower.tree.span(file.node);
        match texts(&file.value, self.beside) {
            Ok((keys, rows)) => {
                for key in &keys {
                    let name = Located {
                        value: key.clone(),
                        span,
                    };
                    self.lower.identifier(&name, "column");
                }
                let known = keys.iter().cloned().collect();
                Some((Values::Texts(keys, rows), Some(known)))
            }
            Err(text) => {
                self.problem(Problem::new(span, text));
                None
            }
        }
    }

    fn each(&mut self, each: &Given<Raw>) -> Option<Template> {
        let place = self.place(self.factor());
        let before = self.lower.problems.len();
        let template = self.lower.template(each.node, &place);
        if !matches!(template.node, TemplateNode::Expr(_)) {
            if self.lower.problems.len() == before {
                let key = self.lower.tree.span(each.key);
                let problem = Problem::new(key, "`each` is one expression that yields a list");
                self.problem(problem.help(
                    "such as `each: \"${{ made.results.map(r, r.response.id) }}\"`; a list that is written out goes under `rows`",
                ));
            }
            return None;
        }
        Some(template)
    }

    /// Maps with the same keys, and these keys.
    pub fn maps(
        &mut self,
        what: &str,
        list: &Given<Vec<Field<Raw>>>,
        extra: &[&str],
    ) -> (Vec<Template>, BTreeSet<String>) {
        let tree = self.lower.tree;
        let mut templates = Vec::new();
        let mut key_sets: Vec<(Span, BTreeSet<String>)> = Vec::new();
        if list.value.is_empty() {
            let text = format!("`{what}` is empty: nothing would be sent");
            self.problem(Problem::new(tree.span(list.key), text));
        }
        for row in list.value.iter().filter_map(Field::given) {
            let Kind::Map(entries) = &tree.node(row.node).kind else {
                self.lower.wrong(row.node, "a map of names and values");
                continue;
            };
            for entry in entries {
                self.lower.identifier(&entry.name, "value");
            }
            let keys = entries.iter().map(|entry| entry.name.value.clone()).collect();
            key_sets.push((tree.span(row.node), keys));
            let place = self.place(extra);
            templates.push(self.lower.template(row.node, &place));
        }
        let keys = self.lower.same_keys(&key_sets);
        (templates, keys)
    }

    pub fn watches(&mut self, watches: &Field<Vec<Field<written::Watch>>>) -> Vec<KnownWatch> {
        let mut lowered = Vec::new();
        for watch in watches.value().into_iter().flatten().filter_map(Field::given) {
            let written = &watch.value;
            if !written.call.is_written() {
                if !self.lower.is_misspelt(watch.node, "call") {
                    let problem = Problem::new(self.lower.tree.span(watch.node), "this watch has no `call`");
                    self.problem(problem.help("name a method that answers with a stream"));
                }
                continue;
            }
            let step = WrittenStep {
                call: written.call.clone(),
                request: written.request.clone(),
                metadata: written.metadata.clone(),
                ..WrittenStep::default()
            };
            let place = Place {
                extra: self.factor(),
                ..Place::default()
            };
            let spec = self.lower.spec(&step, &place);
            let count = self.setting(&written.count);
            lowered.extend(spec.map(|spec| KnownWatch {
                model: Watch { spec },
                count,
            }));
        }
        lowered
    }
}

fn in_words(name: &str, error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let line = pos.as_ref().map_or(0, csv::Position::line);
            format!("line {line} of `{name}` has {len} values, and its header has {expected_len}")
        }
        _ => format!("`{name}`: {error}"),
    }
}

/// A header and rows of texts.
fn texts(name: &str, beside: Beside<'_>) -> Result<(Vec<String>, Vec<Vec<String>>), String> {
    let outside = std::path::Path::new(name)
        .components()
        .any(|part| !matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir));
    if outside || name.is_empty() {
        return Err(format!("`{name}` is no file beside the workload"));
    }
    let text = beside(name).map_err(|reason| format!("cannot read `{name}`: {reason}"))?;
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::Headers)
        .from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| format!("`{name}`: {error}"))?;
    let keys: Vec<String> = header.iter().map(str::to_owned).collect();
    let mut seen = BTreeSet::new();
    if let Some(twice) = keys.iter().find(|key| !seen.insert(key.as_str())) {
        return Err(format!("`{name}`: the column `{twice}` stands twice"));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| in_words(name, &error))?;
        if rows.len() >= MOST_ROWS {
            return Err(format!("`{name}` has more than {MOST_ROWS} rows"));
        }
        rows.push(record.iter().map(str::to_owned).collect());
    }
    match rows.is_empty() {
        true => Err(format!("`{name}` has no rows under its header")),
        false => Ok((keys, rows)),
    }
}
