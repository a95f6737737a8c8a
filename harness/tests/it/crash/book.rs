//! What callers of one server know of its products, and what a server that was killed and started again may show them.

use inventory_contract::{BulkImportResponse, CreateProductRequest, Product};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What a caller learned, or tried and was not answered.
#[derive(Clone, Debug)]
pub enum Event {
    /// A create was answered.
    Created(Product),
    /// A create was not answered.
    CreateOpen(CreateProductRequest),
    /// A create was refused, for the SKU exists.
    Exists(String),
    /// A change was answered; the change, and the product after it.
    Changed(i32, Product),
    /// A change of the product of this id was not answered.
    ChangeOpen(String, i32),
    /// An import was answered.
    Imported(Vec<CreateProductRequest>, BulkImportResponse),
    /// An import was not answered.
    ImportOpen(Vec<CreateProductRequest>),
    /// A product was read, or an update of it arrived: id, stock, updated at.
    Seen(String, i32, String),
}

/// What is known for certain after a check: every product, by its id.
#[derive(Debug, Default)]
pub struct Book {
    products: BTreeMap<String, Product>,
}

/// What happened to one product since.
#[derive(Default)]
struct Page {
    before: Option<Product>,
    changes: i64,
    open: Vec<i64>,
    /// States that somebody saw or was told: time and stock.
    states: BTreeSet<(String, i32)>,
}

impl Book {
    /// Compares what is stored with what happened since the last check; all that is wrong. What is stored is certain from
    /// then on.
    pub fn check(&mut self, events: &[Event], stored: &[Product]) -> Vec<String> {
        let mut problems = Vec::new();
        let mut pages: BTreeMap<&str, Page> = BTreeMap::new();
        for (id, product) in &self.products {
            pages.entry(id).or_default().begin(product);
        }
        // By SKU: what may be new, and is not required.
        let mut open: HashMap<&str, Vec<&CreateProductRequest>> = HashMap::new();
        let mut required: BTreeSet<&str> = BTreeSet::new();
        for event in events {
            match event {
                Event::Created(product) => pages.entry(&product.id).or_default().begin(product),
                Event::CreateOpen(wanted) => open.entry(&wanted.sku).or_default().push(wanted),
                Event::Exists(sku) => {
                    required.insert(sku);
                }
                Event::Changed(change, product) => {
                    let page = pages.entry(&product.id).or_default();
                    page.changes += i64::from(*change);
                    page.states.insert((product.updated_at.clone(), product.stock_quantity));
                }
                Event::ChangeOpen(id, change) => pages.entry(id).or_default().open.push((*change).into()),
                Event::Imported(rows, answer) => {
                    let new: BTreeSet<&str> = rows.iter().map(|row| row.sku.as_str()).collect();
                    if usize::try_from(answer.imported_count) != Ok(new.len()) {
                        problems.push(format!("{} of {} rows imported", answer.imported_count, new.len()));
                    }
                    required.extend(new);
                    for row in rows {
                        open.entry(&row.sku).or_default().push(row);
                    }
                }
                Event::ImportOpen(rows) => {
                    for row in rows {
                        open.entry(&row.sku).or_default().push(row);
                    }
                    // The last row repeats the first.
                    let new = rows
                        .iter()
                        .enumerate()
                        .filter(|(n, row)| *n == 0 || row.sku != rows[0].sku);
                    let there: Vec<bool> = new.map(|(_, row)| stored.iter().any(|p| p.sku == row.sku)).collect();
                    if there.windows(2).any(|pair| pair == [false, true]) {
                        problems.push(format!("an import left a gap: {} of {there:?}", rows[0].sku));
                    }
                }
                Event::Seen(id, stock, at) => {
                    pages.entry(id).or_default().states.insert((at.clone(), *stock));
                }
            }
        }

        let mut ids: HashMap<&str, &Product> = HashMap::new();
        let mut skus: HashMap<&str, &Product> = HashMap::new();
        for product in stored {
            if ids.insert(&product.id, product).is_some() || skus.insert(&product.sku, product).is_some() {
                problems.push(format!("the id or SKU is there twice: {product:?}"));
            }
            let created = pages.get(product.id.as_str()).is_some_and(|page| page.before.is_some());
            let wanted = open.get(product.sku.as_str()).into_iter().flatten();
            if !created && !wanted.clone().any(|wanted| is_made_of(product, wanted)) {
                problems.push(format!("nobody asked for {product:?}"));
            }
        }
        for sku in required {
            if !skus.contains_key(sku) {
                problems.push(format!("lost: SKU {sku} was said to exist"));
            }
        }
        for (id, page) in &pages {
            match ids.get(id) {
                Some(product) => problems.extend(page.judge(product)),
                None => problems.push(format!("lost: {id}, {:?}, seen as {:?}", page.before, page.states)),
            }
        }
        self.products = stored
            .iter()
            .map(|product| (product.id.clone(), product.clone()))
            .collect();
        problems
    }
}

impl Page {
    fn begin(&mut self, product: &Product) {
        self.states.insert((product.updated_at.clone(), product.stock_quantity));
        self.before = Some(product.clone());
    }

    fn judge(&self, stored: &Product) -> Vec<String> {
        let mut problems = Vec::new();
        let mut wrong = |what: String| problems.push(format!("{what}: {stored:?}"));
        if stored.stock_quantity < 0 {
            wrong("negative".into());
        }
        // Times have one form, which sorts as text.
        if let Some((at, stock)) = self.states.last() {
            if stored.updated_at < *at {
                wrong(format!("lost: it was known at {at} with {stock}"));
            }
            if stored.updated_at == *at && stored.stock_quantity != *stock {
                wrong(format!("at that time the stock was {stock}"));
            }
        }
        let Some(before) = &self.before else {
            return problems;
        };
        let card = Product {
            stock_quantity: before.stock_quantity,
            updated_at: before.updated_at.clone(),
            ..stored.clone()
        };
        if card != *before {
            wrong(format!("it was {before:?}"));
        }
        let certain = i64::from(before.stock_quantity) + self.changes;
        let explained = (0..1_u32 << self.open.len()).any(|chosen| {
            let open = self.open.iter().enumerate().filter(|(bit, _)| chosen >> bit & 1 == 1);
            certain + open.map(|(_, change)| change).sum::<i64>() == i64::from(stored.stock_quantity)
        });
        if !explained {
            wrong(format!("no choice of {:?} makes {certain} that stock", self.open));
        }
        problems
    }
}

fn is_made_of(product: &Product, wanted: &CreateProductRequest) -> bool {
    let made = (
        &product.name,
        &product.category,
        product.price,
        product.stock_quantity,
        &product.description,
    );
    made == (
        &wanted.name,
        &wanted.category,
        wanted.price,
        wanted.stock_quantity,
        &wanted.description,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(id: &str, stock: i32, second: u32) -> Product {
        Product {
            id: id.into(),
            name: "n".into(),
            sku: format!("sku-{id}"),
            stock_quantity: stock,
            created_at: "2026-01-01T00:00:00.000000Z".into(),
            updated_at: format!("2026-01-01T00:00:{second:02}.000000Z"),
            ..Product::default()
        }
    }

    fn wanted(id: &str) -> CreateProductRequest {
        CreateProductRequest {
            name: "n".into(),
            sku: format!("sku-{id}"),
            ..CreateProductRequest::default()
        }
    }

    /// The problems with what is stored, after a check that found one product with 10 in stock.
    fn problems(events: &[Event], stored: &[Product]) -> Vec<String> {
        let mut book = Book::default();
        let first = product("a", 10, 1);
        assert_eq!(
            book.check(&[Event::Created(first.clone())], &[first]),
            Vec::<String>::new()
        );
        book.check(events, stored)
    }

    #[test]
    fn what_may_be_there_after_a_crash_passes() {
        let imported = BulkImportResponse {
            imported_count: 1,
            ..BulkImportResponse::default()
        };
        let cases = [
            (vec![], vec![product("a", 10, 1)]),
            (vec![Event::Changed(5, product("a", 15, 2))], vec![product("a", 15, 2)]),
            (vec![Event::ChangeOpen("a".into(), -3)], vec![product("a", 7, 2)]),
            (vec![Event::ChangeOpen("a".into(), -3)], vec![product("a", 10, 1)]),
            (vec![Event::CreateOpen(wanted("b"))], vec![product("a", 10, 1)]),
            (
                vec![Event::CreateOpen(wanted("b"))],
                vec![product("a", 10, 1), product("b", 0, 1)],
            ),
            (
                vec![Event::Imported(vec![wanted("b"), wanted("b")], imported)],
                vec![product("a", 10, 1), product("b", 0, 1)],
            ),
            (
                vec![Event::ImportOpen(vec![wanted("b"), wanted("c")])],
                vec![product("a", 10, 1), product("b", 0, 1)],
            ),
        ];
        for (events, stored) in cases {
            assert_eq!(problems(&events, &stored), Vec::<String>::new(), "{events:?}");
        }
    }

    #[test]
    fn what_may_not_be_there_is_told() {
        let a = || product("a", 10, 1);
        let cases = [
            ("lost", vec![], vec![]),
            ("lost", vec![Event::Created(product("b", 1, 1))], vec![a()]),
            ("lost", vec![Event::Changed(0, product("a", 10, 2))], vec![a()]),
            (
                "lost",
                vec![Event::Seen("a".into(), 9, product("a", 0, 3).updated_at)],
                vec![product("a", 9, 2)],
            ),
            ("lost", vec![Event::Seen("b".into(), 9, String::new())], vec![a()]),
            ("lost", vec![Event::Exists("sku-b".into())], vec![a()]),
            (
                "was 9",
                vec![Event::Seen("a".into(), 9, product("a", 0, 3).updated_at)],
                vec![product("a", 10, 3)],
            ),
            (
                "no choice",
                vec![Event::Changed(5, product("a", 15, 2))],
                vec![product("a", 16, 3)],
            ),
            (
                "no choice",
                vec![Event::ChangeOpen("a".into(), 2)],
                vec![product("a", 14, 2)],
            ),
            (
                "negative",
                vec![Event::ChangeOpen("a".into(), -11)],
                vec![product("a", -1, 2)],
            ),
            ("twice", vec![], vec![a(), a()]),
            ("nobody", vec![], vec![a(), product("b", 1, 1)]),
            (
                "nobody",
                vec![Event::CreateOpen(wanted("b"))],
                vec![a(), product("b", 1, 1)],
            ),
            (
                "a gap",
                vec![Event::ImportOpen(vec![wanted("b"), wanted("c")])],
                vec![a(), product("c", 0, 1)],
            ),
            (
                "0 of 1 rows",
                vec![Event::Imported(vec![wanted("b")], BulkImportResponse::default())],
                vec![a(), product("b", 0, 1)],
            ),
            ("it was", vec![], vec![Product { price: 1.0, ..a() }]),
        ];
        for (word, events, stored) in cases {
            let found = problems(&events, &stored);
            assert!(found.iter().any(|problem| problem.contains(word)), "{word}: {found:?}");
        }
    }
}
