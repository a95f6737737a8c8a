//! From an address to an HTTP/2 connection, and a sentence for every way in which that fails.

/// Why there is no connection. The text is a sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// Of any kind.
    #[error("{0}")]
    Other(String),
}
