//! From a core module with `component-type` sections to a component.
//!
//! The sections say against which world the module's bindings were generated. They are compared with
//! our own worlds by the validator alone and then replaced by ours: `wit-parser` never reads what a
//! stranger wrote (a cycle of packages in it would exhaust the stack, for one).

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use wasm_encoder::{ComponentBuilder, ComponentExportKind, ComponentOuterAliasKind, ComponentTypeRef};
use wasmparser::{ComponentType, ComponentTypeDeclaration, Parser, Payload};
use wit_component::ComponentEncoder;

use crate::imports::{self, Import, Origin};
use crate::limits::WORLD_SECTIONS_MAX;
use crate::walk::Walk;
use crate::world::{self, WORLD_SECTION};

/// Encodes a core module. The bytes depend on the module and the version of `wit-component` alone;
/// the name section stays, since backtraces need it.
pub(crate) fn module_to_component(bytes: &[u8]) -> Result<Vec<u8>> {
    Walk::module(bytes)?;
    crate::validate(bytes)?;
    let (mut module, sections) = take_world_sections(bytes)?;
    let mut exports = Vec::new();
    let mut carried = Vec::new();
    for section in &sections {
        let world = CarriedWorld::read(section)?;
        world.check_imports()?;
        exports.extend(
            world.exports.iter().filter(|name| !exports.contains(*name)).cloned().collect::<Vec<_>>(),
        );
        carried.push(world);
    }
    let kind = world::kind(&exports)?;
    for world in &carried {
        world.check_types(kind)?;
    }
    append_section(&mut module, &world::encoded(kind));
    ComponentEncoder::default()
        // Versions are compared exactly (FW0307), so that nothing must be merged.
        .merge_imports_based_on_semver(false)
        .module(&module)
        .and_then(|encoder| encoder.encode())
        .map_err(|error| {
            let mut diagnostic = Diagnostic::new(
                Code::WrongExports,
                "the core module does not fit the interface that it carries",
            );
            for cause in error.chain() {
                diagnostic = diagnostic.note(cause.to_string());
            }
            diagnostic
                .help("build the function with the SDK of this version, and put one function in one crate")
        })
}

/// The module without its `component-type` sections, and their contents.
fn take_world_sections(bytes: &[u8]) -> Result<(Vec<u8>, Vec<&[u8]>)> {
    let mut module = wasm_encoder::Module::new();
    let mut sections = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| crate::invalid(&error))?;
        if let Payload::CustomSection(section) = &payload
            && section.name().starts_with(WORLD_SECTION)
        {
            sections.push(section.data());
        } else if let Some((id, range)) = payload.as_section() {
            let data = &bytes[range.start as usize..range.end as usize];
            module.section(&wasm_encoder::RawSection { id, data });
        }
    }
    if sections.len() > WORLD_SECTIONS_MAX {
        return Err(Diagnostic::new(
            Code::TooLarge,
            format!(
                "the module has {} sections `component-type`, at most {WORLD_SECTIONS_MAX} are allowed",
                sections.len()
            ),
        )
        .help("depend on one version of the SDK only"));
    }
    Ok((module.finish(), sections))
}

fn append_section(module: &mut Vec<u8>, world: &[u8]) {
    use wasm_encoder::{Encode, Section};
    let section = wasm_encoder::CustomSection { name: WORLD_SECTION.into(), data: world.into() };
    module.push(section.id());
    section.encode(module);
}

/// A world as `wit-bindgen` writes it: a component that exports, under the world's name, the type of
/// a component that exports, under the world's full name, a component with the world's type.
struct CarriedWorld<'a> {
    bytes: &'a [u8],
    name: &'a str,
    full_name: &'a str,
    imports: Vec<&'a str>,
    exports: Vec<String>,
}

impl<'a> CarriedWorld<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self> {
        Walk::carried_world(bytes)?;
        crate::validate(bytes)?;
        let mut encoding = None;
        let mut name = None;
        let mut full_name = None;
        let mut imports = Vec::new();
        let mut exports = Vec::new();
        let unreadable = |error| crate::invalid(&error);
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(unreadable)? {
                Payload::CustomSection(section) if section.name() == "wit-component-encoding" => {
                    encoding = Some(section.data());
                }
                Payload::ComponentExportSection(section) => {
                    for export in section {
                        name = Some(export.map_err(unreadable)?.name.name);
                    }
                }
                Payload::ComponentTypeSection(section) => {
                    for ty in section {
                        let ComponentType::Component(outer) = ty.map_err(unreadable)? else { continue };
                        for declaration in outer {
                            match declaration {
                                ComponentTypeDeclaration::Export { name, .. } => full_name = Some(name.name),
                                ComponentTypeDeclaration::Type(ComponentType::Component(world)) => {
                                    for declaration in world {
                                        match declaration {
                                            ComponentTypeDeclaration::Import(import) => {
                                                imports.push(import.name.name)
                                            }
                                            ComponentTypeDeclaration::Export { name, .. } => {
                                                exports.push(name.name.to_string());
                                            }
                                            _ => {}
                                        }
                                    }
                                }
                                _ => {}
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        match encoding {
            // Version of the format, then the encoding of strings: 0 is UTF-8.
            Some([4, 0]) => {}
            Some([4, 1 | 2]) => {
                return Err(Diagnostic::new(
                    Code::ForbiddenFeature,
                    "the module's bindings write strings in another encoding than UTF-8, which is off in the sandbox",
                )
                .help("use bindings that write UTF-8, as the SDK does"));
            }
            _ => return Err(unknown_format()),
        }
        let (Some(name), Some(full_name)) = (name, full_name) else { return Err(unknown_format()) };
        Ok(Self { bytes, name, full_name, imports, exports })
    }

    fn check_imports(&self) -> Result<()> {
        let mut foreign = Vec::new();
        for name in &self.imports {
            match imports::origin(name) {
                Origin::Offered => {}
                Origin::OtherVersion => return Err(imports::other_version("imports", name, None)),
                Origin::Foreign => foreign.push(Import { name: name.to_string(), item: None, offset: None }),
            }
        }
        if foreign.is_empty() { Ok(()) } else { Err(imports::foreign(&foreign.iter().collect::<Vec<_>>())) }
    }

    /// Compares the types with ours on paper: a component that exports the carried world is given
    /// where one that exports our world is wanted. A section may hold a part of the world only.
    fn check_types(&self, kind: world::Kind) -> Result<()> {
        let ours = world::encoded_part(kind, |export| self.exports.iter().any(|name| name == export));
        let mut root = ComponentBuilder::default();
        let type_of = |root: &mut ComponentBuilder, world: &[u8], name: &str| {
            let component = root.component_raw(None, world);
            let instance =
                root.instantiate(None, component, Vec::<(String, ComponentExportKind, u32)>::new());
            root.alias_export(instance, name, ComponentExportKind::Type)
        };
        let carried_type = type_of(&mut root, self.bytes, self.name);
        let our_type = type_of(&mut root, &ours, world::name(kind));
        let holder = root.import("carried", ComponentTypeRef::Component(carried_type));
        let instance = root.instantiate(None, holder, Vec::<(String, ComponentExportKind, u32)>::new());
        let carried = root.alias_export(instance, self.full_name, ComponentExportKind::Component);

        let mut given = ComponentBuilder::default();
        let carried = given.alias(None, outer(ComponentOuterAliasKind::Component, carried));
        given.export(world::full_name(kind).as_str(), ComponentExportKind::Component, carried, None);
        let given = root.component(None, given);

        let mut wanted = ComponentBuilder::default();
        let our_type = wanted.alias(None, outer(ComponentOuterAliasKind::Type, our_type));
        wanted.import("world", ComponentTypeRef::Component(our_type));
        let wanted = root.component(None, wanted);
        root.instantiate(None, wanted, vec![("world".to_string(), ComponentExportKind::Component, given)]);
        world::validate_comparison(&root.finish(), kind)
    }
}

fn outer(kind: ComponentOuterAliasKind, index: u32) -> wasm_encoder::Alias<'static> {
    wasm_encoder::Alias::Outer { kind, count: 1, index }
}

fn unknown_format() -> Diagnostic {
    Diagnostic::new(Code::NotAComponent, "the module carries its interface in an unknown format")
        .help("build the function with the SDK of this version")
}
