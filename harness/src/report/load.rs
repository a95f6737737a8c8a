//! Reports of a load run: pure renders of a [`LoadRecord`](crate::load::record::LoadRecord).
//!
//! [`words`] and [`standing`] say in words what the numbers come to, for all formats; [`charts`] chooses what is drawn and
//! [`chart`] draws it. A value that is not there is shown as `–` with the reason, and nothing is shown of what is void.

pub mod chart;
pub mod charts;
pub mod comparison;
pub mod html;
pub mod junit;
pub mod markdown;
pub mod sides;
pub mod standing;
pub mod words;

#[cfg(test)]
pub(crate) mod sample;
