//! What one replica sustains, and which limits follow from it.

pub mod prices;
pub mod traffic;
