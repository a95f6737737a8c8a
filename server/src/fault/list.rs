//! `ListProducts` done wrong: by walking over everything, with one step off.

use super::Fault;
use crate::{
    inventory::{InventoryError, Page, Problem, Product, Query, Violation},
    store::Shelf,
};

/// A page as this fault makes it. `stocked` says whether a product had stock at its creation; `call` counts the lists.
pub fn list(
    fault: Fault,
    shelf: &Shelf,
    query: &Query,
    stocked: impl Fn(&Product) -> bool,
    call: usize,
) -> Result<Page, InventoryError> {
    if fault == Fault::ListPageNegativeError && query.page < 0 {
        return Err(InventoryError::Invalid(vec![Violation::new("page", Problem::Negative)]));
    }
    let mut matches: Vec<&Product> = shelf
        .products()
        .filter(|product| wanted(fault, query, product, &stocked))
        .collect();
    let mut total = match fault {
        Fault::ListTotalOfCategory => shelf
            .products()
            .filter(|product| in_category(fault, query, product))
            .count(),
        Fault::ListSecondPageUnfiltered => shelf.list(query).total,
        _ => matches.len(),
    };
    if fault == Fault::ListRotates && !matches.is_empty() {
        let first = call % matches.len();
        matches.rotate_left(first);
    }

    let (size, said_size) = page_size(fault, query);
    let (start, end) = bounds(fault, query, size, matches.len());
    let products: Vec<Product> = matches
        .get(start..end.max(start))
        .unwrap_or_default()
        .iter()
        .map(|&product| product.clone())
        .collect();

    let page = query.effective_page();
    let past_end = page > 1 && start >= matches.len();
    match fault {
        Fault::ListPastEndNotFound if past_end => {
            return Err(InventoryError::UnknownProduct {
                id: format!("page {page}"),
            });
        }
        Fault::ListPastEndNoTotal if past_end => total = 0,
        Fault::ListTotalOfPage => total = products.len(),
        Fault::ListTotalOfRest => total -= start.min(total),
        _ => {}
    }
    let (page, page_size) = match fault {
        Fault::ListEchoRequested => (query.page, query.page_size),
        Fault::ListEchoCount => (page, i32::try_from(products.len()).unwrap_or(i32::MAX)),
        _ => (page, said_size),
    };
    Ok(Page {
        products,
        total,
        page,
        page_size,
    })
}

fn wanted(fault: Fault, query: &Query, product: &Product, stocked: impl Fn(&Product) -> bool) -> bool {
    if !query.in_stock_only {
        return in_category(fault, query, product);
    }
    let by_category = !query.category.is_empty();
    let in_stock = match fault {
        Fault::ListInStockIgnored => true,
        Fault::ListFiltersCategoryWins if by_category => true,
        Fault::ListInStockTwo => product.stock > 1,
        Fault::ListInStockAtCreation => stocked(product),
        _ => product.stock > 0,
    };
    match fault {
        Fault::ListFiltersOr if by_category => in_stock || in_category(fault, query, product),
        Fault::ListFiltersInStockWins => in_stock,
        _ => in_stock && in_category(fault, query, product),
    }
}

fn in_category(fault: Fault, query: &Query, product: &Product) -> bool {
    let (wanted, found) = (query.category.as_str(), product.card.category.as_str());
    match fault {
        Fault::ListCategoryEmptyNone => wanted == found,
        Fault::ListSecondPageUnfiltered if query.page > 1 => true,
        _ if wanted.is_empty() => true,
        Fault::ListCategoryCase => wanted.to_lowercase() == found.to_lowercase(),
        Fault::ListCategoryPrefix => found.starts_with(wanted),
        Fault::ListCategoryTrimmed => wanted.trim() == found.trim(),
        _ => wanted == found,
    }
}

/// The size of the page and what the response says of it.
fn page_size(fault: Fault, query: &Query) -> (usize, i32) {
    let asked = query.page_size;
    let size = match fault {
        Fault::ListPageSize101 | Fault::ListPageSize101Unsaid => asked.clamp(1, 101),
        Fault::ListPageSize99 => asked.clamp(1, 99),
        Fault::ListPageSizeZeroTwenty if asked == 0 => 20,
        Fault::ListPageSizeNegativeMax if asked < 0 => 100,
        _ => query.effective_page_size(),
    };
    let said = if fault == Fault::ListPageSize101Unsaid {
        size.min(100)
    } else {
        size
    };
    (size.unsigned_abs() as usize, said)
}

/// Which matches are on the page.
fn bounds(fault: Fault, query: &Query, size: usize, total: usize) -> (usize, usize) {
    let page = match fault {
        Fault::ListPageZeroSecond if query.page == 0 => 2,
        _ => query.effective_page(),
    };
    let before = page.unsigned_abs() as usize - 1;
    let mut start = before.saturating_mul(size);
    let mut end = start.saturating_add(size);
    match fault {
        Fault::ListPageIntMin if query.page == i32::MIN => end = start,
        Fault::ListPastEndWraps => {
            let offset = (page - 1).wrapping_mul(i32::try_from(size).unwrap_or(i32::MAX));
            start = usize::try_from(offset).unwrap_or(0);
            end = start + size;
        }
        Fault::ListPastEndLast if start >= total && total > 0 => {
            start = (total - 1) / size * size;
            end = total;
        }
        Fault::ListOverlap if page > 1 && start < total => {
            start -= 1;
            end -= 1;
        }
        Fault::ListGap if page == 2 && start < total => start += 1,
        Fault::ListLastRowLost if page > 1 && start < total && end >= total => end = total - 1,
        _ => {}
    }
    (start.min(total), end.min(total))
}
