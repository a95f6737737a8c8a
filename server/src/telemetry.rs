//! What is logged: the life of the server at info, each call at debug. Who installs a subscriber decides where it goes.

use http::Response;
use std::time::Instant;
use tonic::{Code, Status, body::Body};

/// The start of a call, if anybody listens; a call that nobody listens to reads no clock.
pub fn started() -> Option<Instant> {
    tracing::enabled!(tracing::Level::DEBUG).then(Instant::now)
}

/// Logs that a call was answered, or that its stream was opened.
pub fn answered(path: &str, started: Instant, response: &Response<Body>) {
    // An error without messages has its status in the headers; else it follows the last message.
    let code = Status::from_header_map(response.headers()).map_or(Code::Ok, |status| status.code());
    tracing::debug!(path, ?code, http = response.status().as_u16(), elapsed = ?started.elapsed(), "answered");
}
