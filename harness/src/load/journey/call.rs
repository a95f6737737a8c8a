//! One call of a user, from before it is opened to its last byte.

use crate::{
    client::{Arrival, Client, Code, Layer, Observation, OpenCall, collect},
    load::{
        exchange::{Answer, Enough},
        sample::Outcome,
    },
    schema::DynMsg,
    verify::calls::Prepared,
};
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// How a call ended. Times count from before it was opened.
pub struct Ended {
    /// As a sample says it.
    pub outcome: Outcome,
    /// When its messages had arrived.
    pub messages: Vec<Duration>,
    /// When it was over; for a timeout the limit.
    pub done: Duration,
    /// For the reader, where it did not end OK.
    pub text: Option<String>,
}

/// Calls, and reads the answer to its end, or until enough of it has come. A call that takes longer than `limit` is reset.
pub async fn perform(client: &Client, prepared: &Prepared, answer: Answer, limit: Duration) -> Ended {
    let began = Instant::now();
    let whole = async {
        let open = client.open(&prepared.call).await;
        match answer {
            Answer::Message => (collect(open, prepared.requests.clone()).await, false),
            Answer::Stream { enough } => stream(open, &prepared.requests, enough, began).await,
        }
    };
    match timeout(limit, whole).await {
        Ok((observation, enough)) => Ended {
            outcome: if enough {
                Outcome::Status(Code::OK)
            } else {
                outcome(&observation)
            },
            messages: observation.messages.iter().map(|message| message.at).collect(),
            done: began.elapsed(),
            text: (!enough).then(|| words(&observation)).flatten(),
        },
        Err(_) => Ended {
            outcome: Outcome::Timeout,
            messages: Vec::new(),
            done: limit,
            text: Some(format!("no end within {}", humantime::format_duration(limit))),
        },
    }
}

/// Sends everything, then reads; whether it ended because enough had come.
async fn stream(mut open: OpenCall, requests: &[DynMsg], enough: Enough, began: Instant) -> (Observation, bool) {
    for request in requests {
        if open.send(request).await.is_err() {
            break;
        }
    }
    open.close();
    let mut count = 0;
    loop {
        let arrival = match enough {
            Enough::Time(time) => match timeout_at(began + time, open.next()).await {
                Ok(arrival) => arrival,
                Err(_) => return (open.cancel(), true),
            },
            Enough::ItsEnd | Enough::Messages(_) => open.next().await,
        };
        match arrival {
            Arrival::End(observation) => return (*observation, false),
            Arrival::Message(_) => count += 1,
            Arrival::Headers(_) => {}
        }
        if enough == Enough::Messages(count) {
            return (open.cancel(), true);
        }
    }
}

/// As the load tier says it of the same answer.
fn outcome(observation: &Observation) -> Outcome {
    let code = observation.status.code;
    match observation.layer {
        _ if !observation.violations.is_empty() => Outcome::Garbled,
        Layer::Application | Layer::Proxy => Outcome::Status(code),
        Layer::Transport if observation.http.reset.is_some() => Outcome::Status(code),
        Layer::Transport => Outcome::Lost,
        Layer::Client if code == Code::DEADLINE_EXCEEDED => Outcome::Timeout,
        Layer::Client => Outcome::Garbled,
    }
}

fn words(observation: &Observation) -> Option<String> {
    let status = &observation.status;
    match observation.violations.first() {
        Some(violation) => Some(violation.clone()),
        None => (status.code != Code::OK).then(|| format!("{}: {}", status.code, status.message)),
    }
}
