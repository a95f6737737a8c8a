//! How the doctor's record is shown.

use super::*;
use crate::{
    doctor::{
        evidence::{Call, Connection, ConnectionEnd, Evidence, Exchange, Name, Tcp, TcpEnd},
        record::{DOCTOR_VERSION, DoctorVerdict},
        symptoms::{diagnose, notes},
    },
    report::{json, store},
    verify::record::HostRecord,
};

/// An ingress that speaks HTTP/1.1 to a service of gRPC; its texts try to steer whoever shows them.
fn record() -> DoctorRecord {
    let message =
        "upstream connect error or disconnect/reset before headers. reset reason: protocol error\u{1b}[31m<b>";
    let call = || {
        Some(Call {
            method: "grpc.health.v1.Health/Check".to_owned(),
            status: "UNAVAILABLE".to_owned(),
            message: message.to_owned(),
            layer: "application".to_owned(),
            http_status: 200,
            took_ms: 21.5,
            ..Call::default()
        })
    };
    let evidence = Evidence {
        target: "http://shop:80".to_owned(),
        host: "shop".to_owned(),
        port: 80,
        authority: "shop".to_owned(),
        name: Some(Name {
            addresses: vec!["10.0.0.4".to_owned()],
            took_ms: 1.0,
            ..Name::default()
        }),
        tcp: vec![Tcp {
            address: "10.0.0.4:80".to_owned(),
            end: TcpEnd::Connected,
            took_ms: 2.0,
        }],
        connection: Some(Connection {
            end: ConnectionEnd::Http2,
            text: String::new(),
            took_ms: 3.0,
        }),
        http1: Some(Exchange {
            status: 502,
            body: "::error::obey |x|".to_owned(),
            ..Exchange::default()
        }),
        first: call(),
        health: call(),
        ..Evidence::default()
    };
    let diagnoses = diagnose(&evidence);
    DoctorRecord {
        doctor_version: DOCTOR_VERSION,
        command: "doctor".to_owned(),
        started: "2026-11-22T19:05:00.000Z".to_owned(),
        elapsed_ms: 120,
        host: HostRecord {
            stocktake: "0.1.0".to_owned(),
            system: "linux x86_64".to_owned(),
            cpus: 2,
        },
        options: Vec::new(),
        notes: notes(&evidence),
        verdict: DoctorVerdict {
            result: DoctorResult::Unreachable,
            exit_code: 3,
            sentence: "http://shop:80 does not answer as gRPC should".to_owned(),
            complete: true,
        },
        evidence,
        diagnoses,
    }
}

#[test]
fn the_screen_shows_layers_then_the_cause() {
    let layout = Layout {
        width: 110,
        wrap: false,
    };
    insta::assert_snapshot!(render(&record(), Some("runs/1/index.html"), layout, false, false));
    let quiet = render(&record(), None, layout, false, true);
    assert!(quiet.contains("diagnosis") && !quiet.contains("TCP"), "{quiet}");
}

#[test]
fn a_record_reads_back_and_renders_the_same() {
    let record = record();
    let text = json::render(&record);
    let again: DoctorRecord = json::parse(&text).unwrap();
    assert_eq!(json::render(&again), text);
    assert_eq!(json::kind(&text).unwrap(), json::Kind::Doctor);
    for (name, bytes) in store::render_doctor(&record) {
        let shown = String::from_utf8(bytes).unwrap();
        assert!(!shown.contains('\u{1b}'), "{name}");
        if name != store::RECORD {
            assert!(shown.contains("--transport http2"), "{name}: {shown}");
            assert!(!shown.contains("<b>"), "{name}");
        }
    }
}
