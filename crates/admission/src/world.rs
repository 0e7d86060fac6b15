//! The worlds of `wit/`, and whether a component fits one of them.

use std::sync::LazyLock;

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use wasmparser::{Validator, WasmFeatures};
use wit_component::StringEncoding;
use wit_parser::{PackageId, Resolve, SourceMap, WorldId};

pub(crate) use crate::Kind;
use crate::imports::{other_version, our_interface};
use crate::{INTERFACE, INTERFACE_VERSION};

/// Start of the names of the custom sections in which a core module carries its world.
pub(crate) const WORLD_SECTION: &str = "component-type";

const SOURCES: [(&str, &str); 4] = [
    ("descriptor.wit", include_str!("../../../wit/descriptor.wit")),
    ("host.wit", include_str!("../../../wit/host.wit")),
    ("types.wit", include_str!("../../../wit/types.wit")),
    ("worlds.wit", include_str!("../../../wit/worlds.wit")),
];

struct Worlds {
    resolve: Resolve,
    package: PackageId,
}

static WORLDS: LazyLock<Worlds> = LazyLock::new(|| {
    let mut sources = SourceMap::new();
    for (name, text) in SOURCES {
        sources.push_str(name, text);
    }
    let mut resolve = Resolve::default();
    // The texts are part of the program; the tests would fail before a user could see this.
    let group = sources.parse().map_err(|(_, error)| error).expect("wit/ parses");
    let package = resolve.push_group(group).expect("wit/ resolves");
    Worlds { resolve, package }
});

/// The world's name in `wit/`.
pub(crate) fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Map => "map-function",
        Kind::Filter => "filter-function",
        Kind::Process => "process-function",
    }
}

/// The world's name with package and version.
pub(crate) fn full_name(kind: Kind) -> String {
    format!("{INTERFACE}/{}@{INTERFACE_VERSION}", name(kind))
}

fn world(kind: Kind) -> WorldId {
    WORLDS.resolve.packages[WORLDS.package].worlds[name(kind)]
}

/// The world as a `component-type` section holds it.
pub(crate) fn encoded(kind: Kind) -> Vec<u8> {
    encode(&WORLDS.resolve, kind)
}

/// The world with those of its exports that `keep` names, and with all that any function may import:
/// bindings that are shared by functions of all kinds name imports that a filter never calls.
pub(crate) fn encoded_part(kind: Kind, keep: impl Fn(&str) -> bool) -> Vec<u8> {
    let mut resolve = WORLDS.resolve.clone();
    let mut imports = resolve.worlds[world(Kind::Process)].imports.clone();
    imports.extend(resolve.worlds[world(Kind::Map)].imports.clone());
    let names: Vec<_> = resolve.worlds[world(kind)]
        .exports
        .keys()
        .map(|key| (key.clone(), resolve.name_world_key(key)))
        .collect();
    let part = &mut resolve.worlds[world(kind)];
    part.imports = imports;
    part.exports.retain(|key, _| names.iter().any(|(other, name)| other == key && keep(name)));
    encode(&resolve, kind)
}

fn encode(resolve: &Resolve, kind: Kind) -> Vec<u8> {
    // Nothing but our own texts goes in here.
    wit_component::metadata::encode(resolve, world(kind), StringEncoding::UTF8, None, false)
        .expect("wit/ encodes")
}

/// The interface that only components of this kind export.
fn own_export(kind: Kind) -> &'static str {
    match kind {
        Kind::Map => "mapper",
        Kind::Filter => "predicate",
        Kind::Process => "processor",
    }
}

/// Which world the names of the exports belong to; they must be exactly those of the world.
pub(crate) fn kind(exports: &[String]) -> Result<Kind> {
    let mut interfaces = Vec::new();
    for export in exports {
        match our_interface(export) {
            Some((interface, Some(INTERFACE_VERSION))) => interfaces.push(interface),
            Some(_) => return Err(other_version("exports", export, None)),
            None => interfaces.push(export.as_str()),
        }
    }
    let has = |name: &str| interfaces.contains(&name);
    let kinds = [Kind::Map, Kind::Filter, Kind::Process].into_iter().filter(|kind| has(own_export(*kind)));
    let kind = match kinds.collect::<Vec<_>>()[..] {
        [kind] => kind,
        [one, other, ..] => {
            return Err(wrong_exports(
                exports,
                format!("the component exports both `{}` and `{}`", own_export(one), own_export(other)),
            )
            .help("put one function in one crate"));
        }
        [] => {
            return Err(wrong_exports(
                exports,
                "the component exports neither `mapper` nor `predicate` nor `processor`".into(),
            ));
        }
    };
    let expected = ["descriptor", "lifecycle", own_export(kind)];
    if let Some(missing) = expected.into_iter().find(|name| !has(name)) {
        return Err(wrong_exports(
            exports,
            format!("the component does not export `{INTERFACE}/{missing}@{INTERFACE_VERSION}`"),
        ));
    }
    if let Some(extra) = exports.iter().zip(&interfaces).find(|(_, name)| !expected.contains(name)) {
        return Err(wrong_exports(
            exports,
            format!("the component exports `{}`, which a {kind} function does not", extra.0),
        ));
    }
    Ok(kind)
}

fn wrong_exports(exports: &[String], message: String) -> Diagnostic {
    let listed = if exports.is_empty() { "none".into() } else { exports.join(", ") };
    Diagnostic::new(Code::WrongExports, message)
        .note(format!("exports: {}", listed.chars().take(1000).collect::<String>()))
        .help("put `#[flink_wasm::map]`, `#[flink_wasm::filter]` or `#[flink_wasm::process]` on the function, and build with the SDK of this version")
}

/// Compares the types of a valid component's imports and exports with its world's, by instantiating
/// the one with the other on paper.
pub(crate) fn check_types(component: &[u8], kind: Kind) -> Result<()> {
    wit_component::targets(&WORLDS.resolve, world(kind), component, false).map_err(|error| {
        let cause = error.chain().last().map(ToString::to_string).unwrap_or_default();
        wrong_types(&cause, kind)
    })
}

/// Validates a component that was made to be valid only when two worlds fit.
pub(crate) fn validate_comparison(component: &[u8], kind: Kind) -> Result<()> {
    match Validator::new_with_features(WasmFeatures::all()).validate_all(component) {
        Ok(_) => Ok(()),
        Err(error) => Err(wrong_types(error.message(), kind)),
    }
}

fn wrong_types(cause: &str, kind: Kind) -> Diagnostic {
    // The outermost lines and the offset are about the wrapper in which the two were compared.
    let cause = cause.split(" (at offset").next().unwrap_or_default();
    let wrappers = [format!("`{}`", name(kind)), format!("`{}`", full_name(kind)), "`world`".to_string()];
    let lines = cause.lines().filter(|line| !wrappers.iter().any(|wrapper| line.contains(wrapper)));
    Diagnostic::new(Code::WrongExports, format!("the component does not fit the world `{}`", full_name(kind)))
        .note(lines.collect::<Vec<_>>().join("\n"))
        .help("build with the SDK, or generate bindings from the `wit/` of this version")
}
