//! Steps about background calls: open, ready, wait, send, cancel.

use super::{
    calls::{answer_text, message, prepare},
    case::{CaseRun, Stop},
    judge::Judgement,
    mismatch::Mismatch,
    stream::{Received, Stream},
    timeline::cut,
    values,
};
use crate::client::{Code, Observation};
use crate::scenario::{
    expr::{Expr, Scope, Value},
    model::{Background, Ready, Step, Template, Wait},
    source::Located,
};
use std::{ops::Range, time::Duration};
use tokio::time::{Instant, sleep};

/// How long the first probe waits for the initial metadata. Many servers send none before the first message.
const HEAD_START: Duration = Duration::from_millis(50);

/// How long a message that is missing is waited for once all else has come, if `within` has so much left: a service that tells so late
/// tells its readers nothing.
const GRACE: Duration = Duration::from_secs(5);

/// Messages that come within this time are judged together.
const TOGETHER: Duration = Duration::from_millis(20);

impl<'a> CaseRun<'a> {
    /// Opens a call that stays open, and makes sure that it is subscribed.
    pub async fn background_step(
        &mut self,
        step: &'a Step,
        background: &'a Background,
        name: &str,
    ) -> Result<(), Stop> {
        let count = match background
            .repeat
            .as_ref()
            .map(|count| super::calls::count(count, &self.scope))
        {
            None => 1,
            Some(Ok(count)) => count,
            Some(Err(mismatch)) => return Err(self.fail(name, mismatch)),
        };
        let mut streams = Vec::with_capacity(count);
        for index in 0..count {
            let scope = self.scope.with("index", Value::Int(index as i64));
            let mut prepared = match prepare(self, &background.spec, &scope) {
                Ok(prepared) => prepared,
                Err(mismatch) => return Err(self.fail(name, mismatch)),
            };
            prepared.call.small_window = background.hold;
            if background.spec.deadline.is_none() {
                // Open as long as the case may take.
                prepared.call.deadline = self.scenario.timeout + Duration::from_secs(5);
            }
            if index == 0 {
                let text = prepared.requests.first().map(|r| r.to_short_text()).unwrap_or_default();
                let times = if count == 1 {
                    String::new()
                } else {
                    format!(" × {count}")
                };
                self.timeline.note(
                    name,
                    "call",
                    &format!("{}{times} {} in the background", prepared.call.method.name, cut(&text)),
                );
            }
            let opened = Instant::now();
            self.engine
                .coverage
                .opened(self.protocol, &prepared.call.method, &prepared.requests);
            let mut open = self.engine.client.open(&prepared.call).await;
            for request in &prepared.requests {
                if open.send(request).await.is_err() {
                    break;
                }
            }
            if !prepared.call.method.client_streaming {
                open.close();
            }
            streams.push(Stream::spawn(prepared.call.method, open, opened));
        }
        if let (Some(ready), [stream]) = (&background.ready, streams.as_mut_slice()) {
            let made_ready = self.make_ready(stream, ready, name).await;
            if let Err(stop) = made_ready {
                self.note_messages(name, stream);
                self.cancel(stream).await;
                return Err(stop);
            }
            self.timeline.note(
                name,
                "ready",
                &format!("subscribed; {} messages came before", stream.before_ready),
            );
        }
        if background.hold {
            for stream in &streams {
                stream.hold(true).await;
            }
        }
        if let Some(id) = &step.id {
            self.scope
                .set(&id.value, values::map([("messages", values::list(Vec::new()))]));
            self.answered.push((id.value.clone(), Instant::now()));
            self.streams.insert(id.value.clone(), streams);
        }
        Ok(())
    }

    /// Probes until a probe's effect has come back, then awaits the effect of the last probe sent: after that no stray
    /// probe can arrive.
    async fn make_ready(&mut self, stream: &mut Stream, ready: &'a Ready, name: &str) -> Result<(), Stop> {
        self.notes.probed();
        let deadline = Instant::now() + ready.within;
        // A probe that overtakes the subscription proves nothing about what comes with it.
        let begun = |received: &Received| (received.headers || received.end.is_some()).then_some(());
        stream.look((Instant::now() + HEAD_START).min(deadline), begun).await;
        let mut probes: Vec<Value> = Vec::new();
        let mut told: Option<Instant> = None;
        loop {
            let sent = Instant::now();
            let prepared = match prepare(self, &ready.probe, &self.scope) {
                Ok(prepared) => prepared,
                Err(mismatch) => return Err(self.fail(name, mismatch)),
            };
            let answer = self.perform(&prepared, None, &format!("{name} / probe")).await;
            if !self.engine.still_there(&answer).await {
                return Err(self.not_judged());
            }
            told.get_or_insert_with(Instant::now);
            if answer.status.code.0 != 0 {
                let text = format!("the probe was answered {}", answer_text(&prepared.call.method, &answer));
                return Err(self.fail(name, Mismatch::new(ready.probe.method.span, text)));
            }
            self.created.observe(&prepared.call.method, &prepared.requests, &answer);
            probes.push(values::step(&values::answer(&prepared.call.method, &answer)));

            let until = (sent + ready.every).min(deadline);
            // A new probe looks at all messages, a new message is looked at once.
            let mut looked = 0;
            let seen = stream
                .look(until, |received| {
                    let new = looked..received.messages.len();
                    looked = new.end;
                    any_match(received, new, &probes, &ready.until, &self.scope)
                })
                .await;
            match seen {
                Some(Looked::Match) => break,
                Some(Looked::Ended(end)) => return Err(self.not_ready(stream, ready, &end, name).await),
                None if Instant::now() >= deadline => return Err(self.never_ready(stream, ready, &probes, name).await),
                None => {}
            }
        }
        let last = probes.split_off(probes.len() - 1);
        let mut looked = 0;
        let position = |received: &Received| {
            let mut new = looked..received.messages.len();
            looked = new.end;
            new.find(|index| matching(received, *index, &last, &ready.until, &self.scope))
                .map(|index| Ok(index + 1))
                .or_else(|| received.end.clone().map(|end| Err(Box::new(end))))
        };
        match stream.look(deadline, position).await {
            Some(Ok(before_ready)) => {
                stream.before_ready = before_ready;
                stream.lag = told.map(|told| told.elapsed());
                Ok(())
            }
            Some(Err(end)) => Err(self.not_ready(stream, ready, &end, name).await),
            None => Err(self.never_ready(stream, ready, &last, name).await),
        }
    }

    /// The call has ended before it was ready.
    async fn not_ready(&mut self, stream: &Stream, ready: &Ready, end: &Observation, name: &str) -> Stop {
        if !self.engine.still_there(end).await {
            return self.not_judged();
        }
        let text = format!(
            "the call ended before it was ready: {}",
            answer_text(&stream.method, end)
        );
        self.fail(name, Mismatch::new(ready.span, text))
    }

    async fn never_ready(&mut self, stream: &Stream, ready: &Ready, probes: &[Value], name: &str) -> Stop {
        if !self.engine.reachable(self.protocol).await {
            return self.not_judged();
        }
        let came: Vec<String> = stream
            .received()
            .messages
            .iter()
            .map(|message| message.value.to_short_text())
            .collect();
        let text = format!(
            "no message within {} satisfied `{}`, though {} probes were answered",
            humantime::format_duration(ready.within),
            ready.until.text,
            probes.len()
        );
        let mismatch = Mismatch::new(ready.until.span, text);
        let mismatch = match came.last() {
            None => mismatch.detail("got", "no message"),
            Some(last) => mismatch.detail("got", format!("{} messages, the last {}", came.len(), cut(last))),
        };
        self.fail(name, mismatch)
    }

    /// Waits for a message, or for the end of the call, and judges what has come; of many calls under one id, each.
    pub async fn wait_step(&mut self, step: &'a Step, wait: &'a Wait, name: &str) -> Result<(), Stop> {
        let streams = self
            .streams
            .remove(&wait.on.value)
            .filter(|streams| !streams.is_empty());
        let Some(mut streams) = streams else {
            return Err(self.fail(
                name,
                Mismatch::new(wait.on.span, format!("`{}` is not open", wait.on.value)),
            ));
        };
        let ended = self.wait_for(step, wait, &mut streams, name).await;
        self.streams.insert(wait.on.value.clone(), streams);
        ended
    }

    async fn wait_for(
        &mut self,
        step: &'a Step,
        wait: &'a Wait,
        streams: &mut [Stream],
        name: &str,
    ) -> Result<(), Stop> {
        for stream in streams.iter() {
            stream.hold(false).await;
        }
        let deadline = Instant::now() + wait.within;
        let mut seen = Vec::with_capacity(streams.len());
        for stream in streams.iter() {
            seen.push(awaited(wait, stream, deadline, &self.scope).await);
        }
        if seen.contains(&Some(true)) && wait.until.is_some() {
            if !wait.settle.is_zero() {
                sleep(self.settling(wait, streams)).await;
            }
            self.listen_on(step, wait, streams, deadline).await;
        }
        let mut judgement = Judgement::default();
        let mut wrong = 0;
        let total = streams.len();
        for (index, (stream, seen)) in streams.iter_mut().zip(seen).enumerate() {
            let end = stream.received().end.clone();
            let there = match &end {
                Some(end) => self.engine.still_there(end).await,
                None if seen.is_none() => self.engine.reachable(self.protocol).await,
                None => true,
            };
            self.note_messages(&wait.on.value, stream);
            if !there {
                return Err(self.not_judged());
            }
            stream.end_seen |= end.is_some();
            if let Some(end) = &end {
                self.notes.ended(name, &stream.method, end);
            }
            let mut judged = self.judge_wait(step, wait, stream, end.as_ref(), seen);
            judgement.judged += judged.judged;
            judgement.status_missed |= judged.status_missed;
            if judged.mismatches.is_empty() {
                continue;
            }
            wrong += 1;
            if wrong == 1 {
                if let Some(first) = judged.mismatches.first_mut().filter(|_| total > 1) {
                    let text = format!("call {index} of {total}, counted from 0");
                    first.details.push(("calls".to_owned(), text));
                }
                judgement.mismatches = judged.mismatches;
            }
        }
        if let Some(first) = judgement.mismatches.first_mut().filter(|_| wrong > 1) {
            let text = format!("{wrong} of {total} calls fail, this is the first");
            first.details.push(("calls".to_owned(), text));
        }
        if let Some(stream) = streams.first() {
            let roots = {
                let received = stream.received();
                let after = received.messages.get(stream.before_ready..).unwrap_or_default();
                let mut roots = vec![("messages", values::messages(after))];
                if let Some(end) = &received.end {
                    let of_end = values::answer(&stream.method, end).into_iter();
                    roots.extend(of_end.filter(|(root, _)| *root != "messages"));
                }
                roots
            };
            self.scope.set(&wait.on.value, values::step(&roots));
        }
        self.conclude(name, judgement)
    }

    /// How long to listen on: shorter where every open stream has shown that it tells of changes at once. A target that looks for
    /// changes from time to time is seldom that quick by chance, and not on all streams.
    fn settling(&self, wait: &Wait, waited_for: &[Stream]) -> Duration {
        let mut open = self.streams.values().flatten().chain(waited_for);
        let quick = |stream: &Stream| stream.lag.is_some_and(|lag| lag < wait.prompt);
        match open.all(quick) {
            true => wait.settle.min(wait.prompt),
            false => wait.settle,
        }
    }

    /// What is still missing may be on its way: the order is one of each product, and a busy target is slow, which breaks no
    /// rule. So as long as something does not hold, each further message is listened to, for [`GRACE`] and no longer than
    /// `within`. What should not have come stays wrong, however long one listens.
    async fn listen_on(&self, step: &Step, wait: &Wait, streams: &[Stream], deadline: Instant) {
        let deadline = deadline.min(Instant::now() + GRACE);
        for stream in streams {
            let wrong = |stream: &Stream| !self.judge_stream(&wait.expect, stream, step).mismatches.is_empty();
            loop {
                let heard = stream.received().messages.len();
                if !wrong(stream) {
                    break;
                }
                let news = |received: &Received| {
                    let more = received.messages.len() > heard;
                    more.then_some(true).or(received.end.is_some().then_some(false))
                };
                if stream.look(deadline, news).await != Some(true) {
                    break;
                }
                // Judged once for what comes close together.
                sleep(TOGETHER).await;
            }
        }
    }

    fn judge_wait(
        &self,
        step: &Step,
        wait: &Wait,
        stream: &Stream,
        end: Option<&Observation>,
        seen: Option<bool>,
    ) -> Judgement {
        let mut judgement = Judgement {
            judged: 1,
            ..Judgement::default()
        };
        // Where a status is expected, an end is as good as the message.
        let may_end = wait.until.is_some() && wait.expect.iter().any(|expectation| expectation.status.is_some());
        if seen != Some(true) && !(may_end && end.is_some()) {
            let end = end.map(|end| answer_text(&stream.method, end));
            judgement.mismatches.push(unanswered(wait, stream, end));
        }
        let answered = !stream.received().messages.is_empty();
        self.count_judged(&stream.method, &wait.expect, wait.until.as_ref(), answered);
        if seen == Some(true) || wait.until.is_some() {
            let judged = self.judge_stream(&wait.expect, stream, step);
            judgement.judged += judged.judged;
            judgement.status_missed = judged.status_missed;
            judgement.mismatches.extend(judged.mismatches);
        }
        judgement
            .mismatches
            .extend(end.and_then(|end| self.engine.revision(end, step)));
        judgement
    }

    /// What has come since it was last noted.
    fn note_messages(&self, step: &str, stream: &mut Stream) {
        let noted = {
            let received = stream.received();
            for message in received.messages.iter().skip(stream.noted) {
                self.timeline.note_at(
                    stream.opened + message.at,
                    step,
                    "message",
                    &message.value.to_short_text(),
                );
            }
            if let Some(end) = received.end.as_ref().filter(|_| !stream.end_seen) {
                self.timeline.note_at(
                    stream.opened + end.elapsed,
                    step,
                    "end",
                    &answer_text(&stream.method, end),
                );
            }
            received.messages.len()
        };
        stream.noted = noted;
    }

    /// One more request on a background call.
    pub async fn send_step(&mut self, to: &'a Located<String>, request: &'a Template, name: &str) -> Result<(), Stop> {
        let streams = self.streams.get(&to.value).map_or(&[][..], Vec::as_slice);
        let Some(first) = streams.first() else {
            return Err(self.fail(name, Mismatch::new(to.span, format!("`{}` is not open", to.value))));
        };
        match message(&first.method, request, &self.scope) {
            Ok(message) => {
                self.timeline.note(&to.value, "send", &cut(&message.to_short_text()));
                for stream in streams {
                    let coverage = &self.engine.coverage;
                    coverage.sent(self.protocol, &stream.method, std::slice::from_ref(&message));
                    stream.send(message.clone()).await;
                }
                Ok(())
            }
            Err(mismatch) => Err(self.fail(name, mismatch)),
        }
    }

    /// Cancels background calls. One that has ended by itself before is a mismatch: nobody else asked it to end. All are looked
    /// at before the first is cancelled: closing one may end another, and that is another rule's to notice.
    pub async fn cancel_step(&mut self, steps: &'a [Located<String>], name: &str) -> Result<(), Stop> {
        let mut open = Vec::with_capacity(steps.len());
        for of in steps {
            if let Some(streams) = self.streams.remove(&of.value) {
                let ended = ended_before(&streams);
                open.push((of, streams, ended));
            }
        }
        for (of, streams, _) in &mut open {
            for stream in streams {
                self.cancel(stream).await;
            }
            self.timeline.note(&of.value, "cancel", "cancelled by the client");
        }
        for (of, streams, ended) in open {
            let Some(end) = ended.first() else { continue };
            if !self.engine.still_there(end).await {
                return Err(self.not_judged());
            }
            let text = match streams.len() {
                1 => "the call had ended by itself before it was cancelled".to_owned(),
                total => format!(
                    "{} of {total} calls had ended by themselves before they were cancelled",
                    ended.len()
                ),
            };
            let got = streams.first().map(|stream| answer_text(&stream.method, end));
            let mismatch = Mismatch::new(of.span, text).detail("got", got.unwrap_or_default());
            return Err(self.fail(name, mismatch));
        }
        Ok(())
    }
}

/// The ends that no `wait` has seen. Of many calls under one id, a target may refuse some.
fn ended_before(streams: &[Stream]) -> Vec<Observation> {
    let unseen = streams.iter().filter(|stream| !stream.end_seen);
    let ends = unseen.filter_map(|stream| stream.received().end.clone());
    ends.filter(|end| streams.len() == 1 || end.status.code != Code::RESOURCE_EXHAUSTED)
        .collect()
}

enum Looked {
    Match,
    Ended(Box<Observation>),
}

fn any_match(
    received: &Received,
    mut new: Range<usize>,
    probes: &[Value],
    until: &Expr,
    scope: &Scope,
) -> Option<Looked> {
    if new.any(|index| matching(received, index, probes, until, scope)) {
        return Some(Looked::Match);
    }
    received.end.clone().map(|end| Looked::Ended(Box::new(end)))
}

/// `true`: what the wait is for has come; `false`: the call has ended without it.
async fn awaited(wait: &Wait, stream: &Stream, deadline: Instant, scope: &Scope) -> Option<bool> {
    let mut looked = stream.before_ready;
    stream
        .look(deadline, |received| match &wait.until {
            Some(until) => {
                let mut new = looked..received.messages.len();
                looked = new.end.max(looked);
                let hit = new.any(|index| holds(until, received, index, scope));
                hit.then_some(true).or(received.end.is_some().then_some(false))
            }
            None => received.end.is_some().then_some(true),
        })
        .await
}

fn matching(received: &Received, index: usize, probes: &[Value], until: &Expr, scope: &Scope) -> bool {
    probes
        .iter()
        .any(|probe| holds(until, received, index, &scope.with("probe", probe.clone())))
}

/// An expression that fails on a message does not hold for it.
fn holds(until: &Expr, received: &Received, index: usize, scope: &Scope) -> bool {
    let Some(message) = received.messages.get(index) else {
        return false;
    };
    until
        .holds(&scope.with("message", message.value.to_cel()))
        .is_ok_and(|truth| truth.held)
}

fn unanswered(wait: &Wait, stream: &Stream, end: Option<String>) -> Mismatch {
    let received = stream.received();
    let after = received.messages.len().saturating_sub(stream.before_ready);
    let limit = humantime::format_duration(wait.within);
    let mismatch = match (&wait.until, &end) {
        (Some(until), Some(_)) => Mismatch::new(
            until.span,
            format!("the call ended before a message satisfied `{}`", until.text),
        ),
        (Some(until), None) => Mismatch::new(
            until.span,
            format!("no message within {limit} satisfied `{}`", until.text),
        ),
        (None, _) => Mismatch::new(wait.on.span, format!("`{}` did not end within {limit}", wait.on.value)),
    };
    let mismatch = match end {
        Some(end) => mismatch.detail("end", end),
        None => mismatch,
    };
    match received.messages.last() {
        Some(last) if after > 0 => mismatch.detail(
            "got",
            format!("{after} messages, the last {}", cut(&last.value.to_short_text())),
        ),
        _ => mismatch.detail("got", "no message"),
    }
}
