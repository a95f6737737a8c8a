//! Rows 8 and 22: silent streams, and what replicas share. Pure.

use super::super::evidence::{Evidence, Pairs};
use super::{Finding, Layer, took};

/// The idle limit of container apps, and how far from it a cut may lie.
const ACA_IDLE_MS: f64 = 240_000.0;
const NEAR_MS: f64 = 5_000.0;

/// Row 8.
pub(super) fn idle_cut(evidence: &Evidence) -> Option<Finding> {
    let idle = evidence.idle.as_ref()?;
    let cut = idle.cut_after_ms?;
    // Ends that the service chose are none of an idle limit.
    let by_network = idle.reset.is_some() || idle.layer == "transport" || idle.message.contains("stream timeout");
    if !by_network {
        return None;
    }
    let known = (cut - ACA_IDLE_MS).abs() <= NEAR_MS;
    let sentence = match known {
        true => "the ingress ends a stream that is silent for 240 s".to_owned(),
        false => format!("a stream that is silent is ended after {}", took(cut)),
    };
    Some(
        Finding::change(Layer::Edge, sentence)
            .seen([
                format!("{} was to be silent for {}", idle.method, took(idle.asked_ms)),
                format!("it ended after {} of silence: {} \"{}\"", took(cut), idle.status, idle.message),
            ])
            .seen(idle.reset.as_ref().map(|code| format!("RST_STREAM with {code}")))
            .fix("send something on the stream in less than half that time; HTTP/2 PING does not count. This project's service sends a \
                  heartbeat where a client asks for it: --header 'x-stocktake-heartbeat: 60s'")
            .fix("let clients open the stream again where it ended")
            .fix_by(
                "raise the limit, up to 30 minutes, with dedicated nodes for the ingress",
                "az containerapp env premium-ingress update -n $ENV -g $RG --request-idle-timeout 30".to_owned(),
            )
            .unknown(match known {
                true => "nothing that matters: the time is that of the ingress",
                false => "whether an idle limit or the end of a replica cut it: the bytes are the same. The same time again is a limit",
            }),
    )
}

/// Row 22.
pub(super) fn split(evidence: &Evidence) -> Option<Finding> {
    let pairs = evidence.pairs.as_ref()?;
    if pairs.missed == 0 || pairs.replicas.len() == 1 {
        return None;
    }
    let app = evidence.app();
    let replicas = match pairs.replicas.as_slice() {
        [] => None,
        many => Some(format!("{} replicas answered: {}", many.len(), many.join(", "))),
    };
    Some(
        Finding::change(
            Layer::State,
            "state is split: what one connection writes, another does not find. Each replica keeps its own",
        )
        .seen([missed(pairs)])
        .seen(replicas)
        .fix("keep the state outside of the replicas, in a database that all of them use")
        .fix_by(
            "until then: one replica",
            app.az("update", "--min-replicas 1 --max-replicas 1"),
        )
        .unknown("how many replicas there are: with n of them, about 1 - 1/n of single reads miss"),
    )
}

/// What was written is gone although no other replica can have it; not in the table.
pub(super) fn lost(evidence: &Evidence) -> Option<Finding> {
    let pairs = evidence.pairs.as_ref()?;
    let [one] = pairs.replicas.as_slice() else { return None };
    if pairs.missed == 0 {
        return None;
    }
    Some(
        Finding::change(
            Layer::State,
            "what is written is not found again, and one replica alone answered: it does not find what it wrote itself",
        )
        .seen([missed(pairs)])
        .seen([format!("one replica gave its name: {one}")])
        .fix("see whether its reads look where its writes went: a transaction that is not ended, a copy that lags behind, a cache")
        .fix_by(
            "see whether it restarts between a write and a read",
            evidence.app().az("logs show", "--type system --tail 50"),
        )
        .unknown("whether another replica, one that does not name itself, answered as well"),
    )
}

fn missed(pairs: &Pairs) -> String {
    format!(
        "{} of {} things that were written on one connection were not found on one of two others",
        pairs.missed,
        pairs.found + pairs.missed
    )
}

/// Pairs that ended otherwise; not in the table. That writes are not allowed, or not there, is no fault: see the notes.
pub(super) fn pairs_failed(evidence: &Evidence) -> Option<Finding> {
    let pairs = evidence.pairs.as_ref()?;
    if pairs.failed.is_empty() || pairs.missed > 0 || not_for_us(&pairs.failed) {
        return None;
    }
    Some(
        Finding::change(
            Layer::Application,
            "writes or reads fail, so that it is not known whether replicas share their state",
        )
        .seen(pairs.failed.iter().take(5).cloned())
        .fix("see the log of the service"),
    )
}

/// Whether all that failed was refused to this caller.
pub(super) fn not_for_us(failed: &[String]) -> bool {
    let refusals = ["UNIMPLEMENTED:", "PERMISSION_DENIED:", "UNAUTHENTICATED:"];
    let refused = |text: &String| refusals.iter().any(|code| text.starts_with(code));
    failed.iter().all(refused)
}
