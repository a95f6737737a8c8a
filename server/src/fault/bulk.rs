//! `BulkImport` done wrong.

use super::{Fault, Faulty, store::alter};
use crate::{
    inventory::{Draft, Imported, InventoryError, Problem, Rejected, Violation},
    store::Store,
};
use std::collections::HashSet;

/// Imports the rows as this fault does it.
pub async fn import(store: &Faulty, mut rows: Vec<Draft>) -> Result<Imported, InventoryError> {
    let nameless = || InventoryError::Invalid(vec![Violation::new("name", Problem::Empty)]);
    match store.fault {
        Fault::BulkEmptyInvalid if rows.is_empty() => return Err(nameless()),
        Fault::BulkEmptyOne if rows.is_empty() => {
            let nothing = Rejected {
                sku: String::new(),
                error: nameless(),
            };
            return Ok(Imported {
                imported: 0,
                rejected: vec![nothing],
            });
        }
        Fault::BulkLargeRefused if rows.len() > 500 => return Err(InventoryError::TooSlow { buffer: 500 }),
        Fault::BulkFirst512 => rows.truncate(512),
        Fault::BulkLastRowLost => rows.truncate(rows.len().saturating_sub(1)),
        Fault::BulkRollsBack => return all_or_nothing(store, rows).await,
        _ => {}
    }

    let mut imported = Imported::default();
    let mut taken = HashSet::new();
    for draft in rows {
        let sku = draft.sku.clone();
        let again = taken.contains(&sku);
        match store.fault {
            Fault::BulkDuplicateCounted if again => imported.imported += 1,
            Fault::BulkDuplicateWins if again => {
                overwrite(store, draft);
                imported.imported += 1;
            }
            _ => match store.memory.create(draft).await {
                Ok(product) => {
                    store.remember_created(&product);
                    taken.insert(sku);
                    imported.imported += 1;
                }
                Err(error) => {
                    let duplicate = matches!(error, InventoryError::DuplicateSku { .. });
                    match store.fault {
                        Fault::BulkDuplicateAborts if duplicate => return Err(error),
                        Fault::BulkInvalidAborts if !duplicate => return Err(error),
                        _ => imported.rejected.push(Rejected { sku, error }),
                    }
                    if store.fault == Fault::BulkStopsAtBad {
                        break;
                    }
                }
            },
        }
    }
    match imported.rejected.pop() {
        Some(last) if store.fault == Fault::BulkLastStatus => return Err(last.error),
        last => imported.rejected.extend(last),
    }
    Ok(imported)
}

/// Judges every row and stores them only when all are good.
async fn all_or_nothing(store: &Faulty, rows: Vec<Draft>) -> Result<Imported, InventoryError> {
    let mut imported = Imported::default();
    let mut good = Vec::new();
    let mut taken = HashSet::new();
    for draft in rows {
        let sku = draft.sku.clone();
        let exists = taken.contains(&sku) || store.memory.read().row_of_sku(&sku).is_some();
        let judged = draft.checked().and_then(|draft| {
            if exists {
                Err(InventoryError::DuplicateSku { sku: sku.clone() })
            } else {
                Ok(draft)
            }
        });
        match judged {
            Ok(draft) => {
                taken.insert(sku);
                good.push(draft);
                imported.imported += 1;
            }
            Err(error) => imported.rejected.push(Rejected { sku, error }),
        }
    }
    if imported.rejected.is_empty() {
        for draft in good {
            store.memory.create(draft).await?;
        }
    }
    Ok(imported)
}

fn overwrite(store: &Faulty, draft: Draft) {
    let mut shelf = store.memory.write();
    let row = shelf.row_of_sku(&draft.sku);
    if let Some(product) = row.and_then(|row| shelf.product_mut(row)) {
        alter(product, |card| {
            card.name = draft.name;
            card.price = draft.price;
            card.description = draft.description;
        });
    }
}
