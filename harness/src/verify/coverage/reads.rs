//! Which fields of a response an expectation is about. Pure.

use crate::{
    scenario::{
        expr::{Expr, SelectPath},
        model::{Expectation, Law, Template, TemplateNode},
    },
    schema::{FieldKind, Part, Shape},
};

/// Something that an expectation says about a response.
#[derive(Debug)]
pub enum Read<'a> {
    /// A subset pattern.
    Pattern(&'a Template),
    /// Fields and `[]`, below the message; empty: all of it.
    Path(Vec<String>),
}

/// All that expectations say: about the answer of their own step (`None`), and about those of earlier steps by their id.
pub fn reads<'a>(expectations: &'a [Expectation], until: Option<&Expr>) -> Vec<(Option<String>, Read<'a>)> {
    let mut found = Vec::new();
    let mut pattern = |template: &'a Template| found.push((None, Read::Pattern(template)));
    let messages = || {
        expectations
            .iter()
            .filter_map(|expectation| expectation.messages.as_ref())
    };
    expectations
        .iter()
        .filter_map(|of| of.response.as_ref())
        .for_each(&mut pattern);
    for of in messages() {
        let lists = [&of.exactly, &of.in_order, &of.any_order].into_iter().flatten();
        lists.flat_map(|list| &list.value).for_each(&mut pattern);
    }
    let laws: Vec<&Law> = messages()
        .flat_map(|of| of.never.iter().chain(&of.each))
        .map(|law| &law.value)
        .collect();
    for law in &laws {
        if let Law::Pattern(template) = law {
            pattern(template);
        }
    }
    let laws = laws.iter().filter_map(|law| match law {
        Law::Expr(expr) => Some(expr),
        Law::Pattern(_) => None,
    });
    let asserts = expectations.iter().flat_map(|of| &of.asserts);
    for select in asserts.chain(laws).chain(until).flat_map(Expr::selects) {
        found.extend(of_path(&select).map(|(step, path)| (step, Read::Path(path))));
    }
    found
}

/// The path below the message, if the chain reaches one.
fn of_path(select: &SelectPath) -> Option<(Option<String>, Vec<String>)> {
    let path: Vec<&str> = select.path.iter().map(String::as_str).collect();
    let (step, rest): (Option<String>, &[&str]) = match (select.root.as_str(), path.as_slice()) {
        ("response" | "message", rest) => (None, rest),
        ("messages", ["[]", rest @ ..]) => (None, rest),
        ("results", ["[]", rest @ ..]) => (None, below(rest)?),
        (step, ["results", "[]", rest @ ..]) => (Some(step.to_owned()), below(rest)?),
        (step, rest) => (Some(step.to_owned()), below(rest)?),
    };
    Some((step, rest.iter().map(|part| (*part).to_owned()).collect()))
}

/// What follows `response` or `messages[]`.
fn below<'a, 'b>(path: &'a [&'b str]) -> Option<&'a [&'b str]> {
    match path {
        ["response", rest @ ..] | ["messages", "[]", rest @ ..] => Some(rest),
        _ => None,
    }
}

impl Read<'_> {
    /// Marks the fields that it is about; `hit` has a place for each path of the shape.
    pub fn mark(&self, shape: &Shape, hit: &mut [bool]) {
        match self {
            Read::Pattern(template) => pattern(template, shape.fields(), hit),
            Read::Path(path) => chain(
                &path.iter().map(String::as_str).collect::<Vec<_>>(),
                shape.fields(),
                hit,
            ),
        }
    }
}

fn all(parts: &[Part], hit: &mut [bool]) {
    for part in parts {
        one(part, hit);
        all(&part.inside, hit);
    }
}

fn one(part: &Part, hit: &mut [bool]) {
    if let Some(hit) = hit.get_mut(part.index) {
        *hit = true;
    }
}

fn chain(path: &[&str], parts: &[Part], hit: &mut [bool]) {
    let Some((first, rest)) = path.split_first() else {
        return all(parts, hit);
    };
    let Some(part) = parts.iter().find(|part| part.field.name == *first) else {
        return;
    };
    one(part, hit);
    match (&part.field.kind, rest) {
        // The list itself: how long it is, whether it is empty.
        (FieldKind::List(_) | FieldKind::Map(..), []) => {}
        (FieldKind::List(_) | FieldKind::Map(..), [_, rest @ ..]) => chain(rest, &part.inside, hit),
        _ => chain(rest, &part.inside, hit),
    }
}

/// A pattern as `verify::pattern` reads it: what a map means is decided by the field.
fn pattern(template: &Template, parts: &[Part], hit: &mut [bool]) {
    let entries = match &template.node {
        TemplateNode::Map(entries) => entries,
        TemplateNode::Expr(_) => return all(parts, hit),
        _ => return,
    };
    for (key, value) in entries {
        let named = |part: &&Part| part.field.name == key.value || part.field.json_name == key.value;
        let Some(part) = parts.iter().find(named) else { continue };
        one(part, hit);
        match (&part.field.kind, &value.node) {
            (FieldKind::List(_), TemplateNode::List(items)) => {
                items.iter().for_each(|item| pattern(item, &part.inside, hit))
            }
            (FieldKind::List(_), TemplateNode::Map(matchers)) => {
                for (_, wanted) in matchers.iter().filter(|(name, _)| name.value != "length") {
                    match &wanted.node {
                        TemplateNode::List(items) => items.iter().for_each(|item| pattern(item, &part.inside, hit)),
                        _ => pattern(wanted, &part.inside, hit),
                    }
                }
            }
            (FieldKind::Map(..), TemplateNode::Map(entries)) => {
                entries.iter().for_each(|(_, value)| pattern(value, &part.inside, hit));
            }
            // `{ absent: true }` names no field of the message inside.
            _ => pattern(value, &part.inside, hit),
        }
    }
}
