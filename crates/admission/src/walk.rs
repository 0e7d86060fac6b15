//! One pass over the sections, before the full validation: it finds what the sandbox refuses and can
//! say where, in words of Rust and of the component model rather than of the binary format.

use flink_wasm_diagnostic::{Code, Diagnostic, Result};
use wasmparser::{
    CanonicalFunction, CanonicalOption, ComponentDefinedType, ComponentType, ComponentTypeDeclaration,
    Encoding, InstanceTypeDeclaration, MemoryType, Parser, Payload, TableType, TypeRef,
};

use crate::imports::{self, Import, Origin};
use crate::limits::{CORE_MODULES_MAX, MEMORY_MIN_BYTES_MAX, NESTED_COMPONENTS_MAX, TABLE_ELEMENTS_MAX};
use crate::world::WORLD_SECTION;

/// Bytes of a page of memory, by the specification.
const PAGE_BYTES: u64 = 1 << 16;

/// What the pass found.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// Imports of the outermost component or module.
    pub(crate) imports: Vec<Import>,
    /// Exports of the outermost component or module.
    pub(crate) exports: Vec<String>,
    pub(crate) memory: Memory,
    /// Whether a core module carries its world, as `wit-bindgen` writes it.
    pub(crate) has_component_type: bool,
    /// The first thing that is refused, other than imports: they are told first because a feature
    /// is often only the consequence of an import.
    refusal: Option<Diagnostic>,
    memories: usize,
    core_modules: usize,
    nested_components: usize,
    table_elements: u64,
}

/// The one memory of a component.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    pub(crate) min_bytes: u64,
    pub(crate) max_bytes: Option<u64>,
}

impl Walk {
    /// Walks a component and refuses what the sandbox does not take.
    pub(crate) fn component(bytes: &[u8]) -> Result<Walk> {
        let walk = Walk::run(bytes)?;
        walk.check_imports()?;
        walk.finish()
    }

    /// Walks a core module that is to become a component.
    pub(crate) fn module(bytes: &[u8]) -> Result<Walk> {
        let walk = Walk::run(bytes)?;
        if !walk.has_component_type {
            return Err(Diagnostic::new(
                Code::NotAComponent,
                "the file is a core module that does not carry the interface of a function",
            )
            .note("the section `component-type` is missing, which the SDK's macros write")
            .help("put `#[flink_wasm::map]` or `#[flink_wasm::filter]` on a function, and build with `flink-wasm build`"));
        }
        walk.check_imports()?;
        walk.finish()
    }

    /// Walks a world that a core module carries. What it imports is told by the caller.
    pub(crate) fn carried_world(bytes: &[u8]) -> Result<()> {
        Walk::run(bytes)?.finish().map(|_| ())
    }

    fn finish(mut self) -> Result<Walk> {
        match self.refusal.take() {
            Some(refusal) => Err(refusal),
            None => Ok(self),
        }
    }

    fn check_imports(&self) -> Result<()> {
        let mut foreign = Vec::new();
        for import in &self.imports {
            if import.item.is_some() && is_canonical_abi(&import.name) {
                continue;
            }
            match imports::origin(&import.name) {
                Origin::Offered => {}
                Origin::OtherVersion => {
                    return Err(imports::other_version("imports", &import.name, import.offset));
                }
                Origin::Foreign => foreign.push(import),
            }
        }
        if foreign.is_empty() { Ok(()) } else { Err(imports::foreign(&foreign)) }
    }

    fn run(bytes: &[u8]) -> Result<Walk> {
        let mut walk = Walk::default();
        let mut depth = 0usize;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload.map_err(|error| crate::invalid(&error))?;
            match &payload {
                Payload::Version { .. } => depth += 1,
                Payload::End(_) => depth -= 1,
                _ => {}
            }
            walk.section(&payload, depth == 1).map_err(|error| crate::invalid(&error))?;
        }
        Ok(walk)
    }

    fn section(&mut self, payload: &Payload<'_>, outermost: bool) -> wasmparser::Result<()> {
        match payload {
            Payload::Version { encoding: Encoding::Module, range, .. } => {
                self.core_modules += 1;
                if self.core_modules > CORE_MODULES_MAX {
                    self.refuse_size("core modules", CORE_MODULES_MAX as u64, range.start);
                }
            }
            Payload::Version { encoding: Encoding::Component, range, .. } if !outermost => {
                self.nested_components += 1;
                if self.nested_components > NESTED_COMPONENTS_MAX {
                    self.refuse_size("nested components", NESTED_COMPONENTS_MAX as u64, range.start);
                }
            }
            Payload::ImportSection(section) => {
                for import in section.clone().into_imports_with_offsets() {
                    let (offset, import) = import?;
                    self.core_import(&import, offset, outermost);
                }
            }
            Payload::ExportSection(section) if outermost => {
                for export in section.clone().into_iter_with_offsets() {
                    let (offset, export) = export?;
                    self.core_name("exports", export.name, offset);
                    self.exports.push(export.name.to_string());
                }
            }
            Payload::MemorySection(section) => {
                for memory in section.clone().into_iter_with_offsets() {
                    let (offset, memory) = memory?;
                    self.memory(&memory, offset);
                }
            }
            Payload::TableSection(section) => {
                for table in section.clone().into_iter_with_offsets() {
                    let (offset, table) = table?;
                    self.table(&table.ty, offset);
                }
            }
            Payload::CustomSection(section) if outermost => {
                self.has_component_type |= section.name().starts_with(WORLD_SECTION);
            }
            Payload::ComponentImportSection(section) if outermost => {
                for import in section.clone().into_iter_with_offsets() {
                    let (offset, import) = import?;
                    let name = import.name.name.to_string();
                    self.imports.push(Import { name, item: None, offset: Some(offset) });
                }
            }
            Payload::ComponentExportSection(section) if outermost => {
                for export in section.clone() {
                    self.exports.push(export?.name.name.to_string());
                }
            }
            Payload::ComponentTypeSection(section) => {
                for ty in section.clone().into_iter_with_offsets() {
                    let (offset, ty) = ty?;
                    self.component_type(&ty, offset);
                }
            }
            Payload::ComponentCanonicalSection(section) => {
                for function in section.clone().into_iter_with_offsets() {
                    let (offset, function) = function?;
                    self.canonical(&function, offset);
                }
            }
            Payload::ComponentStartSection { range, .. } => {
                self.refuse(forbidden("a start function of the component", range.start));
            }
            _ => {}
        }
        Ok(())
    }

    fn core_import(&mut self, import: &wasmparser::Import<'_>, offset: u64, outermost: bool) {
        match &import.ty {
            TypeRef::Memory(memory) => self.memory_type(memory, offset),
            TypeRef::Table(table) => self.table_type(table, offset),
            _ => {}
        }
        if outermost {
            self.core_name("imports", import.name, offset);
            let name = import.module.to_string();
            self.imports.push(Import { name, item: Some(import.name.to_string()), offset: Some(offset) });
        }
    }

    /// Names in brackets are how a core module asks for built-ins of the canonical ABI.
    fn core_name(&mut self, verb: &str, name: &str, offset: u64) {
        const ASYNC: [&str; 12] = [
            "[async",
            "[callback]",
            "[task-",
            "[subtask-",
            "[context-",
            "[backpressure-",
            "[waitable-",
            "[thread-",
            "[stream-",
            "[future-",
            "[error-context-",
            "[cancellable]",
        ];
        if ASYNC.iter().any(|prefix| name.starts_with(prefix)) {
            self.refuse(asynchronous(&format!("{verb} `{name}`"), offset));
        }
    }

    fn memory(&mut self, memory: &MemoryType, offset: u64) {
        self.memory_type(memory, offset);
        self.memories += 1;
        if self.memories > 1 {
            self.refuse(forbidden("a second memory", offset));
        }
        let min_bytes = memory.initial.saturating_mul(PAGE_BYTES);
        if min_bytes > MEMORY_MIN_BYTES_MAX {
            self.refuse_size("bytes of memory at the start", MEMORY_MIN_BYTES_MAX, offset);
        }
        let max_bytes = memory.maximum.map(|pages| pages.saturating_mul(PAGE_BYTES));
        self.memory = Memory { min_bytes, max_bytes };
    }

    fn memory_type(&mut self, memory: &MemoryType, offset: u64) {
        if memory.shared {
            self.refuse(forbidden("a shared memory (threads)", offset));
        }
        if memory.memory64 {
            self.refuse(forbidden("a memory with 64-bit addresses (memory64)", offset));
        }
        if memory.page_size_log2.is_some() {
            self.refuse(forbidden("a memory with pages of its own size", offset));
        }
    }

    fn table(&mut self, table: &TableType, offset: u64) {
        self.table_type(table, offset);
        self.table_elements = self.table_elements.saturating_add(table.initial);
        if self.table_elements > TABLE_ELEMENTS_MAX {
            self.refuse_size("elements of tables", TABLE_ELEMENTS_MAX, offset);
        }
    }

    fn table_type(&mut self, table: &TableType, offset: u64) {
        if table.shared {
            self.refuse(forbidden("a shared table (threads)", offset));
        }
        if table.table64 {
            self.refuse(forbidden("a table with 64-bit indices (memory64)", offset));
        }
    }

    /// The parser bounds how deep types nest, so that the recursion is bounded, too.
    fn component_type(&mut self, ty: &ComponentType<'_>, offset: u64) {
        match ty {
            ComponentType::Func(function) if function.async_ => {
                self.refuse(asynchronous("has a function of type `async func`", offset));
            }
            ComponentType::Func(_) => {}
            ComponentType::Defined(defined) => match defined {
                ComponentDefinedType::Future(_) => self.refuse(asynchronous("has a type `future`", offset)),
                ComponentDefinedType::Stream(_) => self.refuse(asynchronous("has a type `stream`", offset)),
                ComponentDefinedType::Map(..) => self.refuse(forbidden("the type `map`", offset)),
                ComponentDefinedType::FixedLengthList(..) => {
                    self.refuse(forbidden("a list of fixed length", offset));
                }
                ComponentDefinedType::Own(_) | ComponentDefinedType::Borrow(_) => {
                    self.refuse(forbidden("a handle to a resource", offset));
                }
                _ => {}
            },
            ComponentType::Component(declarations) => {
                for declaration in declarations {
                    if let ComponentTypeDeclaration::Type(ty) = declaration {
                        self.component_type(ty, offset);
                    }
                }
            }
            ComponentType::Instance(declarations) => {
                for declaration in declarations {
                    if let InstanceTypeDeclaration::Type(ty) = declaration {
                        self.component_type(ty, offset);
                    }
                }
            }
            ComponentType::Resource { .. } => self.refuse(forbidden("a resource", offset)),
        }
    }

    fn canonical(&mut self, function: &CanonicalFunction, offset: u64) {
        let options = match function {
            CanonicalFunction::Lift { options, .. } | CanonicalFunction::Lower { options, .. } => options,
            CanonicalFunction::ResourceNew { .. }
            | CanonicalFunction::ResourceDrop { .. }
            | CanonicalFunction::ResourceRep { .. } => {
                return self.refuse(forbidden("a resource", offset));
            }
            CanonicalFunction::ThreadSpawnRef { .. }
            | CanonicalFunction::ThreadSpawnIndirect { .. }
            | CanonicalFunction::ThreadAvailableParallelism => {
                return self.refuse(forbidden("threads", offset));
            }
            // Every other built-in belongs to the asynchronous ABI, and so will those to come.
            other => {
                let debug = format!("{other:?}");
                let name = debug.split([' ', '{']).next().unwrap_or_default();
                return self.refuse(asynchronous(&format!("uses the built-in {name}"), offset));
            }
        };
        for option in options {
            match option {
                CanonicalOption::UTF8
                | CanonicalOption::Memory(_)
                | CanonicalOption::Realloc(_)
                | CanonicalOption::PostReturn(_) => {}
                CanonicalOption::UTF16 | CanonicalOption::CompactUTF16 => {
                    self.refuse(
                        forbidden("strings in another encoding than UTF-8", offset)
                            .help("use bindings that write UTF-8, as the SDK does"),
                    );
                }
                CanonicalOption::Async | CanonicalOption::Callback(_) => {
                    self.refuse(asynchronous("lifts or lowers a function with option `async`", offset));
                }
                CanonicalOption::CoreType(_) | CanonicalOption::Gc => {
                    self.refuse(forbidden("the canonical ABI of garbage collection", offset));
                }
            }
        }
    }

    fn refuse_size(&mut self, what: &str, limit: u64, offset: u64) {
        self.refuse(
            Diagnostic::new(Code::TooLarge, format!("the component has more than {limit} {what}"))
                .note(format!("at offset {offset:#x}"))
                .help("one crate should hold one function; drop what it does not use"),
        );
    }

    fn refuse(&mut self, diagnostic: Diagnostic) {
        self.refusal.get_or_insert(diagnostic);
    }
}

/// Modules that a core module imports from the encoder rather than from the host: built-ins of the
/// canonical ABI, and everything in the standard name mangling. What becomes of them is an import of
/// the component, which is checked as such.
fn is_canonical_abi(module: &str) -> bool {
    module == "$root" || module.starts_with("[export]") || module.starts_with("cm32p2")
}

fn forbidden(what: &str, offset: u64) -> Diagnostic {
    Diagnostic::new(Code::ForbiddenFeature, format!("the component uses {what}, which is off in the sandbox"))
        .note(format!("at offset {offset:#x}"))
        .help("build with `flink-wasm build`, without `-C target-feature` of your own")
}

fn asynchronous(what: &str, offset: u64) -> Diagnostic {
    Diagnostic::new(Code::AsyncComponent, format!("the component {what}; functions are synchronous"))
        .note(format!("at offset {offset:#x}"))
        .help("write a plain `fn`, and look data up in the job (a lookup join) rather than in the function")
}
