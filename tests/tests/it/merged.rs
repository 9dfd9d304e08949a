//! What a built tool is made of, by the sections of the component that it is.

use crate::programs;

/// The section of a component that is a core module (component model, Binary.md).
const CORE_MODULE: u8 = 1;
/// The section that is a component of its own.
const COMPONENT: u8 = 4;
/// Magic number, version and layer.
const HEAD_BYTES: usize = 8;

/// The image, the one that all of CPython was merged into, and two of wit-component's own, which fill in what the one
/// cannot import before it is there. With a dozen instead, each instance creates thousands of function references.
const MODULES: usize = 4;

#[test]
fn a_built_tool_has_one_module_of_code_and_one_of_memory() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("greeting.wasm");
    let built = programs::command("runtime").arg("build").arg(programs::tool("greeting")).arg("-o").arg(&file).output();
    let built = built.unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));

    let bytes = fs_err::read(&file).unwrap();
    let sizes = module_sizes(&bytes[HEAD_BYTES..]);

    assert_eq!(sizes.len(), MODULES, "{sizes:?}");
    assert_eq!(sizes.iter().filter(|size| **size > 1 << 20).count(), 2, "{sizes:?}");
}

/// The bytes of each core module in these sections, and in the components among them.
fn module_sizes(mut sections: &[u8]) -> Vec<usize> {
    let mut sizes = Vec::new();
    while let Some((id, mut rest)) = sections.split_first() {
        let size = number(&mut rest);
        let (content, next) = rest.split_at(size);
        match *id {
            CORE_MODULE => sizes.push(size),
            COMPONENT => sizes.extend(module_sizes(&content[HEAD_BYTES..])),
            _ => {}
        }
        sections = next;
    }
    sizes
}

/// The next number (LEB128).
fn number(bytes: &mut &[u8]) -> usize {
    let (mut number, mut shift) = (0, 0);
    loop {
        let (byte, rest) = bytes.split_first().expect("a number has an end");
        *bytes = rest;
        number |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return number;
        }
    }
}
