//! `index.html` of a doctor: with the style and the policy of [`crate::report::html`]. Pure.

use super::{place, word};
use crate::{
    doctor::{
        layers::layers,
        record::{DoctorRecord, DoctorResult},
    },
    report::{
        html::{self, apology, capital, list, pairs, shown},
        text,
    },
};
use minijinja::context;

const PAGE: [(&str, &str); 1] = [("doctor-page.html", include_str!("page.j2"))];

/// Beside [`html::STYLE`].
const STYLE: &str = include_str!("page.css");

/// The file's text.
pub fn render(record: &DoctorRecord) -> String {
    page(record).unwrap_or_else(apology)
}

fn page(record: &DoctorRecord) -> Result<String, minijinja::Error> {
    let environment = html::environment(&PAGE)?;
    let (class, mark) = match record.verdict.result {
        DoctorResult::Healthy => ("good", "✓"),
        DoctorResult::Change | DoctorResult::Unreachable => ("bad", "✕"),
        DoctorResult::Interrupted => ("doubt", "!"),
    };
    let layers = layers(&record.evidence);
    let residue = record
        .evidence
        .pairs
        .as_ref()
        .map(|pairs| pairs.residue.as_slice())
        .unwrap_or_default();
    let mut identity = vec![
        ("Began", text::instant(&record.started)),
        ("Took", text::duration(record.elapsed_ms)),
        ("stocktake", shown(&record.host.stocktake)),
        ("Machine", shown(&record.host.system)),
    ];
    if !residue.is_empty() {
        identity.push(("Left on the target", shown(&residue.join(", "))));
    }
    environment.get_template("doctor-page.html")?.render(context! {
        dress => html::dressed(html::STYLE.to_owned() + STYLE, html::COMMON_SCRIPT),
        command => shown(&record.command),
        verdict => context! {
            class, mark,
            headline => capital(&word(record.verdict.result).to_lowercase()),
            target => shown(&record.evidence.target),
            started => text::instant(&record.started),
            sentence => shown(&record.verdict.sentence),
            incomplete => !record.verdict.complete,
        },
        diagnoses => list(record.diagnoses.iter().map(|diagnosis| context! {
            sentence => shown(&diagnosis.sentence),
            place => place(diagnosis),
            evidence => list(diagnosis.evidence.iter().map(|seen| shown(seen).into())),
            fix => list(diagnosis.fix.iter().map(|fix| context! { text => shown(&fix.text), az => fix.az.as_deref().map(shown) })),
            unknown => diagnosis.unknown.as_deref().map(shown),
        })),
        layers => pairs(layers.iter().map(|layer| (layer.name, shown(&layer.text))).collect()),
        notes => list(record.notes.iter().map(|note| shown(&note.text).into())),
        identity => pairs(identity),
    })
}
