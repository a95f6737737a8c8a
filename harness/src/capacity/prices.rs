//! What replicas cost, from a dated file. Pure.

use crate::scenario::{
    de,
    error::{Problem, ScenarioError},
    field::Field,
    in_order,
    source::{Source, SourceFile},
    tree::Tree,
    yaml,
};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// Name and text of the built-in file.
pub const EMBEDDED: (&str, &str) = (
    "scenarios/capacity/prices.yaml",
    include_str!("../../../scenarios/capacity/prices.yaml"),
);

/// Seconds of a month: 30 days, as the examples of the price page have it.
pub const MONTH_S: f64 = 30.0 * 24.0 * 3600.0;

/// vCPU and memory of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// vCPU.
    pub cpu: f64,
    /// GiB.
    pub memory: f64,
}

/// Prices of a second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Second {
    /// Of a vCPU.
    pub vcpu: f64,
    /// Of a GiB.
    pub gib: f64,
}

impl Second {
    /// Of a replica.
    pub fn of(self, size: Size) -> f64 {
        self.vcpu * size.cpu + self.gib * size.memory
    }
}

/// What is free in a month.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// vCPU seconds.
    pub vcpu_s: f64,
    /// GiB seconds.
    pub gib_s: f64,
    /// Requests.
    pub requests: f64,
}

/// A price file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// Where it stands: a path, or its place in the repository.
    pub file: String,
    /// When the prices were looked up.
    pub date: NaiveDate,
    /// Where.
    pub source: String,
    /// Such as `USD`.
    pub currency: String,
    /// Of a replica that works.
    pub active: Second,
    /// Of a replica at the minimum count that nobody calls.
    pub idle: Second,
    /// Of a million requests from outside.
    pub per_million: f64,
    /// Free each month, shared by a subscription.
    pub free: Grant,
}

/// What a month of a deployment costs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Before the free grant.
    pub list: f64,
    /// After it, where nothing else of the subscription uses it.
    pub net: f64,
}

/// What a month of a deployment uses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Replicas that work, mean.
    pub active: f64,
    /// Replicas at the minimum count that nobody calls, mean.
    pub idle: f64,
    /// Requests from outside.
    pub requests: f64,
}

impl Prices {
    /// The built-in file.
    pub fn embedded() -> Result<Prices, Vec<ScenarioError>> {
        Prices::parse(SourceFile::new(EMBEDDED.0, EMBEDDED.1))
    }

    /// Reads a file. All mistakes are reported, in the order of the file.
    pub fn parse(source: Source) -> Result<Prices, Vec<ScenarioError>> {
        let (tree, mut problems) = yaml::read(&source.text);
        let mut prices = None;
        if let Some(tree) = tree
            && let Some(written) = de::read::<Written>(&tree, &mut problems)
        {
            let mut reader = Reader {
                tree: &tree,
                problems: Vec::new(),
            };
            prices = reader.prices(&written, &source.name);
            problems.append(&mut reader.problems);
        }
        match prices {
            Some(prices) if problems.is_empty() => Ok(prices),
            _ => Err(in_order(&source, problems)),
        }
    }

    /// Of so many requests, the free ones not taken off.
    pub fn of_requests(&self, requests: f64) -> f64 {
        requests / 1e6 * self.per_million
    }

    /// A month of one replica that works, before the free grant.
    pub fn replica_month(&self, size: Size) -> f64 {
        self.active.of(size) * MONTH_S
    }

    /// A month. The grant is taken off what is active first, which is worth most.
    pub fn month(&self, size: Size, usage: Usage) -> Cost {
        let of = |amount: f64, active: f64, idle: f64, free: f64| {
            let (working, resting) = (usage.active * amount * MONTH_S, usage.idle * amount * MONTH_S);
            let left = (free - working).max(0.0);
            let list = working * active + resting * idle;
            let net = (working - free).max(0.0) * active + (resting - left).max(0.0) * idle;
            (list, net)
        };
        let cpu = of(size.cpu, self.active.vcpu, self.idle.vcpu, self.free.vcpu_s);
        let memory = of(size.memory, self.active.gib, self.idle.gib, self.free.gib_s);
        let paid = (usage.requests - self.free.requests).max(0.0);
        Cost {
            list: cpu.0 + memory.0 + self.of_requests(usage.requests),
            net: cpu.1 + memory.1 + self.of_requests(paid),
        }
    }

    /// `USD 38.88`.
    pub fn money(&self, amount: f64) -> String {
        format!("{} {}", self.currency, money(amount))
    }
}

/// An amount with two digits behind the point and thousands separated: `1,234.50`.
pub fn money(amount: f64) -> String {
    if !amount.is_finite() {
        return "?".to_owned();
    }
    let cents = (amount.max(0.0) * 100.0).round() as u64;
    format!("{}.{:02}", crate::numbers::count(cents / 100), cents % 100)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    version: Field<u64>,
    date: Field<String>,
    source: Field<String>,
    currency: Field<String>,
    active: Field<WrittenSecond>,
    idle: Field<WrittenSecond>,
    requests: Field<WrittenRequests>,
    free: Field<WrittenGrant>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenSecond {
    vcpu_second: Field<f64>,
    gib_second: Field<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenRequests {
    per_million: Field<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenGrant {
    vcpu_seconds: Field<f64>,
    gib_seconds: Field<f64>,
    requests: Field<f64>,
}

struct Reader<'a> {
    tree: &'a Tree<'a>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn prices(&mut self, written: &Written, file: &str) -> Option<Prices> {
        if let Some(version) = self.there(&written.version, "version")
            && version != 1
        {
            self.wrong(&written.version, "no such version", "write `version: 1`");
        }
        let date = self.there(&written.date, "date").and_then(|date| {
            let read = NaiveDate::parse_from_str(&date, "%Y-%m-%d").ok();
            if read.is_none() {
                self.wrong(&written.date, "this is no day", "write it as \"2026-11-22\"");
            }
            read
        });
        let source = self.text(&written.source, "source", "say where the prices were read");
        let currency = self.text(&written.currency, "currency", "write it as `USD`");
        if currency
            .as_ref()
            .is_some_and(|name| name.len() != 3 || !name.bytes().all(|byte| byte.is_ascii_uppercase()))
        {
            self.wrong(
                &written.currency,
                "this is no currency",
                "write its three letters, such as `USD`",
            );
        }
        let active = self
            .there_in(&written.active, "active")
            .map(|second| self.second(second));
        let idle = self.there_in(&written.idle, "idle").map(|second| self.second(second));
        let requests = self
            .there_in(&written.requests, "requests")
            .and_then(|requests| self.amount(&requests.per_million, "requests.per_million"));
        let free = self.there_in(&written.free, "free").map(|grant| self.grant(grant));
        Some(Prices {
            file: file.to_owned(),
            date: date?,
            source: source?,
            currency: currency?,
            active: active??,
            idle: idle??,
            per_million: requests?,
            free: free??,
        })
    }

    fn second(&mut self, written: &WrittenSecond) -> Option<Second> {
        let vcpu = self.amount(&written.vcpu_second, "vcpu_second");
        let gib = self.amount(&written.gib_second, "gib_second");
        Some(Second { vcpu: vcpu?, gib: gib? })
    }

    fn grant(&mut self, written: &WrittenGrant) -> Option<Grant> {
        let vcpu_s = self.amount(&written.vcpu_seconds, "vcpu_seconds");
        let gib_s = self.amount(&written.gib_seconds, "gib_seconds");
        let requests = self.amount(&written.requests, "requests");
        Some(Grant {
            vcpu_s: vcpu_s?,
            gib_s: gib_s?,
            requests: requests?,
        })
    }

    fn amount(&mut self, field: &Field<f64>, key: &str) -> Option<f64> {
        let amount = self.there(field, key)?;
        if amount.is_finite() && amount >= 0.0 {
            return Some(amount);
        }
        self.wrong(field, "this is no price and no amount", "write a number of at least 0");
        None
    }

    fn text(&mut self, field: &Field<String>, key: &str, help: &str) -> Option<String> {
        let text = self.there(field, key)?;
        if !text.trim().is_empty() {
            return Some(text);
        }
        self.wrong(field, "this is empty", help);
        None
    }

    fn there<T: Clone>(&mut self, field: &Field<T>, key: &str) -> Option<T> {
        self.there_in(field, key).cloned()
    }

    fn there_in<'f, T>(&mut self, field: &'f Field<T>, key: &str) -> Option<&'f T> {
        if !field.is_written() {
            let text = format!("the key `{key}` is missing");
            let problem = Problem::new(self.tree.span(Tree::ROOT), text);
            let help = format!("add it, as in {}", EMBEDDED.0);
            self.problems.push(problem.help(help));
        }
        field.value()
    }

    fn wrong<T>(&mut self, field: &Field<T>, text: &str, help: &str) {
        if let Some(given) = field.given() {
            let problem = Problem::new(self.tree.span(given.node), text);
            self.problems.push(problem.help(help));
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const SMALL: Size = Size { cpu: 0.5, memory: 1.0 };

    fn errors(text: &str) -> String {
        let errors = Prices::parse(SourceFile::new("prices.yaml", text)).unwrap_err();
        errors.iter().map(ScenarioError::render).collect()
    }

    #[test]
    fn five_replicas_of_the_post_cost_what_the_price_list_says() {
        let prices = Prices::embedded().unwrap();
        let active = |replicas: f64| Usage {
            active: replicas,
            ..Usage::default()
        };
        assert_eq!(prices.money(prices.replica_month(SMALL)), "USD 38.88");
        assert_eq!(money(prices.month(SMALL, active(1.0)).list), "38.88");
        assert_eq!(money(prices.month(SMALL, active(5.0)).list), "194.40");
        let idle = Usage {
            idle: 1.0,
            ..Usage::default()
        };
        assert_eq!(money(prices.month(SMALL, idle).list), "11.66");
        // 180,000 vCPU seconds and 360,000 GiB seconds: 4.32 and 1.08.
        assert_eq!(money(prices.month(SMALL, active(5.0)).net), "189.00");
        // Idle, the same seconds are worth 0.54 and 1.08.
        assert_eq!(money(prices.month(SMALL, idle).net), "10.04");
        assert_eq!(prices.date.to_string(), "2026-11-22");
    }

    #[test]
    fn the_grant_is_spent_once_and_never_below_nothing() {
        let prices = Prices::embedded().unwrap();
        // 0.01 replicas: 12,960 vCPU seconds and 25,920 GiB seconds are within the grant; so are its requests.
        let little = Usage {
            active: 0.01,
            idle: 0.01,
            requests: 1e6,
        };
        let cost = prices.month(SMALL, little);
        assert_eq!(
            (money(cost.list), money(cost.net)),
            ("0.91".to_owned(), "0.00".to_owned())
        );
        let requests = Usage {
            requests: 12e6,
            ..Usage::default()
        };
        let cost = prices.month(SMALL, requests);
        assert_eq!(
            (money(cost.list), money(cost.net)),
            ("4.80".to_owned(), "4.00".to_owned())
        );
    }

    #[test]
    fn every_mistake_is_named_with_its_place() {
        let text = EMBEDDED.1.replace("vcpu_second: 0.000024", "vcpu_second: -1");
        let text = text.replace("date: \"2026-11-22\"", "date: \"soon\"");
        let text = text.replace("version: 1", "version: 2").replace("currency: USD\n", "");
        let text = text.replace("per_million", "per_milion");
        assert!(errors(&EMBEDDED.1.replace("USD", "dollars")).contains("three letters"));
        insta::assert_snapshot!(errors(&text));
    }

    #[test]
    fn amounts_are_written_with_cents() {
        assert_eq!(
            [0.0, 0.004, 1234.5, -3.0].map(money),
            ["0.00", "0.00", "1,234.50", "0.00"]
        );
        assert_eq!(money(f64::NAN), "?");
    }
}
