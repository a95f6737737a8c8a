//! `CreateProduct` done wrong.

use super::{Fault, Faulty, store::alter};
use crate::{
    inventory::{Draft, InventoryError, Problem, Product, now},
    store::new_id,
};
use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
    time::Duration,
};

/// How long a create dawdles between its look and its write.
const WINDOW: Duration = Duration::from_millis(30);

/// The creates of one SKU under way.
#[derive(Debug, Default)]
pub struct Pending {
    count: usize,
    /// Whether there ever were two at once.
    contested: bool,
}

impl Faulty {
    /// Creates a product as this fault does it.
    pub(super) async fn add(&self, mut draft: Draft) -> Result<Product, InventoryError> {
        if self.fault == Fault::CreateInvalidInternal && draft.sku.is_empty() {
            return Err(InventoryError::Store);
        }
        let violations: Vec<_> = draft
            .violations()
            .into_iter()
            .filter(|violation| !overlooked(self.fault, violation.field, violation.problem))
            .collect();
        if !violations.is_empty() {
            return Err(InventoryError::Invalid(violations));
        }
        garble(self.fault, &mut draft);
        match self.fault {
            Fault::CreateRaceBothWin => {
                self.check_sku(&draft)?;
                tokio::time::sleep(WINDOW).await;
                Ok(self.append(draft))
            }
            Fault::CreateRaceNoneWins => {
                self.check_sku(&draft)?;
                self.enter(&draft.sku);
                tokio::time::sleep(WINDOW).await;
                if self.leave(&draft.sku) {
                    return Err(InventoryError::DuplicateSku { sku: draft.sku });
                }
                Ok(self.append(draft))
            }
            _ => self.check_and_append(draft),
        }
    }

    fn check_sku(&self, draft: &Draft) -> Result<(), InventoryError> {
        match self.memory.read().row_of_sku(&draft.sku) {
            Some(_) => Err(InventoryError::DuplicateSku { sku: draft.sku.clone() }),
            None => Ok(()),
        }
    }

    fn enter(&self, sku: &str) {
        let mut state = self.state();
        let pending = state.pending.entry(sku.to_owned()).or_default();
        pending.contested |= pending.count > 0;
        pending.count += 1;
    }

    /// Whether this create met another of its SKU.
    fn leave(&self, sku: &str) -> bool {
        let mut state = self.state();
        let Some(pending) = state.pending.get_mut(sku) else {
            return false;
        };
        pending.count -= 1;
        let contested = pending.contested;
        if pending.count == 0 {
            state.pending.remove(sku);
        }
        contested
    }

    fn append(&self, draft: Draft) -> Product {
        self.memory.write().append(self.id_for(&draft), draft, now())
    }

    fn check_and_append(&self, draft: Draft) -> Result<Product, InventoryError> {
        let id = self.id_for(&draft);
        let mut shelf = self.memory.write();
        if let Some(row) = shelf.row_of_sku(&draft.sku) {
            let drained = shelf.product(row).is_some_and(|product| product.stock == 0);
            let sku = draft.sku.clone();
            match self.fault {
                Fault::CreateDuplicateAccepted => return Ok(shelf.append(id, draft, now())),
                Fault::CreateDuplicateOfEmpty if drained => return Ok(shelf.append(id, draft, now())),
                Fault::CreateDuplicateListed => {
                    shelf.append(id, draft, now());
                }
                Fault::CreateDuplicateOverwrites => {
                    if let Some(product) = shelf.product_mut(row) {
                        alter(product, |card| {
                            card.name = draft.name;
                            card.price = draft.price;
                            card.description = draft.description;
                        });
                    }
                }
                _ => {}
            }
            return Err(InventoryError::DuplicateSku { sku });
        }
        Ok(shelf.append(id, draft, now()))
    }

    fn id_for(&self, draft: &Draft) -> String {
        match self.fault {
            Fault::CreateIdFromFields => {
                let mut hash = DefaultHasher::new();
                let texts = (&draft.name, &draft.category, &draft.description);
                (texts, draft.price.to_bits(), draft.stock).hash(&mut hash);
                format!("{:016x}", hash.finish())
            }
            Fault::CreateIdSlug if !draft.name.contains(|c: char| c.is_ascii_alphanumeric()) => String::new(),
            _ => new_id(),
        }
    }
}

fn overlooked(fault: Fault, field: &str, problem: Problem) -> bool {
    match (fault, problem) {
        (Fault::CreateNameEmpty, Problem::Empty) => field == "name",
        (Fault::CreateSkuEmpty, Problem::Empty) => field == "sku",
        (Fault::CreateStockNegative | Fault::CreateStockZeroed, Problem::Negative) => field == "stock_quantity",
        (Fault::CreatePriceNegative, Problem::Negative) => field == "price",
        (Fault::CreatePriceNan, Problem::NotANumber) => true,
        (Fault::CreatePriceInfinite, Problem::Infinite) => true,
        (Fault::CreateTextNul, Problem::Nul) => true,
        (Fault::CreateDescriptionNul, Problem::Nul) => field == "description",
        _ => false,
    }
}

/// Alters what is stored.
fn garble(fault: Fault, draft: &mut Draft) {
    match fault {
        Fault::CreateStockZeroed => draft.stock = draft.stock.max(0),
        Fault::CreateStockMaxCut => draft.stock = draft.stock.min(2_147_483_600),
        #[expect(clippy::cast_possible_truncation, reason = "the loss is the fault")]
        Fault::CreatePriceF32 => draft.price = f64::from(draft.price as f32),
        Fault::CreatePriceCents => draft.price = (draft.price * 100.0).round() / 100.0,
        Fault::CreateDescriptionTrimmed => draft.description = draft.description.trim().to_owned(),
        Fault::CreateDescriptionCut => draft.description = draft.description.chars().take(255).collect(),
        Fault::CreateNameComposed => {
            draft.name = composed(&draft.name);
            draft.description = composed(&draft.description);
        }
        Fault::CreateAstralReplaced => {
            for text in [&mut draft.name, &mut draft.description] {
                *text = text.chars().map(|c| if c > '\u{ffff}' { '?' } else { c }).collect();
            }
        }
        _ => {}
    }
}

/// Letters and combining marks as the one code point that Unicode has for them; the common ones.
fn composed(text: &str) -> String {
    const PAIRS: [(&str, &str); 12] = [
        ("a\u{301}", "á"),
        ("e\u{301}", "é"),
        ("i\u{301}", "í"),
        ("o\u{301}", "ó"),
        ("u\u{301}", "ú"),
        ("E\u{301}", "É"),
        ("e\u{300}", "è"),
        ("n\u{303}", "ñ"),
        ("a\u{308}", "ä"),
        ("o\u{308}", "ö"),
        ("u\u{308}", "ü"),
        ("A\u{30a}", "Å"),
    ];
    PAIRS
        .iter()
        .fold(text.to_owned(), |text, (apart, one)| text.replace(apart, one))
}
