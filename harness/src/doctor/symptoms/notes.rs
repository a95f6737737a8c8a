//! What is worth knowing and no cause of anything: row 28, certificates that end soon, layers that were not asked. Pure.

use super::super::evidence::Evidence;
use super::state::not_for_us;
use serde::{Deserialize, Serialize};

/// Days before the end of a certificate at which it is worth a line.
const SOON_DAYS: i64 = 14;

/// Something worth knowing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// A name for programs.
    pub id: String,
    /// Rows of the symptom table.
    pub rows: Vec<u8>,
    /// In a sentence.
    pub text: String,
}

/// All of them.
pub fn notes(evidence: &Evidence) -> Vec<Note> {
    let note = |id: &str, rows: &[u8], text: String| Note {
        id: id.to_owned(),
        rows: rows.to_vec(),
        text,
    };
    let mut notes = Vec::new();
    let reflection = evidence.reflection.as_ref();
    if let Some(reason) = reflection
        .and_then(|found| found.not_offered.as_ref())
        .filter(|_| evidence.answers())
    {
        let text = format!(
            "the service has no reflection ({reason}): that is a choice and breaks nothing. Tools need its descriptors: --proto or --descriptor-set"
        );
        notes.push(note("reflection-off", &[28], text));
    }
    if let Some(found) = reflection.filter(|found| !found.services.is_empty())
        && !found.services.contains(&evidence.wanted)
    {
        let text = format!(
            "the service describes {}; `{}` is not among them, so none of its own calls was tried",
            found.services.join(", "),
            evidence.wanted
        );
        notes.push(note("other-service", &[], text));
    }
    let certificate = evidence.secure.as_ref().and_then(|secure| secure.certificate.as_ref());
    if let Some(certificate) = certificate.filter(|certificate| (0..SOON_DAYS).contains(&certificate.days_left)) {
        let text = format!("the certificate ends in {} days", certificate.days_left);
        notes.push(note("certificate-ends", &[18], text));
    }
    let failed = evidence.pairs.as_ref().map(|pairs| pairs.failed.as_slice());
    let failed = failed.unwrap_or_default();
    if let Some(first) = failed.first().filter(|_| not_for_us(failed)) {
        let text = format!(
            "whether replicas share their state was not tried: writes are not allowed to this caller ({first})"
        );
        notes.push(note("no-writes", &[22], text));
    }
    notes.extend(
        evidence
            .left_out
            .iter()
            .map(|text| note("not-asked", &[], text.clone())),
    );
    notes
}
