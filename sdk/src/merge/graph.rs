//! A component that wit-component has linked, as its core modules, their instances and what they give each other.

use std::collections::HashMap;

use anyhow::{Context, Result, bail};
use wasmparser::{
    CanonicalFunction, ComponentAlias, ConstExpr, DataKind, Element, Export, ExternalKind, FuncType, FunctionBody,
    GlobalType, Import, Instance, MemoryType, Parser, Payload, TableType, TypeRef,
};

/// The kinds of things that modules give each other. There are no tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Function,
    Table,
    Memory,
    Global,
}

impl Kind {
    pub fn of_export(kind: ExternalKind) -> Result<Self> {
        Ok(match kind {
            ExternalKind::Func | ExternalKind::FuncExact => Self::Function,
            ExternalKind::Table => Self::Table,
            ExternalKind::Memory => Self::Memory,
            ExternalKind::Global => Self::Global,
            ExternalKind::Tag => bail!("tags are not expected"),
        })
    }

    fn of_import(ty: TypeRef) -> Result<Self> {
        Ok(match ty {
            TypeRef::Func(_) | TypeRef::FuncExact(_) => Self::Function,
            TypeRef::Table(_) => Self::Table,
            TypeRef::Memory(_) => Self::Memory,
            TypeRef::Global(_) => Self::Global,
            TypeRef::Tag(_) => bail!("tags are not expected"),
        })
    }
}

/// A global variable that a module defines.
pub struct Global<'a> {
    pub ty: GlobalType,
    pub initial: ConstExpr<'a>,
}

/// A core module.
#[derive(Default)]
pub struct Module<'a> {
    /// The whole module.
    pub bytes: &'a [u8],
    pub types: Vec<FuncType>,
    pub imports: Vec<Import<'a>>,
    /// The imports of each kind, by the kind's index, as indexes into `imports`.
    imported: HashMap<Kind, Vec<usize>>,
    /// The types of the functions that it defines.
    pub functions: Vec<u32>,
    pub bodies: Vec<FunctionBody<'a>>,
    pub tables: Vec<TableType>,
    pub memories: Vec<MemoryType>,
    pub globals: Vec<Global<'a>>,
    pub exports: HashMap<&'a str, (Kind, u32)>,
    pub elements: Vec<Element<'a>>,
    /// Active segments, with their places.
    pub data: Vec<(ConstExpr<'a>, &'a [u8])>,
}

impl<'a> Module<'a> {
    /// The import behind an index, or the index among what the module itself defines.
    pub fn locate(&self, kind: Kind, index: u32) -> Result<&Import<'a>, u32> {
        let imported = self.imported(kind);
        match imported.get(index as usize) {
            Some(place) => Ok(&self.imports[*place]),
            None => Err(index - imported.len() as u32),
        }
    }

    /// The imports of a kind, in order, as indexes into `imports`.
    pub fn imported(&self, kind: Kind) -> &[usize] {
        self.imported.get(&kind).map_or(&[], Vec::as_slice)
    }

    fn read(&mut self, payload: Payload<'a>) -> Result<()> {
        match payload {
            Payload::TypeSection(types) => {
                for ty in types.into_iter_err_on_gc_types() {
                    self.types.push(ty?);
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let import = import?;
                    let kind = Kind::of_import(import.ty)?;
                    self.imported.entry(kind).or_default().push(self.imports.len());
                    self.imports.push(import);
                }
            }
            Payload::FunctionSection(functions) => {
                for ty in functions {
                    self.functions.push(ty?);
                }
            }
            Payload::TableSection(tables) => {
                for table in tables {
                    self.tables.push(table?.ty);
                }
            }
            Payload::MemorySection(memories) => {
                for memory in memories {
                    self.memories.push(memory?);
                }
            }
            Payload::GlobalSection(globals) => {
                for global in globals {
                    let global = global?;
                    self.globals.push(Global { ty: global.ty, initial: global.init_expr });
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    self.exports.insert(export.name, (Kind::of_export(export.kind)?, export.index));
                }
            }
            Payload::ElementSection(elements) => {
                for element in elements {
                    self.elements.push(element?);
                }
            }
            Payload::DataSection(segments) => {
                for segment in segments {
                    let segment = segment?;
                    let DataKind::Active { memory_index: 0, offset_expr } = segment.kind else {
                        bail!("a data segment is not active");
                    };
                    self.data.push((offset_expr, segment.data));
                }
            }
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            // componentize-py has run it before its snapshot.
            Payload::StartSection { .. } => bail!("a module has a start function"),
            _ => {}
        }
        Ok(())
    }
}

/// Something of a core instance, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Alias<'a> {
    pub instance: u32,
    pub name: &'a str,
}

/// An instance of a core module, or a bundle of things that are there already.
pub enum CoreInstance<'a> {
    Module { module: u32, arguments: HashMap<&'a str, u32> },
    Bundle(Vec<Export<'a>>),
}

/// Something in the component's index space of core functions.
pub enum CoreFunction<'a> {
    Alias(Alias<'a>),
    /// Lowered, or made for a resource.
    Canonical(CanonicalFunction),
}

/// The component's core side.
#[derive(Default)]
pub struct Graph<'a> {
    pub modules: Vec<Module<'a>>,
    pub instances: Vec<CoreInstance<'a>>,
    pub functions: Vec<CoreFunction<'a>>,
    /// The index spaces that hold aliases alone.
    pub aliases: HashMap<Kind, Vec<Alias<'a>>>,
    /// Everything at the component's own level, in order.
    pub payloads: Vec<Payload<'a>>,
}

impl<'a> Graph<'a> {
    /// Reads a component. What it does not know it refuses.
    pub fn read(component: &'a [u8]) -> Result<Self> {
        let mut graph = Self::default();
        let mut payloads = Parser::new(0).parse_all(component);
        while let Some(payload) = payloads.next() {
            let payload = payload?;
            match &payload {
                Payload::ModuleSection { unchecked_range, .. } => {
                    let range = usize::try_from(unchecked_range.start)?..usize::try_from(unchecked_range.end)?;
                    let mut module = Module { bytes: &component[range], ..Module::default() };
                    for inner in payloads.by_ref() {
                        match inner? {
                            Payload::End(_) => break,
                            inner => module.read(inner)?,
                        }
                    }
                    graph.modules.push(module);
                    continue;
                }
                Payload::ComponentSection { .. } => {
                    let mut depth = 1;
                    while depth > 0 {
                        match payloads.next().context("a component ends early")?? {
                            Payload::End(_) => depth -= 1,
                            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                            _ => {}
                        }
                    }
                }
                Payload::CoreTypeSection(_) => bail!("core types are not expected"),
                Payload::InstanceSection(instances) => {
                    for instance in instances.clone() {
                        graph.instances.push(core_instance(instance?));
                    }
                    continue;
                }
                Payload::ComponentAliasSection(aliases) => {
                    for alias in aliases.clone() {
                        if let ComponentAlias::CoreInstanceExport { kind, instance_index, name } = alias? {
                            let alias = Alias { instance: instance_index, name };
                            match Kind::of_export(kind)? {
                                Kind::Function => graph.functions.push(CoreFunction::Alias(alias)),
                                kind => graph.aliases.entry(kind).or_default().push(alias),
                            }
                        }
                    }
                }
                Payload::ComponentCanonicalSection(functions) => {
                    for function in functions.clone() {
                        match function? {
                            CanonicalFunction::Lift { .. } => {}
                            other => graph.functions.push(CoreFunction::Canonical(other)),
                        }
                    }
                }
                _ => {}
            }
            graph.payloads.push(payload);
        }
        Ok(graph)
    }
}

fn core_instance(instance: Instance<'_>) -> CoreInstance<'_> {
    match instance {
        Instance::Instantiate { module_index, args } => CoreInstance::Module {
            module: module_index,
            arguments: args.iter().map(|argument| (argument.name, argument.index)).collect(),
        },
        Instance::FromExports(exports) => CoreInstance::Bundle(exports.into_vec()),
    }
}
