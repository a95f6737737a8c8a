//! How we talk: the only room of the harness that opens connections.

pub mod call;
mod connect;
mod connection;
mod failure;
pub(crate) mod frame;
mod grpc;
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
pub use failure::ConnectError;
pub use open::{Arrival, Gone, OpenCall, collect};
pub use request::check_metadata;
pub use target::{Options, Target, TargetError};

impl Protocol {
    /// As it stands in case names and records.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Grpc => "grpc",
            Protocol::Rest => "rest",
        }
    }
}
