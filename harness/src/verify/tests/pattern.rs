use super::{super::pattern, *};
use crate::schema::MessageType;

const PROTO: &str = r#"
syntax = "proto3";
package t;
import "google/protobuf/timestamp.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/wrappers.proto";
enum Color { NONE = 0; RED = 1; GREEN = 2; }
message Inner { string name = 1; repeated int64 numbers = 2; }
message All {
  string text = 1; int64 long = 2; uint64 big = 3; double real = 4; float small = 5; bool flag = 6; bytes raw = 7;
  Color color = 8; Inner inner = 9; repeated Inner items = 10; repeated string words = 11; repeated Color colors = 12;
  map<string, int32> counts = 13; map<int32, Inner> by_number = 14; google.protobuf.Timestamp at = 15;
  google.protobuf.Duration took = 16; google.protobuf.Int64Value maybe = 17; optional int32 chosen = 18;
  oneof choice { string left = 19; int32 right = 20; }
}
"#;

fn all() -> MessageType {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.proto");
    std::fs::write(&file, PROTO).unwrap();
    Schema::from_proto(&[file], &[]).unwrap().message_type("t.All").unwrap()
}

const ACTUAL: &str = "{ text: abc, long: -5, big: 18446744073709551615, real: 9.99, small: 0.5, flag: true, raw: AQID, \
    color: RED, inner: { name: i, numbers: [1, 2] }, items: [{ name: x }, { name: z, numbers: [7] }], words: [p, q], \
    colors: [RED, GREEN], counts: { a: 1, b: 2 }, by_number: { \"7\": { name: seven } }, at: \"2026-01-01T00:00:00Z\", \
    took: 1.5s, maybe: 3, left: l }";

fn found(pattern: &str) -> Vec<String> {
    let actual = build(&all(), &data(ACTUAL)).unwrap();
    lines(&pattern::matches(&data(pattern), &actual))
}

#[test]
fn what_holds() {
    for pattern in [
        "{ text: abc, long: -5, big: 18446744073709551615, real: 9.99, small: 0.5, flag: true, raw: AQID }",
        "{ color: RED }",
        "{ color: 1 }",
        "{ color: { one_of: [GREEN, RED] } }",
        "{ inner: { name: i } }",
        "{ inner: {} }",
        "{ inner: { numbers: [1, 2] } }",
        "{ items: [{ name: x }, { numbers: [7] }] }",
        "{ items: { unordered: [{ numbers: [7] }, { name: x }] } }",
        "{ items: { length: 2, contains: { name: { matches: ^z$ } } } }",
        "{ words: { contains: q } }",
        "{ words: { contains: { matches: ^p } } }",
        "{ colors: [RED, GREEN] }",
        "{ colors: { unordered: [GREEN, RED] } }",
        "{ counts: { a: 1 } }",
        "{ counts: { a: 1, z: { absent: true } } }",
        "{ by_number: { \"7\": { name: seven } } }",
        "{ at: \"2026-01-01T01:00:00+01:00\", took: 1.5s, maybe: 3 }",
        "{ chosen: { absent: true }, right: { absent: true }, left: { absent: false } }",
        "{ chosen: null }",
        "{ text: { matches: b, contains: c, one_of: [x, abc] } }",
        "{ real: { approx: 9.99 }, long: { approx: { of: -4, within: 1 } }, small: { approx: 0.5 } }",
        "{ flag: { one_of: [true] }, big: { one_of: [18446744073709551615] } }",
    ] {
        assert_eq!(found(pattern), Vec::<String>::new(), "{pattern}");
    }
}

#[test]
fn what_does_not_hold_and_how_it_reads() {
    for (pattern, texts) in [
        ("{ text: abd }", &["text is \"abc\", expected \"abd\""][..]),
        ("{ long: 5 }", &["long is -5, expected 5"]),
        ("{ flag: false }", &["flag is true, expected false"]),
        ("{ color: GREEN }", &["color is RED, expected GREEN"]),
        ("{ raw: AQI= }", &["raw is \"AQID\", expected \"AQI=\""]),
        ("{ inner: { name: j } }", &["inner.name is \"i\", expected \"j\""]),
        ("{ inner: { numbers: [1, 3] } }", &["inner.numbers[1] is 2, expected 3"]),
        (
            "{ inner: { numbers: [1] } }",
            &["inner.numbers has 2 elements, expected 1", "got: [1, 2]"],
        ),
        (
            "{ items: [{ name: x }, { name: q }] }",
            &["items[1].name is \"z\", expected \"q\""],
        ),
        (
            "{ items: { unordered: [{ name: x }, { name: x }] } }",
            &[
                "items does not hold the expected elements",
                "missing: {name: \"x\"}",
                "extra: {name: \"z\", numbers: [7]}",
            ],
        ),
        (
            "{ words: { length: 3 } }",
            &["words has 2 elements, expected 3", "got: [\"p\", \"q\"]"],
        ),
        (
            "{ words: { contains: r } }",
            &["no element of words is \"r\"", "got: [\"p\", \"q\"]"],
        ),
        ("{ words: {} }", &["words: an empty map expects nothing"]),
        ("{ counts: {} }", &["counts: an empty map expects nothing"]),
        ("{ text: {} }", &["text: an empty map expects nothing"]),
        ("{ counts: { a: 2 } }", &["counts[\"a\"] is 1, expected 2"]),
        ("{ counts: { z: 2 } }", &["counts[\"z\"] is missing"]),
        (
            "{ counts: { a: { absent: true } } }",
            &["counts[\"a\"] is there, expected it absent", "got: 1"],
        ),
        (
            "{ inner: { absent: true } }",
            &[
                "inner is set, expected it absent",
                "got: {name: \"i\", numbers: [1, 2]}",
            ],
        ),
        (
            "{ inner: null }",
            &[
                "inner is set, expected it absent",
                "got: {name: \"i\", numbers: [1, 2]}",
            ],
        ),
        ("{ chosen: { absent: false } }", &["chosen is absent, expected it set"]),
        (
            "{ text: { matches: ^b } }",
            &["text is \"abc\", expected matches: \"^b\""],
        ),
        (
            "{ text: { contains: z } }",
            &["text is \"abc\", expected contains: \"z\""],
        ),
        (
            "{ text: { one_of: [a, b] } }",
            &["text is \"abc\", expected one_of: [\"a\", \"b\"]"],
        ),
        ("{ real: { approx: 9.98 } }", &["real is 9.99, expected approx: 9.98"]),
        (
            "{ real: { approx: { of: 9.98, within: 0.001 } } }",
            &["real is 9.99, expected approx: {of: 9.98, within: 0.001}"],
        ),
    ] {
        assert_eq!(found(pattern), texts, "{pattern}");
    }
    assert_eq!(found("{ at: \"2026-01-01T00:00:01Z\" }").len(), 1);
    assert_eq!(found("{ took: 2s }").len(), 1);
    assert_eq!(found("{ maybe: 4 }").len(), 1);
}

#[test]
fn a_pattern_that_makes_no_sense_is_told_from_one_that_does_not_hold() {
    let actual = build(&all(), &data(ACTUAL)).unwrap();
    for (pattern, unusable) in [
        ("{ text: z }", false),
        ("{ counts: { z: 1 } }", false),
        ("{ words: [p] }", false),
        ("{ long: many }", true),
        ("{ long: { matches: a } }", true),
        ("{ text: { matches: \"(\" } }", true),
        ("{ text: { matches: 1 } }", true),
        ("{ text: { absent: true, matches: a } }", true),
        ("{ words: 3 }", true),
        ("{ words: { length: two } }", true),
        ("{ words: { sorted: true } }", true),
        ("{ counts: 3 }", true),
        ("{ inner: 3 }", true),
        ("{ nothing: 3 }", true),
        ("{ at: yesterday }", true),
        ("{ real: { approx: much } }", true),
        ("{ text: { one_of: a } }", true),
    ] {
        let found = pattern::matches(&data(pattern), &actual);
        assert_eq!(found.len(), 1, "{pattern}: {found:?}");
        assert_eq!(found[0].unusable, unusable, "{pattern}: {}", found[0].summary);
    }
}

#[test]
fn an_absent_scalar_equals_its_default_and_an_absent_message_nothing() {
    let actual = build(&all(), &data("{ text: x }")).unwrap();
    let held = |pattern: &str| pattern::holds(&data(pattern), &actual);
    assert!(held("{ long: 0, flag: false, color: NONE, real: 0, words: [] }"));
    assert!(held(
        "{ long: { absent: true }, inner: { absent: true }, words: { length: 0 } }"
    ));
    assert!(!held("{ inner: {} }"));
    assert!(!held("{ inner: { name: \"\" } }"));
    assert!(!held("{ at: \"1970-01-01T00:00:00Z\" }"));
}
