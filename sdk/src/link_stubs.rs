//! What native code is linked against when it is compiled: the names that CPython and the C library have, and nothing
//! behind them.
//!
//! componentize-py has both within and gives neither out. But once they are linked, the component has them as modules,
//! and a linker asks of a library only which names it has and of which types: so a library of the same names whose
//! functions are empty does as well.

use std::borrow::Cow;

use anyhow::{Context, Result, bail};
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    CodeSection, ConstExpr, CustomSection, ExportKind, ExportSection, Function, FunctionSection, GlobalSection,
    GlobalType, Module, TypeSection, ValType,
};
use wasmparser::TypeRef;

use crate::merge::{CoreModule, Graph, Kind};

/// The libraries by their files' names, and a function by which each is known, which no other has.
const LIBRARIES: [(&str, &str); 5] = [
    ("libpython3.14.so", "Py_Initialize"),
    ("libc.so", "malloc"),
    ("libwasi-emulated-getpid.so", "getpid"),
    ("libwasi-emulated-process-clocks.so", "clock"),
    ("libwasi-emulated-signal.so", "raise"),
];

/// Libraries that componentize-py links only where another one needs them, which says so by being linked against these.
/// Which names they have is not known before.
const UNKNOWN: [&str; 2] = ["libc++.so", "libc++abi.so"];

/// What belongs to the linking itself.
const OWN: [&str; 3] = ["_initialize", "__wasm_call_ctors", "__wasm_apply_data_relocs"];

/// A section `dylink.0` that asks for no memory, no table and no other library.
const LINKING: [u8; 6] = [1, 4, 0, 0, 0, 0];

/// The libraries of a component that componentize-py has linked, each with its file's name.
pub fn stubs(component: &[u8]) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let graph = Graph::read(component)?;
    let known = LIBRARIES.iter().map(|(name, function)| Ok((*name, stub(&graph, function)?)));
    known.chain(UNKNOWN.iter().map(|name| Ok((*name, empty())))).collect()
}

/// A library without any names.
fn empty() -> Vec<u8> {
    begun().finish()
}

fn begun() -> Module {
    let mut stub = Module::new();
    stub.section(&CustomSection { name: "dylink.0".into(), data: Cow::Borrowed(&LINKING) });
    stub
}

fn stub(graph: &Graph<'_>, function: &str) -> Result<Vec<u8>> {
    // The module that libraries begin with has functions of many names, which lead to theirs.
    let is_library = |module: &&CoreModule<'_>| {
        LIBRARIES.iter().filter(|(_, function)| module.exports.contains_key(function)).count() == 1
    };
    let mut libraries = graph.modules.iter().filter(is_library);
    let module = libraries.find(|module| module.exports.contains_key(function));
    let module = module.with_context(|| format!("no library has `{function}`"))?;
    let (mut types, mut functions, mut globals) = (TypeSection::new(), FunctionSection::new(), GlobalSection::new());
    let (mut exports, mut code) = (ExportSection::new(), CodeSection::new());
    for ty in &module.types {
        let ty = RoundtripReencoder
            .func_type(ty.clone())
            .map_err(|error| anyhow::anyhow!("a type cannot be kept: {error}"))?;
        types.ty().func_type(&ty);
    }
    let mut names: Vec<_> = module.exports.iter().filter(|(name, _)| !OWN.contains(name)).collect();
    names.sort();
    for (name, (kind, index)) in names {
        match kind {
            Kind::Function => {
                let ty = match module.locate(Kind::Function, *index) {
                    Err(own) => module.functions[own as usize],
                    Ok(import) => match import.ty {
                        TypeRef::Func(ty) | TypeRef::FuncExact(ty) => ty,
                        _ => bail!("a function has no type"),
                    },
                };
                exports.export(name, ExportKind::Func, functions.len());
                functions.function(ty);
                let mut empty = Function::new([]);
                empty.instructions().unreachable().end();
                code.function(&empty);
            }
            // An address of data is a constant of the library's own. A variable belongs to the linking itself, as the
            // pointer to the stack does.
            Kind::Global => {
                let own = module.locate(Kind::Global, *index).err().and_then(|own| module.globals.get(own as usize));
                if own.is_none_or(|global| global.ty.mutable) {
                    continue;
                }
                exports.export(name, ExportKind::Global, globals.len());
                let ty = GlobalType { val_type: ValType::I32, mutable: false, shared: false };
                globals.global(ty, &ConstExpr::i32_const(0));
            }
            Kind::Table | Kind::Memory => {}
        }
    }
    let mut stub = begun();
    stub.section(&types).section(&functions).section(&globals).section(&exports).section(&code);
    Ok(stub.finish())
}
