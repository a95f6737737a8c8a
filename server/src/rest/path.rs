//! Paths of the REST side: which route one names, by `proto/inventory.http.yaml`.

use crate::method::Method;

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/`: the documentation page.
    Page,
    /// `/openapi.json`.
    OpenApi,
    /// `/v1/products`.
    Products,
    /// `/v1/products:bulkImport`.
    BulkImport,
    /// `/v1/products/{id}`, with the id as it stands in the path.
    Product(String),
    /// `/v1/products/{id}:updateStock`.
    UpdateStock(String),
    /// `/v1/stock:watch`.
    Watch,
}

/// Text that is not percent-encoded UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undecodable;

impl Route {
    /// The route of a path, if there is one. Literal parts are compared as they are; `:` before a verb separates only when it
    /// is not encoded (google/api/http.proto, "Path template syntax").
    pub fn of(path: &str) -> Result<Option<Route>, Undecodable> {
        Ok(Some(match path {
            "/" => Route::Page,
            "/openapi.json" => Route::OpenApi,
            "/v1/products" => Route::Products,
            "/v1/products:bulkImport" => Route::BulkImport,
            "/v1/stock:watch" => Route::Watch,
            _ => {
                let Some(segment) = path.strip_prefix("/v1/products/") else {
                    return Ok(None);
                };
                let (id, verb) = match segment.strip_suffix(":updateStock") {
                    Some(id) => (id, true),
                    None => (segment, false),
                };
                // `{id}` is one segment that is not empty.
                if id.is_empty() || id.contains('/') {
                    return Ok(None);
                }
                let id = decoded(id)?;
                if verb {
                    Route::UpdateStock(id)
                } else {
                    Route::Product(id)
                }
            }
        }))
    }

    /// What is called by this verb, which the route has.
    pub fn method(&self, verb: &http::Method) -> Method {
        match self {
            Route::Page | Route::OpenApi => Method::Docs,
            Route::Products if *verb == http::Method::POST => Method::CreateProduct,
            Route::Products => Method::ListProducts,
            Route::BulkImport => Method::BulkImport,
            Route::Product(_) => Method::GetProduct,
            Route::UpdateStock(_) => Method::UpdateStock,
            Route::Watch => Method::WatchStockChanges,
        }
    }

    /// The methods of the route, as `Allow` lists them.
    pub fn allow(&self) -> &'static str {
        match self {
            Route::Page | Route::OpenApi | Route::Product(_) | Route::Watch => "GET, HEAD",
            Route::Products => "GET, HEAD, POST",
            Route::BulkImport | Route::UpdateStock(_) => "POST",
        }
    }
}

/// Text without its percent-encoding (RFC 3986 section 2.1). A `%` without two hexadecimal digits is an error, and so is
/// what is not UTF-8 then.
pub fn decoded(text: &str) -> Result<String, Undecodable> {
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
                let (high, low) = (digit().ok_or(Undecodable)?, digit().ok_or(Undecodable)?);
                u8::try_from(high * 16 + low).map_err(|_| Undecodable)?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| Undecodable)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn product(id: &str) -> Option<Route> {
        Some(Route::Product(id.to_owned()))
    }

    #[test]
    fn the_routes_are_those_of_the_contract() {
        let mut served = std::collections::BTreeSet::new();
        for rule in inventory_contract::ROUTES {
            let route = Route::of(&rule.path.replace("{id}", "x")).unwrap().unwrap();
            assert!(route.allow().split(", ").any(|verb| verb == rule.verb), "{rule:?}");
            served.insert((rule.path, rule.verb));
        }
        let (paths, allowed): (std::collections::BTreeSet<&str>, Vec<&str>) =
            served.iter().map(|(path, verb)| (*path, *verb)).unzip();
        let here = paths
            .iter()
            .map(|path| Route::of(&path.replace("{id}", "x")).unwrap().unwrap());
        let verbs: usize = here
            .map(|route| {
                route
                    .allow()
                    .replace("HEAD, ", "")
                    .replace(", HEAD", "")
                    .split(", ")
                    .count()
            })
            .sum();
        assert_eq!(verbs, allowed.len());
    }

    #[test]
    fn ids_are_percent_decoded_and_verbs_are_not() {
        let update = |id: &str| Some(Route::UpdateStock(id.to_owned()));
        for (path, route) in [
            ("/v1/products/abc", product("abc")),
            ("/v1/products/a%2Fb", product("a/b")),
            ("/v1/products/a%2fb%25", product("a/b%")),
            ("/v1/products/%C3%BC+%20", product("ü+ ")),
            ("/v1/products/a:b", product("a:b")),
            ("/v1/products/a%3AupdateStock", product("a:updateStock")),
            ("/v1/products/abc:updateStock", update("abc")),
            ("/v1/products/a%3Ab:updateStock", update("a:b")),
            ("/v1/products/a%3AupdateStock:updateStock", update("a:updateStock")),
            ("/v1/products/:updateStock", None),
            ("/v1/products/", None),
            ("/v1/products/a/b", None),
            ("/v1/products/a/", None),
            ("/v1/products", Some(Route::Products)),
            ("/v1/products:bulkImport", Some(Route::BulkImport)),
            ("/v1/stock:watch", Some(Route::Watch)),
            ("/v1/stock%3Awatch", None),
            ("/v1/Products", None),
            ("/v2/products", None),
            ("", None),
            ("*", None),
        ] {
            assert_eq!(Route::of(path), Ok(route), "{path}");
        }
    }

    #[test]
    fn what_is_not_percent_encoded_utf_8_is_no_id() {
        for path in [
            "/v1/products/%",
            "/v1/products/%4",
            "/v1/products/%4g",
            "/v1/products/%+1",
            "/v1/products/%FF",
            "/v1/products/%C3",
            "/v1/products/%ED%A0%80:updateStock",
        ] {
            assert_eq!(Route::of(path), Err(Undecodable), "{path}");
        }
    }
}
