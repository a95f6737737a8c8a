//! Reports of a capacity run: pure renders of a [`CapacityRecord`](crate::capacity::record::CapacityRecord).
//!
//! [`words`] says what all formats say; [`figures`] chooses what is drawn, with the charts of the reports of load. A value that is
//! not there is shown as `–`, and nothing is shown of a stage that is void but why.

pub mod figures;
pub mod html;
pub mod markdown;
mod timeline;
pub mod words;

#[cfg(test)]
pub(crate) mod sample;
