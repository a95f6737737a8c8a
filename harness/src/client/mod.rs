//! How we talk: the room of the harness that opens connections, beside the load tier (`load::wire`).

pub mod call;
mod connect;
mod connection;
mod endpoint;
mod failure;
pub mod fetch;
pub(crate) mod frame;
mod grpc;
pub mod identity;
mod open;
mod outcome;
pub(crate) mod request;
pub(crate) mod rest;
mod status;
mod target;
mod tls;
mod wire;

pub use call::*;
pub use connection::Client;
pub use endpoint::Endpoint;
pub use failure::ConnectError;
pub use identity::Identity;
pub use open::{Arrival, Gone, OpenCall, collect};
pub use request::check_metadata;
pub use target::{Options, Target, TargetError};

// The doctor speaks to a target as the client does.
pub(crate) use endpoint::{Manner, Secure};
pub(crate) use request::{AGENT, add};
// The load tier reads statuses as the client does.
pub(crate) use frame::MAX_MESSAGE;
pub(crate) use outcome::is_grpc;
pub(crate) use rest::{LONGEST_ERROR, Piece, Splitter, code_in_stream, code_of_error, is_json};
pub(crate) use status::{from_http, from_reset};

impl Protocol {
    /// As it stands in case names and records.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Grpc => "grpc",
            Protocol::Rest => "rest",
        }
    }
}
