//! Why an evaluation failed, in sentences.

use super::{EvalError, Expr, Scope, display, walk};
use crate::scenario::error::suggest;
use cel::{
    Context, ExecutionError, Value,
    common::ast::{Expr as Node, IdedExpr, LiteralValue, operators},
    objects::Key,
};

/// Puts an error of the library into words.
pub fn describe(expr: &Expr, scope: &Scope, context: &Context<'_, '_>, error: &ExecutionError) -> EvalError {
    let mut span = expr.span;
    let text = match error {
        ExecutionError::NoSuchKey(key) => {
            let found = find(expr.program.expression(), context, &|node| selects(node, key));
            if let Some(node) = found {
                span = expr.place(walk::extent(node, expr.program.source_info(), &expr.text));
            }
            no_field(expr, scope, context, found, key)
        }
        ExecutionError::UndeclaredReference(name) => format!("`{name}` has no value here"),
        ExecutionError::NoSuchOverload(call) if call.function() == "_._" => {
            let is_select = |node: &IdedExpr| matches!(&node.expr, Node::Select(select) if !select.test);
            match find(expr.program.expression(), context, &is_select) {
                Some(node) => {
                    span = expr.place(walk::extent(node, expr.program.source_info(), &expr.text));
                    not_a_map(expr, context, node)
                }
                None => format!(
                    "a value of type {} has no fields",
                    call.argument_types().first().map_or("", String::as_str)
                ),
            }
        }
        ExecutionError::NoSuchOverload(call) => {
            let types = call.argument_types();
            match (operator(call.function()), types) {
                (Some(operator), [one]) => format!("`{operator}` does not work on {one}"),
                (Some(operator), [left, right]) => format!("`{operator}` does not work on {left} and {right}"),
                _ if call.is_member_function() => {
                    let (target, arguments) = types
                        .split_first()
                        .map_or(("", types), |(first, rest)| (first.as_str(), rest));
                    format!(
                        "`{}` does not work on {target} with ({})",
                        call.function(),
                        arguments.join(", ")
                    )
                }
                _ => format!("`{}` does not work on ({})", call.function(), types.join(", ")),
            }
        }
        ExecutionError::UnsupportedBinaryOperator(name, left, right) => {
            let operator = arithmetic(name);
            format!(
                "`{operator}` does not work on {} and {}: {}",
                left.type_of(),
                right.type_of(),
                pair(left, operator, right)
            )
        }
        ExecutionError::UnexpectedType { got, want } => format!("expected {want}, found {got}"),
        ExecutionError::IndexOutOfBounds(index) => format!("there is no element [{}]", display(index)),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "division by zero".to_owned(),
        ExecutionError::Overflow(name, left, right) => {
            format!(
                "the result does not fit into 64 bits: {}",
                pair(left, arithmetic(name), right)
            )
        }
        ExecutionError::FunctionError { function, message } => format!("`{function}`: {message}"),
        ExecutionError::InvalidArgumentCount { expected, actual } => {
            format!("a function takes {expected} arguments and was called with {actual}")
        }
        ExecutionError::ValuesNotComparable(left, right) => {
            format!("{} and {} cannot be compared", display(left), display(right))
        }
        ExecutionError::UnsupportedKeyType(value) => format!("{} cannot be a key", display(value)),
        ExecutionError::DuplicateKey(key) => format!("the key {} stands twice in a map", display(key)),
        ExecutionError::UnsupportedIndex(index, value) => {
            format!("{} has no element [{}]", display(value), display(index))
        }
        other => format!("the expression failed: {other}"),
    };
    EvalError {
        text: format!(
            "{text}, in `{}`",
            expr.text.split_whitespace().collect::<Vec<_>>().join(" ")
        ),
        span,
    }
}

/// The first part, in the order of evaluation, that fails although its own parts do not.
fn find<'e>(
    expression: &'e IdedExpr,
    context: &Context<'_, '_>,
    is_candidate: &dyn Fn(&IdedExpr) -> bool,
) -> Option<&'e IdedExpr> {
    let mut unsure = None;
    let found = search(expression, context, is_candidate, &mut unsure);
    found.or(unsure)
}

fn search<'e>(
    expression: &'e IdedExpr,
    context: &Context<'_, '_>,
    is_candidate: &dyn Fn(&IdedExpr) -> bool,
    unsure: &mut Option<&'e IdedExpr>,
) -> Option<&'e IdedExpr> {
    for child in walk::children(expression) {
        if let Some(found) = search(child, context, is_candidate, unsure) {
            return Some(found);
        }
    }
    if !is_candidate(expression) {
        return None;
    }
    let parts_hold = walk::children(expression)
        .into_iter()
        .all(|child| Value::resolve(child, context).is_ok());
    if parts_hold && Value::resolve(expression, context).is_err() {
        return Some(expression);
    }
    if !parts_hold {
        // A variable of a loop is not known here.
        unsure.get_or_insert(expression);
    }
    None
}

fn selects(node: &IdedExpr, key: &str) -> bool {
    match &node.expr {
        Node::Select(select) => !select.test && select.field == key,
        Node::Call(call) if call.func_name == operators::INDEX => match call.args.last().map(|index| &index.expr) {
            Some(Node::Literal(LiteralValue::String(text))) => text.inner() == key,
            _ => true,
        },
        _ => false,
    }
}

fn no_field(expr: &Expr, scope: &Scope, context: &Context<'_, '_>, found: Option<&IdedExpr>, key: &str) -> String {
    let operand = found.and_then(|node| walk::children(node).into_iter().next());
    let Some(operand) = operand else {
        return format!("no field `{key}`");
    };
    let info = expr.program.source_info();
    let text = format!(
        "no field `{key}` in `{}`",
        &expr.text[walk::extent(operand, info, &expr.text)]
    );
    // The context has only the fields that the expression reads; the scope has all.
    let value = walk::qualified(operand)
        .and_then(|name| in_scope(scope, &name))
        .or_else(|| Value::resolve(operand, context).ok());
    let Some(Value::Map(map)) = value else { return text };
    let names: Vec<String> = map
        .map
        .keys()
        .filter_map(|key| match key {
            Key::String(name) => Some(name.to_string()),
            _ => None,
        })
        .collect();
    suggest(text, key, names.iter().map(String::as_str))
}

fn in_scope(scope: &Scope, name: &str) -> Option<Value> {
    let mut parts = name.split('.');
    let mut value = scope.values.get(parts.next()?)?;
    for part in parts {
        let Value::Map(map) = value else { return None };
        value = map.map.get(&Key::String(part.to_owned().into()))?;
    }
    Some(value.clone())
}

fn not_a_map(expr: &Expr, context: &Context<'_, '_>, node: &IdedExpr) -> String {
    let Node::Select(select) = &node.expr else {
        return "a value has no fields".to_owned();
    };
    let operand = &expr.text[walk::extent(&select.operand, expr.program.source_info(), &expr.text)];
    match Value::resolve(&select.operand, context) {
        Ok(Value::Null) => format!("`{operand}` is null and has no field `{}`", select.field),
        Ok(value) => format!("`{operand}` is {} and has no field `{}`", display(&value), select.field),
        Err(_) => format!("`{operand}` has no field `{}`", select.field),
    }
}

fn pair(left: &Value, operator: &str, right: &Value) -> String {
    format!("{} {operator} {}", display(left), display(right))
}

fn arithmetic(name: &str) -> &str {
    match name {
        "add" => "+",
        "sub" => "-",
        "mul" => "*",
        "div" => "/",
        "rem" => "%",
        other => other,
    }
}

/// `_+_` as it is written.
fn operator(function: &str) -> Option<&str> {
    match function {
        operators::IN => Some("in"),
        operators::INDEX => Some("[]"),
        operators::CONDITIONAL => Some("? :"),
        _ => Some(function.strip_suffix('_')?.trim_start_matches('_')).filter(|name| !name.is_empty()),
    }
}
