//! The merged module: what all modules define, renumbered, with what they gave each other resolved.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result, anyhow, bail, ensure};
use wasm_encoder::reencode::{Error as ReencodeError, Reencode};
use wasm_encoder::{
    CodeSection, ConstExpr, ElementSection, Elements, EntityType, ExportKind, ExportSection, Function, FunctionSection,
    GlobalSection, ImportSection, Instruction, MemoryType, Module as Encoded, TableSection, TypeSection,
};
use wasmparser::{ElementItems, ElementKind, Operator, TypeRef, ValType};

use super::graph::{Graph, Kind, Module};
use super::measure;
use super::resolve::{Outside, Own, Place, Resolver};

/// How everything is numbered in the merged module.
pub struct Plan<'a, 'g> {
    graph: &'g Graph<'a>,
    resolver: &'g Resolver<'a, 'g>,
    modules: Vec<usize>,
    /// The first type and the first function of each module.
    first_type: HashMap<usize, u32>,
    first_function: HashMap<usize, u32>,
    /// The imported functions, in order, and their types.
    pub imports: Vec<Outside<'a>>,
    import_types: Vec<u32>,
    import_index: HashMap<Outside<'a>, u32>,
    /// The globals that some function sets, in order. All others are constants.
    pub variables: Vec<Own>,
    variable_index: HashMap<Own, u32>,
    constants: HashMap<Own, i32>,
    type_count: u32,
    function_count: u32,
}

impl<'a, 'g> Plan<'a, 'g> {
    pub fn new(graph: &'g Graph<'a>, resolver: &'g Resolver<'a, 'g>) -> Result<Self> {
        let mut plan = Self {
            graph,
            resolver,
            modules: resolver.merged(),
            first_type: HashMap::new(),
            first_function: HashMap::new(),
            imports: Vec::new(),
            import_types: Vec::new(),
            import_index: HashMap::new(),
            variables: Vec::new(),
            variable_index: HashMap::new(),
            constants: HashMap::new(),
            type_count: 0,
            function_count: 0,
        };
        plan.number_types_and_imports()?;
        plan.number_functions();
        plan.number_globals()?;
        Ok(plan)
    }

    fn number_types_and_imports(&mut self) -> Result<()> {
        for module in self.modules.clone() {
            self.first_type.insert(module, self.type_count);
            self.type_count += self.graph.modules[module].types.len() as u32;
            let imported = self.graph.modules[module].imported(Kind::Function);
            for (index, place) in imported.iter().enumerate() {
                let Place::Outside(outside) = self.resolver.index(module, Kind::Function, index as u32)? else {
                    continue;
                };
                let (TypeRef::Func(ty) | TypeRef::FuncExact(ty)) = self.graph.modules[module].imports[*place].ty else {
                    bail!("a function has no type");
                };
                if !self.import_index.contains_key(&outside) {
                    self.import_index.insert(outside, self.imports.len() as u32);
                    self.imports.push(outside);
                    self.import_types.push(self.first_type[&module] + ty);
                }
            }
        }
        Ok(())
    }

    fn number_functions(&mut self) {
        self.function_count = self.imports.len() as u32;
        for module in &self.modules {
            self.first_function.insert(*module, self.function_count);
            self.function_count += self.graph.modules[*module].functions.len() as u32;
        }
    }

    fn number_globals(&mut self) -> Result<()> {
        let mut set = HashSet::new();
        for module in &self.modules {
            if is_spent(&self.graph.modules[*module]) {
                continue;
            }
            for body in &self.graph.modules[*module].bodies {
                for operator in body.get_operators_reader()? {
                    match operator? {
                        Operator::GlobalSet { global_index } => {
                            set.insert(self.resolver.own(*module, Kind::Global, global_index)?);
                        }
                        Operator::TableSet { .. }
                        | Operator::TableGrow { .. }
                        | Operator::TableFill { .. }
                        | Operator::TableCopy { .. }
                        | Operator::TableInit { .. } => bail!("a function changes a table, which no snapshot carries"),
                        _ => {}
                    }
                }
            }
        }
        for module in &self.modules {
            for (index, global) in self.graph.modules[*module].globals.iter().enumerate() {
                let own = Own { module: *module, index: index as u32 };
                ensure!(global.ty.content_type == ValType::I32, "a global is no 32-bit integer");
                if set.contains(&own) {
                    self.variable_index.insert(own, self.variables.len() as u32);
                    self.variables.push(own);
                } else {
                    self.constants.insert(own, self.resolver.initial(own)?);
                }
            }
        }
        Ok(())
    }

    /// The number of a function that one of the modules defines.
    pub fn own_function(&self, own: Own) -> u32 {
        self.first_function[&own.module] + own.index
    }

    fn function(&self, module: usize, index: u32) -> Result<u32> {
        match self.resolver.index(module, Kind::Function, index)? {
            Place::Own(own) => Ok(self.own_function(own)),
            Place::Outside(outside) => self.import_index.get(&outside).copied().context("a function is not imported"),
        }
    }

    /// Encodes the module. `exported` are the functions that somebody outside calls, by their numbers.
    ///
    /// It imports the memory as `image.memory` and functions under their numbers, and exports functions as
    /// [`export_name`] says, and [`measure::EXPORT`].
    pub fn encode(&self, exported: &[u32]) -> Result<Vec<u8>> {
        let mut types = TypeSection::new();
        for ty in self.modules.iter().flat_map(|module| &self.graph.modules[*module].types) {
            types.ty().func_type(&wasm_encoder::reencode::RoundtripReencoder.func_type(ty.clone()).map_err(wrong)?);
        }
        let measure_type = self.type_count;
        types.ty().function([], [wasm_encoder::ValType::I32]);

        let mut imports = ImportSection::new();
        let memory = MemoryType { minimum: 0, maximum: None, memory64: false, shared: false, page_size_log2: None };
        imports.import(super::IMAGE, super::MEMORY, EntityType::Memory(memory));
        for (number, ty) in self.import_types.iter().enumerate() {
            imports.import("", &number.to_string(), EntityType::Function(*ty));
        }

        let mut functions = FunctionSection::new();
        let mut code = CodeSection::new();
        for module in &self.modules {
            let own = &self.graph.modules[*module];
            for ty in &own.functions {
                functions.function(self.first_type[module] + ty);
            }
            for body in &own.bodies {
                if is_spent(own) {
                    let mut empty = Function::new([]);
                    empty.instructions().unreachable().end();
                    code.function(&empty);
                } else {
                    Renumber { plan: self, module: *module }
                        .parse_function_body(&mut code, body.clone())
                        .map_err(wrong)?;
                }
            }
        }
        functions.function(measure_type);
        code.function(&measure::function(self.variables.len() as u32));

        let mut exports = ExportSection::new();
        for number in exported {
            exports.export(&export_name(*number), ExportKind::Func, *number);
        }
        exports.export(measure::EXPORT, ExportKind::Func, self.function_count);

        let mut encoded = Encoded::new();
        encoded.section(&types).section(&imports).section(&functions).section(&self.table()?).section(&self.globals()?);
        encoded.section(&exports).section(&self.elements()?).section(&code);
        Ok(encoded.finish())
    }

    fn table(&self) -> Result<TableSection> {
        let tables: Vec<_> = self.modules.iter().flat_map(|module| &self.graph.modules[*module].tables).collect();
        let [table] = tables[..] else { bail!("there are {} tables, and not one", tables.len()) };
        let mut section = TableSection::new();
        section.table(wasm_encoder::reencode::RoundtripReencoder.table_type(*table).map_err(wrong)?);
        Ok(section)
    }

    fn globals(&self) -> Result<GlobalSection> {
        let mut section = GlobalSection::new();
        let ty = wasm_encoder::GlobalType { val_type: wasm_encoder::ValType::I32, mutable: true, shared: false };
        for variable in &self.variables {
            section.global(ty, &ConstExpr::i32_const(self.resolver.initial(*variable)?));
        }
        Ok(section)
    }

    fn elements(&self) -> Result<ElementSection> {
        let mut section = ElementSection::new();
        for module in &self.modules {
            for element in &self.graph.modules[*module].elements {
                let ElementItems::Functions(items) = &element.items else { bail!("an element is an expression") };
                let numbers = items.clone().into_iter().map(|index| self.function(*module, index?));
                let numbers = Elements::Functions(numbers.collect::<Result<Vec<_>>>()?.into());
                match &element.kind {
                    ElementKind::Active { offset_expr, .. } => {
                        let offset = self.resolver.constant(*module, offset_expr)?;
                        section.active(None, &ConstExpr::i32_const(offset), numbers);
                    }
                    ElementKind::Declared => {
                        section.declared(numbers);
                    }
                    ElementKind::Passive => bail!("an element is passive"),
                }
            }
        }
        Ok(section)
    }
}

/// Under which name a function is exported.
pub fn export_name(number: u32) -> String {
    format!("f{number}")
}

/// Whether a module only ever acted when it was instantiated, which is in the snapshot: nobody can call its functions.
fn is_spent(module: &Module) -> bool {
    module.exports.is_empty()
}

fn wrong(error: ReencodeError<impl std::fmt::Display>) -> anyhow::Error {
    anyhow!("renumbering failed: {error}")
}

/// Renumbers the code of one module.
struct Renumber<'p, 'a, 'g> {
    plan: &'p Plan<'a, 'g>,
    module: usize,
}

impl Reencode for Renumber<'_, '_, '_> {
    type Error = anyhow::Error;

    fn type_index(&mut self, ty: u32) -> Result<u32, ReencodeError<anyhow::Error>> {
        Ok(self.plan.first_type[&self.module] + ty)
    }

    fn function_index(&mut self, function: u32) -> Result<u32, ReencodeError<anyhow::Error>> {
        self.plan.function(self.module, function).map_err(ReencodeError::UserError)
    }

    fn instruction<'i>(&mut self, operator: Operator<'i>) -> Result<Instruction<'i>, ReencodeError<anyhow::Error>> {
        let (Operator::GlobalGet { global_index } | Operator::GlobalSet { global_index }) = operator else {
            return wasm_encoder::reencode::utils::instruction(self, operator);
        };
        let global = self.plan.resolver.own(self.module, Kind::Global, global_index);
        let global = global.map_err(ReencodeError::UserError)?;
        Ok(match (self.plan.variable_index.get(&global), operator) {
            (Some(variable), Operator::GlobalSet { .. }) => Instruction::GlobalSet(*variable),
            (Some(variable), _) => Instruction::GlobalGet(*variable),
            (None, _) => Instruction::I32Const(self.plan.constants[&global]),
        })
    }
}
