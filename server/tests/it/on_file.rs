//! The tests of products, imports and watches once more, on servers with a store file.
#![expect(clippy::duplicate_mod, reason = "the same tests, on another store")]

#[path = "bulk.rs"]
mod bulk;
#[path = "products.rs"]
mod products;
#[path = "watches.rs"]
mod watches;

use crate::Running;

async fn healthy() -> Running {
    Running::on_file().await
}
