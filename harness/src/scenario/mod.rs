//! The language: text with positions in, a checked model out. Pure: no async, no clock, no file.

pub mod data;
pub mod expr;
pub mod model;
pub mod source;
