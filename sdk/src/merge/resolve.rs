//! Where a thing that one module gets from another is defined.

use std::collections::HashMap;

use anyhow::{Context, Result, bail};
use wasmparser::{ConstExpr, Export, Operator};

use super::graph::{Alias, CoreFunction, CoreInstance, Graph, Kind};

/// Something that one of the merged modules defines: the module, and the index among what it defines of that kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Own {
    pub module: usize,
    pub index: u32,
}

/// Something that lies outside of the merged modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outside<'a> {
    /// A canonical function, by its place among the component's core functions.
    Canonical(u32),
    /// Exported by an instance of a module that is not merged.
    Export(Alias<'a>),
}

/// Where a thing is defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    Own(Own),
    Outside(Outside<'a>),
}

/// Follows names through instances to definitions.
pub struct Resolver<'a, 'g> {
    graph: &'g Graph<'a>,
    /// The instance of each module: there is one.
    instance_of: HashMap<u32, u32>,
}

impl<'a, 'g> Resolver<'a, 'g> {
    pub fn new(graph: &'g Graph<'a>) -> Result<Self> {
        let mut instance_of = HashMap::new();
        for (index, instance) in graph.instances.iter().enumerate() {
            if let CoreInstance::Module { module, .. } = instance
                && instance_of.insert(*module, index as u32).is_some()
            {
                bail!("a module is instantiated twice");
            }
        }
        Ok(Self { graph, instance_of })
    }

    /// Whether a module becomes part of the merged one. wit-component's pair of modules for functions that need memory
    /// before there is any stays as it is: the one has to be there before, the other after.
    pub fn is_merged(&self, module: u32) -> bool {
        const PAIR: &str = "$imports";
        let module = &self.graph.modules[module as usize];
        !module.exports.contains_key(PAIR) && !module.imports.iter().any(|import| import.name == PAIR)
    }

    /// Those that are merged, in the order of their instances.
    pub fn merged(&self) -> Vec<usize> {
        let modules = self.graph.instances.iter().filter_map(|instance| match instance {
            CoreInstance::Module { module, .. } => Some(*module),
            CoreInstance::Bundle(_) => None,
        });
        modules.filter(|module| self.is_merged(*module)).map(|module| module as usize).collect()
    }

    /// What a module means by an index.
    pub fn index(&self, module: usize, kind: Kind, index: u32) -> Result<Place<'a>> {
        let import = match self.graph.modules[module].locate(kind, index) {
            Ok(import) => import,
            Err(index) => return Ok(Place::Own(Own { module, index })),
        };
        let instance = self.instance_of.get(&(module as u32)).context("a module is not instantiated")?;
        let CoreInstance::Module { arguments, .. } = &self.graph.instances[*instance as usize] else {
            bail!("a bundle has no module");
        };
        let argument = arguments.get(import.module).with_context(|| format!("no `{}` is given", import.module))?;
        self.alias(kind, Alias { instance: *argument, name: import.name })
    }

    /// What an instance has under a name.
    pub fn alias(&self, kind: Kind, alias: Alias<'a>) -> Result<Place<'a>> {
        let missing = || format!("nothing is called `{}`", alias.name);
        match &self.graph.instances[alias.instance as usize] {
            CoreInstance::Module { module, .. } if self.is_merged(*module) => {
                let module = *module as usize;
                let (found, index) = *self.graph.modules[module].exports.get(alias.name).with_context(missing)?;
                if found != kind {
                    bail!("`{}` is of another kind", alias.name);
                }
                self.index(module, kind, index)
            }
            CoreInstance::Module { .. } => Ok(Place::Outside(Outside::Export(alias))),
            CoreInstance::Bundle(exports) => {
                self.export(exports.iter().find(|export| export.name == alias.name).with_context(missing)?)
            }
        }
    }

    /// What an item of a bundle is.
    pub fn export(&self, export: &Export<'a>) -> Result<Place<'a>> {
        match Kind::of_export(export.kind)? {
            Kind::Function => self.function(export.index),
            kind => {
                let alias = self.graph.aliases.get(&kind).and_then(|aliases| aliases.get(export.index as usize));
                self.alias(kind, *alias.context("an index is out of bounds")?)
            }
        }
    }

    /// What one of the component's core functions is.
    pub fn function(&self, index: u32) -> Result<Place<'a>> {
        match self.graph.functions.get(index as usize).context("an index is out of bounds")? {
            CoreFunction::Alias(alias) => self.alias(Kind::Function, *alias),
            CoreFunction::Canonical(_) => Ok(Place::Outside(Outside::Canonical(index))),
        }
    }

    /// The definition of something that has to be within the merged modules.
    pub fn own(&self, module: usize, kind: Kind, index: u32) -> Result<Own> {
        match self.index(module, kind, index)? {
            Place::Own(own) => Ok(own),
            Place::Outside(outside) => bail!("a {kind:?} lies outside: {outside:?}"),
        }
    }

    /// The value that a global begins with.
    pub fn initial(&self, global: Own) -> Result<i32> {
        let initial = &self.graph.modules[global.module].globals[global.index as usize].initial;
        self.constant(global.module, initial)
    }

    /// What a constant expression of a module comes to: sums of constants and of other globals' first values.
    pub fn constant(&self, module: usize, expression: &ConstExpr) -> Result<i32> {
        let mut stack = Vec::new();
        for operator in expression.get_operators_reader() {
            match operator? {
                Operator::I32Const { value } => stack.push(value),
                Operator::GlobalGet { global_index } => {
                    stack.push(self.initial(self.own(module, Kind::Global, global_index)?)?);
                }
                Operator::I32Add => {
                    let (Some(right), Some(left)) = (stack.pop(), stack.pop()) else {
                        bail!("there is nothing to add")
                    };
                    stack.push(i32::wrapping_add(left, right));
                }
                Operator::End => {}
                other => bail!("{other:?} is not expected in a constant"),
            }
        }
        match stack[..] {
            [value] => Ok(value),
            _ => bail!("a constant comes to {} values", stack.len()),
        }
    }
}
