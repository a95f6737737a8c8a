//! The inventory contract: what `inventory.proto` says, as generated types, as descriptors and as rules. No logic.

/// Messages, client and server generated from `inventory.proto`.
#[allow(missing_docs, clippy::all, clippy::unwrap_used)]
mod generated {
    tonic::include_proto!("inventory");
}

pub use generated::*;

/// The `google.protobuf.FileDescriptorSet` of the contract, encoded, with comments and all options.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/inventory.descriptors.bin"));

/// The text of `inventory.proto`.
pub const PROTO: &str = include_str!("inventory.proto");

/// The REST mapping, `inventory.http.yaml` (google.api.Service `http` form).
pub const HTTP_RULES: &str = include_str!("inventory.http.yaml");

/// The full name of the service.
pub const SERVICE: &str = "inventory.InventoryService";

/// How much a rule weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Promised by the published contract; decides the exit code.
    Must,
    /// Needed by a service that people depend on; judged and shown, decides only on request.
    Should,
}

/// One promise of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its id, such as `list.page-floor`.
    pub id: &'static str,
    /// Its weight.
    pub level: Level,
    /// What it says, in one line.
    pub text: &'static str,
}

/// Every rule, in the order of the `.proto`.
pub const RULES: &[Rule] = include!(concat!(env!("OUT_DIR"), "/rules.rs"));

/// How a method of the service is called over REST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The method, such as `GetProduct`.
    pub rpc: &'static str,
    /// The HTTP method, such as `GET`.
    pub verb: &'static str,
    /// The path with its parameters in braces (google/api/http.proto, "Path template syntax").
    pub path: &'static str,
    /// Whether the fields that the path does not bind travel in the body; else they are query parameters.
    pub body: bool,
}

/// Every rule of `inventory.http.yaml`, in its order.
pub const ROUTES: &[Route] = include!(concat!(env!("OUT_DIR"), "/routes.rs"));

/// The metadata key with which a watcher asks for heartbeats; the value is a duration such as `60s`.
pub const HEARTBEAT_KEY: &str = "x-stocktake-heartbeat";

/// The reason that marks a `StockUpdate` as a heartbeat.
pub const HEARTBEAT_REASON: &str = "heartbeat";
