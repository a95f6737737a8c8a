//! What is known of the replicas beside the load: who answers, and what their metrics say.

use crate::commands::{Refusal, load::targets::Under};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use stocktake::{
    capacity::metrics::{self, Between, Metrics},
    client::{Call, Client, Protocol, collect, fetch},
    report::escape::visible,
    schema::{Method, Schema},
};

/// For one call, and for a page of metrics.
const WITHIN: Duration = Duration::from_secs(5);

/// Calls that find out who is there, each on a connection of its own.
const ASK: usize = 24;

/// Calls between two stages that find out who is new.
const LOOK: usize = 4;

/// So many calls for each replica miss one of three in a thousand times, where a balancer draws: n (1 - 1/n)^(8n) is below n / e^8.
const EACH: usize = 8;

/// Answers without a name, one after the other, that say that nobody names itself.
const NAMELESS: usize = 4;

/// For all calls at one time: a target that hangs is not waited for again and again.
const PATIENCE: Duration = Duration::from_secs(15);

/// Who answered.
#[derive(Debug, Default)]
struct Heard {
    ids: BTreeSet<String>,
    /// Answers that named a replica.
    named: usize,
    /// Calls.
    asked: usize,
}

/// Who answers, and what they say of themselves.
pub struct Watch {
    client: Client,
    /// What is called; `None` where the target offers nothing that can be asked over this protocol.
    method: Option<Method>,
    protocol: Protocol,
    header: String,
    /// At the begin; empty where nobody names a replica.
    ids: BTreeSet<String>,
    urls: Vec<String>,
    /// Before the first stage.
    first: Vec<Metrics>,
    last: Vec<Metrics>,
    /// A replica whose counters went back since the last time.
    restarted: Option<usize>,
}

impl Watch {
    /// Asks who is there.
    ///
    /// # Errors
    /// Metrics that were named and cannot be read.
    pub async fn new(under: &Under<'_>, header: &str, urls: Vec<String>, protocol: Protocol) -> Result<Watch, Refusal> {
        let method = match protocol {
            // Every server of gRPC answers it, were it by UNIMPLEMENTED.
            Protocol::Grpc => Some(under.schema.undescribed("grpc.health.v1.Health", "Check")),
            Protocol::Rest => reading(&under.schema),
        };
        let mut watch = Watch {
            client: under.client.clone(),
            method,
            protocol,
            header: header.to_ascii_lowercase(),
            ids: BTreeSet::new(),
            urls,
            first: Vec::new(),
            last: Vec::new(),
            restarted: None,
        };
        watch.ids = watch
            .ask(|heard| heard.asked >= ASK.max(EACH * heard.ids.len()))
            .await
            .ids;
        watch.first = watch.read().await.map_err(Refusal::input)?;
        watch.last = watch.first.clone();
        Ok(watch)
    }

    /// Replicas that name themselves, or that have metrics; `None` where nothing is known.
    pub fn replicas(&self) -> Option<u32> {
        let seen = self.ids.len().max(self.urls.len());
        (seen > 0).then(|| u32::try_from(seen).unwrap_or(u32::MAX))
    }

    /// Who answers now and did not at the begin, or did and does no more, in words.
    pub async fn changed(&mut self) -> Option<String> {
        if let Some(url) = self.restarted.take().and_then(|at| self.urls.get(at)) {
            return Some(format!(
                "the counters of {} went back: that replica was started anew, or several answer there",
                visible(url)
            ));
        }
        if self.ids.is_empty() {
            return None;
        }
        let enough = |heard: &Heard| {
            let all = self.ids.is_subset(&heard.ids);
            heard.asked >= LOOK && (all || heard.asked >= EACH * self.ids.len())
        };
        change(&self.ids, &self.ask(enough).await)
    }

    /// What the replicas did since the last time. A page that cannot be read now says nothing.
    pub async fn since(&mut self) -> Between {
        let Ok(now) = self.read().await else {
            return Between::default();
        };
        let between = metrics::between(&self.last, &now);
        self.restarted = self.restarted.or(metrics::restarted(&self.last, &now));
        self.last = now;
        between
    }

    /// Resident memory of all that are known.
    pub async fn memory(&self) -> Option<u64> {
        let now = self.read().await.ok()?;
        let memory: Option<Vec<u64>> = now.iter().map(|metrics| metrics.memory).collect();
        memory
            .filter(|memory| !memory.is_empty())
            .map(|memory| memory.iter().sum())
    }

    /// How unevenly the calls of the run were spread.
    pub fn skew(&self) -> Option<f64> {
        match self.urls.len() {
            0 => None,
            1 => (self.replicas() == Some(1)).then_some(1.0),
            _ => metrics::between(&self.first, &self.last).skew,
        }
    }

    /// Streams that a replica takes.
    pub fn streams(&self) -> Option<u64> {
        self.last.iter().filter_map(|metrics| metrics.streams).min()
    }

    /// Whether a replica counts from where its handlers begin.
    pub fn handler_clocks(&self) -> bool {
        self.first.iter().any(|metrics| metrics.handlers)
    }

    async fn read(&self) -> Result<Vec<Metrics>, String> {
        let mut all = Vec::new();
        for url in &self.urls {
            let text = fetch::text(url, WITHIN).await;
            let text = text.map_err(|why| format!("--metrics-url {}: {why}", visible(url)))?;
            all.push(metrics::parse(&text));
        }
        Ok(all)
    }

    /// Asks until it is enough; no longer where nobody names itself or answers take too long.
    async fn ask(&self, enough: impl Fn(&Heard) -> bool) -> Heard {
        let mut heard = Heard::default();
        let Some(method) = &self.method else { return heard };
        let began = Instant::now();
        while !enough(&heard) && began.elapsed() < PATIENCE {
            if heard.named == 0 && heard.asked >= NAMELESS {
                break;
            }
            let call = Call {
                method: method.clone(),
                protocol: self.protocol,
                metadata: Vec::new(),
                deadline: WITHIN,
                fresh_connection: true,
                small_window: false,
            };
            let request = method.input.new_message();
            let answer = collect(self.client.open(&call).await, vec![request]).await;
            let named = answer
                .headers
                .get(&self.header)
                .or_else(|| answer.trailers.get(&self.header));
            heard.asked += 1;
            heard.named += usize::from(named.is_some());
            heard.ids.extend(named.map(str::to_owned));
        }
        heard
    }
}

/// A method that a GET without any argument calls.
fn reading(schema: &Schema) -> Option<Method> {
    let services = schema.services();
    let mut methods = services.iter().flat_map(|service| schema.service_methods(service));
    methods.find(|method| {
        let made = method.http_request(&method.input.new_message());
        !method.client_streaming && !method.server_streaming && made.is_ok_and(|made| made.verb == "GET")
    })
}

/// How those who answer now differ from those at the begin, in words. One that is missed is gone only where so many answered that
/// it would have been among them.
fn change(first: &BTreeSet<String>, now: &Heard) -> Option<String> {
    if let Some(new) = now.ids.difference(first).next() {
        return Some(format!(
            "replica {} answers, which was not there at the begin",
            visible(new)
        ));
    }
    let gone = first.difference(&now.ids).next()?;
    (now.named >= EACH * first.len()).then(|| {
        format!(
            "replica {} answers no more, which was there at the begin",
            visible(gone)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn replicas_that_come_or_go_are_seen() {
        let first = ids(&["a", "b"]);
        let now = |names: &[&str], named| {
            let heard = Heard {
                ids: ids(names),
                named,
                asked: named,
            };
            change(&first, &heard)
        };
        assert_eq!(now(&["a", "b"], 4), None);
        assert!(now(&["a", "c"], 4).is_some_and(|why| why.contains("replica c answers, which was not")));
        assert!(now(&["a"], 16).is_some_and(|why| why.contains("replica b answers no more")));
        // A few answers, or none, say nothing of one that is not among them.
        assert_eq!(now(&["a"], 15), None);
        assert_eq!(now(&[], 0), None);
    }

    #[test]
    fn over_rest_a_method_is_asked_that_needs_nothing_and_changes_nothing() {
        let method = reading(&Schema::built_in()).map(|method| method.name);
        assert_eq!(method.as_deref(), Some("ListProducts"));
    }
}
