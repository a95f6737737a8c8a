//! The reference inventory service: the contract's rules, kept, and each of them broken on request.
//!
//! [`Server::bind`] opens the port, [`Bound::run`] serves until told to stop. The rooms: `inventory` holds the domain and
//! its rules and knows no protocol; `store` keeps products; `watch` is the change feed; `error` is the one table from a
//! domain error to its wire forms; `grpc` and `rest` translate; `auth` lets in; `dispatch` finds who answers; `connection`
//! speaks HTTP and TLS within `limits`; `serve` owns the ports; `fault` breaks rules and stands beside the code that keeps
//! them, not in it.

mod auth;
mod config;
mod connection;
mod deadline;
mod dispatch;
pub mod error;
mod fault;
mod grpc;
pub mod inventory;
mod limits;
mod method;
mod probe;
mod reflection;
mod reload;
mod rest;
mod serve;
mod simulate;
mod store;
mod telemetry;
mod tls;
mod updates;
mod watch;

pub use config::{Capacity, Config, Simulate, Stall, Storage, TlsFiles};
pub use fault::{Fault, FaultInfo};
pub use reload::FileError;
pub use serve::{Bound, ServeError, Server};
pub use store::StoreError;
