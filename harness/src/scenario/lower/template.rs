//! Values with `${{ }}` in them, and plain expressions.

use super::{Lower, Place};
use crate::scenario::{
    de,
    error::Problem,
    expr::Expr,
    field::{Field, Given, Raw},
    model::{Template, TemplateNode, TextPart},
    scalar::{self, Scalar},
    source::{Located, Position, Span},
    tree::{Kind, NodeId},
};
use saphyr_parser::ScalarStyle;

const OPEN: &str = "${{";

impl Lower<'_, '_> {
    /// A value of any shape.
    pub fn template(&mut self, id: NodeId, place: &Place<'_>) -> Template {
        let tree = self.tree;
        let node = tree.node(id);
        let lowered = match &node.kind {
            Kind::Bad => TemplateNode::Null,
            Kind::List(items) => TemplateNode::List(items.iter().map(|item| self.template(*item, place)).collect()),
            Kind::Map(entries) => {
                let mut fields = Vec::with_capacity(entries.len());
                for entry in entries {
                    if entry.name.value.contains(OPEN) {
                        self.problem(Problem::new(entry.name.span, "a key cannot be computed"));
                    }
                    fields.push((entry.name.clone(), self.template(entry.value, place)));
                }
                TemplateNode::Map(fields)
            }
            Kind::Scalar { value, text, style } => match value {
                Scalar::Null => TemplateNode::Null,
                Scalar::Bool(value) => TemplateNode::Bool(*value),
                Scalar::Int(value) => TemplateNode::Int(*value),
                Scalar::Float(value) => TemplateNode::Float(*value),
                Scalar::Str if !text.contains(OPEN) => TemplateNode::Str(text.clone()),
                Scalar::Str => self.text(id, text, *style, place),
            },
        };
        Template {
            node: lowered,
            span: node.span,
        }
    }

    /// A scalar with at least one `${{`.
    fn text(&mut self, id: NodeId, text: &str, style: ScalarStyle, place: &Place<'_>) -> TemplateNode {
        let positions = self.positions(id);
        let mut parts = Vec::new();
        let mut rest = 0;
        while let Some(open) = text[rest..].find(OPEN).map(|at| rest + at) {
            let inner = open + OPEN.len();
            let close = closing(text, inner).or_else(|| text[inner..].find("}}").map(|at| inner + at));
            let Some(close) = close else {
                let span = self.between(&positions, open, text.len());
                self.problem(Problem::new(span, "this expression has no closing `}}`"));
                return TemplateNode::Null;
            };
            if open > rest {
                parts.push(TextPart::Literal(text[rest..open].to_owned()));
            }
            let source = &text[inner..close];
            let start = inner + (source.len() - source.trim_start().len());
            let end = start + source.trim().len();
            rest = close + 2;
            if start == end {
                let span = self.between(&positions, open, rest);
                self.problem(Problem::new(span, "this expression is empty"));
                continue;
            }
            let places = positions.get(start..=end).unwrap_or_default().to_vec();
            if let Some(expr) = self.compile(id, &text[start..end], places, place) {
                parts.push(TextPart::Expr(expr));
            }
        }
        if rest < text.len() {
            parts.push(TextPart::Literal(text[rest..].to_owned()));
        }
        if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
            // The line break at the end of a block is not meant.
            if let [TextPart::Expr(_), TextPart::Literal(end)] = parts.as_slice()
                && end.trim().is_empty()
            {
                parts.pop();
            }
        }
        match (parts.pop(), parts.is_empty()) {
            (Some(TextPart::Expr(expr)), true) => TemplateNode::Expr(expr),
            (Some(last), _) => {
                parts.push(last);
                TemplateNode::Text(parts)
            }
            (None, _) => TemplateNode::Null,
        }
    }

    /// Where the bytes of a scalar's text stand.
    fn positions(&self, id: NodeId) -> Vec<Position> {
        let node = self.tree.node(id);
        let Kind::Scalar { text, style, .. } = &node.kind else {
            return Vec::new();
        };
        let lines = &self.tree.lines;
        lines.positions(&scalar::trail(lines, node.span, *style, text))
    }

    fn between(&self, positions: &[Position], start: usize, end: usize) -> Span {
        let byte = |at: usize| positions.get(at).map_or(0, |position| position.byte);
        self.tree.lines.span(byte(start)..byte(end))
    }

    fn compile(&mut self, id: NodeId, text: &str, places: Vec<Position>, place: &Place<'_>) -> Option<Expr> {
        match Expr::compile_at(text, places) {
            Ok(expr) => {
                self.check_names(&expr, place);
                Some(expr)
            }
            Err(mut problem) => {
                if let Some(help) = self.cut_by_comment(id) {
                    problem.help = Some(help);
                }
                self.problem(problem);
                None
            }
        }
    }

    /// A plain scalar that a ` #` ends.
    fn cut_by_comment(&self, id: NodeId) -> Option<String> {
        let node = self.tree.node(id);
        let Kind::Scalar {
            style: ScalarStyle::Plain,
            ..
        } = node.kind
        else {
            return None;
        };
        let after = self.tree.lines.text().get(node.span.end..)?.split('\n').next()?;
        let comment = after.trim_start();
        (comment.len() < after.len() && comment.starts_with('#'))
            .then(|| "a ` #` starts a comment in YAML: quote the whole expression".to_owned())
    }

    /// A CEL expression without `${{ }}`.
    pub fn expression(&mut self, given: &Given<Raw>, place: &Place<'_>, must_read: Option<&str>) -> Option<Expr> {
        let tree = self.tree;
        let node = tree.node(given.node);
        let text = match &node.kind {
            Kind::Scalar {
                value: Scalar::Str,
                text,
                ..
            } => text,
            Kind::Scalar {
                value: Scalar::Null, ..
            } => {
                self.problem(Problem::new(
                    tree.span(given.key),
                    "this key has no value, expected an expression",
                ));
                return None;
            }
            kind => {
                let found = de::describe(kind)?;
                let problem = Problem::new(node.span, format!("expected an expression, found {found}"));
                self.problem(match kind {
                    Kind::Map(_) => problem.help("YAML takes `: ` for the end of a key: quote the whole expression"),
                    _ => problem.help("an expression is a text that says what holds, such as `response.id != \"\"`"),
                });
                return None;
            }
        };
        let trimmed = text.trim();
        if trimmed.contains(OPEN) {
            let problem = Problem::new(node.span, "this key holds an expression already");
            self.problem(problem.help("write it without `${{ }}`: names such as `run.id` are read directly"));
            return None;
        }
        let start = text.len() - text.trim_start().len();
        let positions = self.positions(given.node);
        let places = positions
            .get(start..=start + trimmed.len())
            .unwrap_or_default()
            .to_vec();
        let before = self.problems.len();
        let expr = self.compile(given.node, trimmed, places, place)?;
        if self.problems.len() > before {
            return Some(expr);
        }
        let reads = expr.references();
        match must_read {
            Some(root) if !reads.iter().any(|name| name == root) => {
                let text = format!("this expression does not read `{root}`: it checks nothing");
                self.problem(Problem::new(node.span, text));
            }
            None if reads.is_empty() => {
                self.problem(Problem::new(
                    node.span,
                    "this expression reads nothing: it checks nothing",
                ));
            }
            _ => {}
        }
        Some(expr)
    }

    /// A message: a map, or one expression that yields it.
    pub fn message(&mut self, given: &Given<Raw>, place: &Place<'_>, what: &str) -> Template {
        if let Kind::Scalar {
            value: Scalar::Null, ..
        } = &self.tree.node(given.node).kind
        {
            let text = format!("this key has no value, expected {what}");
            self.problem(Problem::new(self.tree.span(given.key), text).help("write `{}` for a message without fields"));
        }
        let template = self.template(given.node, place);
        match template.node {
            TemplateNode::Map(_) | TemplateNode::Expr(_) | TemplateNode::Null => {}
            _ => self.wrong(given.node, what),
        }
        template
    }

    /// A map whose values are texts.
    pub fn metadata(&mut self, metadata: &Field<Raw>, place: &Place<'_>) -> Vec<(Located<String>, Template)> {
        let mut lowered = Vec::new();
        let Some(metadata) = metadata.given() else {
            return lowered;
        };
        let tree = self.tree;
        let Kind::Map(entries) = &tree.node(metadata.node).kind else {
            self.wrong(metadata.node, "a map of keys and texts");
            return lowered;
        };
        for entry in entries {
            let key = &entry.name.value;
            let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.');
            if key.is_empty() || !key.chars().all(allowed) {
                let text = format!("`{}` cannot be a key of metadata", crate::scenario::error::short(key));
                self.problem(
                    Problem::new(entry.name.span, text).help("use lower-case letters, digits, `_`, `-` and `.`"),
                );
            }
            let value = self.template(entry.value, place);
            match &value.node {
                TemplateNode::Str(_) | TemplateNode::Text(_) | TemplateNode::Expr(_) => {}
                TemplateNode::Null => {
                    self.problem(Problem::new(entry.name.span, "this key has no value, expected text"));
                }
                _ => {
                    self.wrong(entry.value, "text");
                }
            }
            lowered.push((entry.name.clone(), value));
        }
        lowered
    }

    /// A number from `least`, or an expression.
    pub fn count(&mut self, given: &Given<Raw>, place: &Place<'_>, least: i128) -> Option<Template> {
        const MOST: i128 = 1_000_000;
        let template = self.template(given.node, place);
        match &template.node {
            TemplateNode::Int(value) if (least..=MOST).contains(value) => {}
            TemplateNode::Int(value) => {
                let text = format!("expected a number from {least} to {MOST}, found {value}");
                self.problem(Problem::new(template.span, text));
                return None;
            }
            TemplateNode::Expr(_) => {}
            TemplateNode::Null
                if matches!(
                    self.tree.node(given.node).kind,
                    Kind::Scalar {
                        value: Scalar::Null,
                        ..
                    }
                ) =>
            {
                self.problem(Problem::new(
                    self.tree.span(given.key),
                    "this key has no value, expected a number",
                ));
                return None;
            }
            TemplateNode::Null => return None,
            _ => {
                self.wrong(given.node, "a number or an expression");
                return None;
            }
        }
        Some(template)
    }
}

/// The byte of the `}}` that ends an expression: braces in texts and of maps do not count.
fn closing(text: &str, start: usize) -> Option<usize> {
    let mut depth = 0usize;
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.get(start..)?.char_indices() {
        match quote {
            Some(open) => match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                c if c == open => quote = None,
                _ => {}
            },
            None => match c {
                '"' | '\'' => quote = Some(c),
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                '}' if text[start + at..].starts_with("}}") => return Some(start + at),
                _ => {}
            },
        }
    }
    None
}

/// All expressions of a template.
pub fn expressions(template: &Template) -> Vec<&Expr> {
    match &template.node {
        TemplateNode::Expr(expr) => vec![expr],
        TemplateNode::Text(parts) => parts
            .iter()
            .filter_map(|part| match part {
                TextPart::Expr(expr) => Some(expr),
                TextPart::Literal(_) => None,
            })
            .collect(),
        TemplateNode::List(items) => items.iter().flat_map(expressions).collect(),
        TemplateNode::Map(fields) => fields.iter().flat_map(|(_, value)| expressions(value)).collect(),
        TemplateNode::Null
        | TemplateNode::Bool(_)
        | TemplateNode::Int(_)
        | TemplateNode::Float(_)
        | TemplateNode::Str(_) => Vec::new(),
    }
}
