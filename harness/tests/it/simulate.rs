//! `stocktake serve --simulate`: what can be typed, and that a service under such conditions is no worse for it.

use crate::support::stocktake::{attempt, run, serve};
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

#[test]
fn conditions_are_read_one_or_several() {
    for (text, seen) in [
        (
            "delay=300ms",
            "{ delay: 300ms, slow: 0ns, stall: None, capacity: None }",
        ),
        ("slow=2ms", "{ delay: 0ns, slow: 2ms, stall: None, capacity: None }"),
        (
            "stall=1s/10s",
            "{ delay: 0ns, slow: 0ns, stall: Some(Stall { length: 1s, every: 10s }), capacity: None }",
        ),
        (
            "stall=900ms/1s,slow=1500us,delay=60s",
            "{ delay: 60s, slow: 1.5ms, stall: Some(Stall { length: 900ms, every: 1s }), capacity: None }",
        ),
        (
            "capacity=workers:4,service:20ms,delay=1ms",
            "{ delay: 1ms, slow: 0ns, stall: None, capacity: Some(Capacity { workers: 4, service: 20ms }) }",
        ),
    ] {
        let mut server = serve(&["--simulate", text]);
        // The line of the log is there once the service answers; what it has no route for is answered at once.
        let mut stream = TcpStream::connect(&server.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        write!(stream, "GET /none HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
        let log = server.kill();
        assert!(log.contains(&format!("Simulate {seen}")), "{text}: {log}");
    }
}

#[test]
fn conditions_that_are_none_are_wrong_input() {
    for (text, words) in [
        ("", "write delay=DURATION"),
        ("slow", "write delay=DURATION"),
        ("slow=2", "write delay=DURATION"),
        ("speed=2ms", "write delay=DURATION"),
        ("slow=2ms,", "write delay=DURATION"),
        ("slow=-2ms", "write delay=DURATION"),
        ("delay=61s", "at most 60s"),
        ("stall=1s/1h", "at most 60s"),
        ("slow=2ms,slow=3ms", "write slow once"),
        ("stall=1s", "stall=LENGTH/EVERY"),
        ("stall=10s/10s", "shorter than the time from one to the next"),
        ("stall=0s/10s", "longer than 0s"),
        ("capacity=4", "write capacity=workers:N,service:DURATION"),
        ("capacity=workers:4", "write capacity=workers:N,service:DURATION"),
        ("capacity=workers:0,service:20ms", "workers are 1 to 10000"),
        ("capacity=workers:4,service:0s", "longer than 0s"),
        ("service:20ms", "write delay=DURATION"),
    ] {
        let ended = run(&["serve", "--listen", "127.0.0.1:0", "--simulate", text]);
        assert_eq!(ended.code, Some(2), "{text}: {}", ended.shown());
        let named = format!("--simulate `{text}`");
        assert!(
            ended.stderr.contains(&named) && ended.stderr.contains(words),
            "{text}: {}",
            ended.shown()
        );
    }
}

#[test]
fn a_slow_service_keeps_its_promises_on_both_protocols() {
    let server = serve(&["--simulate", "delay=5ms,slow=2ms,stall=50ms/1s"]);
    let seen = attempt(
        &server.address,
        &["--protocol", "both", "--filter", "update_*,list_*,watch_order*"],
    );
    assert_eq!(seen.code, Some(0), "{}{}", seen.stdout, seen.stderr);
}
