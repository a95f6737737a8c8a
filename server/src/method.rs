//! What can be called, over either protocol.

use inventory_contract::{ROUTES, SERVICE};

/// A method, or a group of methods that are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Of the inventory service, as the next five.
    GetProduct,
    /// Answers once.
    ListProducts,
    /// Answers once.
    CreateProduct,
    /// Answers once.
    UpdateStock,
    /// Answers with a stream.
    WatchStockChanges,
    /// Answers once.
    BulkImport,
    /// Whether the service serves.
    HealthCheck,
    /// The same as a stream.
    HealthWatch,
    /// Both versions.
    Reflection,
    /// The description of the REST side, and its page.
    Docs,
    /// Nothing that exists.
    Unknown,
}

impl Method {
    /// All, in the order of their numbers.
    pub const ALL: [Method; 11] = [
        Method::GetProduct,
        Method::ListProducts,
        Method::CreateProduct,
        Method::UpdateStock,
        Method::WatchStockChanges,
        Method::BulkImport,
        Method::HealthCheck,
        Method::HealthWatch,
        Method::Reflection,
        Method::Docs,
        Method::Unknown,
    ];

    /// Its name in metrics and logs; with the package for the methods of the inventory service.
    pub fn name(self) -> &'static str {
        match self {
            Method::GetProduct => "inventory.InventoryService.GetProduct",
            Method::ListProducts => "inventory.InventoryService.ListProducts",
            Method::CreateProduct => "inventory.InventoryService.CreateProduct",
            Method::UpdateStock => "inventory.InventoryService.UpdateStock",
            Method::WatchStockChanges => "inventory.InventoryService.WatchStockChanges",
            Method::BulkImport => "inventory.InventoryService.BulkImport",
            Method::HealthCheck => "grpc.health.v1.Health.Check",
            Method::HealthWatch => "grpc.health.v1.Health.Watch",
            Method::Reflection => "reflection",
            Method::Docs => "docs",
            Method::Unknown => "unknown",
        }
    }

    /// Whether it answers with a stream that may last.
    pub fn is_stream(self) -> bool {
        matches!(
            self,
            Method::WatchStockChanges | Method::HealthWatch | Method::Reflection
        )
    }

    /// Whether it is a method of the inventory service that takes one message and answers with one.
    pub fn is_unary(self) -> bool {
        matches!(
            self,
            Method::GetProduct | Method::ListProducts | Method::CreateProduct | Method::UpdateStock
        )
    }

    /// Whether it asks for health: whoever does needs no token.
    pub fn is_health(self) -> bool {
        matches!(self, Method::HealthCheck | Method::HealthWatch)
    }

    /// Whether it may change something: a method of the inventory service that the REST mapping does not map to GET.
    pub fn writes(self) -> bool {
        let rpc = self
            .name()
            .strip_prefix(SERVICE)
            .and_then(|rest| rest.strip_prefix('.'));
        rpc.is_some_and(|rpc| !ROUTES.iter().any(|route| route.rpc == rpc && route.verb == "GET"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_mapping_does_not_map_to_get_writes() {
        let writing = Method::ALL.into_iter().filter(|method| method.writes());
        assert_eq!(
            writing.collect::<Vec<_>>(),
            [Method::CreateProduct, Method::UpdateStock, Method::BulkImport]
        );
    }

    #[test]
    fn every_method_has_a_number_of_its_own() {
        for (number, method) in Method::ALL.into_iter().enumerate() {
            assert_eq!(method as usize, number);
        }
    }
}
