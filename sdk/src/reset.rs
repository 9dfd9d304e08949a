//! Lets the host make the C library forget its open folders.
//!
//! A snapshot freezes handles that belong to the host that made it: the C library asks for its folders at the first
//! use of a file and then keeps their handles, which mean nothing to the next host ("unknown handle index").
//! componentize-py forgets them after its own snapshot; the second snapshot needs the same, and the library's function
//! for it is within the component but not among its exports. So one export is added, and called after `load`.

use anyhow::{Context, Result};
use wasm_encoder::{
    Alias, CanonicalFunctionSection, CanonicalOption, ComponentAliasSection, ComponentExportKind,
    ComponentExportSection, ComponentSection, ComponentTypeSection, ExportKind,
};
use wasmparser::{Instance, Parser, Payload, Validator, WasmFeatures};

/// The name of the added export, `func()`.
pub const EXPORT: &str = "reset-folders";

/// The C library's function.
const FUNCTION: &str = "__wasilibc_reset_preopens";

/// Adds [`EXPORT`] to a component that componentize-py has linked.
pub fn export(component: &[u8]) -> Result<Vec<u8>> {
    let instance_index = instance_that_exports(component)?.with_context(|| format!("nothing exports `{FUNCTION}`"))?;
    let types = Validator::new_with_features(WasmFeatures::all()).validate_all(component)?;
    let types = types.as_ref();

    let mut aliases = ComponentAliasSection::new();
    aliases.alias(Alias::CoreInstanceExport { instance: instance_index, kind: ExportKind::Func, name: FUNCTION });
    let mut function_types = ComponentTypeSection::new();
    function_types.function().params::<[(&str, wasm_encoder::ComponentValType); 0], _>([]).result(None);
    let mut functions = CanonicalFunctionSection::new();
    let options: [CanonicalOption; 0] = [];
    functions.lift(types.function_count(), types.component_type_count(), options);
    let mut exports = ComponentExportSection::new();
    exports.export(EXPORT, ComponentExportKind::Func, types.component_function_count(), None);

    let mut extended = component.to_vec();
    aliases.append_to_component(&mut extended);
    function_types.append_to_component(&mut extended);
    functions.append_to_component(&mut extended);
    exports.append_to_component(&mut extended);
    Ok(extended)
}

/// The index of the core instance whose module exports [`FUNCTION`].
fn instance_that_exports(component: &[u8]) -> Result<Option<u32>> {
    let mut module_count = 0;
    let mut instance_count = 0;
    let mut depth = 0;
    let mut defining_module = None;
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::ModuleSection { .. } => {
                module_count += 1;
                depth += 1;
            }
            Payload::End(_) if depth > 0 => depth -= 1,
            Payload::ExportSection(exports) => {
                for export in exports {
                    if export?.name == FUNCTION {
                        defining_module = Some(module_count - 1);
                    }
                }
            }
            Payload::InstanceSection(instances) => {
                for instance in instances {
                    if let Instance::Instantiate { module_index, .. } = instance?
                        && Some(module_index) == defining_module
                    {
                        return Ok(Some(instance_count));
                    }
                    instance_count += 1;
                }
            }
            _ => {}
        }
    }
    Ok(None)
}
