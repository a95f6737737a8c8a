//! Each row against the evidence that the table describes, without a network.

use super::super::evidence::{
    Call, Certificate, Connection, ConnectionEnd, Evidence, Exchange, GoAway, Http2, Idle, Name, Pairs, Reflection,
    Secure, Tcp, TcpEnd,
};
use super::*;
use std::collections::BTreeSet;

const INVENTORY: &str = "inventory.InventoryService";
const RESET: &str = "upstream connect error or disconnect/reset before headers. retried and the latest reset reason: ";

/// A call as the service itself ends it.
fn call(method: &str, status: &str, message: &str) -> Call {
    Call {
        method: method.to_owned(),
        status: status.to_owned(),
        message: message.to_owned(),
        layer: "application".to_owned(),
        http_status: 200,
        deadline_ms: 5_000.0,
        took_ms: 2.0,
        ..Call::default()
    }
}

fn get(status: u16, headers: &[(&str, &str)], body: &str) -> Exchange {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Exchange {
        status,
        headers: headers.iter().map(own).collect(),
        body: body.to_owned(),
        ..Exchange::default()
    }
}

/// A service in good health behind the ingress of container apps.
fn healthy() -> Evidence {
    let health = || call("grpc.health.v1.Health/Check", "OK", "");
    Evidence {
        target: "https://shop.calm-sea-1a2b.westeurope.azurecontainerapps.io:443".to_owned(),
        host: "shop.calm-sea-1a2b.westeurope.azurecontainerapps.io".to_owned(),
        port: 443,
        tls: true,
        authority: "shop.calm-sea-1a2b.westeurope.azurecontainerapps.io".to_owned(),
        name: Some(Name {
            addresses: vec!["20.1.2.3".to_owned()],
            ..Name::default()
        }),
        tcp: vec![Tcp {
            address: "20.1.2.3:443".to_owned(),
            end: TcpEnd::Connected,
            took_ms: 9.0,
        }],
        secure: Some(Secure {
            version: Some("TLS 1.3".to_owned()),
            alpn: Some("h2".to_owned()),
            certificate: Some(Certificate {
                days_left: 80,
                ..Certificate::default()
            }),
            ..Secure::default()
        }),
        connection: Some(Connection {
            end: ConnectionEnd::Http2,
            text: String::new(),
            took_ms: 12.0,
        }),
        http2: Some(Http2 {
            settings: Some(vec![("MAX_CONCURRENT_STREAMS".to_owned(), 100)]),
            goaway: None,
            get: get(404, &[("x-envoy-upstream-service-time", "1")], ""),
        }),
        http1: Some(get(404, &[("x-envoy-upstream-service-time", "1")], "")),
        first: Some(health()),
        health: Some(health()),
        serving: Some("SERVING".to_owned()),
        reflection: Some(Reflection {
            services: vec![INVENTORY.to_owned()],
            ..Reflection::default()
        }),
        wanted: INVENTORY.to_owned(),
        real: Some(call("inventory.InventoryService/ListProducts", "OK", "")),
        ..Evidence::default()
    }
}

/// An edge answers every call and every GET.
fn edge(status: &str, message: &str, exchange: &Exchange) -> Evidence {
    // Envoy sends the headers of its answer with a call, too.
    let calls = || {
        Some(Call {
            headers: exchange.headers.clone(),
            ..call("grpc.health.v1.Health/Check", status, message)
        })
    };
    let mut evidence = Evidence {
        first: calls(),
        health: calls(),
        real: calls(),
        serving: None,
        reflection: Some(Reflection {
            error: Some(message.to_owned()),
            ..Reflection::default()
        }),
        http1: Some(exchange.clone()),
        ..healthy()
    };
    if let Some(seen) = &mut evidence.http2 {
        seen.get = exchange.clone();
    }
    evidence
}

/// The client did not come through to HTTP/2.
fn unconnected(end: ConnectionEnd) -> Evidence {
    Evidence {
        connection: Some(Connection {
            end,
            text: "why not".to_owned(),
            took_ms: 5.0,
        }),
        http2: None,
        http1: None,
        first: None,
        health: None,
        serving: None,
        reflection: None,
        real: None,
        ..healthy()
    }
}

fn first(evidence: &Evidence) -> String {
    diagnose(evidence)
        .into_iter()
        .next()
        .map_or_else(|| "healthy".to_owned(), |found| found.id)
}

#[test]
fn every_row_of_the_table_stands_somewhere_once() {
    let told: Vec<u8> = OUTSIDE.iter().map(|(row, _)| *row).collect();
    let looked: BTreeSet<u8> = TABLE.iter().flat_map(|row| row.numbers).copied().collect();
    let noted = [28];
    let all: BTreeSet<u8> = looked
        .iter()
        .copied()
        .chain(told.iter().copied())
        .chain(noted)
        .collect();
    assert_eq!(all, (1..=32).collect());
    assert!(told.iter().all(|row| !looked.contains(row)));
    let ids: BTreeSet<&str> = TABLE.iter().map(|row| row.id).collect();
    assert_eq!(ids.len(), TABLE.len());
    assert!(TABLE.iter().all(|row| !row.symptom.is_empty()));
}

#[test]
fn a_healthy_target_has_no_symptom() {
    assert_eq!(diagnose(&healthy()), []);
    let other = Evidence {
        reflection: Some(Reflection {
            services: vec!["routeguide.RouteGuide".to_owned()],
            ..Reflection::default()
        }),
        real: None,
        ..healthy()
    };
    assert_eq!(diagnose(&other), [], "a service of somebody else");
    let docs = Evidence {
        http1: Some(get(302, &[("location", "https://docs.example/")], "")),
        ..healthy()
    };
    assert_eq!(diagnose(&docs), [], "a page that leads elsewhere");
    let bare = Evidence {
        health: Some(call("grpc.health.v1.Health/Check", "UNIMPLEMENTED", "")),
        first: Some(call("grpc.health.v1.Health/Check", "UNIMPLEMENTED", "")),
        serving: None,
        ..healthy()
    };
    assert_eq!(diagnose(&bare), [], "health is a choice");
}

#[test]
fn connections_that_do_not_come_about() {
    use ConnectionEnd::{
        Certificate, ClientCertificate, Closed, Expired, Foreign, Http1, Http2Failed, NoAlpn, Other, Silent,
        SpeaksPlaintext, SpeaksTls, Tls, UnknownIssuer, WrongName,
    };
    for (end, expected) in [
        (SpeaksPlaintext, "tls-to-plaintext"),
        (SpeaksTls, "plaintext-to-tls"),
        (WrongName, "certificate-name"),
        (Expired, "certificate-expired"),
        (UnknownIssuer, "certificate-issuer"),
        (ClientCertificate, "client-certificate"),
        (NoAlpn, "no-alpn"),
        (Tls, "tls-failed"),
        (Certificate, "tls-failed"),
        (Http1, "http1-only"),
        (Silent, "silent"),
        (Closed, "silent"),
        (Foreign, "not-http2"),
        (Http2Failed, "not-http2"),
        (Other, "not-http2"),
    ] {
        let found = diagnose(&unconnected(end));
        assert_eq!(found.len(), 1, "{end:?}: {found:?}");
        assert_eq!(found[0].id, expected, "{end:?}");
        assert_eq!(found[0].weight, Weight::Blocks, "{end:?}");
        assert!(!found[0].fix.is_empty() && !found[0].evidence.is_empty(), "{end:?}");
    }
    let mut closed = unconnected(Closed);
    closed.tls_behind = Some(super::super::evidence::Certificate::default());
    assert_eq!(
        first(&closed),
        "plaintext-to-tls",
        "the alert was lost, a look with TLS tells"
    );
    let nowhere = |end: TcpEnd| {
        let mut evidence = unconnected(Other);
        evidence.connection = None;
        evidence.tcp[0].end = end;
        first(&evidence)
    };
    assert_eq!(nowhere(TcpEnd::Refused), "port-closed");
    assert_eq!(nowhere(TcpEnd::NoAnswer), "no-route");
    assert_eq!(nowhere(TcpEnd::Failed("network unreachable".to_owned())), "no-route");
    let mut unknown = unconnected(Other);
    (unknown.tcp, unknown.connection) = (Vec::new(), None);
    unknown.name = Some(Name {
        error: Some("NXDOMAIN".to_owned()),
        ..Name::default()
    });
    assert_eq!(first(&unknown), "name-unknown");
}

/// What an edge answers, and the row that it stands for.
fn edges() -> Vec<(Evidence, &'static str)> {
    let none: &[(&str, &str)] = &[];
    let html = [("content-type", "text/html")];
    let reset = |why: &str| format!("{RESET}{why}");
    let table = [
        (
            "UNAVAILABLE",
            reset("protocol error"),
            get(502, none, ""),
            "upstream-protocol",
        ),
        (
            "UNAVAILABLE",
            reset("remote connection failure"),
            get(503, none, ""),
            "upstream-refused",
        ),
        (
            "UNAVAILABLE",
            reset("remote connection failure, transport failure reason: delayed connect error: Connection refused"),
            get(503, none, ""),
            "upstream-refused",
        ),
        (
            "UNAVAILABLE",
            reset("connection termination"),
            get(503, none, ""),
            "upstream-tls",
        ),
        ("UNAVAILABLE", reset("overflow"), get(503, none, ""), "overflow"),
        (
            "UNAVAILABLE",
            "no healthy upstream".to_owned(),
            get(503, none, ""),
            "no-upstream",
        ),
        (
            "UNAVAILABLE",
            "stream timeout".to_owned(),
            get(504, none, ""),
            "idle-before-answer",
        ),
        (
            "UNKNOWN",
            "stream timeout".to_owned(),
            get(408, none, ""),
            "idle-before-answer",
        ),
        (
            "UNAVAILABLE",
            "upstream request timeout".to_owned(),
            get(504, none, ""),
            "route-timeout",
        ),
        ("UNIMPLEMENTED", String::new(), get(404, &html, ""), "unknown-host"),
        (
            "PERMISSION_DENIED",
            "RBAC: access denied".to_owned(),
            get(403, none, ""),
            "ip-rule",
        ),
        ("PERMISSION_DENIED", String::new(), get(403, none, ""), "forbidden"),
        ("UNAVAILABLE", String::new(), get(503, none, ""), "edge-overloaded"),
        (
            "UNKNOWN",
            String::new(),
            get(302, &[("location", "https://login.example/authorize?…")], ""),
            "login",
        ),
        (
            "UNAUTHENTICATED",
            String::new(),
            get(
                401,
                &[("www-authenticate", "Bearer authorization_uri=\"https://login.example\"")],
                "",
            ),
            "login",
        ),
    ];
    let answered = table
        .into_iter()
        .map(|(status, message, exchange, expected)| (edge(status, &message, &exchange), expected));
    answered.collect()
}

#[test]
fn an_edge_that_answers_in_the_services_place() {
    for (evidence, expected) in edges() {
        let found = diagnose(&evidence);
        assert_eq!(
            found.first().map(|found| found.id.as_str()),
            Some(expected),
            "{:?}",
            evidence.first
        );
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(!found[0].fix.is_empty() && !found[0].evidence.is_empty(), "{expected}");
    }
    // Plaintext meets the redirect of port 80; the client sees its location in the metadata, too.
    let host = healthy().host;
    let mut evidence = edge(
        "UNKNOWN",
        "",
        &get(301, &[("location", &format!("https://{host}/"))], ""),
    );
    evidence.tls = false;
    assert_eq!(first(&evidence), "redirect-to-https");
    // HTTP without gRPC.
    let mut evidence = edge(
        "UNKNOWN",
        "HTTP 200 with content-type text/html",
        &get(200, &[("content-type", "text/html")], "<p>hello"),
    );
    let foreign = |mut evidence: Evidence, status: u16| {
        let calls = [&mut evidence.first, &mut evidence.health, &mut evidence.real];
        for call in calls.into_iter().flatten() {
            (call.layer, call.http_status) = ("proxy".to_owned(), status);
        }
        evidence
    };
    evidence = foreign(evidence, 200);
    assert_eq!(first(&evidence), "not-grpc");
    evidence = foreign(evidence, 505);
    assert_eq!(
        first(&evidence),
        "upstream-protocol",
        "the service says itself that it wants HTTP/2"
    );
}

#[test]
fn a_service_that_says_what_is_wrong() {
    let with = |change: &dyn Fn(&mut Evidence)| {
        let mut evidence = healthy();
        change(&mut evidence);
        first(&evidence)
    };
    let real = |status: &str| Some(call("inventory.InventoryService/ListProducts", status, "why"));
    assert_eq!(with(&|e| e.real = real("UNAUTHENTICATED")), "unauthenticated");
    assert_eq!(with(&|e| e.real = real("PERMISSION_DENIED")), "permission-denied");
    assert_eq!(with(&|e| e.real = real("UNIMPLEMENTED")), "wrong-package");
    assert_eq!(with(&|e| e.real = real("INTERNAL")), "service-fails");
    assert_eq!(
        with(&|e| e.real = real("INVALID_ARGUMENT")),
        "healthy",
        "an empty request may mean nothing to it"
    );
    assert_eq!(with(&|e| e.serving = Some("NOT_SERVING".to_owned())), "not-serving");
    let renamed = |e: &mut Evidence| {
        e.real = None;
        e.reflection = Some(Reflection {
            services: vec!["warehouse.InventoryService".to_owned()],
            ..Reflection::default()
        });
    };
    assert_eq!(with(&renamed), "wrong-package");
    let foreign = |e: &mut Evidence| {
        *e = edge(
            "UNIMPLEMENTED",
            "unknown service inventory.InventoryService",
            &get(404, &[], ""),
        );
        e.reflection = None;
    };
    assert_eq!(with(&foreign), "wrong-package", "a server says it, not an edge");
    let cut = |e: &mut Evidence| {
        (e.first, e.health, e.real, e.reflection, e.serving) = (None, None, None, None, None);
    };
    assert_eq!(with(&cut), "healthy", "what was not asked is no symptom");
    let silent = |e: &mut Evidence| {
        *e = edge("DEADLINE_EXCEEDED", "", &Exchange::default());
    };
    assert_eq!(with(&silent), "no-answer");
}

#[test]
fn a_first_call_is_slow_against_a_warm_one() {
    let with = |first_ms: f64, warm_ms: f64| {
        let mut evidence = healthy();
        evidence.first = evidence.first.map(|call| Call {
            took_ms: first_ms,
            ..call
        });
        evidence.health = evidence.health.map(|call| Call {
            took_ms: warm_ms,
            ..call
        });
        first(&evidence)
    };
    assert_eq!(with(19_000.0, 20.0), "cold-start");
    assert_eq!(with(1_900.0, 20.0), "healthy", "not slow for a person");
    assert_eq!(with(4_000.0, 300.0), "healthy", "as slow when it is warm");
}

#[test]
fn a_service_that_wakes_up_is_not_cut_off_from_its_edge() {
    // Whatever it says of itself once it is awake.
    for (real, expected) in [
        (None, "cold-start"),
        (Some("OK"), "cold-start"),
        (Some("UNIMPLEMENTED"), "cold-start"),
        (Some("UNAUTHENTICATED"), "unauthenticated"),
    ] {
        let evidence = Evidence {
            first: Some(call(
                "grpc.health.v1.Health/Check",
                "UNAVAILABLE",
                "no healthy upstream",
            )),
            real: real.map(|status| call("inventory.InventoryService/ListProducts", status, "")),
            ..healthy()
        };
        assert_eq!(first(&evidence), expected, "{real:?}");
    }
    // One that does not wake up is.
    for last in ["UNAVAILABLE", "DEADLINE_EXCEEDED"] {
        let message = if last == "UNAVAILABLE" {
            "no healthy upstream"
        } else {
            ""
        };
        let evidence = Evidence {
            health: Some(call("grpc.health.v1.Health/Check", last, message)),
            real: None,
            ..edge("UNAVAILABLE", "no healthy upstream", &get(503, &[], ""))
        };
        assert_eq!(first(&evidence), "no-upstream", "{last}");
    }
}

#[test]
fn wire_facts_of_http2() {
    let mut calm = healthy();
    if let Some(seen) = &mut calm.http2 {
        seen.goaway = Some(GoAway {
            code: "ENHANCE_YOUR_CALM".to_owned(),
            debug: "too_many_pings".to_owned(),
        });
    }
    assert_eq!(first(&calm), "too-many-pings");
    let mut refused = edge("UNAVAILABLE", "the target reset the stream", &Exchange::default());
    let calls = [&mut refused.first, &mut refused.health, &mut refused.real];
    for call in calls.into_iter().flatten() {
        (call.layer, call.reset) = ("transport".to_owned(), Some("REFUSED_STREAM".to_owned()));
    }
    assert_eq!(first(&refused), "refused-streams");
}

#[test]
fn silent_streams_and_split_state() {
    let idle = |cut: Option<f64>, layer: &str, reset: Option<&str>, message: &str| {
        let idle = Idle {
            method: "inventory.InventoryService/WatchStockChanges".to_owned(),
            asked_ms: 250_000.0,
            cut_after_ms: cut,
            layer: layer.to_owned(),
            reset: reset.map(str::to_owned),
            message: message.to_owned(),
            ..Idle::default()
        };
        diagnose(&Evidence {
            idle: Some(idle),
            ..healthy()
        })
    };
    assert!(idle(None, "", None, "").is_empty());
    assert!(idle(Some(3.0), "application", None, "watches are not for you").is_empty());
    let limit = idle(Some(240_100.0), "transport", Some("INTERNAL_ERROR"), "");
    assert!(
        limit[0].id == "idle-cut" && limit[0].sentence.contains("240 s"),
        "{limit:?}"
    );
    assert_eq!(limit[0].weight, Weight::Change);
    let early = idle(Some(61_000.0), "transport", Some("INTERNAL_ERROR"), "");
    let unknown = early[0].unknown.as_deref().unwrap_or_default();
    assert!(
        unknown.contains("end of a replica"),
        "a cut before the limit may be a replica: {early:?}"
    );

    let pairs = |found: usize, missed: usize, failed: &[&str]| {
        diagnose(&Evidence {
            pairs: Some(Pairs {
                written: found + missed,
                found,
                missed,
                failed: failed.iter().map(|text| (*text).to_owned()).collect(),
                ..Pairs::default()
            }),
            ..healthy()
        })
    };
    assert!(pairs(10, 0, &[]).is_empty());
    assert_eq!(pairs(5, 5, &[])[0].id, "split-state");
    assert_eq!(pairs(9, 1, &["UNAVAILABLE: x"])[0].id, "split-state");
    assert_eq!(pairs(0, 0, &["UNAVAILABLE: x"])[0].id, "pairs-failed");
    assert!(
        pairs(0, 0, &["PERMISSION_DENIED: x"]).is_empty(),
        "a token that only reads is no fault"
    );
}

#[test]
fn what_one_replica_loses_is_no_split() {
    let by = |replicas: &[&str]| {
        diagnose(&Evidence {
            pairs: Some(Pairs {
                written: 10,
                found: 4,
                missed: 6,
                replicas: replicas.iter().map(|name| (*name).to_owned()).collect(),
                ..Pairs::default()
            }),
            ..healthy()
        })
    };
    assert_eq!(by(&[])[0].id, "split-state", "how many answer is not known");
    assert_eq!(by(&["a", "b"])[0].id, "split-state");
    let alone = by(&["a"]);
    assert_eq!((alone.len(), alone[0].id.as_str()), (1, "lost-writes"), "{alone:?}");
    let text = format!("{alone:?}");
    assert!(!text.contains("replicas 1") && !text.contains("split"), "{text}");
}

#[test]
fn commands_name_the_app_of_the_host() {
    let found = diagnose(&edge(
        "UNAVAILABLE",
        &format!("{RESET}protocol error"),
        &get(502, &[], ""),
    ));
    let az = found[0].fix[0].az.as_deref();
    assert_eq!(
        az,
        Some("az containerapp ingress update -n shop -g $RG --transport http2")
    );
}

#[test]
fn an_edge_that_answers_in_plain_http() {
    let authorize = [("location", "https://login.example/authorize?…")];
    let html = [("content-type", "text/html")];
    for (http, status, headers, expected) in [
        (404, "UNIMPLEMENTED", html.as_slice(), "unknown-host"),
        (403, "PERMISSION_DENIED", &html, "forbidden"),
        (401, "UNAUTHENTICATED", &html, "login"),
        (302, "UNKNOWN", &authorize, "login"),
        (503, "UNAVAILABLE", &html, "edge-overloaded"),
        (502, "UNAVAILABLE", &html, "upstream-protocol"),
        (200, "UNKNOWN", &html, "not-grpc"),
    ] {
        let mut evidence = edge(status, "not a gRPC answer", &get(http, headers, "<p>hello"));
        let calls = [&mut evidence.first, &mut evidence.health, &mut evidence.real];
        for call in calls.into_iter().flatten() {
            (call.layer, call.http_status) = ("proxy".to_owned(), http);
        }
        assert_eq!(first(&evidence), expected, "{http}");
    }
}

/// Every command that edges, cold starts, split state and silent streams lead to: whole lines, so that a check of `az` lines in
/// this repository reads them.
const COMMANDS: &[&str] = &[
    "az containerapp auth update -n shop -g $RG --enabled false",
    "az containerapp env premium-ingress add -n $ENV -g $RG --workload-profile-name $PROFILE",
    "az containerapp env premium-ingress update -n $ENV -g $RG --request-idle-timeout 30",
    "az containerapp env show -n $ENV -g $RG --query properties.vnetConfiguration.internal -o tsv",
    "az containerapp hostname bind -n shop -g $RG --environment $ENV --hostname $HOST --validation-method CNAME",
    "az containerapp ingress access-restriction set -n shop -g $RG --rule-name $RULE --action Allow --ip-address $CIDR",
    "az containerapp ingress show -n shop -g $RG",
    "az containerapp ingress show -n shop -g $RG --query \"{transport:transport,targetPort:targetPort}\"",
    "az containerapp ingress traffic show -n shop -g $RG",
    "az containerapp ingress update -n shop -g $RG --allow-insecure true",
    "az containerapp ingress update -n shop -g $RG --target-port $PORT",
    "az containerapp ingress update -n shop -g $RG --transport http2",
    "az containerapp logs show -n shop -g $RG --type console --tail 50",
    "az containerapp logs show -n shop -g $RG --type system --tail 50",
    "az containerapp revision list -n shop -g $RG --all -o table",
    "az containerapp revision list -n shop -g $RG -o table",
    "az containerapp show -n shop -g $RG --query properties.configuration.ingress.fqdn -o tsv",
    "az containerapp update -n shop -g $RG --min-replicas 1",
    "az containerapp update -n shop -g $RG --min-replicas 1 --max-replicas 1",
];

#[test]
fn all_commands_are_known() {
    let mut all: Vec<Evidence> = edges().into_iter().map(|(evidence, _)| evidence).collect();
    let domain = "calm-sea-1a2b.westeurope.azurecontainerapps.io";
    for host in ["shop--7f3c", "shop---green"] {
        let mut unknown = edge("UNIMPLEMENTED", "", &get(404, &[], ""));
        unknown.host = format!("{host}.{domain}");
        all.push(unknown);
    }
    let location = format!("https://{}/", healthy().host);
    let mut redirect = edge("UNKNOWN", "", &get(301, &[("location", &location)], ""));
    redirect.tls = false;
    all.push(redirect);
    all.push(unconnected(ConnectionEnd::WrongName));
    let mut unknown_name = unconnected(ConnectionEnd::Other);
    unknown_name.name = Some(Name {
        error: Some("NXDOMAIN".to_owned()),
        ..Name::default()
    });
    all.push(unknown_name);
    let mut no_route = unconnected(ConnectionEnd::Other);
    no_route.tcp[0].end = TcpEnd::NoAnswer;
    all.push(no_route);
    let mut ill = healthy();
    ill.idle = Some(Idle {
        cut_after_ms: Some(240_000.0),
        layer: "transport".to_owned(),
        ..Idle::default()
    });
    ill.pairs = Some(Pairs {
        missed: 1,
        ..Pairs::default()
    });
    ill.real = Some(call("inventory.InventoryService/ListProducts", "INTERNAL", "why"));
    all.push(ill);
    let fixes = all.iter().flat_map(diagnose).flat_map(|found| found.fix);
    let lines: BTreeSet<String> = fixes.filter_map(|fix| fix.az).collect();
    assert_eq!(lines.iter().map(String::as_str).collect::<Vec<_>>(), COMMANDS);
}

#[test]
fn notes_are_no_causes() {
    let mut evidence = healthy();
    evidence.reflection = Some(Reflection {
        not_offered: Some("UNIMPLEMENTED".to_owned()),
        ..Reflection::default()
    });
    if let Some(secure) = &mut evidence.secure {
        secure.certificate = Some(Certificate {
            days_left: 3,
            ..Certificate::default()
        });
    }
    assert_eq!(diagnose(&evidence), []);
    let ids: Vec<String> = notes(&evidence).into_iter().map(|note| note.id).collect();
    assert_eq!(ids, ["reflection-off", "certificate-ends"]);
}
