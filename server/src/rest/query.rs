//! Query parameters: fields of a request, by either of their names.

use super::{
    json::{self, Request},
    path::decoded,
};
use crate::inventory::brief;
use std::borrow::Cow;

/// A query that is no request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadParameter {
    /// The field, as the contract calls it; for an unknown one what the caller wrote.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

impl BadParameter {
    fn new(field: &str, problem: impl Into<String>) -> BadParameter {
        BadParameter {
            field: brief(field).to_owned(),
            problem: problem.into(),
        }
    }

    /// A part of the URL that no text can be read from.
    pub fn undecodable(field: &str) -> BadParameter {
        BadParameter::new(field, "must be percent-encoded UTF-8")
    }
}

/// The request that the parameters of a query are. `+` stands for a space, as in forms.
pub fn read<M: Request>(query: Option<&str>) -> Result<M, BadParameter> {
    let mut message = M::default();
    let mut seen = 0_u32;
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decoded(&spaced(name)).map_err(|_| BadParameter::undecodable(name))?;
        let Some(field) = M::field(&name) else {
            return Err(BadParameter::new(&name, unknown::<M>()));
        };
        let (proto, _) = M::FIELDS[field];
        if seen & (1 << field) != 0 {
            return Err(BadParameter::new(proto, "must not be there twice"));
        }
        seen |= 1 << field;
        let value = decoded(&spaced(value)).map_err(|_| BadParameter::undecodable(proto))?;
        let set = message.set(field, &value);
        set.map_err(|wanted| BadParameter::new(proto, format!("must be {wanted}, not {:?}", brief(&value))))?;
    }
    Ok(message)
}

/// Whether there is no parameter, for routes that have none.
pub fn none(query: Option<&str>) -> Result<(), BadParameter> {
    match query.unwrap_or_default().split('&').find(|pair| !pair.is_empty()) {
        Some(pair) => {
            let name = pair.split('=').next().unwrap_or_default();
            let name = decoded(&spaced(name)).unwrap_or_else(|_| name.to_owned());
            Err(BadParameter::new(&name, "is no parameter: this route has none"))
        }
        None => Ok(()),
    }
}

fn unknown<M: Request>() -> String {
    format!("is no parameter: expected one of {}", json::names::<M>())
}

fn spaced(text: &str) -> Cow<'_, str> {
    if text.contains('+') {
        Cow::Owned(text.replace('+', " "))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use inventory_contract::{ListProductsRequest, WatchStockRequest};

    #[test]
    fn parameters_have_two_names_and_any_order() {
        let expected = ListProductsRequest {
            category: "a&b = ü+".into(),
            page: -2,
            page_size: 7,
            in_stock_only: true,
        };
        for query in [
            "category=a%26b+%3D%20%C3%BC%2B&page=-2&pageSize=7&inStockOnly=true",
            "in_stock_only=true&&page_size=7&page=-2.0&category=a%26b%20=%20ü%2B&",
            "page=-2e0&in%5Fstock_only=true&category=a%26b+=+ü%2B&pageSize=7",
        ] {
            assert_eq!(read(Some(query)), Ok(expected.clone()), "{query}");
        }
        assert_eq!(read(None), Ok(WatchStockRequest::default()));
        assert_eq!(read(Some("category&threshold=0&")), Ok(WatchStockRequest::default()));
    }

    #[test]
    fn what_is_no_parameter_names_its_field() {
        for (query, field) in [
            ("page=1&limit=2", "limit"),
            ("Page=1", "Page"),
            ("page=1&page=1", "page"),
            ("pageSize=1&page_size=1", "page_size"),
            ("page=", "page"),
            ("page", "page"),
            ("page=one", "page"),
            ("page=+1", "page"),
            ("page=1.5", "page"),
            ("page=01", "page"),
            ("page=2147483648", "page"),
            ("page=\"1\"", "page"),
            ("page=1%20", "page"),
            ("inStockOnly=1", "in_stock_only"),
            ("inStockOnly=True", "in_stock_only"),
            ("inStockOnly", "in_stock_only"),
            ("category=%FF", "category"),
            ("category=%4", "category"),
            ("%FF=1", "%FF"),
        ] {
            let wrong = read::<ListProductsRequest>(Some(query)).unwrap_err();
            assert_eq!(wrong.field, field, "{query}");
        }
        assert_eq!(none(Some("a%20b=1")).unwrap_err().field, "a b");
        assert_eq!(none(Some("&")), Ok(()));
    }
}
