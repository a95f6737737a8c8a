//! The domain: products, what may be asked of them, and the rules that refuse. Pure and synchronous; knows neither gRPC
//! nor HTTP nor where products are kept.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use std::{fmt, sync::Arc};

/// An instant in UTC, to the microsecond.
pub type Timestamp = DateTime<Utc>;

/// The largest page that `ListProducts` gives.
pub const MAX_PAGE_SIZE: i32 = 100;

/// What is fixed once a product exists.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    /// Chosen by the store.
    pub id: String,
    /// Not empty.
    pub name: String,
    /// Not empty and unique.
    pub sku: String,
    /// May be empty.
    pub category: String,
    /// Finite and not negative.
    pub price: f64,
    /// May be empty.
    pub description: String,
    /// When it was created.
    pub created_at: Timestamp,
}

/// One version of a product; a copy costs a reference count.
#[derive(Clone, Debug, PartialEq)]
pub struct Product {
    /// All that updates leave alone.
    pub card: Arc<Card>,
    /// Never negative.
    pub stock: i32,
    /// Later at every accepted update.
    pub updated_at: Timestamp,
}

impl Product {
    /// What a draft becomes.
    pub fn new(id: String, draft: Draft, now: Timestamp) -> Product {
        let card = Card {
            id,
            name: draft.name,
            sku: draft.sku,
            category: draft.category,
            price: draft.price,
            description: draft.description,
            created_at: now,
        };
        Product {
            card: Arc::new(card),
            stock: draft.stock,
            updated_at: now,
        }
    }

    /// Its next version, with this stock.
    pub fn restocked(&self, stock: i32, now: Timestamp) -> Product {
        Product {
            card: self.card.clone(),
            stock,
            updated_at: later(self.updated_at, now),
        }
    }
}

/// A product that somebody wants to create.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    /// See [`Card::name`].
    pub name: String,
    /// See [`Card::sku`].
    pub sku: String,
    /// See [`Card::category`].
    pub category: String,
    /// See [`Card::price`].
    pub price: f64,
    /// See [`Product::stock`].
    pub stock: i32,
    /// See [`Card::description`].
    pub description: String,
}

impl Draft {
    /// The draft itself, if nothing is wrong with it.
    pub fn checked(self) -> Result<Draft, InventoryError> {
        let violations = self.violations();
        if violations.is_empty() {
            Ok(self)
        } else {
            Err(InventoryError::Invalid(violations))
        }
    }

    /// All that is wrong with the draft by itself (rules create.invalid-*).
    pub fn violations(&self) -> Vec<Violation> {
        let texts = [
            ("name", &self.name),
            ("sku", &self.sku),
            ("category", &self.category),
            ("description", &self.description),
        ];
        let mut found: Vec<Violation> = texts
            .iter()
            .filter(|(_, text)| text.contains('\0'))
            .map(|(field, _)| Violation::new(field, Problem::Nul))
            .collect();
        let mut add = |wrong: bool, field, problem| {
            if wrong {
                found.push(Violation::new(field, problem));
            }
        };
        add(self.name.is_empty(), "name", Problem::Empty);
        add(self.sku.is_empty(), "sku", Problem::Empty);
        add(self.price.is_nan(), "price", Problem::NotANumber);
        add(self.price.is_infinite(), "price", Problem::Infinite);
        add(self.price.is_finite() && self.price < 0.0, "price", Problem::Negative);
        add(self.stock < 0, "stock_quantity", Problem::Negative);
        found
    }
}

/// A field that breaks a rule, by its name in the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Such as `stock_quantity`.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: Problem,
}

impl Violation {
    /// This problem in this field.
    pub fn new(field: &'static str, problem: Problem) -> Violation {
        Violation { field, problem }
    }
}

/// What can be wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It must not be empty.
    Empty,
    /// It must not be below zero.
    Negative,
    /// It is a NaN.
    NotANumber,
    /// It is an infinity.
    Infinite,
    /// It contains U+0000.
    Nul,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Problem::Empty => "must not be empty",
            Problem::Negative => "must not be negative",
            Problem::NotANumber => "must be a number",
            Problem::Infinite => "must be finite",
            Problem::Nul => "must not contain a NUL character",
        })
    }
}

/// A wanted move of stock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StockChange {
    /// Of the product.
    pub id: String,
    /// Positive to add, negative to remove, 0 to only announce.
    pub change: i32,
    /// Travels to the watchers as it is.
    pub reason: String,
}

/// The stock after a change, or why there is none (rules update.never-negative and update.overflow).
pub fn moved(product: &Product, change: i32) -> Result<i32, InventoryError> {
    match product.stock.checked_add(change) {
        Some(stock) if stock >= 0 => Ok(stock),
        // With a stock that is not negative only an addition can overflow.
        None if change > 0 => Err(InventoryError::Overflow {
            id: product.card.id.clone(),
            stock: product.stock,
            change,
        }),
        _ => Err(InventoryError::Insufficient {
            id: product.card.id.clone(),
            stock: product.stock,
            change,
        }),
    }
}

/// The present, to the microsecond: what is stored is exactly what is shown.
pub fn now() -> Timestamp {
    Utc::now().trunc_subsecs(6)
}

/// When a product last changed at `previous` is changed `now`: later in any case, even if the clock was set back.
pub fn later(previous: Timestamp, now: Timestamp) -> Timestamp {
    now.max(previous + TimeDelta::microseconds(1))
}

/// What a list is asked for, as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Exact match; empty means all.
    pub category: String,
    /// Keeps products with stock > 0.
    pub in_stock_only: bool,
    /// 1-based.
    pub page: i32,
    /// How many products a page holds.
    pub page_size: i32,
}

impl Query {
    /// The page in effect: below 1 means 1.
    pub fn effective_page(&self) -> i32 {
        self.page.max(1)
    }

    /// The page size in effect: 1 to [`MAX_PAGE_SIZE`].
    pub fn effective_page_size(&self) -> i32 {
        self.page_size.clamp(1, MAX_PAGE_SIZE)
    }
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// In the order of their creation.
    pub products: Vec<Product>,
    /// Of all matches.
    pub total: usize,
    /// In effect.
    pub page: i32,
    /// In effect.
    pub page_size: i32,
}

/// What became of an import.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Imported {
    /// How many rows became products.
    pub imported: usize,
    /// The rows that did not, in their order.
    pub rejected: Vec<Rejected>,
}

/// A row that an import did not take.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejected {
    /// As the row had it.
    pub sku: String,
    /// Why.
    pub error: InventoryError,
}

/// Why the inventory did not do what it was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InventoryError {
    /// Fields that break rules.
    #[error("invalid {}", list(.0))]
    Invalid(Vec<Violation>),
    /// No product has this id.
    #[error("no product has the id \"{}\"", brief(.id))]
    UnknownProduct {
        /// As asked for.
        id: String,
    },
    /// Another product has this SKU.
    #[error("a product with the SKU \"{}\" exists", brief(.sku))]
    DuplicateSku {
        /// As wanted.
        sku: String,
    },
    /// The stock would fall below zero.
    #[error("a stock of {stock} cannot change by {change}: the result would be below 0")]
    Insufficient {
        /// Of the product.
        id: String,
        /// As it is and stays.
        stock: i32,
        /// As wanted.
        change: i32,
    },
    /// The stock would exceed what the contract can express.
    #[error("a stock of {stock} cannot change by {change}: the result would be above 2147483647")]
    Overflow {
        /// Of the product.
        id: String,
        /// As it is and stays.
        stock: i32,
        /// As wanted.
        change: i32,
    },
    /// A watch whose reader fell behind by more than its buffer.
    #[error("the reader of this watch is more than {buffer} updates or 4 MiB behind: watch again and read faster")]
    TooSlow {
        /// The length of its queue.
        buffer: usize,
    },
    /// As many watches as there may be.
    #[error("all {most} watches that this replica allows are open: try again later or elsewhere")]
    TooManyWatches {
        /// How many there may be.
        most: usize,
    },
    /// The service is going away.
    #[error("the service is shutting down: try again elsewhere")]
    ShuttingDown,
    /// The store did not do its part; the log says why.
    #[error("the store failed")]
    Store,
}

fn list(violations: &[Violation]) -> String {
    let texts: Vec<String> = violations
        .iter()
        .map(|v| format!("{}: {}", v.field, v.problem))
        .collect();
    texts.join("; ")
}

/// The beginning of a text that a stranger chose: an error travels in headers, which peers limit to a few KiB.
pub fn brief(text: &str) -> &str {
    const LONGEST: usize = 128;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => text.get(..end).unwrap_or_default(),
        None => text,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn product(stock: i32) -> Product {
        let card = Card {
            id: "p".into(),
            name: "n".into(),
            sku: "s".into(),
            category: String::new(),
            price: 1.0,
            description: String::new(),
            created_at: now(),
        };
        Product {
            updated_at: card.created_at,
            card: Arc::new(card),
            stock,
        }
    }

    #[test]
    fn stock_moves_within_0_and_the_largest_int32() {
        for (stock, change, left) in [
            (5, -5, 0),
            (0, 0, 0),
            (0, i32::MAX, i32::MAX),
            (i32::MAX, i32::MIN + 1, 0),
        ] {
            assert_eq!(moved(&product(stock), change).unwrap(), left, "{stock} {change}");
        }
        for (stock, change) in [(5, -6), (0, -1), (0, i32::MIN), (i32::MAX, i32::MIN)] {
            let error = moved(&product(stock), change).unwrap_err();
            assert!(
                matches!(error, InventoryError::Insufficient { .. }),
                "{stock} {change}: {error}"
            );
        }
        for (stock, change) in [(1, i32::MAX), (i32::MAX, 1)] {
            let error = moved(&product(stock), change).unwrap_err();
            assert!(
                matches!(error, InventoryError::Overflow { .. }),
                "{stock} {change}: {error}"
            );
        }
    }

    #[test]
    fn updated_at_advances_even_when_the_clock_does_not() {
        let noon = now();
        assert_eq!(later(noon, noon), noon + TimeDelta::microseconds(1));
        assert_eq!(
            later(noon, noon - TimeDelta::hours(1)),
            noon + TimeDelta::microseconds(1)
        );
        assert_eq!(later(noon, noon + TimeDelta::hours(1)), noon + TimeDelta::hours(1));
    }

    #[test]
    fn a_draft_is_judged_field_by_field() {
        let good = Draft {
            name: "n".into(),
            sku: "s".into(),
            ..Draft::default()
        };
        assert_eq!(good.violations(), []);
        let free = Draft {
            price: -0.0,
            stock: i32::MAX,
            ..good.clone()
        };
        assert_eq!(free.violations(), []);
        let table = [
            (
                Draft {
                    name: String::new(),
                    ..good.clone()
                },
                "name",
                Problem::Empty,
            ),
            (
                Draft {
                    sku: String::new(),
                    ..good.clone()
                },
                "sku",
                Problem::Empty,
            ),
            (
                Draft {
                    stock: -1,
                    ..good.clone()
                },
                "stock_quantity",
                Problem::Negative,
            ),
            (
                Draft {
                    price: -0.01,
                    ..good.clone()
                },
                "price",
                Problem::Negative,
            ),
            (
                Draft {
                    price: f64::NAN,
                    ..good.clone()
                },
                "price",
                Problem::NotANumber,
            ),
            (
                Draft {
                    price: f64::INFINITY,
                    ..good.clone()
                },
                "price",
                Problem::Infinite,
            ),
            (
                Draft {
                    price: f64::NEG_INFINITY,
                    ..good.clone()
                },
                "price",
                Problem::Infinite,
            ),
            (
                Draft {
                    name: "a\0b".into(),
                    ..good.clone()
                },
                "name",
                Problem::Nul,
            ),
            (
                Draft {
                    sku: "a\0b".into(),
                    ..good.clone()
                },
                "sku",
                Problem::Nul,
            ),
            (
                Draft {
                    category: "\0".into(),
                    ..good.clone()
                },
                "category",
                Problem::Nul,
            ),
            (
                Draft {
                    description: "\0".into(),
                    ..good
                },
                "description",
                Problem::Nul,
            ),
        ];
        for (draft, field, problem) in table {
            assert_eq!(draft.violations(), [Violation::new(field, problem)]);
        }
    }

    #[test]
    fn pages_and_sizes_are_clamped() {
        for (page, size, effective) in [
            (0, 0, (1, 1)),
            (i32::MIN, i32::MIN, (1, 1)),
            (2, 100, (2, 100)),
            (i32::MAX, 101, (i32::MAX, 100)),
        ] {
            let query = Query {
                page,
                page_size: size,
                ..Query::default()
            };
            assert_eq!((query.effective_page(), query.effective_page_size()), effective);
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(brief("short"), "short");
        assert_eq!(brief(&"ü".repeat(1000)), "ü".repeat(128));
    }
}
