//! The JSON Schemas in `scenarios/` are what the types say. `STOCKTAKE_BLESS=1` rewrites them.

use std::{fs, path::Path};
use stocktake::{load::workload, scenario};

/// Names and texts, made from the types.
fn generated() -> [(&'static str, String); 2] {
    [
        ("schema.json", scenario::json_schema()),
        ("load.schema.json", workload::json_schema()),
    ]
}

#[test]
fn the_schemas_are_generated_from_the_types() {
    for (name, generated) in generated() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios").join(name);
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
}

#[test]
fn every_key_is_explained() {
    for (name, generated) in generated() {
        let schema: serde_json::Value = serde_json::from_str(&generated).unwrap();
        let mut types = vec![&schema];
        types.extend(schema["$defs"].as_object().unwrap().values());
        for object in types {
            let Some(properties) = object["properties"].as_object() else {
                continue;
            };
            for (key, property) in properties {
                assert!(
                    property["description"].is_string(),
                    "{name}: {key} of {}",
                    object["description"]
                );
            }
        }
    }
}
