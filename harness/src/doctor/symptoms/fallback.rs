//! What no row explains. Pure.

use super::super::evidence::Evidence;
use super::{Finding, Layer, gets, said};

/// No call is answered, and no row says why.
pub(super) fn unexplained(evidence: &Evidence) -> Option<Finding> {
    let asked = evidence
        .connection
        .as_ref()
        .is_some_and(|connection| !connection.text.is_empty());
    if !(asked || evidence.first.is_some()) || evidence.answers() {
        return None;
    }
    let connection = evidence
        .connection
        .as_ref()
        .filter(|connection| !connection.text.is_empty());
    let app = evidence.app();
    Some(
        Finding::blocks(
            Layer::Application,
            "no call is answered as gRPC should be, and what was seen fits no known cause",
        )
        .seen(connection.map(|connection| format!("the client says: {}", connection.text)))
        .seen(evidence.calls().map(said))
        .seen(gets(evidence))
        .fix_by(
            "see the log of the service",
            app.az("logs show", "--type console --tail 50"),
        )
        .unknown("the cause"),
    )
}
