//! Rows 6, 11, 13, 20, 27: the service answers, and says what is wrong. Pure.

use super::super::evidence::{Call, Evidence};
use super::{Finding, Layer, edge, said, took};

/// Above it a first call is slow for a person.
const SLOW_MS: f64 = 2_000.0;

/// First call against a warm one: row 20.
const COLD_RATIO: f64 = 20.0;

/// What tells of a failure of the service; others may come of a request that means nothing to it.
const FAILURES: [&str; 7] = [
    "UNKNOWN",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "DEADLINE_EXCEEDED",
    "RESOURCE_EXHAUSTED",
    "ABORTED",
];

/// The call of the service, or health where there was none, with this status.
fn with_status<'a>(evidence: &'a Evidence, status: &str) -> Option<&'a Call> {
    let call = evidence
        .real
        .as_ref()
        .or(evidence.health.as_ref())
        .or(evidence.first.as_ref())?;
    (call.status == status).then_some(call)
}

/// Row 27, the service's own.
pub(super) fn unauthenticated(evidence: &Evidence) -> Option<Finding> {
    let call = with_status(evidence, "UNAUTHENTICATED")?;
    Some(
        Finding::blocks(
            Layer::Application,
            "the service wants to know who calls: no token came, or one that it does not take",
        )
        .seen([said(call)])
        .seen(
            call.header("www-authenticate")
                .map(|how| format!("it says www-authenticate: {how}")),
        )
        .fix("give a token with --token-env or --token-file, or other metadata with --header-file")
        .unknown("which tokens it takes"),
    )
}

/// Row 13, the service's own.
pub(super) fn permission_denied(evidence: &Evidence) -> Option<Finding> {
    let call = with_status(evidence, "PERMISSION_DENIED")?;
    Some(
        Finding::blocks(Layer::Application, "the service knows who calls, and does not allow it")
            .seen([said(call)])
            .fix("give a token that may read, with --token-env or --token-file")
            .unknown("what the token lacks"),
    )
}

/// Row 6: nothing answers in time. Whether client, edge or server counts the deadline makes no difference.
pub(super) fn no_answer(evidence: &Evidence) -> Option<Finding> {
    let silent = |call: &&Call| call.status == "DEADLINE_EXCEEDED";
    let call = evidence.calls().find(silent)?;
    if evidence.answers() {
        return None;
    }
    Some(
        Finding::blocks(Layer::Application, "HTTP/2 is there, and no call is answered")
            .seen(evidence.calls().filter(silent).map(said).collect::<Vec<_>>())
            .seen([format!("waited {} for the first one", took(call.deadline_ms))])
            .fix("see whether the service hangs: out of threads, a lock, a database that does not answer")
            .fix("a port of another protocol behind a proxy waits as well: check the target port")
            .fix("a service that is scaled to zero needs longer: raise --cold-start")
            .unknown("whether the service has seen the call: its log says"),
    )
}

/// Row 20.
pub(super) fn cold_start(evidence: &Evidence) -> Option<Finding> {
    let (first, warm) = (evidence.first.as_ref()?, evidence.health.as_ref()?);
    let timed_out = first.status == "DEADLINE_EXCEEDED" && warm.status != "DEADLINE_EXCEEDED";
    let slow = first.took_ms >= SLOW_MS && first.took_ms >= COLD_RATIO * warm.took_ms;
    let turned_away = edge::is_of_an_edge(first) && evidence.is_own(warm);
    if !evidence.answers() || !(timed_out || slow || turned_away) {
        return None;
    }
    let app = evidence.app();
    let sentence = match turned_away {
        true => {
            "the first call is not answered by the service, the next ones are: it is scaled to zero, or was just started"
        }
        false => "the first call waits for the service to start: it is scaled to zero, or was just started",
    };
    Some(
        Finding::change(Layer::Application, sentence)
            .seen(turned_away.then(|| said(first)))
            .seen([
                format!("the first call took {}", took(first.took_ms)),
                format!("the same call, warm, took {}", took(warm.took_ms)),
            ])
            .fix_by("keep one replica running", app.az("update", "--min-replicas 1"))
            .fix("let clients wait: wait_for_ready, and a deadline of 60 s for the first call")
            .unknown(
                "whether a replica was started for this call or was slow once: wait for it to scale in, and try again",
            ),
    )
}

/// Health says that it is not ready; not in the table.
pub(super) fn not_serving(evidence: &Evidence) -> Option<Finding> {
    let serving = evidence.serving.as_deref()?;
    if serving == "SERVING" {
        return None;
    }
    let health = evidence.health.as_ref().or(evidence.first.as_ref());
    Some(
        Finding::change(
            Layer::Application,
            format!("the service says of itself that it is {serving}"),
        )
        .seen(health.map(|call| format!("{} answered {serving}", call.method)))
        .fix("see what it waits for: a database, a migration; or it is shutting down"),
    )
}

/// Row 11.
pub(super) fn wrong_package(evidence: &Evidence) -> Option<Finding> {
    let wanted = &evidence.wanted;
    let services = evidence
        .reflection
        .as_ref()
        .map(|found| found.services.as_slice())
        .unwrap_or_default();
    let name = |service: &str| service.rsplit('.').next().unwrap_or_default().to_owned();
    let other = services
        .iter()
        .find(|service| *service != wanted && name(service) == name(wanted));
    let unknown = evidence.real.as_ref().filter(|call| call.status == "UNIMPLEMENTED");
    let (sentence, seen) = match (services.contains(wanted), other, unknown) {
        (true, _, Some(call)) => (
            format!(
                "the target describes `{wanted}` and does not know its method: descriptors and service are of two revisions"
            ),
            vec![said(call)],
        ),
        (false, Some(other), _) => (
            format!("the target has `{other}`, not `{wanted}`: another package, so another service for gRPC"),
            vec![format!("reflection lists {}", services.join(", "))],
        ),
        (false, None, Some(call)) if services.is_empty() => (
            format!(
                "gRPC is answered, and `{wanted}` is not known there: another service, another package or an older revision"
            ),
            evidence.health.iter().chain([call]).map(said).collect(),
        ),
        _ => return None,
    };
    let app = evidence.app();
    Some(
        Finding::change(Layer::Application, sentence)
            .seen(seen)
            .fix("compare package and service name of the .proto on both sides")
            .fix("another service is meant: give its descriptors with --proto or --descriptor-set")
            .fix_by("see which revision answers", app.az("revision list", "-o table"))
            .unknown("which contract the service was built from, where it has no reflection"),
    )
}

/// A failure that the service itself tells of; not in the table.
pub(super) fn fails(evidence: &Evidence) -> Option<Finding> {
    let call = evidence.real.as_ref()?;
    if !FAILURES.contains(&call.status.as_str()) || !evidence.answers() {
        return None;
    }
    let app = evidence.app();
    Some(
        Finding::change(
            Layer::Application,
            format!("the service answers, and a plain read fails with {}", call.status),
        )
        .seen([said(call)])
        .seen(
            call.reset
                .as_ref()
                .map(|code| format!("the stream was reset with {code}")),
        )
        .fix_by("see its log", app.az("logs show", "--type console --tail 50"))
        .unknown("why: only its log can tell"),
    )
}
