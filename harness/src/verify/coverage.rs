//! What a run exercises: methods by protocol, the statuses that came back, the fields that were set and those that an
//! expectation was held against. Counted while the run goes on; bounded by what the target describes and the suite names.

mod reads;

use super::record::{self, MethodCoverage, RequestField, ResponseField};
use crate::{
    client::{Code, Layer, Message, Observation, Protocol},
    schema::{DynMsg, Method, Schema, Shape},
};
pub use reads::{Read, reads};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

/// The counts of a run.
pub struct Coverage {
    schema: Schema,
    /// By `pkg.Service/Method`.
    entries: Mutex<BTreeMap<(String, Protocol), Entry>>,
}

struct Entry {
    shapes: Arc<Shapes>,
    calls: u64,
    ends: BTreeMap<End, u64>,
    /// A count for each field of the request.
    request: Vec<u64>,
    /// The same for the response.
    response: Vec<u64>,
    judged: Vec<u64>,
}

struct Shapes {
    described: bool,
    request: Shape,
    response: Shape,
}

/// How a call ended, in the order in which it is shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Status(Code),
    Proxy,
    Connection,
    Client,
}

impl End {
    fn of(observation: &Observation) -> End {
        match observation.layer {
            Layer::Application => End::Status(observation.status.code),
            Layer::Proxy => End::Proxy,
            Layer::Transport => End::Connection,
            Layer::Client => End::Client,
        }
    }

    fn name(self) -> &'static str {
        match self {
            End::Status(code) => code.name(),
            End::Proxy => "proxy",
            End::Connection => "connection",
            End::Client => "client",
        }
    }
}

impl Coverage {
    /// Nothing counted yet.
    pub fn new(schema: Schema) -> Coverage {
        Coverage {
            schema,
            entries: Mutex::default(),
        }
    }

    /// A call was begun with these requests.
    pub fn opened(&self, protocol: Protocol, method: &Method, requests: &[DynMsg]) {
        self.entry(protocol, method, |entry| entry.calls += 1);
        self.sent(protocol, method, requests);
    }

    /// Requests were sent on a call.
    pub fn sent(&self, protocol: Protocol, method: &Method, requests: &[DynMsg]) {
        self.count(
            protocol,
            method,
            requests.iter(),
            |shapes| &shapes.request,
            |entry| &mut entry.request,
        );
    }

    /// A call is over: what it was answered. Without `end` it was still open when this side cancelled it.
    pub fn closed(&self, protocol: Protocol, method: &Method, messages: &[Message], end: Option<&Observation>) {
        let end = end.map_or(End::Client, End::of);
        self.entry(protocol, method, |entry| *entry.ends.entry(end).or_default() += 1);
        let messages = messages.iter().map(|message| &message.value);
        self.count(
            protocol,
            method,
            messages,
            |shapes| &shapes.response,
            |entry| &mut entry.response,
        );
    }

    /// Expectations were held against fields of a method's responses; each counts once.
    pub fn judged<'a>(&self, protocol: Protocol, method: &Method, reads: impl Iterator<Item = &'a Read<'a>>) {
        let shapes = self.entry(protocol, method, |entry| entry.shapes.clone());
        let mut hit = vec![false; shapes.response.paths().len()];
        reads.for_each(|read| read.mark(&shapes.response, &mut hit));
        self.entry(protocol, method, |entry| add(&mut entry.judged, &hit));
    }

    /// As it stands in the record: `services` are those that the scenarios of the run are about.
    pub fn record(&self, services: &BTreeSet<String>, protocols: &[Protocol]) -> record::Coverage {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let described = self.schema.services();
        let (about, others): (Vec<&String>, Vec<&String>) = described.iter().partition(|name| services.contains(*name));
        let called = |service: &str| {
            entries
                .keys()
                .any(|(name, _)| name.rsplit_once('/').is_some_and(|(of, _)| of == service))
        };
        let mut methods = Vec::new();
        for method in about.iter().flat_map(|service| self.schema.service_methods(service)) {
            let name = method.full_name();
            for protocol in protocols {
                let entry = entries.get(&(name.clone(), *protocol));
                // What no HTTP rule maps is not there to be called.
                if *protocol == Protocol::Rest && entry.is_none() && method.no_rest().is_some() {
                    continue;
                }
                let shapes = self.shapes(&method);
                methods.push(covered(&name, *protocol, entry, &shapes));
            }
        }
        let known: BTreeSet<(String, Protocol)> = methods.iter().map(|of| (of.method.clone(), of.protocol)).collect();
        let rest = entries.iter().filter(|(key, _)| !known.contains(key));
        let touched = rest.map(|((name, protocol), entry)| {
            let mut of = covered(name, *protocol, Some(entry), &entry.shapes);
            of.request.retain(|field| field.set > 0);
            of.response.retain(|field| field.set > 0 || field.judged > 0);
            of
        });
        record::Coverage {
            by_the_way: touched.collect(),
            methods,
            services_not_called: others.into_iter().filter(|name| !called(name)).cloned().collect(),
        }
    }

    fn count<'a>(
        &self,
        protocol: Protocol,
        method: &Method,
        messages: impl Iterator<Item = &'a DynMsg>,
        shape: impl Fn(&Shapes) -> &Shape,
        counts: impl Fn(&mut Entry) -> &mut Vec<u64>,
    ) {
        // The messages may be many and large: they are looked at outside of the lock.
        let shapes = self.entry(protocol, method, |entry| entry.shapes.clone());
        let mut sum = vec![0; shape(&shapes).paths().len()];
        let mut hit = vec![false; sum.len()];
        for message in messages {
            hit.fill(false);
            shape(&shapes).mark(message, &mut hit);
            add(&mut sum, &hit);
        }
        self.entry(protocol, method, |entry| {
            for (count, more) in counts(entry).iter_mut().zip(&sum) {
                *count += more;
            }
        });
    }

    fn entry<T>(&self, protocol: Protocol, method: &Method, with: impl FnOnce(&mut Entry) -> T) -> T {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.entry((method.full_name(), protocol)).or_insert_with(|| {
            let shapes = Arc::new(self.shapes(method));
            Entry {
                calls: 0,
                ends: BTreeMap::new(),
                request: vec![0; shapes.request.paths().len()],
                response: vec![0; shapes.response.paths().len()],
                judged: vec![0; shapes.response.paths().len()],
                shapes,
            }
        });
        with(entry)
    }

    /// Of the described method, where there is one: a scenario may call it as undescribed, too.
    fn shapes(&self, method: &Method) -> Shapes {
        let described = self.schema.method(&method.service, &method.name);
        let of = described.as_ref().unwrap_or(method);
        Shapes {
            described: described.is_some(),
            request: Shape::of(&of.input),
            response: Shape::of(&of.output),
        }
    }
}

fn add(counts: &mut [u64], hit: &[bool]) {
    for (count, hit) in counts.iter_mut().zip(hit) {
        *count += u64::from(*hit);
    }
}

fn covered(name: &str, protocol: Protocol, entry: Option<&Entry>, shapes: &Shapes) -> MethodCoverage {
    let counted = |counts: fn(&Entry) -> &Vec<u64>, index: usize| {
        entry.and_then(|entry| counts(entry).get(index).copied()).unwrap_or(0)
    };
    let request = shapes.request.paths().iter().enumerate();
    let response = shapes.response.paths().iter().enumerate();
    MethodCoverage {
        method: name.to_owned(),
        protocol,
        described: shapes.described,
        calls: entry.map_or(0, |entry| entry.calls),
        ends: entry
            .iter()
            .flat_map(|entry| &entry.ends)
            .map(|(end, n)| (end.name().to_owned(), *n))
            .collect(),
        request: request
            .map(|(index, field)| RequestField {
                field: field.clone(),
                set: counted(|entry| &entry.request, index),
            })
            .collect(),
        response: response
            .map(|(index, field)| ResponseField {
                field: field.clone(),
                set: counted(|entry| &entry.response, index),
                judged: counted(|entry| &entry.judged, index),
            })
            .collect(),
        fields_left_out: (shapes.request.left_out() + shapes.response.left_out()) as u64,
    }
}
