//! What the load engine has to prove before it is believed, in simulated time.

mod traffic;
