//! Scopes, and templates as values.

use super::{
    data::{Data, DataNode},
    expr::{EvalError, Scope, Value},
    model::Template,
};
use std::{collections::HashMap, sync::Arc};

impl Scope {
    /// Sets a root.
    pub fn set(&mut self, name: &str, value: Value) {
        self.values.insert(name.to_owned(), value);
    }

    /// A copy with one more root.
    pub fn with(&self, name: &str, value: Value) -> Scope {
        let mut scope = self.clone();
        scope.set(name, value);
        scope
    }
}

impl Template {
    /// Evaluated, as what expressions work with.
    ///
    /// # Errors
    /// The first expression that fails.
    pub fn value(&self, scope: &Scope) -> Result<Value, EvalError> {
        self.render(scope).map(|data| data.value())
    }
}

impl Data {
    /// As what expressions work with.
    pub fn value(&self) -> Value {
        match &self.node {
            DataNode::Null => Value::Null,
            DataNode::Bool(v) => Value::Bool(*v),
            DataNode::Int(v) => match (i64::try_from(*v), u64::try_from(*v)) {
                (Ok(v), _) => Value::Int(v),
                (_, Ok(v)) => Value::UInt(v),
                _ => Value::Float(*v as f64),
            },
            DataNode::Float(v) => Value::Float(*v),
            DataNode::Str(v) => Value::String(Arc::new(v.clone())),
            DataNode::Bytes(v) => Value::Bytes(Arc::new(v.clone())),
            DataNode::Duration(nanos) => Value::Duration(chrono::Duration::nanoseconds(*nanos)),
            DataNode::Timestamp(nanos) => {
                Value::Timestamp(chrono::DateTime::from_timestamp_nanos(*nanos).fixed_offset())
            }
            DataNode::List(items) => Value::List(Arc::new(items.iter().map(Data::value).collect())),
            DataNode::Map(entries) => Value::from(
                entries
                    .iter()
                    .map(|(k, v)| (k.value.clone(), v.value()))
                    .collect::<HashMap<String, Value>>(),
            ),
        }
    }
}
