//! What the load engine has to prove before it is believed, in simulated time.

mod doubts;
mod files;
mod honesty;
mod memory;
mod traffic;
