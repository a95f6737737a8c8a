//! Embeds the built-in suite and workloads: the names and texts of `scenarios/verify/*.yaml` and `scenarios/load/*.yaml`.

use std::{env, error::Error, fmt::Write, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    embed("verify", "suite.rs")?;
    embed("load", "workloads.rs")
}

/// Writes a list of names and texts of the files of a folder.
fn embed(kind: &str, list: &str) -> Result<(), Box<dyn Error>> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?)
        .join("../scenarios")
        .join(kind)
        .canonicalize()?;
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let name = entry?
            .file_name()
            .into_string()
            .map_err(|name| format!("{name:?} is no UTF-8"))?;
        if name.ends_with(".yaml") {
            println!("cargo::rerun-if-changed={}", folder.join(&name).display());
            names.push(name);
        }
    }
    names.sort();
    let mut source = String::from("&[\n");
    for name in names {
        let path = folder.join(&name);
        writeln!(
            source,
            "    ({:?}, include_str!({:?})),",
            format!("scenarios/{kind}/{name}"),
            path
        )?;
    }
    source.push_str("]\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join(list), source)?;
    Ok(())
}
