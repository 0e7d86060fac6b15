//! `flink-wasm inspect`: what is in a bundle or a component.

use std::path::{Path, PathBuf};

use clap::Args;
use flink_wasm_ir::{Field, FunctionDescriptor, State};
use serde_json::json;

use super::{Outcome, explain};
use crate::{component, output};

/// Show what is in a bundle or a component.
#[derive(Args)]
pub struct Options {
    /// A bundle, a component, or the folder of a function crate that was built.
    file: PathBuf,
}

pub fn run(options: Options) -> Outcome {
    if options.file.extension().is_some_and(|extension| extension == "flinkwasm") {
        return bundle(&options.file);
    }
    let (path, component) = component::load(&options.file)?;
    let json = json!({ "path": path, "digest": component.digest, "bytes": component.bytes.len(), "function": component.descriptor });
    output::data(&json, || {
        format!(
            "digest     {}\nsize       {}\n",
            component.digest,
            output::size(component.bytes.len() as u64)
        ) + &function(&component.descriptor)
    });
    Ok(())
}

fn bundle(path: &Path) -> Outcome {
    let bundle = flink_wasm_bundle::read_file(path)?;
    let plan = explain::plan_of(&bundle, path)?;
    let entries: Vec<_> = bundle
        .entries()
        .iter()
        .map(|entry| json!({ "path": entry.path, "bytes": entry.size, "mediaType": entry.media_type }))
        .collect();
    let json = json!({ "digest": bundle.digest(), "name": plan.name, "functions": bundle.config().functions, "entries": entries });
    output::data(&json, || {
        let mut text = format!("digest     {}\njob        {}\n", bundle.digest(), plan.name);
        for (name, packed) in &bundle.config().functions {
            text += &format!("\nfunction   {name}\ncomponent  {}\n", packed.component);
            if let Ok(descriptor) = serde_json::from_value(packed.descriptor.clone()) {
                text += &self::function(&descriptor);
            }
        }
        let rows = bundle.entries().into_iter().map(|entry| {
            vec![output::size(entry.size), entry.media_type.to_string(), entry.path.to_string()]
        });
        text + "\n" + &output::table(&["SIZE", "MEDIA TYPE", "PATH"], &rows.collect::<Vec<_>>())
    });
    Ok(())
}

fn function(descriptor: &FunctionDescriptor) -> String {
    let FunctionDescriptor { name, version, kind, description, input, output, parameters, .. } = descriptor;
    let mut text = format!("name       {name} {version} ({})\n", kind.as_str());
    if !description.is_empty() {
        text += &format!("about      {}\n", description.lines().next().unwrap_or_default());
    }
    text += &format!("input      {}\n", fields(input));
    if !output.is_empty() {
        text += &format!("output     {}\n", fields(output));
    }
    for parameter in parameters {
        let default =
            parameter.default.as_ref().map_or("required".to_owned(), |value| format!("default {value}"));
        text += &format!("parameter  {} {} ({default})", parameter.name, parameter.sql_type);
        let about = parameter.description.lines().next().unwrap_or_default();
        text += &if about.is_empty() { "\n".to_owned() } else { format!(": {about}\n") };
    }
    text + &keyed(descriptor)
}

/// What only a process function has.
fn keyed(descriptor: &FunctionDescriptor) -> String {
    let mut text = String::new();
    if !descriptor.key.is_empty() {
        text += &format!("key        {}\n", fields(&descriptor.key));
    }
    for State { name, kind, schema, ttl_ms } in &descriptor.states {
        let ttl = ttl_ms.map(|ms| format!(", for {ms} ms")).unwrap_or_default();
        text += &format!("state      {name}: {} of {schema}{ttl}\n", kind.as_str());
    }
    for side in &descriptor.side_outputs {
        text += &format!("side       {}: {}\n", side.name, fields(&side.fields));
    }
    if descriptor.timers {
        text += "timers     yes\n";
    }
    text
}

fn fields(fields: &[Field]) -> String {
    fields.iter().map(|field| format!("{} {}", field.name, field.sql_type)).collect::<Vec<_>>().join(", ")
}
