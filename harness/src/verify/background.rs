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
use crate::scenario::{
    expr::{Expr, Scope, Value},
    model::{Background, Ready, Step, Template, Wait},
    source::Located,
};
use std::time::Duration;
use tokio::time::{Instant, sleep};

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
                stream.cancel().await;
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
        let deadline = Instant::now() + ready.within;
        let mut probes: Vec<Value> = Vec::new();
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
            if answer.status.code.0 != 0 {
                let text = format!("the probe was answered {}", answer_text(&prepared.call.method, &answer));
                return Err(self.fail(name, Mismatch::new(ready.probe.method.span, text)));
            }
            self.created.observe(&prepared.call.method, &prepared.requests, &answer);
            probes.push(values::step(&values::answer(&prepared.call.method, &answer)));

            let until = (sent + ready.every).min(deadline);
            let seen = stream
                .look(until, |received| {
                    any_match(received, &probes, &ready.until, &self.scope)
                })
                .await;
            match seen {
                Some(Looked::Match) => break,
                Some(Looked::Ended(text)) => {
                    let text = format!("the call ended before it was ready: {text}");
                    return Err(self.fail(name, Mismatch::new(ready.span, text)));
                }
                None if Instant::now() >= deadline => return Err(self.never_ready(stream, ready, &probes, name)),
                None => {}
            }
        }
        let last = probes.split_off(probes.len() - 1);
        let position = |received: &Received| {
            (0..received.messages.len())
                .find(|index| matching(received, *index, &last, &ready.until, &self.scope))
                .map(|index| index + 1)
        };
        match stream.look(deadline, position).await {
            Some(before_ready) => {
                stream.before_ready = before_ready;
                Ok(())
            }
            None => Err(self.never_ready(stream, ready, &last, name)),
        }
    }

    fn never_ready(&mut self, stream: &Stream, ready: &Ready, probes: &[Value], name: &str) -> Stop {
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

    /// Waits for a message, or for the end of the call, and judges what has come.
    pub async fn wait_step(&mut self, step: &'a Step, wait: &'a Wait, name: &str) -> Result<(), Stop> {
        let Some(stream) = self.streams.get(&wait.on.value).and_then(|streams| streams.first()) else {
            return Err(self.fail(
                name,
                Mismatch::new(wait.on.span, format!("`{}` is not open", wait.on.value)),
            ));
        };
        stream.hold(false).await;
        let deadline = Instant::now() + wait.within;
        let scope = &self.scope;
        let seen = stream
            .look(deadline, |received| match &wait.until {
                Some(until) => {
                    let from = stream.before_ready;
                    let hit = (from..received.messages.len()).any(|i| holds(until, received, i, scope));
                    hit.then_some(true).or(received.end.is_some().then_some(false))
                }
                None => received.end.is_some().then_some(true),
            })
            .await;
        if seen == Some(true) && wait.until.is_some() && !wait.settle.is_zero() {
            sleep(wait.settle).await;
        }
        let end = stream.received().end.clone();
        if let Some(end) = &end
            && !self.engine.still_there(end).await
        {
            return Err(self.not_judged());
        }
        let stream = match self.streams.get(&wait.on.value).and_then(|streams| streams.first()) {
            Some(stream) => stream,
            None => return Err(self.not_judged()),
        };
        let mut judgement = Judgement {
            judged: 1,
            mismatches: Vec::new(),
        };
        // Where a status is expected, an end is as good as the message.
        let may_end = wait.until.is_some() && wait.expect.iter().any(|expectation| expectation.status.is_some());
        if seen != Some(true) && !(may_end && end.is_some()) {
            judgement.mismatches.push(unanswered(
                wait,
                stream,
                end.as_ref().map(|e| answer_text(&stream.method, e)),
            ));
        }
        if seen == Some(true) || wait.until.is_some() {
            let judged = self.judge_stream(&wait.expect, stream, step);
            judgement.judged += judged.judged;
            judgement.mismatches.extend(judged.mismatches);
        }
        if let Some(end) = &end {
            judgement.mismatches.extend(self.engine.revision(end, step));
        }
        self.note_messages(&wait.on.value, stream);
        let received = values::messages(
            stream
                .received()
                .messages
                .get(stream.before_ready..)
                .unwrap_or_default(),
        );
        let mut roots = vec![("messages", received)];
        if let Some(end) = &end {
            roots.extend(
                values::answer(&stream.method, end)
                    .into_iter()
                    .filter(|(root, _)| *root != "messages"),
            );
        }
        self.scope.set(&wait.on.value, values::step(&roots));
        self.conclude(name, judgement)
    }

    fn note_messages(&self, step: &str, stream: &Stream) {
        let received = stream.received();
        for message in &received.messages {
            self.timeline.note_at(
                stream.opened + message.at,
                step,
                "message",
                &message.value.to_short_text(),
            );
        }
        if let Some(end) = &received.end {
            self.timeline.note_at(
                stream.opened + end.elapsed,
                step,
                "end",
                &answer_text(&stream.method, end),
            );
        }
    }

    /// One more request on a background call.
    pub async fn send_step(&mut self, to: &'a Located<String>, request: &'a Template, name: &str) -> Result<(), Stop> {
        let Some(stream) = self.streams.get(&to.value).and_then(|streams| streams.first()) else {
            return Err(self.fail(name, Mismatch::new(to.span, format!("`{}` is not open", to.value))));
        };
        match message(&stream.method, request, &self.scope) {
            Ok(message) => {
                self.timeline.note(&to.value, "send", &cut(&message.to_short_text()));
                stream.send(message).await;
                Ok(())
            }
            Err(mismatch) => Err(self.fail(name, mismatch)),
        }
    }

    /// Cancels a background call. One that has ended by itself before is a mismatch: nobody else asked it to end.
    pub async fn cancel_step(&mut self, of: &'a Located<String>, name: &str) -> Result<(), Stop> {
        let Some(mut streams) = self.streams.remove(&of.value) else {
            return Ok(());
        };
        let total = streams.len();
        let mut ended = Vec::new();
        for stream in &mut streams {
            let end = stream.received().end.clone();
            // Of many, a target may refuse some.
            ended.extend(end.filter(|end| total == 1 || end.status.code != crate::client::Code::RESOURCE_EXHAUSTED));
            stream.cancel().await;
        }
        self.timeline.note(&of.value, "cancel", "cancelled by the client");
        let Some(end) = ended.first() else { return Ok(()) };
        if !self.engine.still_there(end).await {
            return Err(self.not_judged());
        }
        let text = match total {
            1 => "the call had ended by itself before it was cancelled".to_owned(),
            _ => format!(
                "{} of {total} calls had ended by themselves before they were cancelled",
                ended.len()
            ),
        };
        let method = streams.first().map(|stream| stream.method.clone());
        let got = method.map(|method| answer_text(&method, end)).unwrap_or_default();
        Err(self.fail(name, Mismatch::new(of.span, text).detail("got", got)))
    }
}

enum Looked {
    Match,
    Ended(String),
}

fn any_match(received: &Received, probes: &[Value], until: &Expr, scope: &Scope) -> Option<Looked> {
    if (0..received.messages.len()).any(|index| matching(received, index, probes, until, scope)) {
        return Some(Looked::Match);
    }
    let end = received.end.as_ref()?;
    Some(Looked::Ended(format!("{} {:?}", end.status.code, end.status.message)))
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
