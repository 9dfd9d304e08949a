//! The component around the merged module: its own level stays as it was, its core side is written anew.
//!
//! Each core thing is written when something needs it, so a thing stands behind what it is made of, in whatever order
//! the modules were linked.

use std::collections::HashMap;

use anyhow::{Context, Result, bail};
use wasm_encoder::reencode::{Error as ReencodeError, Reencode, ReencodeComponent};
use wasm_encoder::{
    Alias as EncodedAlias, CanonicalFunctionSection, CanonicalOption, Component, ComponentAliasSection,
    ComponentExportKind, ComponentExportSection, ComponentTypeSection, ExportKind, InstanceSection, ModuleArg,
    PrimitiveValType, RawSection,
};
use wasmparser::{CanonicalFunction, CanonicalOption as ReadOption, ComponentAlias, Payload};

use super::graph::{Alias, CoreFunction, CoreInstance, Graph, Kind};
use super::measure;
use super::module::{Plan, export_name};
use super::resolve::{Outside, Place, Resolver};

/// The index of the image's module, of its instance and of its memory: whoever completes the component puts the module
/// first.
const IMAGE: u32 = 0;

/// Counts of what the component itself defines, which the measuring function is added behind.
pub struct Counts {
    pub types: u32,
    pub functions: u32,
}

pub struct Writer<'a, 'g> {
    graph: &'g Graph<'a>,
    resolver: &'g Resolver<'a, 'g>,
    plan: &'g Plan<'a, 'g>,
    source: &'a [u8],
    component: Component,
    functions: HashMap<FunctionPlace<'a>, u32>,
    instances: HashMap<u32, u32>,
    /// The instance of the merged module, once it is written.
    merged: Option<u32>,
    module_count: u32,
    instance_count: u32,
    function_count: u32,
    table_count: u32,
}

/// A function: within the merged module by its number, or outside of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum FunctionPlace<'a> {
    Merged(u32),
    Outside(Outside<'a>),
}

impl<'a, 'g> Writer<'a, 'g> {
    pub fn new(source: &'a [u8], graph: &'g Graph<'a>, resolver: &'g Resolver<'a, 'g>, plan: &'g Plan<'a, 'g>) -> Self {
        Self {
            graph,
            resolver,
            plan,
            source,
            component: Component::new(),
            functions: HashMap::new(),
            instances: HashMap::new(),
            merged: None,
            module_count: IMAGE + 1,
            instance_count: IMAGE + 1,
            function_count: 0,
            table_count: 0,
        }
    }

    /// Writes everything that stands behind the image's module.
    pub fn write(mut self, counts: &Counts) -> Result<Vec<u8>> {
        let mut instances = InstanceSection::new();
        instances.instantiate(IMAGE, Vec::<(&str, ModuleArg)>::new());
        self.component.section(&instances);
        let mut aliases = ComponentAliasSection::new();
        aliases.alias(EncodedAlias::CoreInstanceExport {
            instance: IMAGE,
            kind: ExportKind::Memory,
            name: super::MEMORY,
        });
        self.component.section(&aliases);

        for payload in &self.graph.payloads {
            match payload {
                Payload::ComponentAliasSection(section) => {
                    let mut aliases = ComponentAliasSection::new();
                    for alias in section.clone() {
                        let alias = alias?;
                        if !matches!(alias, ComponentAlias::CoreInstanceExport { .. }) {
                            aliases.alias(RoundTrip.component_alias(alias).map_err(wrong)?);
                        }
                    }
                    if !aliases.is_empty() {
                        self.component.section(&aliases);
                    }
                }
                Payload::ComponentCanonicalSection(section) => {
                    for function in section.clone() {
                        if let function @ CanonicalFunction::Lift { .. } = function? {
                            self.lift(function)?;
                        }
                    }
                }
                // The names are those of indexes that are no more.
                Payload::CustomSection(_) => {}
                payload => {
                    if let Some((id, range)) = payload.as_section() {
                        let range = usize::try_from(range.start)?..usize::try_from(range.end)?;
                        self.component.section(&RawSection { id, data: &self.source[range] });
                    }
                }
            }
        }
        self.measuring(counts)?;
        // The eight bytes of a component's head are written by whoever completes it.
        Ok(self.component.finish().split_off(super::HEAD.len()))
    }

    fn lift(&mut self, function: CanonicalFunction) -> Result<()> {
        let CanonicalFunction::Lift { core_func_index, type_index, options } = function else { return Ok(()) };
        self.finish_core_side()?;
        let core_function = self.core_function(core_func_index)?;
        let options = self.options(&options)?;
        let mut section = CanonicalFunctionSection::new();
        section.lift(core_function, type_index, options);
        self.component.section(&section);
        Ok(())
    }

    /// Instances that nothing asks for act when they are made: they fill the table of the functions that had to wait.
    fn finish_core_side(&mut self) -> Result<()> {
        self.merged_instance()?;
        for (index, instance) in self.graph.instances.iter().enumerate() {
            if let CoreInstance::Module { module, .. } = instance
                && !self.resolver.is_merged(*module)
            {
                self.instance(index as u32)?;
            }
        }
        Ok(())
    }

    fn options(&mut self, options: &[ReadOption]) -> Result<Vec<CanonicalOption>> {
        let options = options.iter().map(|option| {
            Ok(match *option {
                ReadOption::UTF8 => CanonicalOption::UTF8,
                ReadOption::Memory(_) => CanonicalOption::Memory(IMAGE),
                ReadOption::Realloc(function) => CanonicalOption::Realloc(self.core_function(function)?),
                ReadOption::PostReturn(function) => CanonicalOption::PostReturn(self.core_function(function)?),
                other => bail!("{other:?} is not expected"),
            })
        });
        options.collect()
    }

    /// The new index of one of the component's core functions, which is written where it is not there yet.
    fn core_function(&mut self, index: u32) -> Result<u32> {
        let place = self.resolver.function(index)?;
        self.placed(place)
    }

    fn placed(&mut self, place: Place<'a>) -> Result<u32> {
        let place = match place {
            Place::Own(own) => FunctionPlace::Merged(self.plan.own_function(own)),
            Place::Outside(outside) => FunctionPlace::Outside(outside),
        };
        if let Some(index) = self.functions.get(&place) {
            return Ok(*index);
        }
        match place {
            FunctionPlace::Merged(number) => {
                let instance = self.merged_instance()?;
                self.alias(instance, ExportKind::Func, &export_name(number));
            }
            FunctionPlace::Outside(Outside::Export(alias)) => {
                let instance = self.instance(alias.instance)?;
                self.alias(instance, ExportKind::Func, alias.name);
            }
            FunctionPlace::Outside(Outside::Canonical(index)) => self.canonical(index)?,
        }
        let index = self.function_count;
        self.function_count += 1;
        self.functions.insert(place, index);
        Ok(index)
    }

    fn canonical(&mut self, index: u32) -> Result<()> {
        let CoreFunction::Canonical(function) = &self.graph.functions[index as usize] else {
            bail!("a function is not canonical");
        };
        let mut section = CanonicalFunctionSection::new();
        match function {
            CanonicalFunction::Lower { func_index, options } => section.lower(*func_index, self.options(options)?),
            CanonicalFunction::ResourceDrop { resource } => section.resource_drop(*resource),
            CanonicalFunction::ResourceNew { resource } => section.resource_new(*resource),
            CanonicalFunction::ResourceRep { resource } => section.resource_rep(*resource),
            other => bail!("{other:?} is not expected"),
        };
        self.component.section(&section);
        Ok(())
    }

    /// The new index of an instance of a module that is not merged, or of a bundle for it.
    fn instance(&mut self, index: u32) -> Result<u32> {
        if let Some(written) = self.instances.get(&index) {
            return Ok(*written);
        }
        let mut section = InstanceSection::new();
        match &self.graph.instances[index as usize] {
            CoreInstance::Module { module, arguments } => {
                let mut given = Vec::new();
                for (name, instance) in arguments {
                    given.push((*name, ModuleArg::Instance(self.instance(*instance)?)));
                }
                let module = self.module(self.graph.modules[*module as usize].bytes);
                section.instantiate(module, given);
            }
            CoreInstance::Bundle(exports) => {
                let mut items = Vec::new();
                for export in exports {
                    items.push(match (Kind::of_export(export.kind)?, self.resolver.export(export)?) {
                        (Kind::Function, place) => (export.name, ExportKind::Func, self.placed(place)?),
                        (Kind::Table, Place::Outside(Outside::Export(alias))) => {
                            (export.name, ExportKind::Table, self.table(alias)?)
                        }
                        (kind, _) => bail!("a {kind:?} is given to a module that is not merged"),
                    });
                }
                section.export_items(items);
            }
        }
        self.component.section(&section);
        Ok(*self.instances.entry(index).or_insert(post_increment(&mut self.instance_count)))
    }

    fn table(&mut self, alias: Alias<'a>) -> Result<u32> {
        let instance = self.instance(alias.instance)?;
        self.alias(instance, ExportKind::Table, alias.name);
        Ok(post_increment(&mut self.table_count))
    }

    fn merged_instance(&mut self) -> Result<u32> {
        if let Some(instance) = self.merged {
            return Ok(instance);
        }
        let mut imports = Vec::new();
        for (number, outside) in self.plan.imports.iter().enumerate() {
            imports.push((number.to_string(), ExportKind::Func, self.placed(Place::Outside(*outside))?));
        }
        let bytes = self.plan.encode(&self.exported()?)?;
        let module = self.module(&bytes);
        let bundle = post_increment(&mut self.instance_count);
        let merged = post_increment(&mut self.instance_count);
        let mut section = InstanceSection::new();
        section.export_items(imports.iter().map(|(name, kind, index)| (name.as_str(), *kind, *index)));
        let given = [(super::IMAGE, ModuleArg::Instance(IMAGE)), ("", ModuleArg::Instance(bundle))];
        section.instantiate(module, given);
        self.component.section(&section);
        self.merged = Some(merged);
        Ok(merged)
    }

    /// The functions of the merged module that somebody outside calls.
    fn exported(&self) -> Result<Vec<u32>> {
        let mut places = Vec::new();
        let functions_of = |options: &[ReadOption]| -> Vec<u32> {
            let functions = options.iter().filter_map(|option| match option {
                ReadOption::Realloc(function) | ReadOption::PostReturn(function) => Some(*function),
                _ => None,
            });
            functions.collect()
        };
        for payload in &self.graph.payloads {
            let Payload::ComponentCanonicalSection(section) = payload else { continue };
            for function in section.clone() {
                let indexes = match function? {
                    CanonicalFunction::Lift { core_func_index, options, .. } => {
                        [functions_of(&options), vec![core_func_index]].concat()
                    }
                    CanonicalFunction::Lower { options, .. } => functions_of(&options),
                    _ => continue,
                };
                for index in indexes {
                    places.push(self.resolver.function(index)?);
                }
            }
        }
        for instance in &self.graph.instances {
            let CoreInstance::Module { module, arguments } = instance else { continue };
            if self.resolver.is_merged(*module) {
                continue;
            }
            for argument in arguments.values() {
                let CoreInstance::Bundle(exports) = &self.graph.instances[*argument as usize] else { continue };
                for export in exports.iter().filter(|export| Kind::of_export(export.kind).ok() == Some(Kind::Function))
                {
                    places.push(self.resolver.export(export)?);
                }
            }
        }
        let mut numbers: Vec<_> = places
            .into_iter()
            .filter_map(|place| match place {
                Place::Own(own) => Some(self.plan.own_function(own)),
                Place::Outside(_) => None,
            })
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        Ok(numbers)
    }

    fn module(&mut self, bytes: &[u8]) -> u32 {
        self.component.section(&RawSection { id: wasm_encoder::ComponentSectionId::CoreModule.into(), data: bytes });
        post_increment(&mut self.module_count)
    }

    fn alias(&mut self, instance: u32, kind: ExportKind, name: &str) {
        let mut aliases = ComponentAliasSection::new();
        aliases.alias(EncodedAlias::CoreInstanceExport { instance, kind, name });
        self.component.section(&aliases);
    }

    fn measuring(&mut self, counts: &Counts) -> Result<()> {
        let instance = self.merged.context("the component lifts nothing")?;
        self.alias(instance, ExportKind::Func, measure::EXPORT);
        let mut types = ComponentTypeSection::new();
        types.defined_type().list(PrimitiveValType::U8);
        let result = wasm_encoder::ComponentValType::Type(counts.types);
        types.function().params::<[(&str, wasm_encoder::ComponentValType); 0], _>([]).result(Some(result));
        let mut lifts = CanonicalFunctionSection::new();
        lifts.lift(self.function_count, counts.types + 1, [CanonicalOption::UTF8, CanonicalOption::Memory(IMAGE)]);
        let mut exports = ComponentExportSection::new();
        exports.export(measure::EXPORT, ComponentExportKind::Func, counts.functions, None);
        self.component.section(&types).section(&lifts).section(&exports);
        Ok(())
    }
}

fn post_increment(count: &mut u32) -> u32 {
    *count += 1;
    *count - 1
}

fn wrong(error: ReencodeError<impl std::fmt::Display>) -> anyhow::Error {
    anyhow::anyhow!("an alias could not be written: {error}")
}

/// Keeps every index.
struct RoundTrip;

impl Reencode for RoundTrip {
    type Error = std::convert::Infallible;
}

impl ReencodeComponent for RoundTrip {}
