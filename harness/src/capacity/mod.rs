//! What one replica sustains, and which limits follow from it.

pub mod measured;
pub mod prices;
pub mod recommend;
pub mod scaler;
pub mod traffic;
