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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::scenario::{model::Action, model::Requests, parse, source::SourceFile};
    use std::collections::HashMap;

    /// A request as it is rendered, `node` of each part.
    fn rendered(request: &str) -> Result<Data, EvalError> {
        let text = format!(
            "version: 1\nid: x\nname: x\neffects: writes\nservice: a.B\nvars: {{ n: 1, d: 2, m: 3, t: 4 }}\nsteps:\n  - call: C\n    request: {request}\n"
        );
        let scenario = parse(SourceFile::new("x.yaml", text))
            .map_err(|errors| errors[0].render())
            .unwrap();
        let Action::Call(call) = &scenario.steps[0].action else {
            panic!("a call")
        };
        let Requests::One(template) = &call.spec.requests else {
            panic!("one request")
        };
        let vars: Value = HashMap::from([
            ("n", Value::Int(3)),
            ("d", Value::Float(2.0)),
            ("t", Value::from("x y")),
            (
                "m",
                HashMap::from([("b", Value::Bool(true)), ("a", Value::UInt(7))]).into(),
            ),
        ])
        .into();
        template.render(&Scope {
            values: [("vars".to_owned(), vars)].into(),
        })
    }

    fn field(request: &str) -> Data {
        let data = rendered(request).unwrap();
        let DataNode::Map(mut fields) = data.node else {
            panic!("a map")
        };
        fields.remove(0).1
    }

    #[test]
    fn what_is_written_keeps_its_type() {
        assert!(matches!(field("{ f: 5 }").node, DataNode::Int(5)));
        assert!(matches!(field("{ f: 5.0 }").node, DataNode::Float(5.0)));
        assert!(matches!(&field("{ f: \"5\" }").node, DataNode::Str(text) if text == "5"));
        assert!(matches!(field("{ f: null }").node, DataNode::Null));
        assert!(!field("{ f: true }").computed);
    }

    #[test]
    fn a_scalar_that_is_one_expression_keeps_the_type_of_the_expression() {
        let computed = field("{ f: \"${{ vars.n * 2 }}\" }");
        assert!(computed.computed && matches!(computed.node, DataNode::Int(6)));
        assert!(matches!(field("{ f: \"${{ vars.d }}\" }").node, DataNode::Float(2.0)));
        let DataNode::Map(fields) = field("{ f: \"${{ vars.m }}\" }").node else {
            panic!("a map")
        };
        let names: Vec<&str> = fields.iter().map(|(name, _)| name.value.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert!(matches!(
            field("{ f: \"${{ duration('1s') }}\" }").node,
            DataNode::Duration(1_000_000_000)
        ));
        assert!(matches!(field("{ f: \"${{ b'ab' }}\" }").node, DataNode::Bytes(bytes) if bytes == b"ab"));
        assert!(matches!(
            &field("\n      f: |\n        ${{ vars.n }}").node,
            DataNode::Int(3)
        ));
    }

    #[test]
    fn in_a_text_values_are_printed() {
        let text = |request: &str| match field(request).node {
            DataNode::Str(text) => text,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            text("{ f: \"a ${{ vars.t }} ${{ vars.n }}${{ vars.d }}!\" }"),
            "a x y 32!"
        );
        assert_eq!(text("{ f: \"${{ {'a': {'b': 1}}.a.b }} }} ${{ '}}' }}\" }"), "1 }} }}");
        assert_eq!(text("{ f: \" ${{ vars.n }}\" }"), " 3");
        let error = rendered("{ f: \"a ${{ vars.m }}\" }").unwrap_err();
        assert_eq!(error.text, "{a: 7, b: true} cannot stand inside a text, in `vars.m`");
    }
}
