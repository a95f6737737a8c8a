//! What an expression reads, against what the steps before it have made known.

use crate::{
    scenario::{error::suggest, expr::SelectPath},
    schema::{FieldKind, MessageType, Method},
};
use std::collections::HashMap;

/// How a step calls its method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Once.
    Single,
    /// Many times.
    Repeated,
    /// In the background.
    Stream,
}

/// What is known at a place of the file.
#[derive(Default)]
pub struct Known {
    /// By step id.
    pub steps: HashMap<String, (Method, Kind)>,
    /// The probe of the `ready` that is being checked.
    pub probe: Option<Method>,
}

const ANSWER: [&str; 8] = [
    "messages", "status", "headers", "trailers", "http", "layer", "elapsed", "response",
];

impl Known {
    /// Checks one chain; `seen` is the method whose answer the expression is about.
    pub fn check(&self, select: &SelectPath, seen: Option<(&Method, Kind)>) -> Result<(), String> {
        let path: Vec<&str> = select.path.iter().map(String::as_str).collect();
        match (select.root.as_str(), seen) {
            ("run", _) => one_of("run", path.first(), &["id", "protocol"]),
            ("message", Some((method, _))) => fields(&method.output, &path),
            ("messages", Some((method, _))) => elements(method, &path),
            ("probe", _) => match &self.probe {
                Some(method) => answer(method, Kind::Single, "probe", &path),
                None => Ok(()),
            },
            (root, Some((method, kind))) if ANSWER.contains(&root) || root == "results" => {
                let whole: Vec<&str> = std::iter::once(root).chain(path).collect();
                answer(method, kind, "the answer", &whole)
            }
            (root, _) => match self.steps.get(root) {
                Some((method, kind)) => answer(method, *kind, root, &path),
                None => Ok(()),
            },
        }
    }
}

/// A path into what a step leaves behind.
fn answer(method: &Method, kind: Kind, root: &str, path: &[&str]) -> Result<(), String> {
    let Some((first, rest)) = path.split_first() else {
        return Ok(());
    };
    match (*first, kind) {
        ("results", Kind::Repeated) => match rest {
            ["[]", "response", fields_of @ ..] => response(method, root, fields_of),
            ["[]", "status", fields_of @ ..] => status(fields_of),
            ["[]", "messages", fields_of @ ..] => elements(method, fields_of),
            ["[]", other, ..] => one_of("a result", Some(other), &["response", "status", "elapsed", "messages"]),
            _ => Ok(()),
        },
        ("elapsed", _) => Ok(()),
        ("results", _) => Err(format!("`{root}` has no `results`: only a step with `repeat` has")),
        (other, Kind::Repeated) if ANSWER.contains(&other) => {
            Err(format!("a step with `repeat` has `results`, no `{other}`"))
        }
        ("response", Kind::Stream) => Err(format!("`{root}` is a stream: it has `messages`, no `response`")),
        ("response", _) => response(method, root, rest),
        ("messages", _) => elements(method, rest),
        ("status", _) => status(rest),
        ("http", _) => one_of(
            "http",
            rest.first(),
            &["status", "content_type", "trailers_only", "reset"],
        ),
        (other, _) => one_of(root, Some(&other), &ANSWER),
    }
}

fn response(method: &Method, root: &str, path: &[&str]) -> Result<(), String> {
    if method.server_streaming {
        return Err(format!(
            "`{root}` answers with a stream: it has `messages`, no `response`"
        ));
    }
    fields(&method.output, path)
}

fn status(path: &[&str]) -> Result<(), String> {
    one_of("status", path.first(), &["code", "message", "details"])
}

fn elements(method: &Method, path: &[&str]) -> Result<(), String> {
    match path {
        ["[]", rest @ ..] => fields(&method.output, rest),
        [other, ..] => Err(format!("`messages` is a list; it has no field `{other}`")),
        [] => Ok(()),
    }
}

fn one_of(what: &str, word: Option<&&str>, known: &[&'static str]) -> Result<(), String> {
    match word {
        Some(word) if !known.contains(word) => Err(suggest(
            format!("`{what}` has no field `{word}`"),
            word,
            known.iter().copied(),
        )),
        _ => Ok(()),
    }
}

/// A path of field names and `[]` into a message.
fn fields(ty: &MessageType, path: &[&str]) -> Result<(), String> {
    let Some((first, rest)) = path.split_first() else {
        return Ok(());
    };
    // Well-known types are read as what they stand for: an instant, a duration, a map.
    if ty.has_own_json() {
        return Ok(());
    }
    let Some(field) = ty.field(first).filter(|field| field.name == *first) else {
        let fields = ty.fields();
        let names = fields.iter().map(|field| field.name.as_str());
        return Err(suggest(
            format!("no field `{first}` in {}", ty.full_name()),
            first,
            names,
        ));
    };
    within(&field.kind, &field.name, rest)
}

fn within(kind: &FieldKind, name: &str, path: &[&str]) -> Result<(), String> {
    match (kind, path) {
        (_, []) => Ok(()),
        (FieldKind::Message(inner), path) => fields(inner, path),
        (FieldKind::List(element), ["[]", rest @ ..]) => within(element, name, rest),
        (FieldKind::Map(_, element), [_, rest @ ..]) => within(element, name, rest),
        (FieldKind::List(_), [other, ..]) => Err(format!("`{name}` is a list; it has no field `{other}`")),
        (FieldKind::Scalar(_) | FieldKind::Enum(_), [other, ..]) => Err(format!("`{name}` has no field `{other}`")),
    }
}
