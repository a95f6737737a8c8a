//! Every fault shows: a fixed run of calls against a server with a fault goes differently than against one without.

use crate::{
    Running, code, draft, get, healthy,
    script::{SILENCE, Script, refusal},
    update, watch,
};
use inventory_contract::{CreateProductRequest, GetProductRequest, ListProductsRequest, WatchStockRequest};
use prost::Message;
use std::{collections::HashMap, sync::Arc};
use stocktake_server::Fault;
use tokio::{sync::Semaphore, task::JoinSet};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest,
};

/// Faults of which this run would need too much (they are in `faults.rs`).
const ELSEWHERE: [Fault; 7] = [
    // Requests of many MiB.
    Fault::Limit4MiB,
    Fault::Limit48MiB,
    // Sixty-four closed watches.
    Fault::WatchLeakSilent,
    Fault::WatchLeakUpdates,
    // Closing is noticed in its own time.
    Fault::WatchCloseSilences,
    // A reader that does not read for 40 MiB.
    Fault::WatchSlowLoses,
    Fault::WatchSlowOk,
];

/// The transcript of a server; it ends where it differs from an expected one.
async fn transcript(server: Running, expected: Option<&[String]>) -> Vec<String> {
    let client = server.client().await;
    let mut script = Script {
        addr: server.addr,
        client,
        lines: Vec::new(),
        ids: HashMap::new(),
    };
    for part in 0.. {
        match part {
            0 => creates(&mut script, &server).await,
            1 => imports(&mut script).await,
            2 => transport(&mut script, &server).await,
            3 => updates(&mut script, &server).await,
            4 => lists(&mut script).await,
            5 => races(&mut script).await,
            6 => watches(&mut script, &server).await,
            7 => crowds(&mut script).await,
            _ => break,
        }
        if expected.is_some_and(|expected| !expected.starts_with(&script.lines)) {
            break;
        }
    }
    script.lines
}

async fn creates(script: &mut Script, server: &Running) {
    let odd = CreateProductRequest {
        name: "e\u{301} 😀 name".into(),
        price: 0.1 + 0.2,
        stock_quantity: i32::MAX,
        description: format!("  {}  ", "long ".repeat(80)),
        ..draft("odd", "t", 0)
    };
    let product = script.create(odd.clone()).await;
    if let Some(product) = product {
        script.get(&product.id).await;
        let fresh = get(&mut server.client().await, &product.id).await;
        script.answer("get over a fresh connection", &fresh);
    }
    script
        .create(CreateProductRequest {
            name: "日本".into(),
            ..draft("foreign", "t", 0)
        })
        .await;
    for twin in ["twin-1", "twin-2"] {
        script
            .create(CreateProductRequest {
                name: "twin".into(),
                ..draft(twin, "t", 3)
            })
            .await;
    }
    let good = draft("bad", "t", 1);
    for bad in [
        CreateProductRequest {
            name: String::new(),
            ..good.clone()
        },
        CreateProductRequest {
            sku: String::new(),
            ..good.clone()
        },
        CreateProductRequest {
            stock_quantity: -1,
            ..draft("bad-stock", "t", 0)
        },
        CreateProductRequest {
            price: -0.01,
            ..draft("bad-price", "t", 0)
        },
        CreateProductRequest {
            price: f64::NAN,
            ..draft("bad-nan", "t", 0)
        },
        CreateProductRequest {
            price: f64::INFINITY,
            ..draft("bad-infinite", "t", 0)
        },
        CreateProductRequest {
            name: "\0".into(),
            ..draft("bad-text", "t", 0)
        },
        CreateProductRequest {
            description: "\0".into(),
            ..draft("bad-description", "t", 0)
        },
    ] {
        script.create(bad).await;
    }
    script
        .create(CreateProductRequest {
            name: "other".into(),
            ..odd
        })
        .await;
    script
        .create(CreateProductRequest {
            name: "other".into(),
            ..draft("foreign", "t", 1)
        })
        .await;
    script.list("t", false, 1, 100).await;
    let request = ListProductsRequest {
        category: "t".into(),
        page: 1,
        page_size: 100,
        in_stock_only: false,
    };
    for product in script
        .client
        .list_products(request)
        .await
        .unwrap()
        .into_inner()
        .products
    {
        script.answer("listed", &Ok(product));
    }
    for id in ["none", ""] {
        script.get(id).await;
    }
    let none = GetProductRequest { id: "none".into() }.encode_to_vec();
    script.raw("/inventory.InventoryService/GetProduct", &none, None).await;
}

async fn lists(script: &mut Script) {
    script
        .import((0..103).map(|n| draft(&format!("big-{n}"), "big", n % 3)).collect())
        .await;
    for (sku, category, stock) in [
        ("a", "lc", 1),
        ("b", "lc", 0),
        ("c", "lc", 2),
        ("d", "LC", 1),
        ("e", "lc ", 1),
        ("f", "lcx", 1),
    ] {
        script.create(draft(sku, category, stock)).await;
    }
    if let Some(drained) = script.create(draft("drained", "lc", 1)).await {
        script.update(&drained.id, -1, "").await;
    }
    for category in ["", "lc", "LC", "lc ", "big", "none"] {
        for in_stock_only in [false, true] {
            script.list(category, in_stock_only, 1, 100).await;
        }
    }
    for page in [i32::MIN, -1, 0, 1, 2, 3, 4, i32::MAX] {
        script.list("lc", false, page, 2).await;
        script.list("lc", true, page, 1).await;
    }
    for size in [i32::MIN, -1, 0, 99, 100, 101, i32::MAX] {
        script.list("big", false, 1, size).await;
        script.list("big", false, 2, size).await;
    }
    let past_end = ListProductsRequest {
        category: "lc".into(),
        page: 9,
        page_size: 9,
        in_stock_only: false,
    };
    script
        .raw(
            "/inventory.InventoryService/ListProducts",
            &past_end.encode_to_vec(),
            None,
        )
        .await;
}

async fn updates(script: &mut Script, server: &Running) {
    let product = script
        .create(CreateProductRequest {
            price: 0.1,
            ..draft("moved", "u", 5)
        })
        .await;
    let id = product.map(|product| product.id).unwrap_or_default();
    for change in [
        1,
        -1,
        -6,
        -10,
        i32::MIN,
        -5,
        5,
        i32::MAX - 5,
        1,
        i32::MAX,
        -i32::MAX,
        1,
        1,
        1,
    ] {
        script.update(&id, change, "because").await;
        let fresh = get(&mut server.client().await, &id).await;
        script.answer("get over a fresh connection", &fresh);
    }
    let answer = update(&mut script.client, "none", 1, "").await;
    script.answer("change of an unknown id", &answer);
}

async fn imports(script: &mut Script) {
    script.import(Vec::new()).await;
    let rows = vec![
        draft("good-1", "import", 1),
        CreateProductRequest {
            name: String::new(),
            ..draft("bad-name", "import", 1)
        },
        draft("good-2", "import", 1),
        CreateProductRequest {
            name: "the other".into(),
            ..draft("good-1", "import", 1)
        },
        draft("good-3", "import", 1),
    ];
    script.import(rows).await;
    script
        .import(vec![
            draft("again", "import", 1),
            draft("again", "import", 2),
            draft("last", "import", 1),
        ])
        .await;
    script
        .import(vec![draft("invalid", "import", -1), draft("valid", "import", 1)])
        .await;
    script
        .import((0..600).map(|n| draft(&format!("large-{n}"), "large", 1)).collect())
        .await;
    script.list("import", false, 1, 100).await;
    script.list("large", false, 1, 1).await;
}

async fn transport(script: &mut Script, server: &Running) {
    script.raw("/inventory.InventoryService/None", &[], None).await;
    let watch = WatchStockRequest::default().encode_to_vec();
    script
        .raw("/inventory.InventoryService/WatchStockChanges", &watch, Some("100m"))
        .await;
    let health = HealthClient::new(server.channel().await)
        .check(HealthCheckRequest::default())
        .await;
    script.say(format!(
        "health: {:?}",
        health.map(tonic::Response::into_inner).map_err(|status| status.code())
    ));
    let list = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::new(server.channel().await);
    let line = match reflection.server_reflection_info(tokio_stream::once(list)).await {
        Ok(answers) => format!(
            "{:?}",
            answers.into_inner().message().await.map_err(|status| status.code())
        ),
        Err(status) => refusal(&status),
    };
    script.say(format!("reflection: {line}"));
}

/// Creates of one SKU and updates of one product, all at once.
async fn races(script: &mut Script) {
    let mut creates = JoinSet::new();
    for _ in 0..10 {
        let mut client = script.client.clone();
        creates.spawn(async move { code(client.create_product(draft("race", "r", 1)).await) });
    }
    let mut codes: Vec<String> = creates
        .join_all()
        .await
        .iter()
        .map(|code| format!("{code:?}"))
        .collect();
    codes.sort_unstable();
    script.say(format!("race: {codes:?}"));

    let id = script
        .create(draft("rush", "rush", 10))
        .await
        .map(|product| product.id)
        .unwrap_or_default();
    let heard = watch(&mut script.client, "rush", 0).await;
    let mut updates = JoinSet::new();
    for _ in 0..15 {
        let (mut client, id) = (script.client.clone(), id.clone());
        updates.spawn(async move { code(update(&mut client, &id, -1, "rush").await) });
    }
    let mut codes: Vec<String> = updates
        .join_all()
        .await
        .iter()
        .map(|code| format!("{code:?}"))
        .collect();
    codes.sort_unstable();
    script.say(format!("rush: {codes:?}"));
    script.get(&id).await;
    let _ = update(&mut script.client, &id, 1, "fence").await;
    script.hear("rush", heard).await;
}

async fn watches(script: &mut Script, server: &Running) {
    let mut ids = Vec::new();
    for (sku, category) in [("w-1", "w"), ("w-2", "W"), ("w-3", "wx")] {
        let product = script.create(draft(sku, category, 9)).await;
        ids.push(product.map(|product| product.id).unwrap_or_default());
    }
    let _ = update(&mut script.client, &ids[0], 1, "history").await;
    let mut open = Vec::new();
    for (category, threshold) in [("", 0), ("w", 0), ("w", 0), ("w", 5), ("", 5)] {
        open.push((
            format!("watch {category:?} {threshold}"),
            watch(&mut script.client, category, threshold).await,
        ));
    }
    let elsewhere = watch(&mut server.client().await, "w", 0).await;
    open.push(("watch over another connection".into(), elsewhere));
    let long = "a reason that is longer than most and says “ä” somewhere in it";
    for change in [-1, -3, -1, -1, 1, -20, i32::MAX, -5, 4, 1, -1, 1, -1] {
        let _ = update(&mut script.client, &ids[0], change, long).await;
    }
    for id in &ids[1..] {
        let _ = update(&mut script.client, id, -6, "of another category").await;
    }
    let _ = update(&mut script.client, &ids[0], -1, "fence").await;
    for (name, watch) in open {
        if !script.hear(&name, watch).await {
            return;
        }
    }
}

/// Many watches at once, then one of them closed.
async fn crowds(script: &mut Script) {
    let id = script
        .create(draft("crowd", "crowd", 9))
        .await
        .map(|product| product.id)
        .unwrap_or_default();
    let mut open = Vec::new();
    for _ in 0..32 {
        let request = WatchStockRequest {
            category: "crowd".into(),
            threshold: 0,
        };
        match script.client.watch_stock_changes(request).await {
            Ok(watch) => open.push(watch.into_inner()),
            Err(status) => script.say(refusal(&status)),
        }
    }
    let answered = tokio::time::timeout(SILENCE, get(&mut script.client, &id))
        .await
        .is_ok();
    script.say(format!("answered beside 32 watches: {answered}"));
    let last = open.pop().unwrap();
    open.clear();
    script.hear("crowd", last).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_leaves_a_trace_and_a_healthy_server_of_either_store_none() {
    let healthy = Arc::new(transcript(healthy().await, None).await);
    assert_eq!(*healthy, transcript(Running::on_file().await, None).await);
    let places = Arc::new(Semaphore::new(32));
    let mut runs = JoinSet::new();
    for info in Fault::all().iter().filter(|info| !ELSEWHERE.contains(&info.fault)) {
        let (places, healthy) = (places.clone(), healthy.clone());
        runs.spawn(async move {
            let _place = places.acquire().await.unwrap();
            let lines = transcript(Running::with_fault(info.fault).await, Some(&healthy)).await;
            (lines == *healthy).then_some(info.name)
        });
    }
    let traceless: Vec<&str> = runs.join_all().await.into_iter().flatten().collect();
    assert!(traceless.is_empty(), "no trace of {traceless:?}");
}
