//! A template with its expressions evaluated.

use super::{
    data::{Data, DataNode},
    expr::{EvalError, Expr, Scope, Value, display, print},
    model::{Template, TemplateNode, TextPart},
    source::{Located, Span},
};
use cel::objects::Key;

/// Lists and maps inside each other in a computed value.
const DEEPEST: usize = 128;

impl Template {
    /// Evaluates every expression. A scalar that is one expression keeps its type; in a text, values are printed: a double
    /// that is integral without its `.0`.
    pub fn render(&self, scope: &Scope) -> Result<Data, EvalError> {
        let plain = |node| {
            Ok(Data {
                node,
                span: self.span,
                computed: false,
            })
        };
        match &self.node {
            TemplateNode::Null => plain(DataNode::Null),
            TemplateNode::Bool(value) => plain(DataNode::Bool(*value)),
            TemplateNode::Int(value) => plain(DataNode::Int(*value)),
            TemplateNode::Float(value) => plain(DataNode::Float(*value)),
            TemplateNode::Str(text) => plain(DataNode::Str(text.clone())),
            TemplateNode::Expr(expr) => data(&expr.eval(scope)?, expr, self.span, 0),
            TemplateNode::Text(parts) => {
                let mut text = String::new();
                for part in parts {
                    match part {
                        TextPart::Literal(literal) => text.push_str(literal),
                        TextPart::Expr(expr) => {
                            let value = expr.eval(scope)?;
                            let printed = print(&value).ok_or_else(|| EvalError {
                                text: format!("{} cannot stand inside a text, in `{}`", display(&value), expr.text),
                                span: expr.span,
                            })?;
                            text.push_str(&printed);
                        }
                    }
                }
                Ok(Data {
                    node: DataNode::Str(text),
                    span: self.span,
                    computed: true,
                })
            }
            TemplateNode::List(items) => plain(DataNode::List(
                items.iter().map(|item| item.render(scope)).collect::<Result<_, _>>()?,
            )),
            TemplateNode::Map(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, value)| Ok((name.clone(), value.render(scope)?)));
                plain(DataNode::Map(fields.collect::<Result<_, EvalError>>()?))
            }
        }
    }
}

/// A value of an expression as data; the keys of maps in alphabetical order.
fn data(value: &Value, expr: &Expr, span: Span, depth: usize) -> Result<Data, EvalError> {
    let refuse = |what: &str| EvalError {
        text: format!("`{}` is {what}", expr.text),
        span: expr.span,
    };
    if depth > DEEPEST {
        return Err(refuse("nested too deep"));
    }
    let node = match value {
        Value::Null => DataNode::Null,
        Value::Bool(value) => DataNode::Bool(*value),
        Value::Int(value) => DataNode::Int((*value).into()),
        Value::UInt(value) => DataNode::Int((*value).into()),
        Value::Float(value) => DataNode::Float(*value),
        Value::String(text) => DataNode::Str(text.to_string()),
        Value::Bytes(bytes) => DataNode::Bytes(bytes.to_vec()),
        Value::Duration(value) => match value.num_nanoseconds() {
            Some(nanoseconds) => DataNode::Duration(nanoseconds),
            None => return Err(refuse("a duration of more than 292 years")),
        },
        Value::Timestamp(value) => match value.timestamp_nanos_opt() {
            Some(nanoseconds) => DataNode::Timestamp(nanoseconds),
            None => return Err(refuse("a time before 1677 or after 2262")),
        },
        Value::List(items) => DataNode::List(
            items
                .iter()
                .map(|item| data(item, expr, span, depth + 1))
                .collect::<Result<_, _>>()?,
        ),
        Value::Map(map) => {
            let mut fields = Vec::with_capacity(map.map.len());
            for (key, value) in map.map.iter() {
                let name = match key {
                    Key::String(name) => name.to_string(),
                    Key::Int(value) => value.to_string(),
                    Key::Uint(value) => value.to_string(),
                    Key::Bool(value) => value.to_string(),
                };
                fields.push((Located { value: name, span }, data(value, expr, span, depth + 1)?));
            }
            fields.sort_by(|(left, _), (right, _)| left.value.cmp(&right.value));
            DataNode::Map(fields)
        }
        Value::Function(..) | Value::Opaque(_) | Value::Struct(_) => {
            return Err(refuse("neither text, number, list nor map"));
        }
    };
    Ok(Data {
        node,
        span,
        computed: true,
    })
}
