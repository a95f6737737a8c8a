//! Descriptors of every syntax, messages from data and back, and the sentences about data that does not fit.

use super::*;
use crate::scenario::data::{Data, DataNode};
use crate::scenario::source::{Located, Span};
use buffa_descriptor::generated::descriptor::feature_set::FieldPresence;
use buffa_descriptor::generated::descriptor::field_descriptor_proto::{Label, Type};
use buffa_descriptor::generated::descriptor::{
    DescriptorProto, Edition, FeatureSet, FieldDescriptorProto, FieldOptions, FileDescriptorProto, FileDescriptorSet,
};
use serde_json::{Value as Json, json};
use std::path::PathBuf;

const PROTO3: &str = r#"
syntax = "proto3";
package t;
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
enum Colour { NONE = 0; RED = 1; BLUE = 2; }
message Inner { string name = 1; Inner next = 2; }
message Everything {
  bool flag = 1; int32 small = 2; int64 large = 3; uint32 usmall = 4; uint64 ularge = 5;
  float single = 6; double twice = 7; string text = 8; bytes raw = 9; Colour colour = 10;
  Inner inner = 11; repeated string tags = 12; map<string, int32> counts = 13; map<int32, Inner> by_id = 14;
  oneof choice { string left = 15; Inner right = 16; }
  optional int32 maybe = 17;
  google.protobuf.Timestamp at = 18; google.protobuf.Duration lasts = 19;
  google.protobuf.Int64Value wrapped = 20; google.protobuf.Struct free = 21; google.protobuf.Value any_value = 22;
  google.protobuf.ListValue list = 23; google.protobuf.Any any = 24; google.protobuf.FieldMask mask = 25;
  repeated Inner inners = 26; repeated Colour colours = 27;
  int32 stock_quantity = 28;
}
service Things {
  rpc Get(Inner) returns (Everything) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc Talk(stream Inner) returns (stream Everything);
}
"#;

const PROTO2: &str = r#"
syntax = "proto2";
package t2;
enum Size { SMALL = 1; BIG = 5; }
message Old {
  required string id = 1;
  optional int32 count = 2 [default = 41];
  optional Size size = 3 [default = BIG];
  repeated group Part = 4 { optional string label = 5; }
  optional string greeting = 6 [default = "hi"];
  extensions 100 to 199;
}
extend Old { optional string nick = 100; }
"#;

fn compile(text: &str) -> Schema {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.proto");
    std::fs::write(&file, text).unwrap();
    Schema::from_proto(&[file], &[]).unwrap()
}

/// Data as YAML would give it.
fn written(value: &Json) -> Data {
    let node = match value {
        Json::Null => DataNode::Null,
        Json::Bool(v) => DataNode::Bool(*v),
        Json::Number(v) => match (v.as_i64(), v.as_u64()) {
            (Some(v), _) => DataNode::Int(v.into()),
            (None, Some(v)) => DataNode::Int(v.into()),
            _ => DataNode::Float(v.as_f64().unwrap()),
        },
        Json::String(v) => DataNode::Str(v.clone()),
        Json::Array(v) => DataNode::List(v.iter().map(written).collect()),
        Json::Object(v) => DataNode::Map(v.iter().map(|(k, v)| (key(k), written(v))).collect()),
    };
    Data {
        node,
        span: Span::default(),
        computed: false,
    }
}

fn key(name: &str) -> Located<String> {
    Located {
        value: name.to_owned(),
        span: Span::default(),
    }
}

fn computed(node: DataNode) -> Data {
    Data {
        node,
        span: Span::default(),
        computed: true,
    }
}

fn everything() -> MessageType {
    compile(PROTO3).message_type("t.Everything").unwrap()
}

fn errors(ty: &MessageType, value: Json) -> String {
    let errors = build(ty, &written(&value)).unwrap_err();
    errors.into_iter().map(|e| e.text).collect::<Vec<_>>().join(" | ")
}

#[test]
fn every_kind_of_field_survives_building_encoding_and_reading() {
    let ty = everything();
    let value = json!({
        "flag": true, "small": -5, "large": "x", "usmall": 4_000_000_000u32, "ularge": 18_446_744_073_709_551_615u64,
        "single": 0.1, "twice": 1e300, "text": "12 Äpfel\u{0}", "raw": "AAEC/w", "colour": "BLUE",
        "inner": {"name": "a", "next": {"name": "b"}}, "tags": ["x", ""], "counts": {"one": 1, "zero": 0},
        "by_id": {"-7": {"name": "minus"}}, "right": {}, "maybe": 0,
        "at": "2026-11-22T09:30:00.5+01:00", "lasts": "-1.5s", "wrapped": 0,
        "free": {"a": [1, null, {"b": true}]}, "any_value": null, "list": [1.5, "x"],
        "any": {"@type": "t.Inner", "name": "in any"}, "mask": "a,b.c",
        "inners": [{}, {"name": "n"}], "colours": ["RED", 2, 77],
    });
    let mut value = value;
    value["large"] = json!(-9_223_372_036_854_775_808i64);
    let built = build(&ty, &written(&value)).unwrap();
    let read = DynMsg::decode(&ty, &built.encode()).unwrap();
    let expected = json!({
        "flag": true, "small": -5, "large": "-9223372036854775808", "usmall": 4_000_000_000u32,
        "ularge": "18446744073709551615", "single": 0.1, "twice": 1e300, "text": "12 Äpfel\u{0}", "raw": "AAEC/w==",
        "colour": "BLUE", "inner": {"name": "a", "next": {"name": "b"}}, "tags": ["x", ""],
        "counts": {"one": 1, "zero": 0}, "by_id": {"-7": {"name": "minus"}}, "right": {}, "maybe": 0,
        "at": "2026-11-22T08:30:00.500Z", "lasts": "-1.500s", "wrapped": 0,
        "free": {"a": [1, null, {"b": true}]}, "any_value": null, "list": [1.5, "x"],
        "any": {"@type": "type.googleapis.com/t.Inner", "name": "in any"}, "mask": "a,b.c",
        "inners": [{}, {"name": "n"}], "colours": ["RED", "BLUE", 77],
    });
    assert_eq!(read.to_json(), expected);
}

#[test]
fn text_is_one_line_of_set_fields() {
    let ty = everything();
    let message = build(
        &ty,
        &written(&json!({"text": "p-7f3c", "small": 11, "counts": {"a b": 1}})),
    )
    .unwrap();
    assert_eq!(message.to_text(), r#"{small: 11, text: "p-7f3c", counts: {"a b": 1}}"#);
}

#[test]
fn cel_sees_all_fields_with_their_types() {
    let ty = everything();
    let data = json!({"small": 3, "usmall": 3, "colour": "RED", "at": "1970-01-01T00:00:01Z", "lasts": "2s",
        "wrapped": 9, "free": {"k": 1}, "any": {"@type": "t.Inner", "name": "n"}, "by_id": {"7": {}}});
    let message = build(&ty, &written(&data)).unwrap();
    let check = |expression: &str| {
        let mut context = cel::Context::default();
        context.add_variable_from_value("m", message.to_cel());
        cel::Program::compile(expression).unwrap().execute(&context)
    };
    for expression in [
        "m.small == 3 && m.small * 2 == 6 && m.usmall == 3u",
        "m.large == 0 && m.ularge == 0u && m.text == '' && m.twice == 0.0 && m.flag == false && m.raw == b''",
        "m.colour == 'RED' && size(m.tags) == 0 && size(m.counts) == 0 && size(m.inners) == 0",
        "!has(m.inner) && !has(m.maybe) && !has(m.left) && has(m.small)",
        "m.at == timestamp('1970-01-01T00:00:01Z') && m.lasts == duration('2s')",
        "m.wrapped == 9 && m.free.k == 1.0",
        "m.any.type_url == 'type.googleapis.com/t.Inner' && m.any.name == 'n'",
        "m.by_id[7].name == ''",
    ] {
        assert_eq!(check(expression).unwrap(), cel::Value::Bool(true), "{expression}");
    }
}

#[test]
fn data_that_does_not_fit_is_refused_with_what_to_write() {
    let ty = everything();
    for (value, part) in [
        (
            json!({"stok_quantity": 1}),
            "no field `stok_quantity` in t.Everything; did you mean `stock_quantity`?",
        ),
        (
            json!({"inner": {"xyz": 1}}),
            "no field `xyz` in t.Inner: it has `name`, `next`",
        ),
        (
            json!({"small": 2_147_483_648i64}),
            "2147483648 is out of range for `small`, int32 (-2147483648 to 2147483647)",
        ),
        (json!({"usmall": -1}), "-1 is out of range for `usmall`, uint32"),
        (json!({"small": 5.0}), "write 5"),
        (json!({"small": 5.5}), "`small` is int32, the number 5.5 is not"),
        (json!({"small": "5"}), "\"5\" is a text: remove the quotes"),
        (json!({"small": "five"}), "write a whole number"),
        (json!({"small": true}), "`small` is int32, true is not"),
        (json!({"twice": "1.5"}), "remove the quotes"),
        (json!({"single": 1e300}), "out of range for `single`, a float"),
        (json!({"text": 5}), "`text` is string, the number 5 is not: quote this"),
        (json!({"text": true}), "quote this"),
        (json!({"text": [1]}), "`text` is string, a list is not"),
        (json!({"flag": "true"}), "remove the quotes"),
        (json!({"flag": "yes"}), "write true or false"),
        (json!({"flag": 1}), "write true or false"),
        (
            json!({"colour": "BLEU"}),
            "no value `BLEU` in t.Colour; did you mean `BLUE`?",
        ),
        (json!({"colour": "purple"}), "it has `NONE`, `RED`, `BLUE`"),
        (json!({"colour": "1"}), "remove the quotes"),
        (json!({"raw": "a!"}), "written in base64"),
        (json!({"inner": 5}), "the number 5 is no message: t.Inner wants fields"),
        (json!({"tags": "x"}), "`tags` is a list"),
        (json!({"tags": ["x", null]}), "null in the list `tags`"),
        (json!({"counts": [1]}), "`counts` is a map"),
        (json!({"by_id": {"x": {}}}), "the key `x` is no int32"),
        (
            json!({"left": "a", "right": {}}),
            "`right` and `left` are both members of the oneof `choice`",
        ),
        (json!({"stock_quantity": 1, "stockQuantity": 1}), "are the same field"),
        (json!({"at": "yesterday"}), "is no RFC 3339 time"),
        (json!({"at": 5}), "write RFC 3339"),
        (json!({"lasts": "5"}), "is no duration in seconds, such as \"1.5s\""),
        (json!({"wrapped": "5"}), "remove the quotes"),
        (json!({"any": {"name": "x"}}), "write \"@type\""),
        (
            json!({"any": {"@type": "t.Nope", "name": "x"}}),
            "no message `t.Nope` is described",
        ),
        (json!({"any": {"@type": "t.Inner", "nam": "x"}}), "did you mean `name`?"),
        (json!({"list": {"a": 1}}), "is no list"),
        (json!([1]), "a list is no message"),
    ] {
        let text = errors(&ty, value.clone());
        assert!(text.contains(part), "{value}: {text}");
    }
}

#[test]
fn all_errors_are_told_at_their_places() {
    let at = |start| Span {
        start,
        end: start + 1,
        line: 1,
        column: start + 1,
    };
    let place = |name: &str, start| Located {
        value: name.to_owned(),
        span: at(start),
    };
    let leaf = |node, start| Data {
        node,
        span: at(start),
        computed: false,
    };
    let data = Data {
        node: DataNode::Map(vec![
            (place("nope", 1), leaf(DataNode::Int(1), 2)),
            (place("small", 3), leaf(DataNode::Str("5".into()), 4)),
        ]),
        span: at(0),
        computed: false,
    };
    let places: Vec<usize> = build(&everything(), &data)
        .unwrap_err()
        .iter()
        .map(|e| e.span.start)
        .collect();
    assert_eq!(places, [1, 4]);
}

#[test]
fn computed_values_keep_their_type_but_whole_doubles_are_integers() {
    let ty = everything();
    let of = |name: &str, node| computed(DataNode::Map(vec![(key(name), computed(node))]));
    assert_eq!(
        build(&ty, &of("small", DataNode::Float(5.0))).unwrap().to_text(),
        "{small: 5}"
    );
    assert!(build(&ty, &of("small", DataNode::Float(5.5))).is_err());
    let text = build(&ty, &of("small", DataNode::Str("5".into()))).unwrap_err()[0]
        .text
        .clone();
    assert!(text.contains("as in int(…)"), "{text}");
    let text = build(&ty, &of("text", DataNode::Int(5))).unwrap_err()[0].text.clone();
    assert!(text.contains("string(…)"), "{text}");
    let built = build(&ty, &of("lasts", DataNode::Duration(-1_500_000_000))).unwrap();
    assert_eq!(built.to_text(), r#"{lasts: "-1.500s"}"#);
    let built = build(&ty, &of("at", DataNode::Timestamp(-1))).unwrap();
    assert_eq!(built.to_text(), r#"{at: "1969-12-31T23:59:59.999999999Z"}"#);
    assert_eq!(
        build(&ty, &of("raw", DataNode::Bytes(vec![1]))).unwrap().to_text(),
        r#"{raw: "AQ=="}"#
    );
}

#[test]
fn null_leaves_a_field_unset() {
    let message = build(
        &everything(),
        &written(&json!({"text": null, "left": null, "right": {}})),
    )
    .unwrap();
    assert_eq!(message.to_text(), "{right: {}}");
}

#[test]
fn deep_data_is_refused_and_deep_bytes_do_not_break_us() {
    let ty = everything();
    let mut deep = json!({});
    for _ in 0..300 {
        deep = json!({ "next": deep });
    }
    assert!(errors(&ty, json!({ "inner": deep })).contains("nested deeper than 100"));
    let mut deep = json!([]);
    for _ in 0..300 {
        deep = json!([deep]);
    }
    assert!(errors(&ty, json!({ "any_value": deep })).contains("nested deeper than 100"));
    // An Any in an Any in an Any …: each is opened with a decoder of its own.
    let length = |out: &mut Vec<u8>, mut length: usize| {
        while length >= 0x80 {
            out.push((length as u8) | 0x80);
            length >>= 7;
        }
        out.push(length as u8);
    };
    let url = b"type.googleapis.com/google.protobuf.Any";
    let mut bytes = Vec::new();
    for _ in 0..3_000 {
        let mut outer = vec![0x0a, url.len() as u8];
        outer.extend(url);
        outer.push(0x12);
        length(&mut outer, bytes.len());
        outer.extend(&bytes);
        bytes = outer;
    }
    let any = DynMsg::decode(&ty.sibling("google.protobuf.Any").unwrap(), &bytes).unwrap();
    assert_eq!(any.to_text().matches("value: {").count(), 100);
    assert!(matches!(any.to_cel(), cel::Value::Map(_)));
}

#[test]
fn a_shape_lists_fields_once_and_marks_what_is_set() {
    let ty = everything();
    let shape = Shape::of(&ty);
    let at = |path: &str| shape.paths().iter().position(|known| known == path);
    for path in [
        "flag",
        "inner",
        "inner.name",
        "inner.next",
        "tags",
        "counts",
        "by_id[].name",
        "at",
        "inners[].name",
    ] {
        assert!(at(path).is_some(), "{path} in {:?}", shape.paths());
    }
    // A type inside of itself, and what stands for a value, are not looked into.
    for path in ["inner.next.name", "at.seconds", "any.value"] {
        assert!(at(path).is_none(), "{path} in {:?}", shape.paths());
    }
    assert_eq!(shape.left_out(), 0);

    let set = |value: Json| {
        let mut hit = vec![false; shape.paths().len()];
        shape.mark(&build(&ty, &written(&value)).unwrap(), &mut hit);
        let paths = shape.paths().iter().zip(hit).filter(|(_, hit)| *hit);
        paths.map(|(path, _)| path.clone()).collect::<Vec<_>>()
    };
    assert_eq!(set(json!({})), Vec::<String>::new());
    assert_eq!(
        set(json!({ "flag": false, "small": 0, "maybe": 0, "text": "" })),
        ["maybe"]
    );
    assert_eq!(
        set(json!({ "tags": ["a"], "inners": [{}, { "name": "x" }], "by_id": { "1": { "next": {} } } })),
        ["tags", "by_id", "by_id[].next", "inners", "inners[].name"]
    );

    let fields: String = (1..=300)
        .map(|number| format!("int32 f{number} = {number}; "))
        .collect();
    let large = compile(&format!("syntax = \"proto3\"; package t; message Large {{ {fields} }}"));
    let shape = Shape::of(&large.message_type("t.Large").unwrap());
    assert_eq!((shape.paths().len(), shape.left_out()), (250, 50));
}

#[test]
fn methods_and_services_are_described() {
    let schema = compile(PROTO3);
    assert_eq!(schema.services(), ["t.Things"]);
    let names: Vec<String> = schema
        .service_methods("t.Things")
        .iter()
        .map(Method::full_name)
        .collect();
    assert_eq!(names, ["t.Things/Get", "t.Things/Talk"]);
    let get = schema.method("t.Things", "Get").unwrap();
    assert!(get.no_side_effects && !get.client_streaming && !get.server_streaming);
    let talk = schema.method("t.Things", "Talk").unwrap();
    assert!(!talk.no_side_effects && talk.client_streaming && talk.server_streaming);
    assert_eq!(talk.path(), "/t.Things/Talk");
    assert!(schema.method("t.Things", "Nope").is_none());
    let nope = schema.undescribed("t.Things", "Nope");
    assert_eq!(
        (nope.path().as_str(), nope.input.full_name()),
        ("/t.Things/Nope", "google.protobuf.Empty")
    );
}

#[test]
fn well_known_services_and_details_stand_behind_every_schema() {
    for schema in [
        compile(PROTO2),
        compile(PROTO3),
        Schema::built_in(),
        load::well_known().clone(),
    ] {
        for (service, method) in [
            ("grpc.health.v1.Health", "Check"),
            ("grpc.reflection.v1.ServerReflection", "ServerReflectionInfo"),
            ("grpc.reflection.v1alpha.ServerReflection", "ServerReflectionInfo"),
        ] {
            assert!(schema.method(service, method).is_some(), "{service} in {schema:?}");
        }
        for name in [
            "google.rpc.Status",
            "google.rpc.BadRequest",
            "google.protobuf.Any",
            "google.protobuf.Empty",
        ] {
            assert!(schema.message_type(name).is_some(), "{name} in {schema:?}");
        }
    }
    assert_eq!(Schema::built_in().services(), ["inventory.InventoryService"]);
    assert_eq!(Schema::built_in().origin().to_string(), "built-in contract");
}

#[test]
fn proto2_keeps_presence_defaults_groups_closed_enums_and_extensions() {
    let ty = compile(PROTO2).message_type("t2.Old").unwrap();
    let message = build(&ty, &written(&json!({"id": "", "Part": [], "[t2.nick]": "n"})));
    let text = message.unwrap_err()[0].text.clone();
    assert!(text.contains("did you mean `part`?"), "{text}");
    let data = json!({"id": "", "part": [{"label": "l"}], "[t2.nick]": "n"});
    let message = build(&ty, &written(&data)).unwrap();
    let message = DynMsg::decode(&ty, &message.encode()).unwrap();
    assert_eq!(message.to_text(), r#"{id: "", part: [{label: "l"}], "[t2.nick]": "n"}"#);
    let count = ty.field("count").unwrap();
    assert!(count.has_presence && !message.has(&count));
    assert!(matches!(message.get(&count), FieldValue::Int(41)));
    assert!(matches!(message.get(&ty.field("size").unwrap()), FieldValue::Enum(5, Some(name)) if name == "BIG"));
    assert!(matches!(message.get(&ty.field("greeting").unwrap()), FieldValue::Str(text) if text == "hi"));
    assert!(errors(&ty, json!({"size": 2})).contains("a closed enum"));
    let nick = ty.field("[t2.nick]").unwrap();
    assert!(nick.has_presence && message.has(&nick));
    assert!(matches!(message.get(&nick), FieldValue::Str(text) if text == "n"));
    assert!(ty.field("[t2.nope]").is_none());
    // A limit of the decoder: a proto2 string, or one with `utf8_validation = NONE`, might hold any bytes.
    let text = DynMsg::decode(&ty, b"\x0a\x01\xff").unwrap_err().to_string();
    assert!(text.contains("UTF-8"), "{text}");
}

#[test]
fn an_any_in_an_any_stands_under_value() {
    let ty = everything();
    let inner = json!({"@type": "type.googleapis.com/t.Inner", "name": "n"});
    let value = json!({"any": {"@type": "type.googleapis.com/google.protobuf.Any", "value": inner}});
    assert_eq!(build(&ty, &written(&value)).unwrap().to_json(), value);
}

fn edition_2023() -> FileDescriptorProto {
    let field = |name: &str, number, ty, presence: Option<FieldPresence>| {
        let options = presence.map(|presence| FieldOptions {
            features: FeatureSet {
                field_presence: Some(presence),
                ..Default::default()
            }
            .into(),
            ..Default::default()
        });
        FieldDescriptorProto {
            name: Some(name.into()),
            number: Some(number),
            label: Some(Label::LABEL_OPTIONAL),
            r#type: Some(ty),
            options: options.map(Into::into).unwrap_or_default(),
            ..Default::default()
        }
    };
    FileDescriptorProto {
        name: Some("e.proto".into()),
        package: Some("e".into()),
        syntax: Some("editions".into()),
        edition: Some(Edition::EDITION_2023),
        message_type: vec![DescriptorProto {
            name: Some("Modern".into()),
            field: vec![
                field("explicit", 1, Type::TYPE_INT32, None),
                field("implicit", 2, Type::TYPE_INT32, Some(FieldPresence::IMPLICIT)),
            ],
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn set(file: Vec<FileDescriptorProto>) -> Vec<u8> {
    FileDescriptorSet {
        file,
        ..Default::default()
    }
    .encode_to_vec()
}

#[test]
fn editions_have_presence_by_feature() {
    for edition in [Edition::EDITION_2023, Edition::EDITION_2024] {
        let file = FileDescriptorProto {
            edition: Some(edition),
            ..edition_2023()
        };
        let schema = Schema::from_descriptor_set(&set(vec![file])).unwrap();
        let ty = schema.message_type("e.Modern").unwrap();
        let presence: Vec<bool> = ty.fields().iter().map(|f| f.has_presence).collect();
        assert_eq!(presence, [true, false]);
        let message = build(&ty, &written(&json!({"explicit": 0, "implicit": 0}))).unwrap();
        let message = DynMsg::decode(&ty, &message.encode()).unwrap();
        assert_eq!(message.to_text(), "{explicit: 0}");
    }
}

#[test]
fn broken_descriptors_are_sentences() {
    let text = |bytes: &[u8]| Schema::from_descriptor_set(bytes).unwrap_err().to_string();
    assert!(
        text(b"\xff\xff garbage").starts_with("no descriptor set: "),
        "{}",
        text(b"\xff\xff garbage")
    );
    assert!(text(b"").contains("it holds no file"));
    let mut file = edition_2023();
    file.dependency.push("missing/dep.proto".into());
    file.message_type[0].field[0].r#type = Some(Type::TYPE_MESSAGE);
    file.message_type[0].field[0].type_name = Some(".missing.Dep".into());
    let missing = text(&set(vec![file]));
    assert!(
        missing.contains("e.proto imports missing/dep.proto, which is missing"),
        "{missing}"
    );
    let mut deep = DescriptorProto {
        name: Some("D".into()),
        ..Default::default()
    };
    for _ in 0..80 {
        deep = DescriptorProto {
            name: Some("DDDDDDDDDD".into()),
            nested_type: vec![deep],
            ..Default::default()
        };
    }
    let deep = FileDescriptorProto {
        name: Some("d.proto".into()),
        message_type: vec![deep],
        ..Default::default()
    };
    assert!(text(&set(vec![deep])).contains("limit"), "a name of 880 bytes");
    // 20,000 nested messages, written by hand: the decoder must stop, not the stack.
    let mut bytes = Vec::new();
    for _ in 0..20_000 {
        let mut outer = vec![0x1a];
        let mut length = bytes.len();
        while length >= 0x80 {
            outer.push((length as u8) | 0x80);
            length >>= 7;
        }
        outer.push(length as u8);
        outer.extend(&bytes);
        bytes = outer;
        if bytes.len() > 60_000 {
            break;
        }
    }
    let mut file = vec![
        0x22,
        (bytes.len() as u8) | 0x80,
        ((bytes.len() >> 7) as u8) | 0x80,
        (bytes.len() >> 14) as u8,
    ];
    file.extend(&bytes);
    let mut all = vec![
        0x0a,
        (file.len() as u8) | 0x80,
        ((file.len() >> 7) as u8) | 0x80,
        (file.len() >> 14) as u8,
    ];
    all.extend(&file);
    assert!(text(&all).starts_with("no descriptor set: "), "{}", text(&all));
}

#[test]
fn own_descriptors_win_over_the_well_known_ones() {
    let own = r#"
        syntax = "proto3";
        package google.rpc;
        message Status { int32 code = 1; string own = 9; }
        service Own { rpc Get(Status) returns (Status); }
    "#;
    let schema = compile(own);
    assert!(schema.message_type("google.rpc.Status").unwrap().field("own").is_some());
    assert_eq!(schema.services(), ["google.rpc.Own"]);
    assert!(schema.method("grpc.health.v1.Health", "Check").is_some());
}

#[test]
fn proto_files_that_do_not_compile_say_where() {
    let folder = tempfile::tempdir().unwrap();
    let write = |text: &str| {
        let file = folder.path().join("bad.proto");
        std::fs::write(&file, text).unwrap();
        Schema::from_proto(&[file], &[]).unwrap_err().to_string()
    };
    let text = write("syntax = \"proto3\";\nmessage A { Nope b = 1; }");
    assert!(text.contains("bad.proto:2:13") && text.contains("Nope"), "{text}");
    let text = write("syntax = \"proto3\";\nimport \"nope.proto\";");
    assert!(text.contains("nope.proto"), "{text}");
    let text = write("edition = \"2023\";\nmessage A {}");
    assert!(text.contains("make a descriptor set with protoc or buf"), "{text}");
    let text = Schema::from_proto(&[PathBuf::from("/nonexistent/x.proto")], &[])
        .unwrap_err()
        .to_string();
    assert!(text.contains("x.proto") || text.contains("/nonexistent"), "{text}");
}
