//! Rows 15, 16, 19, 30, 31: name, TCP, who speaks TLS, HTTP/2 itself. Pure.

use super::super::evidence::{ConnectionEnd, Evidence, TcpEnd};
use super::{Finding, Layer, gets, said, took};

fn end(evidence: &Evidence) -> Option<ConnectionEnd> {
    evidence.connection.as_ref().map(|connection| connection.end)
}

/// The sentence of the client, for a line of evidence.
fn client(evidence: &Evidence) -> Option<String> {
    let connection = evidence.connection.as_ref()?;
    (!connection.text.is_empty()).then(|| format!("the client says: {}", connection.text))
}

/// Row 19, DNS.
pub(super) fn name_unknown(evidence: &Evidence) -> Option<Finding> {
    let name = evidence.name.as_ref()?;
    let error = name.error.as_ref()?;
    let host = &evidence.host;
    let mut finding = Finding::blocks(Layer::Name, format!("`{host}` has no address where this runs"))
        .seen([format!("the resolver says after {}: {error}", took(name.took_ms))])
        .fix("check the spelling of the name");
    let app = evidence.app();
    if app.name.is_some() {
        finding = finding
            .fix_by(
                "compare it with the name that the app has",
                app.az("show", "--query properties.configuration.ingress.fqdn -o tsv"),
            )
            .fix("an environment in a virtual network has its names there only: run this in that network, or as a job of the environment");
    } else {
        finding = finding.fix("a private name is known in its own network only: run this there");
    }
    Some(finding.unknown("whether the name exists where another resolver is asked"))
}

/// Row 19, nothing listens.
pub(super) fn port_closed(evidence: &Evidence) -> Option<Finding> {
    let all = |end: &TcpEnd| !evidence.tcp.is_empty() && evidence.tcp.iter().all(|tcp| tcp.end == *end);
    if !all(&TcpEnd::Refused) {
        return None;
    }
    let port = evidence.port;
    let mut finding = Finding::blocks(
        Layer::Tcp,
        format!("nothing listens on port {port} of {}", evidence.host),
    )
    .seen(
        evidence
            .tcp
            .iter()
            .map(|tcp| format!("{} refused the connection after {}", tcp.address, took(tcp.took_ms))),
    )
    .fix("check the port, and that the service runs and has come up");
    let app = evidence.app();
    if app.name.is_some() {
        finding = finding
            .fix("the ingress of container apps listens on 80 and 443: leave the port out of the address")
            .fix_by(
                "a port of its own needs TCP ingress, and outside a virtual network there is none",
                app.az("ingress show", ""),
            );
    }
    Some(finding.unknown("whether a firewall refuses in the service's place"))
}

/// Row 19, packets get no answer, or the network says why not.
pub(super) fn no_route(evidence: &Evidence) -> Option<Finding> {
    if evidence.tcp.is_empty() || evidence.tcp.iter().any(|tcp| tcp.end == TcpEnd::Connected) {
        return None;
    }
    let line = |tcp: &super::super::evidence::Tcp| match &tcp.end {
        TcpEnd::NoAnswer => format!("{} did not answer within {}", tcp.address, took(tcp.took_ms)),
        TcpEnd::Refused => format!("{} refused the connection", tcp.address),
        TcpEnd::Failed(why) => format!("{}: {why}", tcp.address),
        TcpEnd::Connected => format!("{} took the connection", tcp.address),
    };
    let mut finding = Finding::blocks(Layer::Tcp, format!("{} cannot be reached from here", evidence.host))
        .seen(evidence.tcp.iter().map(line));
    if evidence.app().name.is_some() {
        finding = finding
            .fix("an internal environment answers in its virtual network only: run this there, or as a job of it")
            .fix_by(
                "see whether the environment is internal",
                "az containerapp env show -n $ENV -g $RG --query properties.vnetConfiguration.internal -o tsv"
                    .to_owned(),
            );
    }
    Some(
        finding
            .fix("check address, firewall and network security rules between here and there")
            .unknown("who drops the packets"),
    )
}

/// Row 16.
pub(super) fn tls_to_plaintext(evidence: &Evidence) -> Option<Finding> {
    (end(evidence)? == ConnectionEnd::SpeaksPlaintext).then(|| {
        let instead = evidence.target.replacen("https://", "http://", 1);
        Finding::blocks(Layer::Tls, "TLS was spoken to a port that speaks plaintext")
            .seen(client(evidence))
            .fix(format!("write {instead}"))
            .fix("let TLS end in front of it: the ingress of container apps does, on port 443")
    })
}

/// Row 15, a TLS port.
pub(super) fn plaintext_to_tls(evidence: &Evidence) -> Option<Finding> {
    let behind = evidence.tls_behind.as_ref();
    if end(evidence)? != ConnectionEnd::SpeaksTls && behind.is_none() {
        return None;
    }
    let instead = evidence.target.replacen("http://", "https://", 1);
    let looked = behind.map(|certificate| {
        format!(
            "with TLS it shows a certificate for {}, issued by `{}`",
            super::certificate::names(&certificate.names),
            certificate.issuer
        )
    });
    Some(
        Finding::blocks(Layer::Http2, "plaintext was spoken to a port that speaks TLS")
            .seen(client(evidence))
            .seen(looked)
            .seen(gets(evidence))
            .fix(format!("write {instead}")),
    )
}

/// Rows 15 and 17, an HTTP/1 server, or a proxy that agrees on h2 and does not speak it.
pub(super) fn http1_only(evidence: &Evidence) -> Option<Finding> {
    if end(evidence)? != ConnectionEnd::Http1 {
        return None;
    }
    let agreed = evidence.secure.as_ref().and_then(|secure| secure.alpn.as_deref()) == Some("h2");
    let sentence = match agreed {
        true => "what answers agrees on HTTP/2 and then speaks HTTP/1.1",
        false => "what answers speaks HTTP/1.1 only, and gRPC needs HTTP/2",
    };
    let finding = Finding::blocks(Layer::Http2, sentence)
        .seen(client(evidence))
        .seen(gets(evidence));
    Some(match evidence.app().name {
        Some(_) => finding.fix("the ingress of container apps speaks HTTP/2: a proxy stands before it, go around it"),
        None => finding
            .fix("check the port: this may be the one of a web page, of metrics or of an admin interface")
            .fix("turn on HTTP/2 without TLS (h2c, prior knowledge) for this port, or on the proxy that answers"),
    })
}

/// Rows 6 and 19: something listens and stays silent.
pub(super) fn silent(evidence: &Evidence) -> Option<Finding> {
    let end = end(evidence)?;
    if end != ConnectionEnd::Silent && end != ConnectionEnd::Closed {
        return None;
    }
    let how = match end {
        ConnectionEnd::Silent => "takes connections and says nothing",
        _ => "takes connections and closes them without a byte",
    };
    Some(
        Finding::blocks(Layer::Http2, format!("port {} {how}", evidence.port))
            .seen(client(evidence))
            .seen(gets(evidence))
            .fix("check the port: one of another protocol waits for its client to speak")
            .fix("see whether the process hangs, or whether a TCP proxy has nothing behind it")
            .unknown("whether anybody listens behind what took the connection"),
    )
}

/// Row 31.
pub(super) fn calm(evidence: &Evidence) -> Option<Finding> {
    const CODE: &str = "ENHANCE_YOUR_CALM";
    let goaway = evidence.http2.as_ref().and_then(|seen| seen.goaway.as_ref());
    let goaway = goaway.filter(|goaway| goaway.code == CODE);
    let call = evidence
        .calls()
        .find(|call| call.reset.as_deref() == Some(CODE) || call.message.contains(CODE));
    let connection = evidence
        .connection
        .as_ref()
        .filter(|connection| connection.text.contains(CODE));
    if goaway.is_none() && call.is_none() && connection.is_none() {
        return None;
    }
    let debug = goaway.map(|goaway| format!("GOAWAY {CODE} \"{}\"", goaway.debug));
    let sentence = "the peer ends connections because it is asked too much: ENHANCE_YOUR_CALM";
    let finding = match evidence.answers() {
        true => Finding::change(Layer::Http2, sentence),
        false => Finding::blocks(Layer::Http2, sentence),
    };
    Some(
        finding
            .seen(debug)
            .seen(call.map(said))
            .seen(client(evidence))
            .fix("a client that sends keepalive pings: send them every 30 s at most, and none without a call")
            .fix("a limit on the rate of connections or streams in front of the service: raise it")
            .unknown("which of the limits of the peer was met: stocktake itself sends no pings"),
    )
}

/// Row 30.
pub(super) fn refused_streams(evidence: &Evidence) -> Option<Finding> {
    const CODE: &str = "REFUSED_STREAM";
    let call = evidence.calls().find(|call| call.reset.as_deref() == Some(CODE));
    let settings = evidence.http2.as_ref().and_then(|seen| seen.settings.as_ref());
    let most = settings.and_then(|all| all.iter().find(|(name, _)| name == "MAX_CONCURRENT_STREAMS"));
    let none = most.is_some_and(|(_, most)| *most == 0);
    if evidence.answers() || (call.is_none() && !none) {
        return None;
    }
    Some(
        Finding::blocks(Layer::Http2, "the peer takes connections and refuses their streams")
            .seen(call.map(said))
            .seen(most.map(|(name, most)| format!("its SETTINGS say {name} {most}")))
            .fix("more connections, and calls that are sent again on one of them: a refused stream was never looked at")
            .fix("a server that is shutting down refuses as well: see whether a replica comes up in its place")
            .unknown("whether the limit is of the edge or of the service"),
    )
}

/// Row 15, neither HTTP nor TLS; and HTTP/2 that breaks off.
pub(super) fn foreign(evidence: &Evidence) -> Option<Finding> {
    match end(evidence)? {
        ConnectionEnd::Foreign => Some(
            Finding::blocks(
                Layer::Http2,
                format!("port {} speaks neither HTTP/2 nor TLS", evidence.port),
            )
            .seen(client(evidence))
            .fix("check the port"),
        ),
        ConnectionEnd::Http2Failed | ConnectionEnd::Unreachable | ConnectionEnd::Other => Some(
            Finding::blocks(Layer::Http2, "the connection breaks off before HTTP/2 has begun")
                .seen(client(evidence))
                .seen(gets(evidence))
                .fix("see the log of what listens there"),
        ),
        _ => None,
    }
}
