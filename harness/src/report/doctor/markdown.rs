//! `report.md` of a doctor. Pure.

use super::{place, word};
use crate::{
    doctor::{layers::layers, record::DoctorRecord},
    report::{
        escape::{code_span, fence, markdown, visible},
        text,
    },
};

/// The file's text.
pub fn render(record: &DoctorRecord) -> String {
    let mut out = format!(
        "# {}: {}\n\n{}\n\n",
        word(record.verdict.result),
        code_span(&record.evidence.target),
        markdown(&record.verdict.sentence)
    );
    for diagnosis in &record.diagnoses {
        out += &format!(
            "## {}\n\n{}\n\n",
            markdown(&diagnosis.sentence),
            markdown(&place(diagnosis))
        );
        for seen in &diagnosis.evidence {
            out += &format!("- {}\n", markdown(seen));
        }
        if !diagnosis.fix.is_empty() {
            out += "\nWhat to do, the likeliest first:\n\n";
        }
        for (n, fix) in diagnosis.fix.iter().enumerate() {
            out += &format!("{}. {}\n", n + 1, markdown(&fix.text));
            if let Some(az) = &fix.az {
                let fence = fence(az);
                out += &format!("\n   {fence}sh\n   {}\n   {fence}\n", visible(az));
            }
        }
        if let Some(unknown) = &diagnosis.unknown {
            out += &format!("\nNot known from outside: {}\n", markdown(unknown));
        }
        out.push('\n');
    }
    out += "## Layers\n\n| layer | what was seen |\n| --- | --- |\n";
    for layer in layers(&record.evidence) {
        out += &format!("| {} | {} |\n", layer.name, markdown(&layer.text));
    }
    for note in &record.notes {
        out += &format!("\nNote: {}\n", markdown(&note.text));
    }
    let residue = record.evidence.pairs.as_ref().map_or(0, |pairs| pairs.residue.len());
    if residue > 0 {
        let n = text::plural(residue as u64, "product stays", "products stay");
        out += &format!("\n{n} on the target; run.json names them.\n");
    }
    out += &format!(
        "\nstocktake {}, {}, {}\n",
        markdown(&record.host.stocktake),
        markdown(&text::instant(&record.started)),
        text::duration(record.elapsed_ms)
    );
    out
}
