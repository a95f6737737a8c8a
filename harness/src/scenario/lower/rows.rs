//! `vars` and `rows`: the values that expressions read by name.

use super::{
    Lower,
    names::{Place, Var},
    template,
};
use crate::scenario::{
    error::{Problem, short},
    field::{Field, Raw},
    model::{Row, Template},
    scalar::Scalar,
    source::{Located, Span},
    tree::{Kind, NodeId},
};
use std::collections::{BTreeMap, BTreeSet};

impl Lower<'_, '_> {
    pub(crate) fn vars(&mut self, vars: &Field<Raw>) -> Vec<(Located<String>, Template)> {
        let mut lowered = Vec::new();
        let Some(vars) = vars.given() else { return lowered };
        let tree = self.tree;
        let Kind::Map(entries) = &tree.node(vars.node).kind else {
            self.wrong(vars.node, "a map of names and values");
            return lowered;
        };
        if self.is_too_long(vars.key, entries.len()) {
            return lowered;
        }
        for entry in entries {
            self.identifier(&entry.name, "variable");
            let place = Place::default();
            let template = self.template(entry.value, &place);
            let reads_row = template::expressions(&template).iter().any(|expr| {
                expr.selects().iter().any(|select| match select.root.as_str() {
                    "row" => true,
                    "vars" => self
                        .vars
                        .iter()
                        .any(|var| var.reads_row && select.path.first() == Some(&var.name)),
                    _ => false,
                })
            });
            self.vars.push(Var {
                name: entry.name.value.clone(),
                reads_row,
            });
            lowered.push((entry.name.clone(), template));
        }
        lowered
    }

    pub fn rows(&mut self, rows: &Field<Vec<Field<Raw>>>) -> Vec<Row> {
        let Some(rows) = rows.given() else { return Vec::new() };
        if rows.value.is_empty() {
            self.problem(Problem::new(
                self.tree.span(rows.key),
                "`rows` is empty: no case would run",
            ));
            return Vec::new();
        }
        let tree = self.tree;
        let mut lowered: Vec<Row> = Vec::new();
        let mut key_sets: Vec<(Span, BTreeSet<String>)> = Vec::new();
        for row in rows.value.iter().filter_map(Field::given) {
            let Kind::Map(entries) = &tree.node(row.node).kind else {
                self.wrong(row.node, "a map with a `name`");
                continue;
            };
            let span = tree.span(row.node);
            for entry in entries {
                self.identifier(&entry.name, "field of a row");
            }
            // A missing name is reported below.
            let keys = entries
                .iter()
                .map(|entry| entry.name.value.clone())
                .chain(["name".to_owned()]);
            key_sets.push((span, keys.collect()));
            let fields = self.template(
                row.node,
                &Place {
                    in_row: true,
                    ..Place::default()
                },
            );
            let name = entries
                .iter()
                .find(|entry| entry.name.value == "name")
                .map(|entry| entry.value);
            let name = match name {
                Some(node) => self.row_name(node, &lowered),
                None => {
                    let start = Span {
                        end: span.start + 1,
                        ..span
                    };
                    let problem = Problem::new(start, "this row has no `name`");
                    self.problem(problem.help("the name becomes a part of the case's id"));
                    String::new()
                }
            };
            lowered.push(Row { name, fields, span });
        }
        self.row_keys = Some(self.same_keys(&key_sets));
        lowered
    }

    fn row_name(&mut self, node: NodeId, before: &[Row]) -> String {
        let span = self.tree.span(node);
        let Kind::Scalar {
            value: Scalar::Str,
            text,
            ..
        } = &self.tree.node(node).kind
        else {
            self.wrong(node, "text");
            return String::new();
        };
        if text.trim().is_empty() || text.contains("${{") || text.contains(['\n', '[', ']']) {
            let problem = Problem::new(span, "the name of a row is one line of plain text without brackets");
            self.problem(problem);
        } else if before.iter().any(|row| row.name == *text) {
            self.problem(Problem::new(span, format!("two rows are named `{}`", short(text))));
        }
        text.clone()
    }

    /// The keys that most rows have; a row with others is reported.
    pub(crate) fn same_keys(&mut self, key_sets: &[(Span, BTreeSet<String>)]) -> BTreeSet<String> {
        let mut counts: BTreeMap<&BTreeSet<String>, usize> = BTreeMap::new();
        for (_, keys) in key_sets {
            *counts.entry(keys).or_default() += 1;
        }
        // Of equally frequent sets the first in the file.
        let mut usual: Option<(&BTreeSet<String>, usize)> = None;
        for (_, keys) in key_sets {
            let count = counts.get(keys).copied().unwrap_or(0);
            if usual.is_none_or(|(_, most)| count > most) {
                usual = Some((keys, count));
            }
        }
        let Some((usual, _)) = usual else {
            return BTreeSet::new();
        };
        for (span, keys) in key_sets.iter().filter(|(_, keys)| keys != usual) {
            let missing: Vec<&str> = usual.difference(keys).map(String::as_str).collect();
            let extra: Vec<&str> = keys.difference(usual).map(String::as_str).collect();
            let mut parts = Vec::new();
            if !missing.is_empty() {
                parts.push(format!("`{}` is missing", missing.join("`, `")));
            }
            if !extra.is_empty() {
                parts.push(format!("only this row has `{}`", extra.join("`, `")));
            }
            let text = format!("all rows have the same keys, this one differs: {}", parts.join("; "));
            self.problem(Problem::new(*span, text));
        }
        usual.clone()
    }
}
