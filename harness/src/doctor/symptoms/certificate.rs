//! Rows 13, 17, 18: certificates and ALPN. Pure.

use super::super::evidence::{Certificate, ConnectionEnd, Evidence};
use super::{Finding, Layer, gets};

fn failed(evidence: &Evidence, with: ConnectionEnd) -> bool {
    evidence
        .connection
        .as_ref()
        .is_some_and(|connection| connection.end == with)
}

fn shown(evidence: &Evidence) -> Option<&Certificate> {
    evidence.secure.as_ref()?.certificate.as_ref()
}

/// The certificate, for lines of evidence.
fn lines(evidence: &Evidence) -> Vec<String> {
    let mut lines = Vec::new();
    let Some(secure) = &evidence.secure else { return lines };
    lines.push(format!("asked for `{}` (SNI)", secure.name));
    if let Some(certificate) = &secure.certificate {
        lines.push(format!(
            "the certificate is for {}, issued by `{}`{}",
            names(&certificate.names),
            certificate.issuer,
            if certificate.self_signed {
                ", which is itself"
            } else {
                ""
            }
        ));
        lines.push(validity(certificate));
    }
    if let Some(error) = &secure.error {
        lines.push(format!("TLS says: {error}"));
    }
    lines
}

/// From when to when, by the clock of this machine.
pub(in super::super) fn validity(certificate: &Certificate) -> String {
    let day = |seconds: i64| match chrono::DateTime::from_timestamp(seconds, 0) {
        Some(at) => at.format("%Y-%m-%d").to_string(),
        None => "?".to_owned(),
    };
    let (from, to) = (day(certificate.not_before), day(certificate.not_after));
    let left = match certificate.days_left {
        days if days < 0 => format!("over for {} days", -days),
        days => format!("{days} days left"),
    };
    format!("valid from {from} to {to}, {left}")
}

/// Names in a row.
pub(in super::super) fn names(names: &[String]) -> String {
    match names {
        [] => "no name".to_owned(),
        names => format!("`{}`", names.join("`, `")),
    }
}

/// Row 18, the name.
pub(super) fn name(evidence: &Evidence) -> Option<Finding> {
    if !failed(evidence, ConnectionEnd::WrongName) {
        return None;
    }
    let asked = evidence
        .secure
        .as_ref()
        .map_or(evidence.host.as_str(), |secure| &secure.name);
    let mut finding =
        Finding::blocks(Layer::Tls, format!("the certificate is not for `{asked}`")).seen(lines(evidence));
    let usable = shown(evidence).and_then(|certificate| certificate.names.iter().find(|name| !name.starts_with('*')));
    if let Some(name) = usable {
        finding = finding.fix(format!(
            "call it by a name that it bears, such as `{name}`, or give that with --authority"
        ));
    }
    Some(
        finding
            .fix("call the app by its full name: an IP address or a short name is not in the certificate")
            .fix_by(
                "a domain of your own: bind it with a certificate",
                evidence.app().az(
                    "hostname bind",
                    "--environment $ENV --hostname $HOST --validation-method CNAME",
                ),
            )
            .unknown("whether something between here and there shows a certificate of its own: compare the issuer"),
    )
}

/// Row 18, the time.
pub(super) fn expired(evidence: &Evidence) -> Option<Finding> {
    failed(evidence, ConnectionEnd::Expired).then(|| {
        Finding::blocks(Layer::Tls, "the certificate has expired")
            .seen(lines(evidence))
            .fix("renew it")
            .fix("check the clock of this machine")
    })
}

/// Row 18, the issuer.
pub(super) fn issuer(evidence: &Evidence) -> Option<Finding> {
    failed(evidence, ConnectionEnd::UnknownIssuer).then(|| {
        Finding::blocks(
            Layer::Tls,
            "the certificate comes from an issuer that is not trusted here",
        )
        .seen(lines(evidence))
        .fix("a company's own issuer, or a proxy that opens TLS: give its PEM file with --ca, or go around the proxy")
        .fix("a certificate that the server made itself: have it issued by somebody whom clients trust")
        .unknown("whether the service shows this certificate or something between here and there")
    })
}

/// Row 13, a certificate of the client. With TLS 1.3 the peer tells of it after the handshake, so that a client which writes first
/// may see a closed connection alone; the GET has waited for what it says.
pub(super) fn client(evidence: &Evidence) -> Option<Finding> {
    let told = evidence.http1.as_ref().and_then(|get| get.error.as_ref());
    let told = told.filter(|error| evidence.tls && error.contains("CertificateRequired"));
    if !failed(evidence, ConnectionEnd::ClientCertificate) && told.is_none() {
        return None;
    }
    Some(
        Finding::blocks(Layer::Tls, "it asks for a certificate of the client, and none was sent")
            .seen(told.map(|error| format!("TLS says: {error}")))
            .seen(lines(evidence))
            .fix("set clientCertificateMode of the ingress to accept or ignore: there is no az flag for it, use Bicep or --yaml"),
    )
}

/// Row 17.
pub(super) fn no_alpn(evidence: &Evidence) -> Option<Finding> {
    if !failed(evidence, ConnectionEnd::NoAlpn) {
        return None;
    }
    let agreed = evidence.secure.as_ref().and_then(|secure| secure.alpn.as_deref());
    let alpn = match agreed {
        Some(protocol) => format!("of h2 and http/1.1 it chose {protocol}"),
        None => "of h2 and http/1.1 it chose neither: it does not answer to ALPN".to_owned(),
    };
    let finding = Finding::blocks(
        Layer::Tls,
        "TLS is there, HTTP/2 is not offered in it (ALPN), and gRPC needs it",
    )
    .seen([alpn])
    .seen(lines(evidence))
    .seen(gets(evidence));
    Some(
        match evidence.app().name {
            Some(_) => finding.fix(
                "the ingress of container apps offers HTTP/2 whatever its transport is: something before it ends TLS (a gateway, a \
                 company's proxy); compare the issuer, and go around it",
            ),
            None => finding
                .fix("turn on HTTP/2 where TLS ends: on the load balancer, the gateway or the server")
                .fix("a proxy that opens TLS on the way: go around it; the issuer tells whose it is"),
        }
        .unknown("who ends TLS, beyond the issuer of the certificate"),
    )
}

/// TLS that fails otherwise.
pub(super) fn failed_otherwise(evidence: &Evidence) -> Option<Finding> {
    let otherwise = [ConnectionEnd::Tls, ConnectionEnd::Certificate];
    otherwise.into_iter().any(|end| failed(evidence, end)).then(|| {
        let said = evidence
            .connection
            .as_ref()
            .map(|connection| format!("the client says: {}", connection.text));
        Finding::blocks(Layer::Tls, "TLS does not come about")
            .seen(said)
            .seen(lines(evidence))
            .fix("TLS 1.2 or 1.3 is needed, and a server that has a certificate for the name that is asked for")
    })
}
