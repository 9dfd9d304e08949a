//! Vets a library before a base links it: what it is, what it takes from others, what it is for.

use std::collections::BTreeSet;

use wasmparser::{Dylink0Subsection, ExternalKind, KnownCustom, Parser, Payload};

/// The interfaces of the host that a library may call by itself. All else it has to ask the C library for.
const INTERFACES: [&str; 2] = ["wasi:random/", "wasi:clocks/"];

/// The libraries that are in every base, which a library may need.
const NEEDED: [&str; 8] = [
    "libpython3.14.so",
    "libc.so",
    "libc++.so",
    "libc++abi.so",
    "libwasi-emulated-getpid.so",
    "libwasi-emulated-mman.so",
    "libwasi-emulated-process-clocks.so",
    "libwasi-emulated-signal.so",
];

/// The most memory that a library may have before anything is called, in bytes. pydantic's has 1.3 MB.
const MAX_MEMORY_BYTES: u32 = 64 << 20;
/// The most entries that it may add to the table of functions. pydantic's adds 3,000.
const MAX_TABLE_ENTRIES: u32 = 1 << 20;

/// What a library turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vetted {
    /// The interfaces of the host that it calls by itself.
    pub interfaces: BTreeSet<String>,
}

/// Vets a library of a module. The error completes "this library …".
pub fn vet(library: &[u8], module: &str) -> Result<Vetted, String> {
    let broken = |error: wasmparser::BinaryReaderError| format!("is no WebAssembly: {error}");
    let (mut is_dynamic, mut is_initialized) = (false, false);
    let (mut interfaces, mut refused) = (BTreeSet::new(), BTreeSet::new());
    let initializer = format!("PyInit_{}", module.rsplit('.').next().unwrap_or_default());
    if !library.starts_with(b"\0asm\x01\0\0\0") {
        return Err("is no WebAssembly module".to_owned());
    }
    for payload in Parser::new(0).parse_all(library) {
        match payload.map_err(broken)? {
            Payload::CustomSection(section) => {
                let KnownCustom::Dylink0(subsections) = section.as_known() else { continue };
                is_dynamic = true;
                for subsection in subsections {
                    vet_linking(subsection.map_err(broken)?)?;
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let from = import.map_err(broken)?.module;
                    if INTERFACES.iter().any(|allowed| from.starts_with(allowed)) {
                        interfaces.insert(from.to_owned());
                    } else if !matches!(from, "env" | "GOT.mem" | "GOT.func") {
                        refused.insert(format!("`{}`", from.escape_debug()));
                    }
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export.map_err(broken)?;
                    is_initialized |= export.kind == ExternalKind::Func && export.name == initializer;
                }
            }
            _ => {}
        }
    }
    if !is_dynamic {
        return Err("is no dynamic library: it has no section `dylink.0`".to_owned());
    }
    if !refused.is_empty() {
        let refused: Vec<_> = refused.into_iter().collect();
        return Err(format!("calls {}, which no library may call by itself", refused.join(", ")));
    }
    if !is_initialized {
        return Err(format!("is no module of Python: it has no function `{initializer}`"));
    }
    Ok(Vetted { interfaces })
}

fn vet_linking(subsection: Dylink0Subsection<'_>) -> Result<(), String> {
    match subsection {
        Dylink0Subsection::MemInfo(info) if info.memory_size > MAX_MEMORY_BYTES => Err(format!(
            "begins with {} MiB of memory, and may have {}",
            info.memory_size >> 20,
            MAX_MEMORY_BYTES >> 20
        )),
        Dylink0Subsection::MemInfo(info) if info.table_size > MAX_TABLE_ENTRIES => {
            Err(format!("has {} functions in its table, and may have {MAX_TABLE_ENTRIES}", info.table_size))
        }
        Dylink0Subsection::Needed(names) => match names.iter().find(|name| !NEEDED.contains(name)) {
            Some(name) => Err(format!("needs the library `{}`, which no base has", name.escape_debug())),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use wasm_encoder::{
        CodeSection, CustomSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection,
        Module, TypeSection,
    };

    use super::*;

    /// A library with one import, one export, and what its `dylink.0` says.
    fn library(import: &str, export: &str, linking: Option<&[u8]>) -> Vec<u8> {
        let (mut types, mut imports, mut functions) =
            (TypeSection::new(), ImportSection::new(), FunctionSection::new());
        types.ty().function([], []);
        imports.import(import, "b", EntityType::Function(0));
        functions.function(0);
        let (mut exports, mut code) = (ExportSection::new(), CodeSection::new());
        exports.export(export, ExportKind::Func, 1);
        let mut function = Function::new([]);
        function.instructions().end();
        code.function(&function);
        let mut module = Module::new();
        if let Some(data) = linking {
            module.section(&CustomSection { name: "dylink.0".into(), data: Cow::Borrowed(data) });
        }
        module.section(&types).section(&imports).section(&functions).section(&exports).section(&code);
        module.finish()
    }

    /// `WASM_DYLINK_MEM_INFO` with nothing, then `WASM_DYLINK_NEEDED` with one name.
    fn linking(needed: &str) -> Vec<u8> {
        let mut bytes = vec![1, 4, 0, 0, 0, 0, 2, needed.len() as u8 + 2, 1, needed.len() as u8];
        bytes.extend_from_slice(needed.as_bytes());
        bytes
    }

    #[test]
    fn a_module_of_python_is_taken_with_the_interfaces_that_it_calls() {
        let own = linking("libpython3.14.so");
        assert!(vet(&library("env", "PyInit__b", Some(&own)), "a._b").unwrap().interfaces.is_empty());
        let random = vet(&library("wasi:random/random@0.2.0", "PyInit_b", Some(&own)), "b").unwrap();
        assert_eq!(random.interfaces.into_iter().collect::<Vec<_>>(), ["wasi:random/random@0.2.0"]);
    }

    #[test]
    fn what_is_none_is_refused_with_what_is_wrong() {
        let own = linking("libc.so");
        let large = [1, 7, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0];
        for (bytes, told) in [
            (b"\x7fELF".to_vec(), "is no WebAssembly module"),
            (b"\0asm\x0d\0\x01\0".to_vec(), "is no WebAssembly module"),
            (b"\0asm\x01\0\0\0\x01".to_vec(), "is no WebAssembly: "),
            (library("env", "PyInit_b", None), "no section `dylink.0`"),
            (library("wasi:http/types@0.2.4", "PyInit_b", Some(&own)), "calls `wasi:http/types@0.2.4`"),
            (library("wasi:sockets/tcp@0.2.0", "PyInit_b", Some(&own)), "calls `wasi:sockets/tcp@0.2.0`"),
            (library("wasi_snapshot_preview1", "PyInit_b", Some(&own)), "calls `wasi_snapshot_preview1`"),
            (library("env", "PyInit_c", Some(&own)), "has no function `PyInit_b`"),
            (library("env", "PyInit_b", Some(&linking("libssl.so"))), "needs the library `libssl.so`"),
            (library("env", "PyInit_b", Some(&large)), "MiB of memory, and may have 64"),
        ] {
            let refusal = vet(&bytes, "a.b").unwrap_err();
            assert!(refusal.contains(told), "{told} is not in: {refusal}");
        }
    }
}
