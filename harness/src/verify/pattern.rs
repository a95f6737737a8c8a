//! Subset patterns: what an expected tree says about a message. What a map means is decided by the field's descriptor.
//! Pure.

use super::mismatch::Mismatch;
use crate::{
    scenario::{
        data::{Data, DataNode},
        source::Located,
    },
    schema::{DynMsg, Field, FieldKind, FieldValue, MessageType, Scalar, build},
};

/// Everything in `expected` that `actual` does not have.
pub fn matches(expected: &Data, actual: &DynMsg) -> Vec<Mismatch> {
    let mut found = Vec::new();
    message(expected, actual, "", &mut found);
    found
}

/// Whether `expected` holds for `actual`.
pub fn holds(expected: &Data, actual: &DynMsg) -> bool {
    matches(expected, actual).is_empty()
}

/// A text against an expected text or a matcher map.
pub fn matches_text(expected: &Data, actual: &str, what: &str) -> Vec<Mismatch> {
    let mut found = Vec::new();
    let value = FieldValue::Str(actual.to_owned());
    match &expected.node {
        DataNode::Map(matchers) => scalar_matchers(expected, matchers, &value, what, &mut found),
        DataNode::Str(text) if text == actual => {}
        _ => found.push(differs(expected, what, &value, &text_of(expected))),
    }
    found
}

fn message(expected: &Data, actual: &DynMsg, path: &str, found: &mut Vec<Mismatch>) {
    let ty = actual.message_type();
    if ty.has_own_json() {
        return compare_whole(expected, actual, path, found);
    }
    let DataNode::Map(entries) = &expected.node else {
        found.push(Mismatch::unusable(
            expected.span,
            format!("expected a map of fields of {}", ty.full_name()),
        ));
        return;
    };
    for (key, value) in entries {
        let here = join(path, &key.value);
        match ty.field(&key.value) {
            Some(field) => match absent(value) {
                Some(wanted) => presence(wanted, &field, actual, value, &here, found),
                None => field_value(value, &field, actual, &here, found),
            },
            None => found.push(Mismatch::unusable(
                key.span,
                format!("{} has no field `{}`", ty.full_name(), key.value),
            )),
        }
    }
}

/// `{ absent: true }` or `{ absent: false }`.
fn absent(data: &Data) -> Option<bool> {
    match &data.node {
        DataNode::Map(entries) => match entries.as_slice() {
            [
                (
                    key,
                    Data {
                        node: DataNode::Bool(wanted),
                        ..
                    },
                ),
            ] if key.value == "absent" => Some(*wanted),
            _ => None,
        },
        _ => None,
    }
}

fn presence(wanted: bool, field: &Field, actual: &DynMsg, at: &Data, path: &str, found: &mut Vec<Mismatch>) {
    match (actual.has(field), wanted) {
        (true, true) => found.push(
            Mismatch::new(at.span, format!("{path} is set, expected it absent"))
                .detail("got", actual.get(field).to_text()),
        ),
        (false, false) => found.push(Mismatch::new(at.span, format!("{path} is absent, expected it set"))),
        _ => {}
    }
}

fn field_value(expected: &Data, field: &Field, actual: &DynMsg, path: &str, found: &mut Vec<Mismatch>) {
    let value = actual.get(field);
    match (&field.kind, &expected.node, &value) {
        (_, DataNode::Null, _) => {
            if actual.has(field) {
                found.push(
                    Mismatch::new(expected.span, format!("{path} is set, expected it absent"))
                        .detail("got", value.to_text()),
                );
            }
        }
        (FieldKind::Message(_), _, FieldValue::Message(inner)) => message(expected, inner, path, found),
        (FieldKind::Message(_), _, _) => found.push(Mismatch::new(expected.span, format!("{path} is absent"))),
        (FieldKind::List(element), _, FieldValue::List(items)) => {
            list(expected, field, element, items, actual, path, found)
        }
        (FieldKind::Map(key, element), DataNode::Map(entries), FieldValue::Map(pairs)) => {
            not_empty(expected, entries, path, found);
            map(entries, *key, element, pairs, path, found);
        }
        (FieldKind::Map(..), _, _) => found.push(Mismatch::unusable(
            expected.span,
            format!("{path} is a map, expected {}", text_of(expected)),
        )),
        (_, DataNode::Map(matchers), _) => scalar_matchers(expected, matchers, &value, path, found),
        _ => scalar(expected, field, &value, &actual.message_type(), path, found),
    }
}

/// A scalar or an enum: the expected value is read as the field's type would read it in a request.
fn scalar(expected: &Data, field: &Field, value: &FieldValue, ty: &MessageType, path: &str, found: &mut Vec<Mismatch>) {
    let key = Located {
        value: field.name.clone(),
        span: expected.span,
    };
    let wrapped = Data {
        node: DataNode::Map(vec![(key, expected.clone())]),
        span: expected.span,
        computed: expected.computed,
    };
    match build(ty, &wrapped) {
        Ok(wanted) => {
            let wanted = wanted.get(field);
            if !wanted.same(value) {
                found.push(differs(expected, path, value, &wanted.to_text()));
            }
        }
        Err(errors) => found.extend(
            errors
                .into_iter()
                .map(|e| Mismatch::unusable(e.span, e.text).detail("got", value.to_text())),
        ),
    }
}

fn differs(expected: &Data, path: &str, actual: &FieldValue, wanted: &str) -> Mismatch {
    Mismatch::new(
        expected.span,
        format!("{path} is {}, expected {wanted}", actual.to_text()),
    )
}

/// The matchers of a scalar: all in the map must hold.
fn scalar_matchers(
    at: &Data,
    matchers: &[(Located<String>, Data)],
    value: &FieldValue,
    path: &str,
    found: &mut Vec<Mismatch>,
) {
    not_empty(at, matchers, path, found);
    for (name, wanted) in matchers {
        let held = match (name.value.as_str(), value) {
            ("matches", FieldValue::Str(text)) => match (&wanted.node, text) {
                (DataNode::Str(pattern), text) => match regex::Regex::new(pattern) {
                    Ok(regex) => Ok(regex.is_match(text)),
                    Err(error) => Err(format!("`{pattern}` is no regular expression: {error}")),
                },
                _ => Err("`matches` takes a regular expression in quotes".to_owned()),
            },
            ("contains", FieldValue::Str(text)) => match &wanted.node {
                DataNode::Str(part) => Ok(text.contains(part.as_str())),
                _ => Err("`contains` takes a text".to_owned()),
            },
            ("approx", FieldValue::Double(_) | FieldValue::Float(_) | FieldValue::Int(_) | FieldValue::Uint(_)) => {
                approx(wanted, value)
            }
            ("one_of", _) => match &wanted.node {
                DataNode::List(options) => Ok(options.iter().any(|option| same_plain(option, value))),
                _ => Err("`one_of` takes a list".to_owned()),
            },
            ("absent", _) => Err("`absent` stands alone in its map".to_owned()),
            (other, _) => Err(format!(
                "`{other}` is no matcher for {path}, which is {}",
                value.to_text()
            )),
        };
        match held {
            Ok(true) => {}
            Ok(false) => found.push(Mismatch::new(
                wanted.span,
                format!(
                    "{path} is {}, expected {}: {}",
                    value.to_text(),
                    name.value,
                    text_of(wanted)
                ),
            )),
            Err(text) => found.push(Mismatch::unusable(name.span, text)),
        }
    }
}

/// A map without entries is no expectation.
fn not_empty(at: &Data, entries: &[(Located<String>, Data)], path: &str, found: &mut Vec<Mismatch>) {
    if entries.is_empty() {
        found.push(Mismatch::unusable(
            at.span,
            format!("{path}: an empty map expects nothing"),
        ));
    }
}

/// `approx: 9.99` (relative 1e-9) or `approx: { of: 9.99, within: 0.01 }`.
fn approx(wanted: &Data, value: &FieldValue) -> Result<bool, String> {
    let actual = match value {
        FieldValue::Double(v) => *v,
        FieldValue::Float(v) => f64::from(*v),
        FieldValue::Int(v) => *v as f64,
        FieldValue::Uint(v) => *v as f64,
        _ => return Err("`approx` is for numbers".to_owned()),
    };
    let usage = || "`approx` takes a number, or { of: number, within: number }".to_owned();
    let (of, within) = match &wanted.node {
        DataNode::Map(entries) => {
            let number = |key: &str| {
                entries
                    .iter()
                    .find(|(k, _)| k.value == key)
                    .and_then(|(_, v)| number(v))
            };
            match (number("of"), number("within")) {
                (Some(of), Some(within)) if entries.len() == 2 => (of, within),
                _ => return Err(usage()),
            }
        }
        _ => {
            let of = number(wanted).ok_or_else(usage)?;
            (of, of.abs() * 1e-9)
        }
    };
    Ok((actual - of).abs() <= within)
}

fn number(data: &Data) -> Option<f64> {
    match data.node {
        DataNode::Int(v) => Some(v as f64),
        DataNode::Float(v) => Some(v),
        _ => None,
    }
}

fn same_plain(expected: &Data, value: &FieldValue) -> bool {
    match (&expected.node, value) {
        (DataNode::Bool(a), FieldValue::Bool(b)) => a == b,
        (DataNode::Int(a), FieldValue::Int(b)) => *a == i128::from(*b),
        (DataNode::Int(a), FieldValue::Uint(b)) => *a == i128::from(*b),
        (DataNode::Int(a), FieldValue::Enum(b, _)) => *a == i128::from(*b),
        (_, FieldValue::Double(b)) => number(expected).is_some_and(|a| a == *b || (a.is_nan() && b.is_nan())),
        (_, FieldValue::Float(b)) => number(expected).is_some_and(|a| a as f32 == *b || (a.is_nan() && b.is_nan())),
        (DataNode::Str(a), FieldValue::Str(b)) => a == b,
        (DataNode::Str(a), FieldValue::Enum(_, Some(b))) => a == b,
        (DataNode::Bytes(a), FieldValue::Bytes(b)) => a == b,
        _ => false,
    }
}

fn list(
    expected: &Data,
    field: &Field,
    element: &FieldKind,
    items: &[FieldValue],
    of: &DynMsg,
    path: &str,
    found: &mut Vec<Mismatch>,
) {
    match &expected.node {
        DataNode::List(wanted) => {
            if wanted.len() != items.len() {
                found.push(
                    Mismatch::new(
                        expected.span,
                        format!("{path} has {} elements, expected {}", items.len(), wanted.len()),
                    )
                    .detail("got", FieldValue::List(items.to_vec()).to_text()),
                );
                return;
            }
            for (index, (wanted, item)) in wanted.iter().zip(items).enumerate() {
                list_element(wanted, element, item, &format!("{path}[{index}]"), found);
            }
        }
        DataNode::Map(matchers) => {
            not_empty(expected, matchers, path, found);
            for (name, wanted) in matchers {
                list_matcher(name, wanted, element, items, path, found);
            }
        }
        _ => found.push(Mismatch::unusable(
            expected.span,
            format!(
                "{path} is a list of {}; expected a list or one of: unordered, length, contains",
                of.message_type().full_name().to_owned() + "." + &field.name
            ),
        )),
    }
}

fn list_matcher(
    name: &Located<String>,
    wanted: &Data,
    element: &FieldKind,
    items: &[FieldValue],
    path: &str,
    found: &mut Vec<Mismatch>,
) {
    let got = || FieldValue::List(items.to_vec()).to_text();
    match (name.value.as_str(), &wanted.node) {
        ("length", DataNode::Int(length)) => {
            if *length != items.len() as i128 {
                found.push(
                    Mismatch::new(
                        wanted.span,
                        format!("{path} has {} elements, expected {length}", items.len()),
                    )
                    .detail("got", got()),
                );
            }
        }
        ("unordered", DataNode::List(options)) => {
            let (missing, extra) = pair(options, items, element);
            if !missing.is_empty() || !extra.is_empty() {
                let mut mismatch = Mismatch::new(wanted.span, format!("{path} does not hold the expected elements"));
                for option in missing {
                    mismatch = mismatch.detail("missing", text_of(option));
                }
                for item in extra {
                    mismatch = mismatch.detail("extra", item.to_text());
                }
                found.push(mismatch);
            }
        }
        ("contains", _) => {
            if !items.iter().any(|item| element_holds(wanted, element, item)) {
                found.push(
                    Mismatch::new(wanted.span, format!("no element of {path} is {}", text_of(wanted)))
                        .detail("got", got()),
                );
            }
        }
        ("length", _) => found.push(Mismatch::unusable(wanted.span, "`length` takes a number")),
        ("unordered", _) => found.push(Mismatch::unusable(wanted.span, "`unordered` takes a list")),
        (other, _) => found.push(Mismatch::unusable(
            name.span,
            format!("`{other}` is no matcher for the list {path}: use unordered: [..], length: N or contains: element"),
        )),
    }
}

/// Pairs each expected element with an actual one of its own, as many as possible (augmenting paths, so that an early
/// choice never takes the only partner of a later one).
fn pair<'a>(options: &'a [Data], items: &'a [FieldValue], element: &FieldKind) -> (Vec<&'a Data>, Vec<&'a FieldValue>) {
    let fits: Vec<Vec<usize>> = options
        .iter()
        .map(|option| {
            (0..items.len())
                .filter(|i| element_holds(option, element, &items[*i]))
                .collect()
        })
        .collect();
    let (taken, missing) = super::pairing::pair(&fits, items.len());
    let extra = items
        .iter()
        .enumerate()
        .filter(|(i, _)| !taken.contains(i))
        .map(|(_, item)| item)
        .collect();
    (missing.into_iter().filter_map(|i| options.get(i)).collect(), extra)
}

fn element_holds(expected: &Data, element: &FieldKind, item: &FieldValue) -> bool {
    let mut found = Vec::new();
    list_element(expected, element, item, "", &mut found);
    found.is_empty()
}

fn list_element(expected: &Data, element: &FieldKind, item: &FieldValue, path: &str, found: &mut Vec<Mismatch>) {
    match (&expected.node, item) {
        (_, FieldValue::Message(inner)) => message(expected, inner, path, found),
        (DataNode::Map(matchers), _) => scalar_matchers(expected, matchers, item, path, found),
        (DataNode::Str(text), FieldValue::Bytes(bytes)) if matches!(element, FieldKind::Scalar(Scalar::Bytes)) => {
            use base64::Engine;
            if base64::engine::general_purpose::STANDARD.decode(text).as_deref() != Ok(bytes.as_slice()) {
                found.push(differs(expected, path, item, text));
            }
        }
        _ if same_plain(expected, item) => {}
        _ => found.push(differs(expected, path, item, &text_of(expected))),
    }
}

fn map(
    entries: &[(Located<String>, Data)],
    key: Scalar,
    element: &FieldKind,
    pairs: &[(FieldValue, FieldValue)],
    path: &str,
    found: &mut Vec<Mismatch>,
) {
    for (name, wanted) in entries {
        let here = format!("{path}[{:?}]", name.value);
        let item = pairs.iter().find(|(k, _)| match k {
            FieldValue::Str(text) => *text == name.value,
            FieldValue::Bool(b) => key == Scalar::Bool && b.to_string() == name.value,
            FieldValue::Int(v) => v.to_string() == name.value,
            FieldValue::Uint(v) => v.to_string() == name.value,
            _ => false,
        });
        match (item, absent(wanted)) {
            (None, Some(true)) => {}
            (Some((_, item)), Some(true)) => {
                found.push(
                    Mismatch::new(wanted.span, format!("{here} is there, expected it absent"))
                        .detail("got", item.to_text()),
                );
            }
            (Some((_, item)), _) => list_element(wanted, element, item, &here, found),
            (None, _) => found.push(Mismatch::new(name.span, format!("{here} is missing"))),
        }
    }
}

fn compare_whole(expected: &Data, actual: &DynMsg, path: &str, found: &mut Vec<Mismatch>) {
    match build(&actual.message_type(), expected) {
        Ok(wanted) if wanted.to_json() == actual.to_json() => {}
        Ok(wanted) => found.push(Mismatch::new(
            expected.span,
            format!("{path} is {}, expected {}", actual.to_text(), wanted.to_text()),
        )),
        Err(errors) => found.extend(errors.into_iter().map(|e| Mismatch::unusable(e.span, e.text))),
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// Expected data in one line.
pub fn text_of(data: &Data) -> String {
    match &data.node {
        DataNode::Null => "null".to_owned(),
        DataNode::Bool(v) => v.to_string(),
        DataNode::Int(v) => v.to_string(),
        DataNode::Float(v) => v.to_string(),
        DataNode::Str(v) => format!("{v:?}"),
        DataNode::Bytes(v) => format!("{} bytes", v.len()),
        DataNode::Duration(nanos) => format!("{}s", *nanos as f64 / 1e9),
        DataNode::Timestamp(nanos) => format!("{}s since 1970", *nanos as f64 / 1e9),
        DataNode::List(items) => format!("[{}]", items.iter().map(text_of).collect::<Vec<_>>().join(", ")),
        DataNode::Map(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(k, v)| format!("{}: {}", k.value, text_of(v)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}
