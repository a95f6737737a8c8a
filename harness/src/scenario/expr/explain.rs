//! Why a condition is false, in the values that decided it.

use super::{Expr, display, walk};
use cel::{
    Context, Value,
    common::ast::{ComprehensionExpr, Expr as Node, IdedExpr, operators},
};

/// Whether a condition holds, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// It does.
    pub held: bool,
    /// The condition with its values, such as `response.total_count >= 3 is false: 2 >= 3`.
    pub explained: String,
}

/// Explains a condition that has been evaluated.
pub fn explain(expr: &Expr, context: &Context<'_, '_>, held: bool) -> Truth {
    let expression = expr.program.expression();
    let explained = match held {
        true => Explainer { expr }.verdict(expression, context, true),
        false => Explainer { expr }.why_false(expression, context),
    };
    Truth { held, explained }
}

/// Characters of a condition in an explanation.
const WIDEST: usize = 200;

struct Explainer<'x> {
    expr: &'x Expr,
}

impl Explainer<'_> {
    fn text(&self, node: &IdedExpr) -> String {
        let range = walk::extent(node, self.expr.program.source_info(), &self.expr.text);
        let text = self.expr.text.get(range).unwrap_or(&self.expr.text);
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        match flat.char_indices().nth(WIDEST) {
            Some((at, _)) => format!("{}…", &flat[..at]),
            None => flat,
        }
    }

    fn is(&self, node: &IdedExpr, context: &Context<'_, '_>) -> Option<bool> {
        match Value::resolve(node, context) {
            Ok(Value::Bool(value)) => Some(value),
            _ => None,
        }
    }

    fn why_false(&self, node: &IdedExpr, context: &Context<'_, '_>) -> String {
        match &node.expr {
            Node::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
                (operators::LOGICAL_AND, [left, right]) => match self.is(left, context) {
                    Some(false) => self.why_false(left, context),
                    _ => self.why_false(right, context),
                },
                (operators::LOGICAL_OR, [left, right]) => {
                    format!(
                        "{}, and {}",
                        self.why_false(left, context),
                        self.why_false(right, context)
                    )
                }
                (operators::CONDITIONAL, [condition, yes, no]) => match self.is(condition, context) {
                    Some(true) => self.why_false(yes, context),
                    _ => self.why_false(no, context),
                },
                (operators::LOGICAL_NOT, [negated]) => self.verdict(negated, context, true),
                _ => self.verdict(node, context, false),
            },
            Node::Comprehension(all) => self.loop_false(node, all, context),
            _ => self.verdict(node, context, false),
        }
    }

    /// `text is false: values`.
    fn verdict(&self, node: &IdedExpr, context: &Context<'_, '_>, held: bool) -> String {
        let text = self.text(node);
        match self.values(node, context) {
            Some(values) => format!("{text} is {held}: {values}"),
            None => format!("{text} is {held}"),
        }
    }

    /// The operands of a comparison, or the values that the condition reads.
    fn values(&self, node: &IdedExpr, context: &Context<'_, '_>) -> Option<String> {
        if let Node::Call(call) = &node.expr
            && let [left, right] = call.args.as_slice()
            && let Some(operator) = comparison(&call.func_name)
        {
            let left = Value::resolve(left, context).ok()?;
            let right = Value::resolve(right, context).ok()?;
            return Some(format!("{} {operator} {}", display(&left), display(&right)));
        }
        let mut read = Vec::new();
        self.collect(node, context, &mut read);
        read.dedup();
        read.truncate(3);
        (!read.is_empty()).then(|| read.join(", "))
    }

    /// `response.name is "x"` for each chain of selections.
    fn collect(&self, node: &IdedExpr, context: &Context<'_, '_>, read: &mut Vec<String>) {
        if read.len() > 3 || matches!(node.expr, Node::Comprehension(_)) {
            return;
        }
        let name = walk::qualified(node).filter(|_| !matches!(&node.expr, Node::Ident(name) if name.starts_with('@')));
        match (name, Value::resolve(node, context)) {
            (Some(name), Ok(value)) => read.push(format!("{name} is {}", display(&value))),
            (Some(_), Err(_)) => {}
            (None, _) => walk::children(node)
                .into_iter()
                .for_each(|child| self.collect(child, context, read)),
        }
    }

    /// A loop that is false: the element that made it so.
    fn loop_false(&self, node: &IdedExpr, all: &ComprehensionExpr, context: &Context<'_, '_>) -> String {
        let text = self.text(node);
        let Ok(Value::List(items)) = Value::resolve(&all.iter_range, context) else {
            return format!("{text} is false");
        };
        let Node::Call(step) = &all.loop_step.expr else {
            return format!("{text} is false");
        };
        match (step.func_name.as_str(), step.args.as_slice()) {
            (operators::LOGICAL_AND, [_, condition]) => {
                for (at, item) in items.iter().enumerate() {
                    let mut inner = context.new_inner_scope();
                    let Ok(value) = Box::<dyn cel::common::value::Val>::try_from(item.clone()) else {
                        continue;
                    };
                    inner.add_variable_as_val(all.iter_var.clone(), value);
                    if self.is(condition, &inner) == Some(false) {
                        return format!("{text} is false for [{at}]: {}", self.why_false(condition, &inner));
                    }
                }
                format!("{text} is false")
            }
            (operators::LOGICAL_OR, _) => format!("{text} is false for all {} elements", items.len()),
            _ => format!("{text} is false over {} elements", items.len()),
        }
    }
}

fn comparison(function: &str) -> Option<&'static str> {
    Some(match function {
        operators::EQUALS => "==",
        operators::NOT_EQUALS => "!=",
        operators::LESS => "<",
        operators::LESS_EQUALS => "<=",
        operators::GREATER => ">",
        operators::GREATER_EQUALS => ">=",
        operators::IN => "in",
        _ => return None,
    })
}
