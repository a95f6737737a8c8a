//! Calls that stay open beside the steps of a case. One task owns each call; what it has received is shared.

use crate::{
    client::{Arrival, Message, Observation, OpenCall},
    schema::{DynMsg, Method},
};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, timeout, timeout_at},
};

/// For handing one request to a call whose peer does not read.
const SEND_LIMIT: Duration = Duration::from_secs(10);

/// A background call.
pub struct Stream {
    /// What was called.
    pub method: Method,
    /// The zero of its messages' clock.
    pub opened: Instant,
    /// How many messages came before it was ready, the last probe's included.
    pub before_ready: usize,
    /// From the answer to the first probe until all effects of probes had come; `None` without probes.
    pub lag: Option<Duration>,
    /// Whether a `wait` has seen its end: then nobody is surprised by it.
    pub end_seen: bool,
    /// How many of its messages stand in the timeline.
    pub noted: usize,
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    task: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<Received>,
    changed: watch::Sender<()>,
}

/// What has come so far.
#[derive(Default)]
pub struct Received {
    /// Whether the initial metadata has come.
    pub headers: bool,
    /// In order of arrival.
    pub messages: Vec<Message>,
    /// How the call ended.
    pub end: Option<Observation>,
}

enum Command {
    Send(DynMsg),
    Close,
    Hold(bool),
}

impl Stream {
    /// Takes an open call and reads it from now on.
    pub fn spawn(method: Method, call: OpenCall, opened: Instant) -> Stream {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: watch::Sender::new(()),
        });
        let (commands, inbox) = mpsc::channel(16);
        let task = tokio::spawn(drive(call, inbox, shared.clone()));
        Stream {
            method,
            opened,
            before_ready: 0,
            lag: None,
            end_seen: false,
            noted: 0,
            shared,
            commands,
            task: Some(task),
        }
    }

    /// What has come so far.
    pub fn received(&self) -> MutexGuard<'_, Received> {
        self.shared.lock()
    }

    /// Looks at what has come until `look` answers, or until the instant has passed.
    pub async fn look<T>(&self, until: Instant, mut look: impl FnMut(&Received) -> Option<T>) -> Option<T> {
        let mut changed = self.shared.changed.subscribe();
        loop {
            changed.borrow_and_update();
            if let Some(seen) = look(&self.received()) {
                return Some(seen);
            }
            // A flood of messages must not outrun the limit.
            if Instant::now() >= until {
                return None;
            }
            match timeout_at(until, changed.changed()).await {
                Ok(Ok(())) => {}
                // Over the limit, or the reading task is gone: one last look.
                Ok(Err(_)) | Err(_) => return look(&self.received()),
            }
        }
    }

    /// Queues one more request. `false` when the call is over.
    pub async fn send(&self, message: DynMsg) -> bool {
        self.commands.send(Command::Send(message)).await.is_ok()
    }

    /// Half-closes. `false` when the call is over.
    pub async fn close(&self) -> bool {
        self.commands.send(Command::Close).await.is_ok()
    }

    /// Stops or resumes reading from the connection.
    pub async fn hold(&self, hold: bool) {
        // A call that is over has nothing left to hold.
        let _ = self.commands.send(Command::Hold(hold)).await;
    }

    /// Resets the call, and waits until it is gone.
    pub async fn cancel(&mut self) {
        if let Some(task) = self.task.take() {
            // The call goes with the task that owns it, and is reset, whatever the task is waiting for.
            task.abort();
            let _ = task.await;
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Received> {
        // A reader that panicked has left whole messages behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, change: impl FnOnce(&mut Received)) {
        change(&mut self.lock());
        self.changed.send_replace(());
    }
}

async fn drive(mut call: OpenCall, mut inbox: mpsc::Receiver<Command>, shared: Arc<Shared>) {
    let (mut held, mut ended) = (false, false);
    loop {
        tokio::select! {
            command = inbox.recv() => match command {
                Some(Command::Send(message)) if !ended => {
                    // The status of the call says why it took no more; `wait` judges it.
                    let _ = timeout(SEND_LIMIT, call.send(&message)).await;
                }
                Some(Command::Close) if !ended => call.close(),
                Some(Command::Hold(hold)) => held = hold,
                Some(Command::Send(_) | Command::Close) => {}
                None => break,
            },
            arrival = call.next(), if !held && !ended => match arrival {
                Arrival::Headers(_) => shared.update(|received| received.headers = true),
                Arrival::Message(message) => shared.update(|received| received.messages.push(message)),
                Arrival::End(observation) => {
                    ended = true;
                    shared.update(|received| received.end = Some(*observation));
                }
            },
        }
    }
}
