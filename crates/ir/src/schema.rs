//! JSON Schema of the canonical form, made from the types.

use crate::types::JobDefinition;

/// JSON Schema (draft 2020-12) of a job definition in canonical form; kept at `docs/schema/job.schema.json`.
pub fn job_schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(JobDefinition).to_value();
    if let Some(object) = schema.as_object_mut() {
        object.insert("title".into(), "flink-wasm job definition".into());
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_in_docs_is_this_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/schema/job.schema.json");
        let text = serde_json::to_string_pretty(&job_schema()).unwrap() + "\n";
        if std::env::var_os("BLESS").is_some() {
            std::fs::create_dir_all(std::path::Path::new(path).parent().unwrap()).unwrap();
            std::fs::write(path, &text).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), text, "run with BLESS=1");
    }
}
