//! What each layer showed, in a line. Pure.

use super::evidence::{Call, Evidence, Exchange, TcpEnd};
use super::symptoms::{certificate, took};

/// How a layer fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// As it should.
    Good,
    /// Not as it should; whether it is the cause is another question.
    Bad,
    /// Neither: a plain fact.
    Fact,
    /// It was not asked.
    Unasked,
}

/// A layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerLine {
    /// Such as `TCP`.
    pub name: &'static str,
    /// How it fared.
    pub state: State,
    /// What was seen.
    pub text: String,
}

fn line(name: &'static str, state: State, text: impl Into<String>) -> LayerLine {
    LayerLine {
        name,
        state,
        text: text.into(),
    }
}

/// All layers, the lowest first. Those behind one that fails are left out.
pub fn layers(evidence: &Evidence) -> Vec<LayerLine> {
    let mut lines = Vec::new();
    name(evidence, &mut lines);
    tcp(evidence, &mut lines);
    tls(evidence, &mut lines);
    http2(evidence, &mut lines);
    for (name, get) in [
        ("GET over h2", evidence.http2.as_ref().map(|seen| &seen.get)),
        ("GET over 1.1", evidence.http1.as_ref()),
    ] {
        if let Some(get) = get {
            lines.push(line(name, State::Fact, exchange(get)));
        }
    }
    calls(evidence, &mut lines);
    state(evidence, &mut lines);
    lines
}

fn name(evidence: &Evidence, lines: &mut Vec<LayerLine>) {
    let Some(name) = &evidence.name else { return };
    lines.push(match &name.error {
        Some(error) => line("name", State::Bad, format!("{}: {error}", evidence.host)),
        None => line(
            "name",
            State::Good,
            format!("{} in {}", name.addresses.join(", "), took(name.took_ms)),
        ),
    });
}

fn tcp(evidence: &Evidence, lines: &mut Vec<LayerLine>) {
    for tcp in &evidence.tcp {
        let (state, text) = match &tcp.end {
            TcpEnd::Connected => (State::Good, format!("connected in {}", took(tcp.took_ms))),
            TcpEnd::Refused => (State::Bad, "refused".to_owned()),
            TcpEnd::NoAnswer => (State::Bad, format!("no answer within {}", took(tcp.took_ms))),
            TcpEnd::Failed(why) => (State::Bad, why.clone()),
        };
        lines.push(line("TCP", state, format!("{} {text}", tcp.address)));
    }
}

fn tls(evidence: &Evidence, lines: &mut Vec<LayerLine>) {
    let Some(secure) = &evidence.secure else { return };
    lines.push(match (&secure.version, &secure.error) {
        (Some(version), _) => line(
            "TLS",
            State::Good,
            format!("{version} for `{}` in {}", secure.name, took(secure.took_ms)),
        ),
        (None, error) => line(
            "TLS",
            State::Bad,
            format!("for `{}`: {}", secure.name, error.as_deref().unwrap_or("failed")),
        ),
    });
    if let Some(shown) = &secure.certificate {
        let by = if shown.self_signed {
            "itself"
        } else {
            shown.issuer.as_str()
        };
        let text = format!(
            "{}, issued by {by}, {}",
            certificate::names(&shown.names),
            certificate::validity(shown)
        );
        let state = if secure.error.is_none() {
            State::Good
        } else {
            State::Fact
        };
        lines.push(line("certificate", state, text));
    }
    if secure.version.is_some() {
        lines.push(match secure.alpn.as_deref() {
            Some("h2") => line("ALPN", State::Good, "h2"),
            Some(other) => line("ALPN", State::Bad, format!("{other} of h2 and http/1.1")),
            None => line("ALPN", State::Bad, "nothing chosen of h2 and http/1.1"),
        });
    }
}

fn http2(evidence: &Evidence, lines: &mut Vec<LayerLine>) {
    let Some(connection) = &evidence.connection else { return };
    if !connection.text.is_empty() {
        lines.push(line("HTTP/2", State::Bad, connection.text.clone()));
        return;
    }
    let seen = evidence.http2.as_ref();
    let settings = match seen.and_then(|seen| seen.settings.as_ref()) {
        Some(settings) if settings.is_empty() => "SETTINGS are empty".to_owned(),
        Some(settings) => {
            let each = settings.iter().map(|(name, value)| format!("{name} {value}"));
            format!("SETTINGS {}", each.collect::<Vec<_>>().join(", "))
        }
        None => "SETTINGS have arrived".to_owned(),
    };
    let goaway = match seen.and_then(|seen| seen.goaway.as_ref()) {
        Some(goaway) if goaway.debug.is_empty() => format!("GOAWAY {}", goaway.code),
        Some(goaway) => format!("GOAWAY {} \"{}\"", goaway.code, goaway.debug),
        None => "no GOAWAY".to_owned(),
    };
    lines.push(line("HTTP/2", State::Good, format!("{settings}; {goaway}")));
}

fn exchange(get: &Exchange) -> String {
    if let Some(error) = &get.error {
        return format!("no answer: {error}");
    }
    let mut text = get.status.to_string();
    for name in ["content-type", "location", "server", "www-authenticate"] {
        if let Some(value) = get.header(name) {
            let label = if name == "content-type" { "" } else { name };
            text += &format!(" {label}{}{value}", if label.is_empty() { "" } else { " " });
        }
    }
    if !get.body.is_empty() {
        text += &format!(": {}", get.body);
    }
    text
}

fn ended(call: &Call) -> String {
    match call.message.as_str() {
        "" => format!("{} in {}", call.status, took(call.took_ms)),
        message => format!("{} \"{message}\" in {}", call.status, took(call.took_ms)),
    }
}

fn fared(call: &Call) -> State {
    match call.status.as_str() {
        "OK" => State::Good,
        // A server need not offer health.
        "UNIMPLEMENTED" if call.method.starts_with("grpc.") => State::Fact,
        _ => State::Bad,
    }
}

fn calls(evidence: &Evidence, lines: &mut Vec<LayerLine>) {
    if let Some(first) = &evidence.first {
        let warm = evidence
            .health
            .as_ref()
            .map(|warm| format!("; warm {}", took(warm.took_ms)));
        lines.push(line(
            "first call",
            State::Fact,
            format!("{}{}", took(first.took_ms), warm.unwrap_or_default()),
        ));
    }
    if let Some(health) = evidence.health.as_ref().or(evidence.first.as_ref()) {
        lines.push(match evidence.serving.as_deref() {
            Some("SERVING") => line("health", State::Good, "SERVING"),
            Some(other) => line("health", State::Bad, other),
            None => line("health", fared(health), ended(health)),
        });
    }
    if let Some(reflection) = &evidence.reflection {
        lines.push(match (&reflection.not_offered, &reflection.error) {
            (Some(reason), _) => line("reflection", State::Fact, format!("not offered: {reason}")),
            (None, Some(error)) => line("reflection", State::Bad, error.clone()),
            (None, None) => line("reflection", State::Good, reflection.services.join(", ")),
        });
    }
    if let Some(real) = &evidence.real {
        lines.push(line(
            "real call",
            fared(real),
            format!("{}: {}", real.method, ended(real)),
        ));
    }
}

fn state(evidence: &Evidence, lines: &mut Vec<LayerLine>) {
    let answered = evidence.real.as_ref().is_some_and(Call::is_ok);
    match &evidence.idle {
        Some(idle) => lines.push(match idle.cut_after_ms {
            None => line(
                "idle stream",
                State::Good,
                format!("{}: open after {} of silence", idle.method, took(idle.asked_ms)),
            ),
            Some(cut) => line(
                "idle stream",
                State::Bad,
                format!(
                    "{}: ended after {}: {} \"{}\"",
                    idle.method,
                    took(cut),
                    idle.status,
                    idle.message
                ),
            ),
        }),
        None if answered => lines.push(line("idle stream", State::Unasked, "not asked for: --idle 250s")),
        None => {}
    }
    match &evidence.pairs {
        Some(pairs) => {
            let state = if pairs.missed == 0 && pairs.failed.is_empty() {
                State::Good
            } else {
                State::Bad
            };
            let mut text = format!(
                "{} written, {} found on two other connections",
                pairs.written, pairs.found
            );
            if !pairs.replicas.is_empty() {
                text += &format!("; answered by {}", pairs.replicas.join(", "));
            }
            lines.push(line("replicas", state, text));
        }
        None if answered => lines.push(line(
            "replicas",
            State::Unasked,
            "not asked for: --allow-writes writes and reads",
        )),
        None => {}
    }
}
