//! Lets a full `/tmp` be told as what it is.
//!
//! The C library learns from a stream that a write has failed, but not why: WASI has a call for that, which it does not
//! make, and it says "I/O error" whatever the reason. Of all streams that a guest writes to, only those of `/tmp` fail
//! in this way, and only for want of space. So the error number in the library's function is exchanged, one byte at
//! each place, and Python raises what programs look for: `OSError` with `errno.ENOSPC`.

use anyhow::{Result, ensure};
use wasmparser::{ExternalKind, Operator, Parser, Payload, TypeRef};

/// The C library's function that all writing comes to.
const FUNCTION: &str = "__wasilibc_write";

/// `EIO` and `ENOSPC` as WASI numbers them. Both are one byte of LEB128.
const IO_ERROR: u8 = 29;
const NO_SPACE: u8 = 51;

/// How often the function names the error: for asking whether it may write, and for writing.
const PLACES: usize = 2;

/// Exchanges the number in a component that componentize-py has linked.
pub fn name_lack_of_space(component: &mut [u8]) -> Result<()> {
    let places = places(component)?;
    ensure!(places.len() == PLACES, "`{FUNCTION}` has {} places with an I/O error, and not {PLACES}", places.len());
    for place in places {
        component[place] = NO_SPACE;
    }
    Ok(())
}

/// Where the function's constants of [`IO_ERROR`] are.
fn places(component: &[u8]) -> Result<Vec<usize>> {
    let mut imported_count = 0;
    let mut function = None;
    let mut body_count = 0;
    let mut places = Vec::new();
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::ModuleSection { .. } => (imported_count, function, body_count) = (0, None, 0),
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    imported_count += u32::from(matches!(import?.ty, TypeRef::Func(_)));
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    if export.kind == ExternalKind::Func && export.name == FUNCTION {
                        function = Some(export.index);
                    }
                }
            }
            Payload::CodeSectionEntry(body) => {
                if function == Some(imported_count + body_count) {
                    for operator in body.get_operators_reader()?.into_iter_with_offsets() {
                        let (operator, offset) = operator?;
                        if matches!(operator, Operator::I32Const { value } if value == i32::from(IO_ERROR)) {
                            // The operator's own byte comes first.
                            places.push(usize::try_from(offset)? + 1);
                        }
                    }
                }
                body_count += 1;
            }
            _ => {}
        }
    }
    places.retain(|place| component.get(*place) == Some(&IO_ERROR));
    Ok(places)
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{
        CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection, Module,
        TypeSection,
    };

    use super::*;

    /// A module whose second function, counted with an imported one, has these constants and is exported.
    fn module(name: &str, constants: &[i32]) -> Vec<u8> {
        let (mut types, mut imports, mut functions) =
            (TypeSection::new(), ImportSection::new(), FunctionSection::new());
        types.ty().function([], []);
        imports.import("a", "b", EntityType::Function(0));
        functions.function(0).function(0);
        let (mut exports, mut code) = (ExportSection::new(), CodeSection::new());
        exports.export(name, ExportKind::Func, 2);
        for constants in [&[29][..], constants] {
            let mut function = Function::new([]);
            for constant in constants {
                function.instructions().i32_const(*constant).drop();
            }
            function.instructions().end();
            code.function(&function);
        }
        let mut module = Module::new();
        module.section(&types).section(&imports).section(&functions).section(&exports).section(&code);
        module.finish()
    }

    #[test]
    fn the_number_is_exchanged_in_the_librarys_function_alone() {
        let mut library = module(FUNCTION, &[29, 7, 29]);
        name_lack_of_space(&mut library).unwrap();
        assert_eq!(library, module(FUNCTION, &[51, 7, 51]));
    }

    #[test]
    fn another_library_than_was_looked_at_is_refused() {
        for mut library in [module("write", &[29, 29]), module(FUNCTION, &[29]), module(FUNCTION, &[29, 29, 29])] {
            assert!(name_lack_of_space(&mut library).is_err());
        }
    }
}
