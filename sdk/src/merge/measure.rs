//! Hands a guest's memory and variables to the host, once it has loaded a tool: they are all that it has become.

use wasm_encoder::{Function, MemArg};

/// The export of the core module and of the component: `func() -> list<u8>`.
///
/// The list is the whole memory, then a record that begins with eight bytes of its own and holds each variable in four.
pub const EXPORT: &str = "measure";

/// Bytes before the variables in the record: the list's address and length, which the canonical ABI asks for.
const HEAD: u32 = 8;

/// Splits what [`EXPORT`] answers into memory and variables.
pub fn split(mut measured: Vec<u8>, variable_count: usize) -> Option<(Vec<u8>, Vec<i32>)> {
    let memory_bytes = measured.len().checked_sub(HEAD as usize + 4 * variable_count)?;
    let variables = measured[memory_bytes + HEAD as usize..].chunks_exact(4);
    let variables = variables.map(|bytes| i32::from_le_bytes(bytes.try_into().unwrap_or_default())).collect();
    measured.truncate(memory_bytes);
    Some((measured, variables))
}

/// The function. The record goes into a page that is added behind the memory, so nothing in it changes.
pub fn function(variable_count: u32) -> Function {
    const PAGE: i32 = 1 << 16;
    const END: u32 = 0;
    let place = |offset: u32| MemArg { offset: offset.into(), align: 2, memory_index: 0 };
    let mut function = Function::new([(1, wasm_encoder::ValType::I32)]);
    let mut code = function.instructions();
    code.memory_size(0).i32_const(PAGE).i32_mul().local_set(END);
    code.i32_const(1).memory_grow(0).i32_const(-1).i32_eq();
    code.if_(wasm_encoder::BlockType::Empty).unreachable().end();
    code.local_get(END).i32_const(0).i32_store(place(0));
    code.local_get(END)
        .local_get(END)
        .i32_const((HEAD + 4 * variable_count).cast_signed())
        .i32_add()
        .i32_store(place(4));
    for variable in 0..variable_count {
        code.local_get(END).global_get(variable).i32_store(place(HEAD + 4 * variable));
    }
    code.local_get(END).end();
    function
}
