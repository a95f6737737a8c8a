//! proto/inventory.proto -> descriptor bytes, generated Rust and the table of rules; no protoc, no network.

use prost::Message;
use std::{env, error::Error, fmt::Write, fs, path::PathBuf};

const PROTO: &str = "proto/inventory.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let out = PathBuf::from(env::var("OUT_DIR")?);

    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(["inventory.proto"])?;
    let descriptors = compiler.file_descriptor_set();
    fs::write(
        out.join("inventory.descriptors.bin"),
        compiler.encode_file_descriptor_set(),
    )?;
    debug_assert!(descriptors.encoded_len() > 0);
    tonic_prost_build::configure()
        .build_transport(true)
        .compile_fds(descriptors)?;

    fs::write(out.join("rules.rs"), rules(&fs::read_to_string(PROTO)?)?)?;
    Ok(())
}

/// The comment lines `// [id] level: text`, in order, as the source of `RULES`.
fn rules(proto: &str) -> Result<String, Box<dyn Error>> {
    let mut source = String::from("&[\n");
    for line in proto.lines() {
        let Some(rule) = line.trim().strip_prefix("// [") else {
            continue;
        };
        let (id, rest) = rule
            .split_once("] ")
            .ok_or_else(|| format!("{PROTO}: rule without a level: {line}"))?;
        let (level, text) = rest
            .split_once(": ")
            .ok_or_else(|| format!("{PROTO}: rule without a text: {line}"))?;
        let level = match level {
            "must" => "Level::Must",
            "should" => "Level::Should",
            _ => return Err(format!("{PROTO}: the level of {id} is `{level}`, expected must or should").into()),
        };
        writeln!(source, "    Rule {{ id: {id:?}, level: {level}, text: {text:?} }},")?;
    }
    source.push_str("]\n");
    Ok(source)
}
