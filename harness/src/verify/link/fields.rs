//! Requests and patterns against message types. What an expression computes is checked when it is known.

use crate::{
    scenario::{
        data::{Data, DataNode},
        error::{Problem, suggest},
        model::{Template, TemplateNode},
        source::Located,
    },
    schema::{Field, FieldKind, MessageType, build},
};

/// The matchers of a scalar.
const SCALAR: [&str; 5] = ["matches", "contains", "approx", "one_of", "absent"];
/// The matchers of a list.
const LIST: [&str; 4] = ["unordered", "length", "contains", "absent"];

/// A request.
pub fn request(template: &Template, ty: &MessageType, problems: &mut Vec<Problem>) {
    if let Some(data) = literal(template) {
        built(ty, &data, problems);
        return;
    }
    let TemplateNode::Map(entries) = &template.node else {
        return;
    };
    // The keys of an `Any` or a `Struct` are no fields of it.
    if ty.has_own_json() {
        return;
    }
    for (key, value) in entries {
        let Some(field) = field(ty, key, problems) else {
            continue;
        };
        match (&field.kind, &value.node) {
            _ if literal(value).is_some() => one_field(ty, &field, key, value, problems),
            (FieldKind::Message(inner), TemplateNode::Map(_)) => request(value, inner, problems),
            (FieldKind::List(element), TemplateNode::List(items)) => {
                if let FieldKind::Message(inner) = element.as_ref() {
                    items.iter().for_each(|item| request(item, inner, problems));
                }
            }
            _ => {}
        }
    }
}

/// An expected message.
pub fn pattern(template: &Template, ty: &MessageType, problems: &mut Vec<Problem>) {
    if ty.has_own_json() {
        literal(template)
            .into_iter()
            .for_each(|data| built(ty, &data, problems));
        return;
    }
    let entries = match &template.node {
        TemplateNode::Map(entries) => entries,
        TemplateNode::Expr(_) => return,
        _ => {
            problems.push(Problem::new(
                template.span,
                format!("expected a map of fields of {}", ty.full_name()),
            ));
            return;
        }
    };
    for (key, value) in entries {
        let Some(field) = field(ty, key, problems) else {
            continue;
        };
        match (&field.kind, &value.node) {
            (_, TemplateNode::Map(matchers)) if matches!(matchers.as_slice(), [(k, _)] if k.value == "absent") => {}
            (FieldKind::Message(inner), _) => pattern(value, inner, problems),
            (_, TemplateNode::Map(entries)) if entries.is_empty() => {
                let text = format!("`{}`: an empty map expects nothing", field.name);
                problems.push(Problem::new(value.span, text));
            }
            (FieldKind::List(element), TemplateNode::List(items)) => elements(items, element, problems),
            (FieldKind::List(element), TemplateNode::Map(matchers)) => list_matchers(matchers, element, problems),
            (FieldKind::List(_) | FieldKind::Map(..), TemplateNode::Expr(_)) => {}
            (FieldKind::List(_), _) => {
                let text = format!(
                    "`{}` is a list: write a list, or one of {}",
                    field.name,
                    LIST.join(", ")
                );
                problems.push(Problem::new(value.span, text));
            }
            (FieldKind::Map(_, element), TemplateNode::Map(entries)) => {
                if let FieldKind::Message(inner) = element.as_ref() {
                    entries.iter().for_each(|(_, value)| pattern(value, inner, problems));
                }
            }
            (FieldKind::Map(..), _) => problems.push(Problem::new(value.span, format!("`{}` is a map", field.name))),
            (_, TemplateNode::Map(matchers)) => scalar_matchers(matchers, problems),
            _ if literal(value).is_some() => one_field(ty, &field, key, value, problems),
            _ => {}
        }
    }
}

fn elements(items: &[Template], element: &FieldKind, problems: &mut Vec<Problem>) {
    match element {
        FieldKind::Message(inner) => items.iter().for_each(|item| pattern(item, inner, problems)),
        _ => {
            for item in items {
                if let TemplateNode::Map(matchers) = &item.node {
                    scalar_matchers(matchers, problems);
                }
            }
        }
    }
}

fn list_matchers(matchers: &[(Located<String>, Template)], element: &FieldKind, problems: &mut Vec<Problem>) {
    for (name, value) in matchers {
        match (name.value.as_str(), &value.node) {
            ("unordered", TemplateNode::List(items)) => elements(items, element, problems),
            ("contains", _) => elements(std::slice::from_ref(value), element, problems),
            ("length", TemplateNode::Int(_)) | ("unordered" | "length", TemplateNode::Expr(_)) => {}
            ("unordered", _) => problems.push(Problem::new(value.span, "`unordered` takes a list")),
            ("length", _) => problems.push(Problem::new(value.span, "`length` takes a number")),
            (other, _) => unknown_matcher(name, other, &LIST, "a list", problems),
        }
    }
}

fn scalar_matchers(matchers: &[(Located<String>, Template)], problems: &mut Vec<Problem>) {
    for (name, value) in matchers {
        match (name.value.as_str(), &value.node) {
            ("matches", TemplateNode::Str(pattern)) => {
                if let Err(error) = regex::Regex::new(pattern) {
                    let reason = error.to_string();
                    let reason = reason
                        .lines()
                        .last()
                        .unwrap_or_default()
                        .trim_start_matches("error: ")
                        .to_owned();
                    problems.push(Problem::new(value.span, format!("no regular expression: {reason}")));
                }
            }
            ("one_of", TemplateNode::List(_) | TemplateNode::Expr(_)) => {}
            ("one_of", _) => problems.push(Problem::new(value.span, "`one_of` takes a list")),
            ("absent", _) => problems.push(Problem::new(name.span, "`absent` stands alone in its map")),
            ("matches" | "contains" | "approx", _) => {}
            (other, _) => unknown_matcher(name, other, &SCALAR, "a scalar", problems),
        }
    }
}

fn unknown_matcher(name: &Located<String>, word: &str, known: &[&'static str], of: &str, problems: &mut Vec<Problem>) {
    let text = suggest(format!("`{word}` is no matcher of {of}"), word, known.iter().copied());
    problems.push(Problem::new(name.span, text).help(format!("there are {}", known.join(", "))));
}

fn field(ty: &MessageType, key: &Located<String>, problems: &mut Vec<Problem>) -> Option<Field> {
    let field = ty.field(&key.value);
    if field.is_none() {
        let fields = ty.fields();
        let names = fields.iter().map(|field| field.name.as_str());
        let text = suggest(
            format!("no field `{}` in {}", key.value, ty.full_name()),
            &key.value,
            names,
        );
        problems.push(Problem::new(key.span, text));
    }
    field
}

fn one_field(ty: &MessageType, field: &Field, key: &Located<String>, value: &Template, problems: &mut Vec<Problem>) {
    let Some(data) = literal(value) else { return };
    let key = Located {
        value: field.name.clone(),
        span: key.span,
    };
    let whole = Data {
        span: value.span,
        node: DataNode::Map(vec![(key, data)]),
        computed: false,
    };
    built(ty, &whole, problems);
}

fn built(ty: &MessageType, data: &Data, problems: &mut Vec<Problem>) {
    if let Err(errors) = build(ty, data) {
        problems.extend(errors.into_iter().map(|error| Problem::new(error.span, error.text)));
    }
}

/// A template without expressions, as data.
fn literal(template: &Template) -> Option<Data> {
    let node = match &template.node {
        TemplateNode::Null => DataNode::Null,
        TemplateNode::Bool(v) => DataNode::Bool(*v),
        TemplateNode::Int(v) => DataNode::Int(*v),
        TemplateNode::Float(v) => DataNode::Float(*v),
        TemplateNode::Str(v) => DataNode::Str(v.clone()),
        TemplateNode::Expr(_) | TemplateNode::Text(_) => return None,
        TemplateNode::List(items) => DataNode::List(items.iter().map(literal).collect::<Option<_>>()?),
        TemplateNode::Map(entries) => DataNode::Map(
            entries
                .iter()
                .map(|(key, value)| literal(value).map(|value| (key.clone(), value)))
                .collect::<Option<_>>()?,
        ),
    };
    Some(Data {
        node,
        span: template.span,
        computed: false,
    })
}
