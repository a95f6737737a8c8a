//! proto/inventory.proto -> descriptor bytes, generated Rust and the table of rules; proto/inventory.http.yaml -> the table
//! of routes. No protoc, no network.

use prost::Message;
use saphyr_parser::{Event, Parser};
use std::{env, error::Error, fmt::Write, fs, path::PathBuf};

const PROTO: &str = "proto/inventory.proto";
const HTTP: &str = "proto/inventory.http.yaml";

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
    fs::write(out.join("routes.rs"), routes(&fs::read_to_string(HTTP)?)?)?;
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

/// Each map of the YAML that has a `selector`, in order, as the source of `ROUTES`.
fn routes(yaml: &str) -> Result<String, Box<dyn Error>> {
    let mut source = String::from("&[\n");
    // The scalars of each map that is open: keys and values in turn, in a map of scalars.
    let mut open: Vec<Vec<String>> = Vec::new();
    for event in Parser::new_from_str(yaml) {
        match event.map_err(|error| format!("{HTTP}: {error}"))?.0 {
            Event::MappingStart(..) => open.push(Vec::new()),
            Event::Scalar(text, ..) => {
                if let Some(map) = open.last_mut() {
                    map.push(text.into_owned());
                }
            }
            Event::MappingEnd => {
                let map = open.pop().unwrap_or_default();
                let get = |key: &str| {
                    let mut pairs = map.chunks(2);
                    pairs.find_map(|pair| (pair[0] == key).then(|| pair[1].as_str()))
                };
                let Some(selector) = get("selector") else {
                    continue;
                };
                let (_, rpc) = selector.rsplit_once('.').unwrap_or(("", selector));
                let (verb, path) = ["get", "put", "post", "delete", "patch"]
                    .into_iter()
                    .find_map(|verb| Some((verb.to_uppercase(), get(verb)?)))
                    .ok_or_else(|| format!("{HTTP}: {selector} has no path"))?;
                let body = get("body").is_some_and(|body| body == "*");
                writeln!(
                    source,
                    "    Route {{ rpc: {rpc:?}, verb: {verb:?}, path: {path:?}, body: {body} }},"
                )?;
            }
            _ => {}
        }
    }
    source.push_str("]\n");
    Ok(source)
}
