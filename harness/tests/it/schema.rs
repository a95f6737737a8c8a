//! `scenarios/schema.json` is what the types say. `STOCKTAKE_BLESS=1` rewrites it.

use std::{fs, path::Path};
use stocktake::scenario;

#[test]
fn the_schema_is_generated_from_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/schema.json");
    let generated = scenario::json_schema();
    if std::env::var_os("STOCKTAKE_BLESS").is_some() {
        fs::write(&path, &generated).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == generated,
        "{} differs from the types; run with STOCKTAKE_BLESS=1",
        path.display()
    );
}

#[test]
fn every_key_is_explained() {
    let schema: serde_json::Value = serde_json::from_str(&scenario::json_schema()).unwrap();
    let mut types = vec![&schema];
    types.extend(schema["$defs"].as_object().unwrap().values());
    for object in types {
        let Some(properties) = object["properties"].as_object() else {
            continue;
        };
        for (key, property) in properties {
            assert!(
                property["description"].is_string(),
                "{key} of {}",
                object["description"]
            );
        }
    }
}
