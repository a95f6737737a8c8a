//! Rows 1 to 7, 9, 10, 12 to 14, 21, 26, 27: a proxy answers in the service's place. Pure.
//!
//! Envoy answers a gRPC request in the form of gRPC (HTTP 200 and `grpc-status`), with the text of its own in `grpc-message`; a
//! plain GET gets the HTTP status. Both are looked at: the text names the cause, the HTTP status confirms it.

use super::super::evidence::{Call, Evidence, Exchange};
use super::{Finding, Layer, gets, said};

/// Texts that Envoy puts into its own answers.
const RESET: &str = "upstream connect error or disconnect/reset before headers";
const NO_UPSTREAM: &str = "no healthy upstream";
const ROUTE_TIMEOUT: &str = "upstream request timeout";
const IDLE: &str = "stream timeout";
const RBAC: &str = "RBAC: access denied";

/// Whether a call was answered by Envoy, as far as its text tells.
pub(super) fn is_of_an_edge(call: &Call) -> bool {
    let own = [RESET, NO_UPSTREAM, ROUTE_TIMEOUT, IDLE, RBAC];
    !call.is_ok() && (own.iter().any(|text| call.message.contains(text)) || call.header("location").is_some())
}

/// Where a call or a GET shows all of the texts; with the lines for evidence.
fn shows(evidence: &Evidence, texts: &[&str]) -> Option<Vec<String>> {
    let holds = |text: &str| texts.iter().all(|wanted| text.contains(wanted));
    // A service that has answered in the end is not cut off from its edge: what came before is its start.
    if evidence.calls().last().is_some_and(|call| evidence.is_own(call)) {
        return None;
    }
    let call = evidence.calls().find(|call| !call.is_ok() && holds(&call.message));
    let failing = call.is_some() || (!evidence.answers() && evidence.gets().any(|get| holds(&get.body)));
    failing.then(|| call.map(said).into_iter().chain(gets(evidence)).collect())
}

/// A GET with one of these statuses, while no call was answered.
fn get_with(evidence: &Evidence, statuses: &[u16]) -> Option<Exchange> {
    if evidence.answers() {
        return None;
    }
    evidence.gets().find(|get| statuses.contains(&get.status)).cloned()
}

/// The first call, for evidence.
fn first(evidence: &Evidence) -> Option<String> {
    evidence.calls().next().map(said)
}

/// Where a redirect leads: `location` of a GET or of a call.
fn location(evidence: &Evidence) -> Option<&str> {
    let of_gets = evidence.gets().filter(|get| (300..400).contains(&get.status));
    let of_gets = of_gets.filter_map(|get| get.header("location"));
    let of_calls = evidence
        .calls()
        .filter(|call| !call.is_ok())
        .filter_map(|call| call.header("location"));
    of_calls.chain(of_gets).next()
}

fn host_of(location: &str) -> &str {
    let rest = location.split_once("://").map_or(location, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// Row 14.
pub(super) fn redirect_to_https(evidence: &Evidence) -> Option<Finding> {
    let location = location(evidence)?;
    if evidence.tls || evidence.answers() || !location.starts_with("https://") {
        return None;
    }
    // A login lies on another host.
    if host_of(location) != host_of(&evidence.authority) {
        return None;
    }
    let app = evidence.app();
    Some(
        Finding::blocks(
            Layer::Edge,
            "plaintext gRPC meets a redirect to https, and a gRPC client follows none",
        )
        .seen([format!("the answer says location: {location}")])
        .seen(first(evidence))
        .seen(gets(evidence))
        .fix(format!("write {}", https(&evidence.host)))
        .fix_by(
            "inside the environment, plaintext can be allowed",
            app.az("ingress update", "--allow-insecure true"),
        ),
    )
}

fn https(host: &str) -> String {
    match host.contains(':') {
        true => format!("https://[{host}]"),
        false => format!("https://{host}"),
    }
}

/// Row 27.
pub(super) fn login(evidence: &Evidence) -> Option<Finding> {
    if evidence.answers() && !evidence.calls().any(|call| call.status == "UNAUTHENTICATED") {
        return None;
    }
    // The page of a service that answers may lead anywhere.
    let elsewhere = location(evidence).filter(|_| !evidence.answers());
    let elsewhere = elsewhere.filter(|location| host_of(location) != host_of(&evidence.authority));
    // What EasyAuth and other gateways say: where to log in. A service that wants a token says only `Bearer`.
    let asked = evidence.gets().filter(|get| get.status == 401);
    let asked = asked.filter_map(|get| get.header("www-authenticate"));
    let asked = asked.chain(evidence.calls().filter_map(|call| call.header("www-authenticate")));
    let asked = asked
        .into_iter()
        .find(|how| how.contains("authorization_uri") || how.contains("login"));
    // The service itself answers in gRPC.
    let walled = evidence
        .calls()
        .any(|call| call.layer == "proxy" && call.http_status == 401);
    if elsewhere.is_none() && asked.is_none() && !walled {
        return None;
    }
    let app = evidence.app();
    Some(
        Finding::blocks(
            Layer::Edge,
            "a login stands before the service: calls are answered by it, not by the service",
        )
        .seen(elsewhere.map(|location| format!("it sends callers to {location}")))
        .seen(asked.map(|how| format!("it says www-authenticate: {how}")))
        .seen(first(evidence))
        .seen(gets(evidence))
        .fix_by(
            "built-in authentication (EasyAuth) does not work with gRPC: turn it off and check tokens in the service",
            app.az("auth update", "--enabled false"),
        )
        .fix("send a token that it takes, with --token-env or --token-file")
        .unknown("whether a valid token gets through: on container apps gRPC fails with one, too"),
    )
}

/// Row 12.
pub(super) fn ip_rule(evidence: &Evidence) -> Option<Finding> {
    let seen = shows(evidence, &[RBAC])?;
    let app = evidence.app();
    Some(
        Finding::blocks(Layer::Edge, "an IP restriction of the ingress keeps this machine out")
            .seen(seen)
            .fix_by(
                "allow the address from which this machine is seen",
                app.az(
                    "ingress access-restriction set",
                    "--rule-name $RULE --action Allow --ip-address $CIDR",
                ),
            )
            .fix("run as a job inside the environment, which the restriction does not concern")
            .unknown("which address the ingress sees: ask one outside, or read the HTTP log"),
    )
}

/// Row 5.
pub(super) fn no_upstream(evidence: &Evidence) -> Option<Finding> {
    let seen = shows(evidence, &[NO_UPSTREAM])?;
    let app = evidence.app();
    Some(
        Finding::blocks(Layer::Upstream, "the edge has no replica to send to: none is ready")
            .seen(seen)
            .fix_by(
                "see what keeps the revision from becoming ready: its probes, its image, a crash",
                app.az("revision list", "-o table"),
            )
            .fix_by("keep one replica running", app.az("update", "--min-replicas 1"))
            .unknown("whether it is scaled to zero, starting, or failing its readiness probe: the revision says"),
    )
}

/// Row 21, the circuit breaker.
pub(super) fn overflow(evidence: &Evidence) -> Option<Finding> {
    let seen = shows(evidence, &[RESET, "overflow"])?;
    Some(
        Finding::blocks(
            Layer::Upstream,
            "a circuit breaker of the edge is open: it sends no more requests to the service",
        )
        .seen(seen)
        .fix("more replicas, or a higher limit of connections, requests and pending requests in the edge")
        .fix_by(
            "on container apps: dedicated nodes for the ingress",
            "az containerapp env premium-ingress add -n $ENV -g $RG --workload-profile-name $PROFILE".to_owned(),
        )
        .unknown("whether load or a limit of nothing opened it: try again when it is quiet"),
    )
}

/// Row 3.
pub(super) fn upstream_refused(evidence: &Evidence) -> Option<Finding> {
    let texts = [
        "remote connection failure",
        "Connection refused",
        "delayed connect error",
        "connection timeout",
    ];
    let seen = texts.iter().find_map(|text| shows(evidence, &[RESET, text]))?;
    let app = evidence.app();
    Some(
        Finding::blocks(
            Layer::Upstream,
            "the edge is there, and nothing listens at the port to which it sends",
        )
        .seen(seen)
        .fix_by(
            "set the port on which the service listens",
            app.az("ingress update", "--target-port $PORT"),
        )
        .fix("let the service listen on 0.0.0.0 or [::], not on 127.0.0.1")
        .fix_by(
            "see whether it crashes or is slow to start",
            app.az("logs show", "--type system --tail 50"),
        )
        .unknown(
            "which of the three it is: `The TargetPort N does not match the listening port M` in the system log tells",
        ),
    )
}

/// Row 4.
pub(super) fn upstream_tls(evidence: &Evidence) -> Option<Finding> {
    let by_text = "This combination of host and port requires TLS";
    let seen = shows(evidence, &[RESET, "connection termination"]).or_else(|| shows(evidence, &[by_text]))?;
    let app = evidence.app();
    Some(
        Finding::blocks(
            Layer::Upstream,
            "what the edge sends to closes the connection: most often a service that speaks TLS on a port that gets plaintext",
        )
        .seen(seen)
        .fix("serve plaintext HTTP/2 (h2c): TLS ends at the ingress")
        .fix_by("see whether the service logs failed handshakes, or crashes", app.az("logs show", "--type console --tail 50"))
        .unknown("whether it speaks TLS or ends the connection for another reason: the bytes are the same"),
    )
}

/// Rows 1 and 2. A service that takes HTTP/1.1 beside gRPC may say itself that it was reached in the wrong one.
pub(super) fn upstream_protocol(evidence: &Evidence) -> Option<Finding> {
    if let Some(seen) = shows(evidence, &[RESET, "protocol error"]) {
        let sentence = "edge and service do not speak the same HTTP: the edge speaks HTTP/1.1 to a service of HTTP/2, or the other \
                        way round";
        let unknown = "transport or port: the bytes are the same, the ingress settings tell";
        return Some(wrong_transport(evidence, sentence, seen).unknown(unknown));
    }
    let told = |call: &&Call| call.layer == "proxy" && matches!(call.http_status, 426 | 502 | 505);
    let call = evidence.calls().find(told).filter(|_| !evidence.answers())?;
    let sentence = match call.http_status {
        502 => "the edge cannot speak to the service: 502",
        _ => "the edge speaks HTTP/1.1 to a service that needs HTTP/2 for gRPC: the service says so itself",
    };
    Some(wrong_transport(evidence, sentence, vec![said(call)]).seen(gets(evidence)))
}

/// What rows 1 and 2 tell to do.
fn wrong_transport(evidence: &Evidence, sentence: &str, seen: Vec<String>) -> Finding {
    let app = evidence.app();
    Finding::blocks(Layer::Upstream, sentence)
        .seen(seen)
        .fix_by(
            "let the ingress speak HTTP/2 to the service (`auto` and `http` speak HTTP/1.1)",
            app.az("ingress update", "--transport http2"),
        )
        .fix_by(
            "check the port: one of metrics or of a web page speaks HTTP/1.1",
            app.az(
                "ingress show",
                "--query \"{transport:transport,targetPort:targetPort}\"",
            ),
        )
}

/// Row 9.
pub(super) fn route_timeout(evidence: &Evidence) -> Option<Finding> {
    let seen = shows(evidence, &[ROUTE_TIMEOUT])?;
    Some(
        Finding::blocks(Layer::Upstream, "a timeout of a route ends the call before the service has answered")
            .seen(seen)
            .fix("the ingress has none: look at a resiliency policy, at Dapr or at a gateway, raise its timeout or go around it")
            .fix("let the call answer sooner: start the work, and ask for its result")
            .unknown("whether the service would have answered"),
    )
}

/// Rows 6 and 7.
pub(super) fn idle_before_answer(evidence: &Evidence) -> Option<Finding> {
    let seen = shows(evidence, &[IDLE])?;
    Some(
        Finding::blocks(Layer::Upstream, "the idle limit of the edge ends the call before anything has come: the service is silent")
            .seen(seen)
            .fix("see whether the service hangs, or whether its port is of another protocol that waits")
            .fix("let long work send something in less than half the limit (240 s on container apps), or poll for its result")
            .fix_by(
                "raise the limit, up to 30 minutes, with dedicated nodes for the ingress",
                "az containerapp env premium-ingress update -n $ENV -g $RG --request-idle-timeout 30".to_owned(),
            )
            .unknown("whether the service would have answered"),
    )
}

/// Row 21, the edge itself; also any 503 that says nothing.
pub(super) fn overloaded(evidence: &Evidence) -> Option<Finding> {
    let get = get_with(evidence, &[503])?;
    // A call that waits in vain is not one that the edge ends.
    let waits = evidence.calls().any(|call| call.status == "DEADLINE_EXCEEDED");
    if waits || get.header("x-envoy-upstream-service-time").is_some() {
        return None;
    }
    let app = evidence.app();
    Some(
        Finding::blocks(Layer::Edge, "the edge answers 503 and does not say why")
            .seen(first(evidence))
            .seen(gets(evidence))
            .fix_by("see whether a replica is ready", app.az("revision list", "-o table"))
            .fix_by(
                "an overloaded edge, above some rate only: dedicated nodes for the ingress",
                "az containerapp env premium-ingress add -n $ENV -g $RG --workload-profile-name $PROFILE".to_owned(),
            )
            .unknown("whether the edge is overloaded or has nothing behind it"),
    )
}

/// Row 10.
pub(super) fn unknown_host(evidence: &Evidence) -> Option<Finding> {
    let get = get_with_unimplemented(evidence)?;
    if get.header("x-envoy-upstream-service-time").is_some() {
        return None;
    }
    let app = evidence.app();
    let host = &evidence.authority;
    let mut finding = Finding::blocks(
        Layer::Edge,
        format!("the edge does not know `{host}`: every method and every page is 404"),
    )
    .seen(evidence.calls().map(said))
    .seen(gets(evidence));
    if app.internal {
        finding = finding.fix("this is the name of an internal app: it answers inside its environment only");
    }
    if let (Some(name), Some(revision)) = (&app.name, &app.revision) {
        finding = finding.fix_by(
            format!("`{name}--{revision}` is a revision: see that it is active; a label has three dashes (`{name}---{revision}`)"),
            app.az("revision list", "--all -o table"),
        );
    }
    if let Some(label) = &app.label {
        finding = finding.fix_by(
            format!("see that the label `{label}` stands on a revision"),
            app.az("ingress traffic show", ""),
        );
    }
    Some(
        finding
            .fix_by(
                "compare the name with that of the app, and see that its ingress is on and external",
                app.az("ingress show", ""),
            )
            .fix_by(
                "an app that is stopped or scaled to nothing: keep one replica",
                app.az("update", "--min-replicas 1"),
            )
            .unknown("whether the app is stopped, internal or named otherwise, or is a service without these methods: the answers are the same"),
    )
}

/// 404 for a GET, while every call is UNIMPLEMENTED and nothing is described.
fn get_with_unimplemented(evidence: &Evidence) -> Option<Exchange> {
    let described = evidence
        .reflection
        .as_ref()
        .is_some_and(|found| !found.services.is_empty());
    // What servers of gRPC say of a method that they do not have.
    let own = [
        "unknown service",
        "unknown method",
        "ethod not found",
        "not implemented",
    ];
    if evidence
        .calls()
        .any(|call| own.iter().any(|text| call.message.contains(text)))
    {
        return None;
    }
    let all = evidence.calls().all(|call| call.status == "UNIMPLEMENTED") && evidence.calls().next().is_some();
    if described || !all {
        return None;
    }
    evidence.gets().find(|get| get.status == 404).cloned()
}

/// Row 13, the edge.
pub(super) fn forbidden(evidence: &Evidence) -> Option<Finding> {
    let denied = evidence.calls().any(|call| call.status == "PERMISSION_DENIED");
    let own = evidence
        .reflection
        .as_ref()
        .is_some_and(|found| !found.services.is_empty());
    let by_edge = evidence
        .gets()
        .any(|get| get.status == 403 && get.header("x-envoy-upstream-service-time").is_none());
    if !denied || own || !by_edge {
        return None;
    }
    let app = evidence.app();
    let mut finding = Finding::blocks(
        Layer::Edge,
        "something before the service forbids it, 403 without saying why",
    )
    .seen(first(evidence))
    .seen(gets(evidence));
    if app.internal {
        finding = finding.fix("this is the name of an internal app: call it from inside its environment");
    }
    Some(
        finding
            .fix("a web application firewall or a gateway: let gRPC (POST, application/grpc) through")
            .fix("clientCertificateMode `require` of the ingress: set it to accept or ignore, in Bicep or --yaml")
            .fix("a token that lacks a role: give another one with --token-env")
            .unknown("who forbids it"),
    )
}

/// Row 26.
pub(super) fn not_grpc(evidence: &Evidence) -> Option<Finding> {
    if evidence.answers() {
        return None;
    }
    let call = evidence.calls().find(|call| call.layer == "proxy")?;
    let kind = call.header("content-type").unwrap_or("no content-type");
    let finding = Finding::blocks(
        Layer::Edge,
        format!("what answers speaks HTTP and no gRPC: {} with {kind}", call.http_status),
    )
    .seen([said(call)])
    .fix("check host and port: this is a web page, another app or a front door")
    .fix_by(
        "an ingress that speaks HTTP/1.1 to a service of both HTTP/1.1 and gRPC: let it speak HTTP/2",
        evidence.app().az("ingress update", "--transport http2"),
    )
    .unknown("whether the service stands behind what answers");
    Some(finding.seen(gets(evidence)))
}
