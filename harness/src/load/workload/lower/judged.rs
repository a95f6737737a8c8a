//! What a run is held against: an objective, a claim.

use super::{Pass, written};
use crate::{
    load::{leg::Leg, record::ClaimRecord, workload::model::Objective},
    scenario::{
        error::{Problem, short},
        field::{Field, Given, Raw},
        lower::{Place, read_time},
        model::{Template, TemplateNode},
        source::Located,
        tree::Kind,
    },
};

const PLAIN: Place<'static> = Place {
    extra: &[],
    index: false,
    setup: false,
    in_row: false,
    only: Some("this value is written out"),
};

impl Pass<'_, '_> {
    pub fn objective(&mut self, objective: &Field<Raw>) -> Option<Objective> {
        let given = objective.given()?;
        let tree = self.lower.tree;
        let Kind::Map(entries) = &tree.node(given.node).kind else {
            self.lower
                .wrong(given.node, "a map such as `{ p99: 20ms, errors: 0.1% }`");
            return None;
        };
        if entries.is_empty() {
            let problem = Problem::new(tree.span(given.key), "`objective` is empty: nothing is held");
            self.problem(problem.help("write `{ p99: 20ms, errors: 0.1% }`, or leave it out"));
        }
        let mut lowered = Objective {
            latency: Vec::new(),
            errors: None,
        };
        for entry in entries {
            let value = self.lower.template(entry.value, &PLAIN);
            match percentile(&entry.name.value) {
                Some(quantile) => match &value.node {
                    TemplateNode::Str(text) => match read_time(text, value.span) {
                        Ok(time) if time.is_zero() => {
                            self.problem(Problem::new(value.span, "a time must be longer than 0"));
                        }
                        Ok(time) => lowered.latency.push((quantile, time)),
                        Err(problem) => self.problem(problem),
                    },
                    _ => self.lower.wrong(entry.value, "a time such as `20ms`"),
                },
                None if entry.name.value == "errors" => lowered.errors = self.share(entry.value, &value),
                None => {
                    let text = format!("unknown key `{}`", short(&entry.name.value));
                    let problem = Problem::new(entry.name.span, text);
                    self.problem(
                        problem.help("the keys here are percentiles such as `p50`, `p99`, `p99.9`, and `errors`"),
                    );
                }
            }
        }
        Some(lowered)
    }

    fn share(&mut self, node: usize, value: &Template) -> Option<f64> {
        let TemplateNode::Str(text) = &value.node else {
            self.lower.wrong(node, "a share such as `0.1%`");
            return None;
        };
        let share = text
            .strip_suffix('%')
            .and_then(|number| number.trim().parse::<f64>().ok());
        match share {
            Some(share) if (0.0..=100.0).contains(&share) => Some(share / 100.0),
            _ => {
                let text = format!("`{}` is no share", short(text));
                self.problem(Problem::new(value.span, text).help("write `0.1%`, from `0%` to `100%`"));
                None
            }
        }
    }

    pub fn claim(&mut self, claim: &Given<written::Claim>, legs: &[Leg]) -> Option<ClaimRecord> {
        let written = &claim.value;
        for (is_written, key) in [
            (written.text.is_written(), "text"),
            (written.faster.is_written(), "faster"),
            (written.slower.is_written(), "slower"),
            (written.ratio.is_written(), "ratio"),
        ] {
            if !is_written && !self.lower.is_misspelt(claim.node, key) {
                let problem = Problem::new(self.lower.tree.span(claim.key), format!("`claim` has no `{key}`"));
                self.problem(problem.help("write `{ text: …, faster: grpc, slower: rest-h1, ratio: [5, 10] }`"));
            }
        }
        let text = written.text.given().map(|text| self.lower.one_line("text", text));
        let faster = written.faster.given().and_then(|word| self.measured_leg(word, legs));
        let slower = written.slower.given().and_then(|word| self.measured_leg(word, legs));
        let ratio = written.ratio.given().and_then(|ratio| self.ratio(ratio));
        if let (Some(faster), Some(slower)) = (&faster, &slower)
            && faster.value == slower.value
        {
            self.problem(Problem::new(slower.span, "a leg is not slower than itself"));
        }
        Some(ClaimRecord {
            text: text?,
            faster: faster?.value,
            slower: slower?.value,
            ratio: ratio?,
        })
    }

    fn measured_leg(&mut self, word: &Given<String>, legs: &[Leg]) -> Option<Located<Leg>> {
        let leg = self.leg(word)?;
        let span = self.lower.tree.span(word.node);
        if !legs.contains(&leg) {
            let text = format!("`{}` is not among the `legs` of the file", leg.name());
            self.problem(Problem::new(span, text));
            return None;
        }
        Some(Located { value: leg, span })
    }

    fn ratio(&mut self, ratio: &Given<Raw>) -> Option<(f64, f64)> {
        let template = self.lower.template(ratio.node, &PLAIN);
        let number = |template: &Template| match template.node {
            TemplateNode::Int(value) => Some(value as f64),
            TemplateNode::Float(value) => Some(value),
            _ => None,
        };
        let (from, to) = match &template.node {
            TemplateNode::List(items) => match items.as_slice() {
                [from, to] => (number(from), number(to)),
                _ => (None, None),
            },
            _ => (None, None),
        };
        match (from, to) {
            (Some(from), Some(to)) if from > 0.0 && to >= from && to.is_finite() => Some((from, to)),
            _ => {
                let problem = Problem::new(template.span, "expected two numbers above 0, the smaller one first");
                self.problem(problem.help("write `[5, 10]` for five to ten times"));
                None
            }
        }
    }
}

/// `p99.9` as 0.999.
fn percentile(key: &str) -> Option<f64> {
    let digits = key.strip_prefix('p')?;
    let plain = digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    let value: f64 = digits.parse().ok().filter(|_| plain)?;
    (value > 0.0 && value < 100.0).then_some(value / 100.0)
}
