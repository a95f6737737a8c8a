//! Embeds the built-in suite: the names and texts of `scenarios/verify/*.yaml`.

use std::{env, error::Error, fmt::Write, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?)
        .join("../scenarios/verify")
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
            format!("scenarios/verify/{name}"),
            path
        )?;
    }
    source.push_str("]\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("suite.rs"), source)?;
    Ok(())
}
