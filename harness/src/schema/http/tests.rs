use super::*;
use crate::schema::{DynMsg, Origin};
use std::path::PathBuf;

/// A schema of one `.proto` file, with the annotations beside it where it imports them.
fn schema(text: &str) -> Schema {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path: PathBuf = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    };
    write("google/api/annotations.proto", ANNOTATIONS);
    write("google/api/http.proto", HTTP);
    let file = write("test.proto", text);
    Schema::from_proto(&[file], &[folder.path().to_path_buf()]).unwrap()
}

/// As published, comments aside.
const ANNOTATIONS: &str = "syntax = \"proto3\"; package google.api;
import \"google/api/http.proto\";
import \"google/protobuf/descriptor.proto\";
extend google.protobuf.MethodOptions { HttpRule http = 72295728; }";

const HTTP: &str = "syntax = \"proto3\"; package google.api;
message HttpRule {
  string selector = 1;
  oneof pattern { string get = 2; string put = 3; string post = 4; string delete = 5; string patch = 6; CustomHttpPattern custom = 8; }
  string body = 7;
  string response_body = 12;
  repeated HttpRule additional_bindings = 11;
}
message CustomHttpPattern { string kind = 1; string path = 2; }";

const SHELVES: &str = "syntax = \"proto3\"; package t;
import \"google/protobuf/timestamp.proto\";
import \"google/protobuf/wrappers.proto\";
import \"google/protobuf/struct.proto\";
message Inner { string name = 1; int64 number = 2; Inner inner = 3; }
enum Colour { GREY = 0; RED = 1; }
message Request {
  string id = 1;
  Inner inner = 2;
  repeated string tags = 3;
  repeated Inner inners = 4;
  map<string, string> labels = 5;
  google.protobuf.Timestamp at = 6;
  google.protobuf.Int64Value wide = 7;
  google.protobuf.Struct free = 8;
  double share = 9;
  bytes raw = 10;
  optional bool flag = 11;
  Colour colour = 12;
  bool plain = 13;
}
message Response { Inner inner = 1; }
service S {
  rpc Call(Request) returns (Response);
  rpc Up(stream Request) returns (Response);
  rpc Both(stream Request) returns (stream Response);
  rpc Other(Request) returns (Response);
}";

fn with(rules: &str) -> Schema {
    let file = HttpFile::parse("rules.yaml", rules).unwrap_or_else(|errors| panic!("{}", errors[0].render()));
    schema(SHELVES)
        .with_http(&file)
        .unwrap_or_else(|errors| panic!("{}", errors[0].render()))
}

fn message(method: &Method, json: &str) -> DynMsg {
    DynMsg::from_proto_json(&method.input, json).unwrap().0
}

fn request(rule: &str, json: &str) -> Result<HttpRequest, String> {
    let schema = with(&format!("http: {{ rules: [{{ selector: t.S.Call, {rule} }}] }}"));
    let method = schema.method("t.S", "Call").unwrap();
    method.http_request(&message(&method, json))
}

#[test]
fn what_is_not_in_the_path_travels_in_the_query() {
    for (rule, json, path) in [
        ("get: /v1/a", "{}", "/v1/a"),
        (
            "get: '/v1/{id}'",
            r#"{"id":"a/b","plain":true}"#,
            "/v1/a%2Fb?plain=true",
        ),
        (
            "get: '/v1/{inner.name}'",
            r#"{"inner":{"name":"x","number":"9007199254740993"}}"#,
            "/v1/x?inner.number=9007199254740993",
        ),
        ("get: '/v1/{inner.name}'", r#"{"inner":{"name":"x"}}"#, "/v1/x"),
        (
            "get: /v1/a",
            r#"{"tags":["a b","&=","ü"],"inner":{"inner":{"name":"n"}}}"#,
            "/v1/a?inner.inner.name=n&tags=a%20b&tags=%26%3D&tags=%C3%BC",
        ),
        (
            "get: /v1/a",
            r#"{"at":"2026-01-02T03:04:05Z","wide":"7","share":0.1,"raw":"+/8=","flag":false,"colour":"RED"}"#,
            "/v1/a?at=2026-01-02T03%3A04%3A05Z&wide=7&share=0.1&raw=%2B%2F8%3D&flag=false&colour=RED",
        ),
        ("get: /v1/a", r#"{"share":"NaN"}"#, "/v1/a?share=NaN"),
        ("delete: '/v1/{id=x/*}:y'", r#"{"id":"x/ z"}"#, "/v1/x/%20z:y"),
    ] {
        let made = request(rule, json).unwrap();
        assert_eq!((made.path_and_query.as_str(), made.body), (path, None), "{rule} {json}");
    }
}

#[test]
fn the_body_is_everything_or_one_field() {
    let body = |rule: &str, json: &str| {
        let made = request(rule, json).unwrap();
        (made.verb, made.path_and_query, made.body.unwrap_or_default())
    };
    let expect = |verb: &str, path: &str, body: &str| (verb.to_owned(), path.to_owned(), body.to_owned());
    let json = r#"{"id":"a","inner":{"name":"n","number":"1"},"colour":"RED"}"#;
    assert_eq!(
        body("post: '/v1/{id}', body: '*'", json),
        expect("POST", "/v1/a", r#"{"inner":{"name":"n","number":"1"},"colour":"RED"}"#)
    );
    assert_eq!(
        body("put: '/v1/{inner.name}', body: '*'", json),
        expect("PUT", "/v1/n", r#"{"id":"a","inner":{"number":"1"},"colour":"RED"}"#)
    );
    assert_eq!(
        body("patch: '/v1/{id}', body: inner", json),
        expect("PATCH", "/v1/a?colour=RED", r#"{"name":"n","number":"1"}"#)
    );
    assert_eq!(
        body("patch: '/v1/{id}', body: colour", json),
        expect("PATCH", "/v1/a?inner.name=n&inner.number=1", r#""RED""#)
    );
    assert_eq!(
        body("patch: '/v1/{id}', body: inner", r#"{"id":"a"}"#),
        expect("PATCH", "/v1/a", "")
    );
    assert_eq!(
        body("custom: { kind: SEARCH, path: /v1/x }, body: '*'", "{}"),
        expect("SEARCH", "/v1/x", "{}")
    );
}

#[test]
fn the_first_binding_that_can_say_it_is_taken() {
    let rule = "get: '/v1/{id=shelves/*}', additional_bindings: [{ get: '/v1/*' }, { post: '/v1/all', body: '*' }]";
    assert_eq!(
        request(rule, r#"{"id":"shelves/1"}"#).unwrap().path_and_query,
        "/v1/shelves/1"
    );
    let second = request(rule, r#"{"id":"x"}"#).unwrap();
    assert_eq!(
        (second.verb.as_str(), second.path_and_query.as_str()),
        ("POST", "/v1/all")
    );
    let error = request("get: '/v1/{id}'", "{}").unwrap_err();
    assert!(error.contains("`id` is empty"), "{error}");
    for (json, part) in [
        (r#"{"labels":{"a":"b"}}"#, "`labels` is a map"),
        (r#"{"inners":[{"name":"a"}]}"#, "`inners` is a list of messages"),
        (r#"{"free":{"a":1}}"#, "`free` is a google.protobuf.Struct"),
        (r#"{"inner":{}}"#, "`inner` is an empty message"),
    ] {
        let error = request("get: /v1/a", json).unwrap_err();
        assert!(error.contains(part), "{json}: {error}");
    }
}

#[test]
fn a_probe_reads_and_names_nobody() {
    let probe = |rule: &str| {
        let schema = with(&format!("http: {{ rules: [{{ selector: t.S.Call, {rule} }}] }}"));
        let method = schema.method("t.S", "Call").unwrap();
        let (request, fixed) = method.reading_probe()?;
        Some((method.http_request(&request).unwrap().path_and_query, fixed))
    };
    assert_eq!(probe("get: /v1/a"), Some(("/v1/a".to_owned(), true)));
    assert_eq!(
        probe("get: '/v1/{inner.name}/{id=x/*}/{share}'"),
        Some(("/v1/stocktake-probe/x/stocktake-probe/0".to_owned(), false))
    );
    assert_eq!(probe("post: /v1/a"), None);
    let watch = Schema::built_in().method(inventory_contract::SERVICE, "WatchStockChanges");
    assert_eq!(watch.unwrap().reading_probe(), None);
}

#[test]
fn client_streams_travel_in_the_body_and_bidirectional_ones_not_at_all() {
    let schema = with(
        "http: { rules: [{ selector: t.S.Up, post: '/v1/up', body: '*' }, { selector: t.S.Both, post: '/v1/both', body: '*' }] }",
    );
    let up = schema.method("t.S", "Up").unwrap();
    assert_eq!(up.no_rest(), None);
    assert_eq!(up.http_stream().unwrap().path_and_query, "/v1/up");
    let both = schema.method("t.S", "Both").unwrap().no_rest().unwrap();
    assert!(both.contains("streams both ways"), "{both}");
    let other = schema.method("t.S", "Other").unwrap().no_rest().unwrap();
    assert_eq!(other, "no HTTP rule maps t.S/Other");
}

/// `line:column: text` of each mistake of a file, against the descriptors where it has none of its own.
fn mistakes(text: &str) -> Vec<String> {
    let shown = |errors: Vec<ScenarioError>| errors.iter().map(|e| format!("{e}")).collect();
    match HttpFile::parse("r", text) {
        Err(errors) => shown(errors),
        Ok(file) => schema(SHELVES).with_http(&file).err().map(shown).unwrap_or_default(),
    }
}

#[test]
fn mistakes_in_a_file_have_a_place() {
    let rule = |rest: &str| format!("http:\n  rules:\n    - selector: t.S.Call\n{rest}");
    for (text, expected) in [
        ("", "r:1:1: the file has no rules"),
        ("# nothing\n", "r:1:1: the file has no rules"),
        ("http: {}\n", "r:1:1: the file has no rules"),
        (
            "http: { rule: [] }\n",
            "r:1:9: unknown key `rule`, did you mean `rules`?",
        ),
        (
            "type: google.api.Sevice\nhttp: { rules: [{ selector: t.S.Call, get: /a }] }\n",
            "r:1:7: a `google.api.Sevice` holds no HTTP rules",
        ),
        ("http:\n  rules:\n    - get: /v1/a\n", "r:3:7: the rule names no method"),
        (
            "http:\n  rules:\n    - { selector: Call, get: /v1/a }\n",
            "r:3:19: `Call` is not the full name of a method",
        ),
        (&rule(""), "r:3:7: the rule has no path"),
        (&rule("      get: /a\n      post: /b\n"), "r:3:7: the rule has 2 paths"),
        (
            &rule("      get: v1/a\n"),
            "r:4:12: the path `v1/a` does not begin with `/`",
        ),
        (&rule("      get: '/v1/{id'\n"), "r:4:12: `{` is not closed"),
        (&rule("      get: /v1/a\n      body: '*'\n"), "r:5:7: a GET has no body"),
        (
            &rule("      post: /v1/a\n      body: a.b\n"),
            "r:5:13: `a.b` is no field of a message",
        ),
        (
            &rule("      custom: { kind: X }\n"),
            "r:4:7: a custom pattern needs `kind` and `path`",
        ),
        (
            &rule("      custom: { kind: 'A B', path: /x }\n"),
            "r:4:23: `A B` is no method of HTTP",
        ),
        (
            &rule("      get: /a\n      additional_bindings: [{ get: /b, additional_bindings: [] }]\n"),
            "r:5:40: additional bindings have no additional bindings themselves",
        ),
        (
            &rule("      get: /a\n      additional_bindings: [{ get: /b, selector: t.S.Call }]\n"),
            "r:5:40: an additional binding belongs to the method of its rule",
        ),
        (
            &rule("      get: '/v1/{idd}'\n"),
            "r:4:12: t.Request has no field `idd`, did you mean `id`?",
        ),
        (
            &rule("      get: '/v1/{inner}'\n"),
            "r:4:12: the field `inner` of t.Request is a message, which cannot stand in a path",
        ),
        (
            &rule("      get: '/v1/{tags}'\n"),
            "r:4:12: the field `tags` of t.Request is repeated, which cannot stand in a path",
        ),
        (
            &rule("      get: '/v1/{id.x}'\n"),
            "r:4:12: the field `id` of t.Request is no message",
        ),
        (
            &rule("      post: /v1/a\n      body: iner\n"),
            "r:5:13: t.Request has no field `iner`, did you mean `inner`?",
        ),
        (
            &rule("      get: /v1/a\n      response_body: x\n"),
            "r:5:22: t.Response has no field `x`",
        ),
        (
            "http: { rules: [{ selector: t.S.Cal, get: /a }] }\n",
            "r:1:29: t.S has no method `Cal`, did you mean `Call`?",
        ),
        (
            "http: { rules: [{ selector: u.S.Call, get: /a }] }\n",
            "r:1:1: no rule maps a method that the target describes",
        ),
        (
            "http: { rules: [{ selector: t.S.Up, get: /a }] }\n",
            "r:1:42: a client stream travels in the body: write `body: \"*\"`",
        ),
        (
            "http: { rules: [{ selector: t.S.Up, post: '/{id}', body: '*' }] }\n",
            "r:1:43: the messages of a client stream share one path, so that it can have no variable",
        ),
    ] {
        let found = mistakes(text);
        assert_eq!(found.first().map(String::as_str), Some(expected), "{text}\n{found:#?}");
    }
}

#[test]
fn a_whole_service_configuration_is_read_and_services_of_others_are_left_alone() {
    let text = "type: google.api.Service\nconfig_version: 3\nname: x.example.com\napis: [{ name: t.S }]\nhttp:\n  fully_decode_reserved_expansion: true\n  rules:\n    - { selector: u.V.W, get: /x }\n    - { selector: t.S.Call, get: /first }\n    - { selector: t.S.Call, get: /last }\n";
    let method = with(text).method("t.S", "Call").unwrap();
    assert_eq!(method.http[0].path.to_string(), "/last");
    assert!(method.reads());
}

#[test]
fn options_of_the_descriptors_count_with_and_without_the_annotations() {
    let text = SHELVES
        .replace("package t;", "package t;\nimport \"google/api/annotations.proto\";")
        .replace(
            "rpc Call(Request) returns (Response);",
            "rpc Call(Request) returns (Response) {
               option (google.api.http) = { get: \"/v1/{id}\" additional_bindings { post: \"/v1/x\" body: \"inner\" response_body: \"inner\" } };
             }",
        )
        .replace(
            "rpc Other(Request) returns (Response);",
            "rpc Other(Request) returns (Response) { option (google.api.http) = { get: \"/v1/{nothing}\" }; }",
        );
    let whole = schema(&text);
    let bindings = whole.method("t.S", "Call").unwrap().http;
    assert_eq!(bindings.len(), 2);
    assert_eq!(
        (bindings[0].verb.as_str(), bindings[0].path.to_string()),
        ("GET", "/v1/{id}".to_owned())
    );
    assert_eq!(bindings[1].body, Body::Field("inner".to_owned()));
    assert_eq!(bindings[1].response_body.as_deref(), Some("inner"));
    assert!(whole.method("t.S", "Call").unwrap().reads() && !whole.method("t.S", "Up").unwrap().reads());
    assert_eq!(whole.method("t.S", "Other").unwrap().http.len(), 0);
    assert_eq!(
        whole.http_notes(),
        ["the google.api.http option of t.S/Other is unusable: t.Request has no field `nothing`"]
    );

    // As a server sends it that keeps its options and not the file which declares them.
    let mut files = whole.inner.pool.files().to_vec();
    files.retain(|file| file.package.as_deref() == Some("t"));
    files[0].dependency.retain(|import| !import.starts_with("google/api/"));
    let without = Schema::assemble(files, Origin::DescriptorSet, None).unwrap();
    assert_eq!(without.method("t.S", "Call").unwrap().http, bindings);
    assert!(without.message_type("google.api.HttpRule").is_none());
}

#[test]
fn the_contract_is_mapped_and_knows_its_reads() {
    let schema = Schema::built_in();
    let service = inventory_contract::SERVICE;
    for (name, reads, verb, path) in [
        ("GetProduct", true, "GET", "/v1/products/{id}"),
        ("ListProducts", true, "GET", "/v1/products"),
        ("CreateProduct", false, "POST", "/v1/products"),
        ("UpdateStock", false, "POST", "/v1/products/{id}:updateStock"),
        ("WatchStockChanges", true, "GET", "/v1/stock:watch"),
        ("BulkImport", false, "POST", "/v1/products:bulkImport"),
    ] {
        let method = schema.method(service, name).unwrap();
        let [binding] = &*method.http else {
            panic!("{name} has one rule")
        };
        assert_eq!(
            (method.reads(), binding.verb.as_str(), binding.path.to_string().as_str()),
            (reads, verb, path)
        );
        assert_eq!(method.no_rest(), None);
    }
    let update = schema.method(service, "UpdateStock").unwrap();
    let request = message(&update, r#"{"id":"p 1","quantityChange":-3}"#);
    let made = update.http_request(&request).unwrap();
    assert_eq!(
        (made.path_and_query.as_str(), made.body.as_deref()),
        ("/v1/products/p%201:updateStock", Some(r#"{"quantityChange":-3}"#))
    );
}

#[test]
fn the_rules_of_a_file_replace_the_others_but_reads_stay_reads() {
    let text = "http: { rules: [{ selector: inventory.InventoryService.GetProduct, post: /get, body: '*' }] }";
    let schema = Schema::built_in()
        .with_http(&HttpFile::parse("r", text).unwrap())
        .unwrap();
    let method = |name: &str| schema.method(inventory_contract::SERVICE, name).unwrap();
    assert!(!method("GetProduct").reads() && method("ListProducts").reads() && !method("CreateProduct").reads());
    assert!(method("ListProducts").no_rest().is_some());
}
