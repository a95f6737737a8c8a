//! What is known of the replicas beside the load: who answers, and what their metrics say.

use crate::commands::{Refusal, load::targets::Under};
use std::{collections::BTreeSet, time::Duration};
use stocktake::{
    capacity::metrics::{self, Between, Metrics},
    client::{Call, Client, Protocol, collect, fetch},
    schema::Method,
};

/// For one call, and for a page of metrics.
const WITHIN: Duration = Duration::from_secs(5);

/// Calls that find out who is there, each on a connection of its own.
const ASK: usize = 24;

/// Calls between two stages that find out who is new.
const LOOK: usize = 4;

/// Who answers, and what they say of themselves.
pub struct Watch {
    client: Client,
    method: Method,
    protocol: Protocol,
    header: String,
    /// At the begin; empty where nobody names a replica.
    ids: BTreeSet<String>,
    urls: Vec<String>,
    /// Before the first stage.
    first: Vec<Metrics>,
    last: Vec<Metrics>,
}

impl Watch {
    /// Asks who is there.
    ///
    /// # Errors
    /// Metrics that were named and cannot be read.
    pub async fn new(under: &Under<'_>, header: &str, urls: Vec<String>, protocol: Protocol) -> Result<Watch, Refusal> {
        let mut watch = Watch {
            client: under.client.clone(),
            // Every server of gRPC answers it, were it by UNIMPLEMENTED; over REST it is a path that nobody has.
            method: under.schema.undescribed("grpc.health.v1.Health", "Check"),
            protocol: Protocol::Grpc,
            header: header.to_ascii_lowercase(),
            ids: BTreeSet::new(),
            urls,
            first: Vec::new(),
            last: Vec::new(),
        };
        if protocol == Protocol::Grpc {
            watch.ids = watch.ask(ASK).await;
        }
        watch.protocol = protocol;
        watch.first = watch.read().await.map_err(Refusal::input)?;
        watch.last = watch.first.clone();
        Ok(watch)
    }

    /// Replicas that name themselves, or that have metrics; 1 where nothing is known.
    pub fn replicas(&self) -> u32 {
        let seen = self.ids.len().max(self.urls.len()).max(1);
        u32::try_from(seen).unwrap_or(u32::MAX)
    }

    /// Who answers now and did not at the begin, in words.
    pub async fn changed(&self) -> Option<String> {
        if self.ids.is_empty() {
            return None;
        }
        let now = self.ask(LOOK).await;
        let new = now.difference(&self.ids).next()?;
        Some(format!(
            "replica {} answers, which was not there at the begin",
            stocktake::report::escape::visible(new)
        ))
    }

    /// What the replicas did since the last time. A page that cannot be read now says nothing.
    pub async fn since(&mut self) -> Between {
        let Ok(now) = self.read().await else {
            return Between::default();
        };
        let between = metrics::between(&self.last, &now);
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
            1 => (self.replicas() == 1).then_some(1.0),
            _ => metrics::between(&self.first, &self.last).skew,
        }
    }

    /// Streams that a replica takes.
    pub fn streams(&self) -> Option<u64> {
        self.last.iter().filter_map(|metrics| metrics.streams).min()
    }

    async fn read(&self) -> Result<Vec<Metrics>, String> {
        let mut all = Vec::new();
        for url in &self.urls {
            let text = fetch::text(url, WITHIN).await;
            let text =
                text.map_err(|why| format!("--metrics-url {}: {why}", stocktake::report::escape::visible(url)))?;
            all.push(metrics::parse(&text));
        }
        Ok(all)
    }

    async fn ask(&self, times: usize) -> BTreeSet<String> {
        let mut ids = BTreeSet::new();
        if self.protocol != Protocol::Grpc {
            return ids;
        }
        for _ in 0..times {
            let call = Call {
                method: self.method.clone(),
                protocol: self.protocol,
                metadata: Vec::new(),
                deadline: WITHIN,
                fresh_connection: true,
                small_window: false,
            };
            let request = self.method.input.new_message();
            let answer = collect(self.client.open(&call).await, vec![request]).await;
            let named = answer
                .headers
                .get(&self.header)
                .or_else(|| answer.trailers.get(&self.header));
            ids.extend(named.map(str::to_owned));
        }
        ids
    }
}
