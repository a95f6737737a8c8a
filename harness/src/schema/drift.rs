//! What a target's descriptors have changed against a contract so that its clients break. Pure.
//!
//! Compared is what clients depend on: methods by name, how they stream, and every field that their messages reach, by
//! number, name, type and label (https://protobuf.dev/programming-guides/proto3/#updating; a name is part of it, because
//! REST and JSON carry names). What a target has beside the contract breaks nobody and is counted.

use super::{EnumType, MessageType, Schema};
use buffa_descriptor::{FieldDescriptor, FieldKind, ScalarType, SingularKind};
use std::collections::HashSet;

/// One thing that breaks clients of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// A service, a method `pkg.Service/Method`, a field `pkg.Message.field` or an enum's value `pkg.Enum.VALUE`.
    pub what: String,
    /// What became of it.
    pub became: String,
}

/// A target beside its contract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drift {
    /// In the order of the contract.
    pub breaking: Vec<Change>,
    /// Methods, fields and values that only the target has.
    pub added: usize,
    /// Methods of the contract that were looked at.
    pub methods: usize,
}

/// Compares some services of the contract with those of the same name of the target.
pub fn drift(contract: &Schema, target: &Schema, services: &[String]) -> Drift {
    let mut walk = Walk::default();
    for service in services {
        let own = contract.service_methods(service);
        let theirs = target.service_methods(service);
        if theirs.is_empty() {
            walk.breaks(service.clone(), "is not described by the target any more");
            continue;
        }
        for method in &own {
            walk.drift.methods += 1;
            let what = method.full_name();
            let Some(now) = theirs.iter().find(|now| now.name == method.name) else {
                walk.breaks(what, "is removed or renamed");
                continue;
            };
            let streams = |client: bool, server: bool| match (client, server) {
                (false, false) => "unary",
                (true, false) => "a client stream",
                (false, true) => "a server stream",
                (true, true) => "a stream both ways",
            };
            let was = streams(method.client_streaming, method.server_streaming);
            let is = streams(now.client_streaming, now.server_streaming);
            if was != is {
                walk.breaks(what, format!("is {is}, was {was}"));
            }
            walk.message(&method.input, &now.input);
            walk.message(&method.output, &now.output);
        }
        let added = theirs
            .iter()
            .filter(|now| !own.iter().any(|method| method.name == now.name));
        walk.drift.added += added.count();
    }
    walk.drift
}

#[derive(Default)]
struct Walk {
    drift: Drift,
    seen: HashSet<(String, String)>,
}

impl Walk {
    fn breaks(&mut self, what: String, became: impl Into<String>) {
        self.drift.breaking.push(Change {
            what,
            became: became.into(),
        });
    }

    fn first_time(&mut self, was: &str, is: &str) -> bool {
        self.seen.insert((was.to_owned(), is.to_owned()))
    }

    fn message(&mut self, was: &MessageType, is: &MessageType) {
        // A type may hold itself, and may be met on many ways.
        let mut open = vec![(was.clone(), is.clone())];
        while let Some((was, is)) = open.pop() {
            if !self.first_time(was.full_name(), is.full_name()) {
                continue;
            }
            let (old, new) = (was.descriptor().fields(), is.descriptor().fields());
            for field in old {
                let what = format!("{}.{}", was.full_name(), field.name());
                let Some(now) = new.iter().find(|now| now.number() == field.number()) else {
                    let became = match new.iter().find(|now| now.name() == field.name()) {
                        Some(now) => format!("has the number {}, had {}", now.number(), field.number()),
                        None => "is removed".to_owned(),
                    };
                    self.breaks(what, became);
                    continue;
                };
                if now.name() != field.name() {
                    self.breaks(
                        what.clone(),
                        format!("number {} is `{}` now", field.number(), now.name()),
                    );
                } else if now.json_name() != field.json_name() {
                    let became = format!("is `{}` in JSON, was `{}`", now.json_name(), field.json_name());
                    self.breaks(what.clone(), became);
                }
                let (old_kind, new_kind) = (words(&was, field.kind()), words(&is, now.kind()));
                if old_kind != new_kind {
                    self.breaks(what, format!("is {new_kind}, was {old_kind}"));
                    continue;
                }
                if oneof(&was, field) != oneof(&is, now) {
                    let of =
                        |name: Option<String>| name.map_or("no oneof".to_owned(), |name| format!("oneof `{name}`"));
                    let became = format!("is in {}, was in {}", of(oneof(&is, now)), of(oneof(&was, field)));
                    self.breaks(what, became);
                }
                match (singular(field.kind()), singular(now.kind())) {
                    (SingularKind::Message(a), SingularKind::Message(b)) => {
                        open.push((MessageType::at(&was.pool, a), MessageType::at(&is.pool, b)));
                    }
                    (SingularKind::Enum(a), SingularKind::Enum(b)) => {
                        let of = |pool, index| EnumType { pool, index };
                        self.enumeration(&of(was.pool.clone(), a), &of(is.pool.clone(), b));
                    }
                    _ => {}
                }
            }
            let added = new
                .iter()
                .filter(|now| !old.iter().any(|field| field.number() == now.number()));
            self.drift.added += added.count();
        }
    }

    fn enumeration(&mut self, was: &EnumType, is: &EnumType) {
        if !self.first_time(was.full_name(), is.full_name()) {
            return;
        }
        let values = was.values();
        for (name, number) in &values {
            let what = format!("{}.{name}", was.full_name());
            match (is.number_of(name), is.name_of(*number)) {
                (Some(now), _) if now == *number => {}
                (Some(now), _) => self.breaks(what, format!("has the number {now}, had {number}")),
                (None, Some(now)) => self.breaks(what, format!("number {number} is `{now}` now")),
                (None, None) => self.breaks(what, "is removed"),
            }
        }
        let added = is.values();
        self.drift.added += added
            .iter()
            .filter(|(name, _)| !values.iter().any(|(known, _)| known == name))
            .count();
    }
}

fn singular(kind: FieldKind) -> SingularKind {
    match kind {
        FieldKind::Singular(kind) | FieldKind::List(kind) | FieldKind::Map { value: kind, .. } => kind,
    }
}

/// The oneof of a field, synthetic ones of proto3 `optional` aside.
fn oneof(of: &MessageType, field: &FieldDescriptor) -> Option<String> {
    let oneof = of.descriptor().oneofs().get(usize::from(field.oneof_index()?))?;
    (!oneof.is_synthetic()).then(|| oneof.name().to_owned())
}

/// A type in words. Names of messages and enums are not on the wire: that they are one is.
fn words(of: &MessageType, kind: FieldKind) -> String {
    let one = |kind: SingularKind| match kind {
        SingularKind::Scalar(scalar) => scalar_name(scalar),
        SingularKind::Enum(_) => "an enum".to_owned(),
        SingularKind::Message(index) => match MessageType::at(&of.pool, index) {
            // Their JSON has a form of its own.
            known if known.has_own_json() => known.full_name().to_owned(),
            _ => "a message".to_owned(),
        },
    };
    match kind {
        FieldKind::Singular(kind) => one(kind),
        FieldKind::List(kind) => format!("repeated {}", one(kind)),
        FieldKind::Map { key, value } => format!("map<{}, {}>", scalar_name(key), one(value)),
    }
}

/// As in a `.proto`: the encoding counts, so `sint32` is not `int32`.
fn scalar_name(scalar: ScalarType) -> String {
    format!("{scalar:?}").to_lowercase()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const CONTRACT: &str = r#"syntax = "proto3";
package shop;
service Shop {
  rpc Get (GetRequest) returns (Item);
  rpc Watch (GetRequest) returns (stream Item);
}
message GetRequest { string id = 1; }
message Item {
  string id = 1;
  int32 stock = 2;
  repeated string tags = 3;
  Colour colour = 4;
  Item inside = 5;
  map<string, int64> sizes = 6;
  oneof price { double euro = 7; double pound = 8; }
}
enum Colour { COLOUR_UNSPECIFIED = 0; RED = 1; BLUE = 2; }
"#;

    fn schema(text: &str) -> Schema {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop.proto");
        std::fs::write(&path, text).unwrap();
        Schema::from_proto(&[path], &[]).unwrap()
    }

    fn after(change: &[(&str, &str)]) -> Drift {
        let mut text = CONTRACT.to_owned();
        for (old, new) in change {
            assert!(text.contains(old), "{old}");
            text = text.replace(old, new);
        }
        drift(&schema(CONTRACT), &schema(&text), &["shop.Shop".to_owned()])
    }

    #[test]
    fn nothing_changed_or_only_added_breaks_nobody() {
        assert_eq!(
            after(&[]),
            Drift {
                methods: 2,
                ..Drift::default()
            }
        );
        let more = after(&[
            ("  rpc Watch", "  rpc Put (Item) returns (Item);\n  rpc Watch"),
            ("  string id = 1;\n", "  string id = 1;\n  string note = 20;\n"),
            ("BLUE = 2;", "BLUE = 2; GREEN = 3;"),
        ]);
        assert_eq!((more.breaking.len(), more.added), (0, 3), "{more:?}");
        // Names of types are not on the wire.
        assert_eq!(after(&[("GetRequest", "AskRequest"), ("Colour", "Paint")]).breaking, []);
    }

    /// Replacements in the contract, what they break, and how.
    type Case = (&'static [(&'static str, &'static str)], &'static str, &'static str);

    #[test]
    fn every_breaking_change_is_named() {
        let changes: [Case; 13] = [
            (&[("rpc Get ", "rpc Fetch ")], "shop.Shop/Get", "is removed or renamed"),
            (
                &[("(stream Item)", "(Item)")],
                "shop.Shop/Watch",
                "is unary, was a server stream",
            ),
            (
                &[("service Shop", "service Store")],
                "shop.Shop",
                "is not described by the target any more",
            ),
            (&[("  int32 stock = 2;\n", "")], "shop.Item.stock", "is removed"),
            (
                &[("int32 stock = 2", "int32 stock = 12")],
                "shop.Item.stock",
                "has the number 12, had 2",
            ),
            (
                &[("int32 stock", "int32 left")],
                "shop.Item.stock",
                "number 2 is `left` now",
            ),
            (
                &[("int32 stock", "sint32 stock")],
                "shop.Item.stock",
                "is sint32, was int32",
            ),
            (
                &[("repeated string tags", "string tags")],
                "shop.Item.tags",
                "is string, was repeated string",
            ),
            (
                &[("map<string, int64>", "map<string, int32>")],
                "shop.Item.sizes",
                "is map<string, int32>, was map<string, int64>",
            ),
            (
                &[("Item inside", "Colour inside")],
                "shop.Item.inside",
                "is an enum, was a message",
            ),
            (
                &[("double pound = 8; }", "} double pound = 8;")],
                "shop.Item.pound",
                "is in no oneof, was in oneof `price`",
            ),
            (
                &[("BLUE = 2", "BLUE = 3")],
                "shop.Colour.BLUE",
                "has the number 3, had 2",
            ),
            (&[(" BLUE = 2;", "")], "shop.Colour.BLUE", "is removed"),
        ];
        for (change, what, became) in changes {
            let found = after(change).breaking;
            let expected = Change {
                what: what.to_owned(),
                became: became.to_owned(),
            };
            assert_eq!(found, [expected], "{change:?}");
        }
    }

    #[test]
    fn the_built_in_contract_has_not_drifted_from_itself() {
        let own = Schema::built_in();
        let found = drift(&own, &own, &own.services());
        assert!(found.breaking.is_empty() && found.methods >= 6, "{found:?}");
    }
}
