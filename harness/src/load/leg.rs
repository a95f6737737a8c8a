//! The protocol variants that are compared.

use crate::client::Protocol;
use serde::{Deserialize, Serialize};

/// A protocol variant of a workload: what differs between two sides that do the same work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leg {
    /// gRPC over HTTP/2: many calls share a connection.
    Grpc,
    /// JSON over HTTP/1.1, the connection kept: one call at a time on each.
    RestH1,
    /// JSON over HTTP/2: many calls share a connection.
    RestH2,
    /// JSON over HTTP/1.1, a connection for each request.
    RestH1Close,
}

impl Leg {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Leg; 4] = [Leg::Grpc, Leg::RestH1, Leg::RestH2, Leg::RestH1Close];

    /// Those on which users play journeys: they talk through `client`, which has no other way of HTTP.
    pub const OF_USERS: [Leg; 2] = [Leg::Grpc, Leg::RestH1];

    /// As `--legs` and records name it.
    pub fn name(self) -> &'static str {
        match self {
            Leg::Grpc => "grpc",
            Leg::RestH1 => "rest-h1",
            Leg::RestH2 => "rest-h2",
            Leg::RestH1Close => "rest-h1-close",
        }
    }

    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Leg::Grpc => "gRPC",
            Leg::RestH1 => "REST, HTTP/1.1",
            Leg::RestH2 => "REST, HTTP/2",
            Leg::RestH1Close => "REST, HTTP/1.1, a connection per request",
        }
    }

    /// The leg of a name.
    pub fn of_name(name: &str) -> Option<Leg> {
        Leg::ALL.into_iter().find(|leg| leg.name() == name)
    }

    /// What it speaks.
    pub fn protocol(self) -> Protocol {
        match self {
            Leg::Grpc => Protocol::Grpc,
            Leg::RestH1 | Leg::RestH2 | Leg::RestH1Close => Protocol::Rest,
        }
    }

    /// Whether calls share a connection.
    pub fn is_multiplexed(self) -> bool {
        matches!(self, Leg::Grpc | Leg::RestH2)
    }
}
