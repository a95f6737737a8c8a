//! A call in flight: what has been seen of its answer, and what it amounts to. The same for HTTP/1.1 and HTTP/2; agrees with
//! the client's reading of an answer (`client::outcome`, `client::rest`), and a corpus of odd answers holds the two together.

use super::clock::nanos;
use super::desk::Desk;
use super::head::{Content, Head, Told};
use super::prefixed::Prefixed;
use crate::client::{
    Code, LONGEST_ERROR, MAX_MESSAGE, Piece, Protocol, Splitter, code_in_stream, code_of_error, from_http, from_reset,
};
use crate::load::exchange::{Answer, Enough, Exchange};
use crate::load::sample::{Moment, Outcome, Sink};
use std::time::Duration;

/// The place of the operation in the facts of a watch.
const WATCH: u32 = u32::MAX;

/// Which request a call sends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begin {
    pub operation: u32,
    pub intended: u64,
    pub able: u64,
    pub timeout: Duration,
    pub enough: Option<Enough>,
}

impl Begin {
    pub fn watch(exchange: &Exchange) -> Begin {
        Begin {
            operation: WATCH,
            intended: 0,
            able: 0,
            timeout: Duration::MAX,
            enough: enough(exchange),
        }
    }
}

/// When a stream is over; `None` for an answer of one message.
pub(super) fn enough(exchange: &Exchange) -> Option<Enough> {
    match exchange.answer {
        Answer::Message => None,
        Answer::Stream { enough } => Some(enough),
    }
}

/// Instants and counts of a call.
#[derive(Default)]
pub(super) struct Facts {
    pub operation: u32,
    pub intended: u64,
    pub able: u64,
    pub sent: u64,
    /// When the first message had arrived.
    pub first: u64,
    last: u64,
    /// When the client gives up, once it is sent.
    pub limit: u64,
    timeout: u64,
    /// When a stream is enough by its time, once it is sent.
    pub stop: u64,
    enough: Option<Enough>,
    pub messages: u32,
    /// Why the answer is not readable.
    pub wrong: Option<&'static str>,
    /// The client has seen enough.
    has_enough: bool,
    /// A status within a stream of JSON ended it.
    told: Option<Code>,
}

impl Facts {
    /// Of a call that no connection took.
    pub fn unsent(operation: u32, intended: u64, now: u64) -> Facts {
        Facts {
            operation,
            intended,
            able: now,
            sent: now,
            limit: u64::MAX,
            ..Facts::default()
        }
    }

    pub fn is_watch(&self) -> bool {
        self.operation == WATCH
    }

    pub fn is_stream(&self) -> bool {
        self.enough.is_some()
    }

    /// Its first bytes go to the system now; `false`: they have gone before.
    pub fn stamp(&mut self, now: u64) -> bool {
        if self.is_sent() {
            return false;
        }
        self.sent = now.max(self.able).max(1);
        self.limit = now.saturating_add(self.timeout);
        self.stop = match self.enough {
            Some(Enough::Time(time)) => now.saturating_add(nanos(time)),
            _ => u64::MAX,
        };
        true
    }

    /// How it ends by the passing of time alone, if it does.
    pub fn times_out(&self, now: u64) -> Option<Outcome> {
        if now > self.limit {
            return Some(Outcome::Timeout);
        }
        (now >= self.stop).then_some(Outcome::Status(Code::OK))
    }

    /// Whether it counts as in flight.
    pub fn is_sent(&self) -> bool {
        self.sent != 0
    }

    /// A message is whole; whether to go on.
    fn message<S: Sink>(&mut self, bytes: &[u8], desk: &mut Desk<'_, S>) -> bool {
        self.messages = self.messages.saturating_add(1);
        let now = desk.now;
        if self.is_watch() {
            let mut found = Vec::new();
            desk.marks
                .find(bytes, |operation, intended| found.push((operation, intended)));
            for (operation, intended) in found {
                desk.moment(Moment::Delivery {
                    operation,
                    intended,
                    at: now,
                });
            }
            return true;
        }
        if let Some(decode) = &mut desk.decode {
            let readable = decode(self.operation as usize, bytes);
            // A caller has its answer once it is decoded. Trailers may come in the same read or in the next one: without this, the
            // time would be in the answer of one leg and not in that of another.
            desk.now = desk.clock.now();
            if !readable {
                self.wrong = Some("a message cannot be decoded");
                return false;
            }
        }
        if self.messages == 1 {
            self.first = now;
        } else if self.is_stream() {
            desk.moment(Moment::Gap {
                operation: self.operation,
                at: now,
                gap: now - self.last,
            });
        }
        self.last = now;
        if matches!(self.enough, Some(Enough::Messages(count)) if u64::from(self.messages) >= count) {
            self.has_enough = true;
        }
        !self.has_enough
    }
}

/// A call and its answer so far. Reused, so that nothing is allocated for each call.
#[derive(Default)]
pub(super) struct Call {
    pub facts: Facts,
    /// The head of the answer, once it has come.
    pub head: Option<Head>,
    form: Form,
    prefixed: Prefixed,
    values: Splitter,
    body: Vec<u8>,
    seen: usize,
    /// Bytes since a window of its own was opened again.
    pub received: usize,
}

/// What the body is read as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    /// Messages with their prefix.
    #[default]
    Prefixed,
    /// JSON values, one after the other.
    Values,
    /// One message, the whole body; `true`: its bytes are looked at.
    Whole(bool),
    /// An error of REST.
    Refusal,
    /// Nothing of the protocol.
    Foreign,
}

impl Call {
    /// Makes it a new one.
    pub fn begin(&mut self, begin: Begin) {
        self.facts = Facts {
            operation: begin.operation,
            intended: begin.intended,
            able: begin.able,
            limit: u64::MAX,
            stop: u64::MAX,
            timeout: nanos(begin.timeout),
            enough: begin.enough,
            ..Facts::default()
        };
        self.head = None;
        self.prefixed.reset();
        self.body.clear();
        (self.seen, self.received) = (0, 0);
    }

    /// Takes the head of the answer in.
    pub fn take_head<S: Sink>(&mut self, head: Head, protocol: Protocol, desk: &Desk<'_, S>) {
        self.form = match protocol {
            Protocol::Grpc if head.told.is_none() && (head.content != Content::Grpc || head.http != 200) => {
                Form::Foreign
            }
            Protocol::Grpc => Form::Prefixed,
            Protocol::Rest if !head.is_success() => Form::Refusal,
            Protocol::Rest if self.facts.is_stream() => {
                self.values = Splitter::default();
                Form::Values
            }
            Protocol::Rest => Form::Whole(desk.decode.is_some() || head.content != Content::Json),
        };
        if protocol == Protocol::Rest && head.is_success() && head.coded {
            self.facts.wrong = Some("a content-encoding that was not accepted");
        }
        self.head = Some(head);
    }

    /// Takes a part of the body in; afterwards [`Call::early_end`] may tell an end.
    pub fn data<S: Sink>(&mut self, data: &[u8], desk: &mut Desk<'_, S>) {
        let facts = &mut self.facts;
        match self.form {
            Form::Prefixed => {
                let keep = facts.is_watch() || desk.decode.is_some();
                let pushed = self.prefixed.push(data, keep, |message| facts.message(message, desk));
                if let Err(reason) = pushed {
                    facts.wrong = Some(reason);
                }
            }
            Form::Values => {
                self.values.push(data);
                self.take_values(false, desk);
            }
            Form::Whole(keep) => {
                self.seen += data.len();
                if self.seen > MAX_MESSAGE {
                    facts.wrong = Some("a body longer than the 64 MiB that the client takes");
                } else if keep {
                    self.body.extend_from_slice(data);
                }
            }
            Form::Refusal => {
                let room = (LONGEST_ERROR + 1).saturating_sub(self.body.len());
                self.body.extend_from_slice(&data[..data.len().min(room)]);
            }
            Form::Foreign => {}
        }
    }

    fn take_values<S: Sink>(&mut self, ended: bool, desk: &mut Desk<'_, S>) {
        let facts = &mut self.facts;
        while !facts.has_enough && facts.wrong.is_none() {
            match self.values.pop(ended) {
                None => return,
                Some(Piece::Wrong(_))
                    if facts.messages == 0 && self.head.is_some_and(|head| head.content != Content::Json) =>
                {
                    self.form = Form::Foreign;
                    return;
                }
                Some(Piece::Wrong(_)) => facts.wrong = Some("a stream that is no JSON"),
                Some(Piece::Value(text)) => match code_in_stream(&text) {
                    Some(code) => {
                        facts.told = Some(code);
                        return;
                    }
                    None => {
                        facts.message(&text, desk);
                    }
                },
            }
        }
    }

    /// An end that the client itself makes of what has come.
    pub fn early_end(&self) -> Option<Outcome> {
        let facts = &self.facts;
        if facts.wrong.is_some() {
            return Some(Outcome::Garbled);
        }
        if let Some(code) = facts.told {
            return Some(Outcome::Status(code));
        }
        facts.has_enough.then_some(Outcome::Status(Code::OK))
    }

    /// The answer has ended in order.
    pub fn end<S: Sink>(&mut self, trailers: Option<&Head>, desk: &mut Desk<'_, S>) -> Outcome {
        let Some(head) = self.head else {
            return self.garbled("an answer without a head");
        };
        let told = trailers.and_then(|trailers| trailers.told);
        match self.form {
            Form::Prefixed => self.end_grpc(told.or(head.told)),
            Form::Foreign => Outcome::Status(from_http(head.http)),
            Form::Refusal => {
                let by_header = match head.told {
                    Some(Told::Code(code)) => Some(code),
                    _ => None,
                };
                let by_body = || code_of_error(&self.body).filter(|_| self.body.len() <= LONGEST_ERROR);
                Outcome::Status(by_body().or(by_header).unwrap_or_else(|| from_http(head.http)))
            }
            Form::Values => {
                self.take_values(true, desk);
                if self.form == Form::Foreign {
                    return Outcome::Status(from_http(head.http));
                }
                if let Some(end) = self.early_end() {
                    return end;
                }
                match self.values.unfinished() {
                    Some(_) => self.garbled("a stream that ends within a message"),
                    None => self.told(told.unwrap_or(Told::Code(Code::OK))),
                }
            }
            Form::Whole(keep) => self.end_whole(keep, head, told, desk),
        }
    }

    fn end_grpc(&mut self, told: Option<Told>) -> Outcome {
        let code = match told {
            Some(Told::Code(code)) => code,
            Some(Told::Unreadable) => return self.garbled("a grpc-status that is none of 0 to 16"),
            None => return self.garbled("no grpc-status"),
        };
        if code == Code::OK {
            if self.prefixed.is_within() {
                return self.garbled("a stream that ends within a message");
            }
            if !self.facts.is_stream() && self.facts.messages != 1 {
                return self.garbled("not one message on a unary OK");
            }
        }
        Outcome::Status(code)
    }

    fn end_whole<S: Sink>(&mut self, keep: bool, head: Head, told: Option<Told>, desk: &mut Desk<'_, S>) -> Outcome {
        if self.seen == 0 || keep && self.body.trim_ascii().is_empty() {
            return self.garbled("a success without JSON");
        }
        // Without a word that it is JSON it may be the page of somebody else.
        let is_json = || serde_json::from_slice::<serde::de::IgnoredAny>(&self.body).is_ok();
        if head.content != Content::Json && !is_json() {
            return Outcome::Status(from_http(head.http));
        }
        self.facts.message(&self.body, desk);
        match self.facts.wrong {
            Some(_) => Outcome::Garbled,
            None => self.told(told.unwrap_or(Told::Code(Code::OK))),
        }
    }

    fn told(&mut self, told: Told) -> Outcome {
        match told {
            Told::Code(code) => Outcome::Status(code),
            Told::Unreadable => self.garbled("a grpc-status that is none of 0 to 16"),
        }
    }

    /// The peer has reset the stream with a code of HTTP/2.
    pub fn reset(&self, code: u32) -> Outcome {
        // A status that had already come in the head stands, whatever ended the stream after it.
        if let (Some(Told::Code(code)), 0) = (self.head.and_then(|head| head.told), self.facts.messages) {
            return Outcome::Status(code);
        }
        Outcome::Status(from_reset(code.into()))
    }

    /// Not readable, and why.
    pub fn garbled(&mut self, why: &'static str) -> Outcome {
        self.facts.wrong = Some(why);
        Outcome::Garbled
    }
}
