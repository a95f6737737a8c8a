//! The products and their order, behind no lock of their own.
//!
//! There is no delete: rows are only appended, so a page of a category is a slice. A page of the products in stock is
//! found by rank (`select.rs`). Both cost the same at a thousand and a million products.

use super::select::BitRow;
use crate::inventory::{Draft, Page, Product, Query, Timestamp};
use std::collections::HashMap;

/// All products, in the order of their creation.
#[derive(Debug, Default)]
pub struct Shelf {
    rows: Vec<Row>,
    by_id: HashMap<String, usize>,
    by_sku: HashMap<String, usize>,
    everything: View,
    categories: HashMap<String, View>,
}

#[derive(Debug)]
struct Row {
    product: Product,
    /// Its place in the view of its category.
    place: usize,
}

/// The rows of one category, or of all.
#[derive(Debug, Default)]
struct View {
    rows: Vec<usize>,
    /// By place in `rows`: whether the stock is above 0.
    in_stock: BitRow,
}

impl Shelf {
    /// The row of this id.
    pub fn row_of_id(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// The row of this SKU.
    pub fn row_of_sku(&self, sku: &str) -> Option<usize> {
        self.by_sku.get(sku).copied()
    }

    /// The product in this row.
    pub fn product(&self, row: usize) -> Option<&Product> {
        self.rows.get(row).map(|row| &row.product)
    }

    /// The product of this id.
    pub fn by_id(&self, id: &str) -> Option<&Product> {
        self.product(self.row_of_id(id)?)
    }

    /// Every product, in the order of creation.
    pub fn products(&self) -> impl Iterator<Item = &Product> {
        self.rows.iter().map(|row| &row.product)
    }

    /// How many products there are; the row of the next one.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Makes a product of a draft and appends it, see [`Shelf::push`].
    pub fn append(&mut self, id: String, draft: Draft, now: Timestamp) -> Product {
        let product = Product::new(id, draft, now);
        self.push(product.clone());
        product
    }

    /// Appends a product. Whether it may be appended is the caller's to know: a second product of an id or SKU takes it
    /// over.
    pub fn push(&mut self, product: Product) {
        let row = self.rows.len();
        let card = &product.card;
        self.by_id.insert(card.id.clone(), row);
        self.by_sku.insert(card.sku.clone(), row);
        let in_stock = product.stock > 0;
        self.everything.append(row, in_stock);
        let place = match self.categories.get_mut(&card.category) {
            Some(view) => view.append(row, in_stock),
            None => self
                .categories
                .entry(card.category.clone())
                .or_default()
                .append(row, in_stock),
        };
        self.rows.push(Row { product, place });
    }

    /// Puts another stock on a row; the product as it then is.
    pub fn restock(&mut self, row: usize, stock: i32, now: Timestamp) -> Option<Product> {
        let product = self.product(row)?.restocked(stock, now);
        self.replace(row, product.clone());
        Some(product)
    }

    /// Puts another version of its product on a row: the same card, another stock and time. A row that is not there is
    /// left alone.
    pub fn replace(&mut self, row: usize, product: Product) {
        let Some(Row { product: old, place }) = self.rows.get_mut(row) else {
            return;
        };
        if (old.stock > 0) != (product.stock > 0) {
            self.everything.in_stock.set(row, product.stock > 0);
            if let Some(view) = self.categories.get_mut(&product.card.category) {
                view.in_stock.set(*place, product.stock > 0);
            }
        }
        *old = product;
    }

    /// The product of a row, to alter anything but its stock and category, on which the order of lists rests.
    pub fn product_mut(&mut self, row: usize) -> Option<&mut Product> {
        self.rows.get_mut(row).map(|row| &mut row.product)
    }

    /// One page of the products that match, and how many match.
    pub fn list(&self, query: &Query) -> Page {
        let (page, page_size) = (query.effective_page(), query.effective_page_size());
        // Neither is negative by now, and the product of two int32 fits.
        let start = (page.unsigned_abs() as usize - 1).saturating_mul(page_size.unsigned_abs() as usize);
        let end = start.saturating_add(page_size.unsigned_abs() as usize);
        let view = if query.category.is_empty() {
            Some(&self.everything)
        } else {
            self.categories.get(&query.category)
        };
        let Some(view) = view else {
            return Page {
                products: Vec::new(),
                total: 0,
                page,
                page_size,
            };
        };
        let (products, total) = if query.in_stock_only {
            let total = view.in_stock.ones();
            let rows = (start..end.min(total)).filter_map(|rank| view.rows.get(view.in_stock.select(rank)?));
            (self.copies(rows), total)
        } else {
            let total = view.rows.len();
            (
                self.copies(view.rows.get(start..end.min(total)).unwrap_or_default().iter()),
                total,
            )
        };
        Page {
            products,
            total,
            page,
            page_size,
        }
    }

    fn copies<'a>(&self, rows: impl Iterator<Item = &'a usize>) -> Vec<Product> {
        rows.filter_map(|&row| self.product(row).cloned()).collect()
    }
}

impl View {
    /// Appends a row; its place in this view.
    fn append(&mut self, row: usize, in_stock: bool) -> usize {
        self.rows.push(row);
        self.in_stock.push(in_stock);
        self.rows.len() - 1
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::inventory::now;

    fn shelf() -> Shelf {
        let mut shelf = Shelf::default();
        for n in 0..1000 {
            let draft = Draft {
                name: format!("n{n}"),
                sku: format!("s{n}"),
                category: ["a", "b", ""][n % 3].into(),
                stock: i32::try_from(n % 7).unwrap(),
                ..Draft::default()
            };
            shelf.append(format!("p{n}"), draft, now());
        }
        shelf
    }

    /// What a list must be, by walking over everything.
    fn expected(shelf: &Shelf, query: &Query) -> (Vec<String>, usize) {
        let matches: Vec<String> = shelf
            .products()
            .filter(|p| query.category.is_empty() || p.card.category == query.category)
            .filter(|p| !query.in_stock_only || p.stock > 0)
            .map(|p| p.card.id.clone())
            .collect();
        let start = usize::try_from(query.effective_page() - 1).unwrap() * query.effective_page_size() as usize;
        let page = matches
            .iter()
            .skip(start)
            .take(query.effective_page_size() as usize)
            .cloned()
            .collect();
        (page, matches.len())
    }

    #[test]
    fn every_page_of_every_filter_is_what_a_walk_finds() {
        let mut shelf = shelf();
        for row in (0..1000).step_by(11) {
            shelf.restock(row, i32::from(row % 2 == 0), now()).unwrap();
        }
        for category in ["", "a", "b", "none"] {
            for in_stock_only in [false, true] {
                for (page, page_size) in [
                    (1, 100),
                    (2, 7),
                    (3, 100),
                    (4, 100),
                    (11, 100),
                    (i32::MAX, 100),
                    (-1, 0),
                    (10, 101),
                ] {
                    let query = Query {
                        category: category.into(),
                        in_stock_only,
                        page,
                        page_size,
                    };
                    let found = shelf.list(&query);
                    let ids: Vec<String> = found.products.iter().map(|p| p.card.id.clone()).collect();
                    assert_eq!((ids, found.total), expected(&shelf, &query), "{query:?}");
                }
            }
        }
    }

    #[test]
    fn a_product_leaves_and_enters_the_lists_of_what_is_in_stock() {
        let mut shelf = shelf();
        let query = Query {
            category: "a".into(),
            in_stock_only: true,
            page: 1,
            page_size: 1,
        };
        let before = shelf.list(&query);
        let row = shelf.row_of_id(&before.products[0].card.id).unwrap();
        shelf.restock(row, 0, now()).unwrap();
        let drained = shelf.list(&query);
        assert_eq!(drained.total, before.total - 1);
        assert_ne!(drained.products[0].card.id, before.products[0].card.id);
        shelf.restock(row, 1, now()).unwrap();
        let refilled = shelf.list(&query);
        assert_eq!(
            (refilled.total, refilled.products[0].card.id.as_str()),
            (before.total, before.products[0].card.id.as_str())
        );
    }
}
