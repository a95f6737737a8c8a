//! Reads scenario files.

use super::Refusal;
use std::{
    fs,
    path::{Path, PathBuf},
};
use stocktake::scenario::suite::{EMBEDDED, Suite};

/// The embedded suite, or all `.yaml` and `.yml` files below a folder, or one file.
pub fn load(path: Option<&Path>) -> Result<Suite, Refusal> {
    let (name, files) = match path {
        None => {
            let files = EMBEDDED
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                .collect();
            ("embedded".to_owned(), files)
        }
        Some(path) => (path.display().to_string(), read(path)?),
    };
    Suite::parse(&name, &files).map_err(|errors| {
        let count = errors.len();
        let mut text: Vec<String> = errors.iter().map(|error| error.render()).collect();
        text.push(format!(
            "{count} {} in the scenarios; nothing was sent",
            if count == 1 { "mistake" } else { "mistakes" }
        ));
        Refusal::input(text.join("\n").trim_start_matches("error: ").to_owned())
    })
}

fn read(path: &Path) -> Result<Vec<(String, String)>, Refusal> {
    let mut paths = Vec::new();
    if path.is_dir() {
        walk(path, &mut paths)?
    } else {
        paths.push(path.to_owned())
    }
    paths.sort();
    if paths.is_empty() {
        return Err(Refusal::input(format!("{} holds no .yaml file", path.display())));
    }
    let text = |path: PathBuf| match fs::read_to_string(&path) {
        Ok(text) => Ok((path.display().to_string(), text)),
        Err(error) => Err(Refusal::input(format!("cannot read {}: {error}", path.display()))),
    };
    paths.into_iter().map(text).collect()
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), Refusal> {
    let failed = |error: std::io::Error| Refusal::input(format!("cannot read {}: {error}", folder.display()));
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            walk(&path, paths)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml")
        {
            paths.push(path);
        }
    }
    Ok(())
}
