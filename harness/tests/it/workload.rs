//! Workloads against the service: the set-up, and that its results reach the requests.

use crate::support::stocktake::serve;
use stocktake::{
    client::{Client, Layer, Options, Protocol, Target},
    load::{
        decode::Decoder,
        leg::Leg,
        prepare::{prepare, scope},
        setup::{SetupError, setup},
        workload::{self, Workload},
    },
    scenario::{expr::Scope, source::SourceFile},
    schema::Schema,
    verify::residue::Created,
};

fn built_in(id: &str) -> Workload {
    let (name, text) = workload::embedded(id).unwrap();
    read(name, text)
}

fn read(name: &str, text: &str) -> Workload {
    workload::parse(SourceFile::new(name, text), &|_| Err("no file".to_owned()))
        .unwrap_or_else(|errors| panic!("{}", errors[0].render()))
}

fn client(url: &str) -> Client {
    Client::new(Target::parse(url).unwrap(), Options::default()).unwrap()
}

/// Runs the set-up; the scope and what was created.
async fn ready(workload: &Workload, url: &str, protocol: Protocol) -> (Result<Scope, SetupError>, Vec<String>) {
    let mut scope = scope(workload, &format!("{protocol:?}").to_lowercase()).unwrap();
    let mut created = Created::default();
    let schema = Schema::built_in();
    let done = setup(workload, &client(url), &schema, protocol, &mut scope, &mut created).await;
    (done.map(|()| scope), created.lines())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_built_in_workload_is_ready_over_both_protocols() {
    let server = serve(&[]);
    let workload = built_in(workload::DEFAULT);
    for protocol in [Protocol::Grpc, Protocol::Rest] {
        let (scope, created) = ready(&workload, &server.address, protocol).await;
        let scope = scope.unwrap();
        assert_eq!(created.len(), 20, "{created:?}");
        assert!(created[0].starts_with("product st-"), "{}", created[0]);
        for leg in Leg::ALL {
            let prepared = prepare(&workload, &workload.cells[0], &Schema::built_in(), &scope, leg, &[]).unwrap();
            let counts: Vec<usize> = prepared.operations.iter().map(|o| o.exchanges.len()).collect();
            assert_eq!(counts, [20, 1, 40], "{leg:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_up_that_fails_says_which_call_and_stops_there() {
    let server = serve(&[]);
    let text = "version: 1\nid: x\nname: x\nservice: inventory.InventoryService\neffects: writes\narrivals: { constant: 1 }\n\
                setup:\n  - id: made\n    call: CreateProduct\n    repeat: 100\n    request: { name: a, sku: \"st-${{ run.id }}-${{ index % 3 }}\" }\n\
                operations:\n  - { id: list, call: ListProducts }\n";
    let (done, created) = ready(&read("x.yaml", text), &server.address, Protocol::Grpc).await;
    let error = done.unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("set-up `made`: CreateProduct, call 4 of 100, ended ALREADY_EXISTS: "),
        "{text}"
    );
    assert!(matches!(
        error,
        SetupError::Call {
            layer: Layer::Application,
            ..
        }
    ));
    assert_eq!(created.len(), 3, "what was created before is told: {created:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_target_is_told_from_one_that_refuses() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (done, _) = ready(&built_in(workload::DEFAULT), &url, Protocol::Grpc).await;
    let error = done.unwrap_err();
    assert!(
        matches!(
            error,
            SetupError::Call {
                layer: Layer::Transport,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("ended UNAVAILABLE"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_back_and_cannot_be_read_is_told_at_its_place() {
    let server = serve(&[]);
    let text = "version: 1\nid: x\nname: x\nservice: inventory.InventoryService\neffects: writes\narrivals: { constant: 1 }\n\
                setup:\n  - { id: page, call: ListProducts, request: { category: \"st-${{ run.id }}\" } }\n  \
                - { id: first, call: GetProduct, request: { id: \"${{ page.response.products[0].id }}\" } }\n\
                operations:\n  - { id: get, call: GetProduct, request: { id: \"${{ first.response.id }}\" } }\n";
    let (done, created) = ready(&read("x.yaml", text), &server.address, Protocol::Grpc).await;
    let text = done.unwrap_err().to_string();
    assert!(text.starts_with("there is no element [0]"), "{text}");
    assert!(text.contains("--> x.yaml:9:"), "{text}");
    assert!(created.is_empty());
}

#[test]
fn a_decoder_can_go_to_any_thread() {
    fn shared<T: Send + Sync + 'static>(_: &T) {}
    let method = Schema::built_in()
        .method(inventory_contract::SERVICE, "GetProduct")
        .unwrap();
    shared(&Decoder::new(&method, Protocol::Grpc));
}
