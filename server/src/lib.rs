//! The reference inventory service: the contract's rules, kept, and each of them broken on request.
//!
//! [`Server::bind`] opens the port, [`Bound::run`] serves until told to stop. The rooms: `inventory` holds the domain and
//! its rules and knows no protocol; `store` keeps products; `watch` is the change feed; `error` is the one table from a
//! domain error to its wire forms; `grpc` translates; `dispatch` finds who answers; `serve` owns the port; `fault` breaks
//! rules and stands beside the code that keeps them, not in it.

mod config;
mod deadline;
mod dispatch;
pub mod error;
mod fault;
mod grpc;
pub mod inventory;
mod reflection;
mod serve;
mod simulate;
mod store;
mod telemetry;
mod watch;

pub use config::{Config, Simulate};
pub use fault::{Fault, FaultInfo};
pub use serve::{Bound, ServeError, Server};
