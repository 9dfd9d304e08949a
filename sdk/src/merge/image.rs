//! The image: a core module that is a memory and its content, and nothing else.

use anyhow::{Context, Result, bail};
use wasm_encoder::{
    Component, ComponentImportSection, ComponentTypeRef, ConstExpr, CoreTypeSection, DataSection, Encode, EntityType,
    ExportKind, ExportSection, MemorySection, MemoryType, Module, ModuleType, RawSection,
};
use wasmparser::{DataKind, Operator, Parser, Payload};

use super::{IMAGE, MEMORY};

/// Pages of zeros are left out, so that what was never used takes no space in the file.
const PAGE: usize = 4096;

/// An image, as the bytes of a core module.
#[derive(Debug, Clone)]
pub struct Image(pub Vec<u8>);

impl Image {
    /// The image of a memory.
    pub fn new(memory: &[u8]) -> Self {
        let mut data = DataSection::new();
        for (place, bytes) in runs(memory) {
            // An active segment of memory 0, written as a whole: byte by byte, an author would wait for it.
            let mut segment = vec![0];
            ConstExpr::i32_const((place as u32).cast_signed()).encode(&mut segment);
            bytes.encode(&mut segment);
            data.raw(&segment);
        }
        let mut module = module(memory.len());
        module.section(&data);
        Self(module.finish())
    }

    /// What the memory is made of: its length in bytes, and its runs of bytes, each with its place.
    pub fn content(&self) -> Result<Content<'_>> {
        let (mut len, mut runs) = (None, Vec::new());
        for payload in Parser::new(0).parse_all(&self.0) {
            match payload? {
                Payload::MemorySection(memories) => {
                    let memory = memories.into_iter().next().context("the image has no memory")??;
                    len = Some(usize::try_from(memory.initial)? << 16);
                }
                Payload::DataSection(data) => {
                    for data in data {
                        let data = data?;
                        let DataKind::Active { memory_index: 0, offset_expr } = data.kind else {
                            bail!("the image has data that is not at its place");
                        };
                        let Operator::I32Const { value } = offset_expr.get_operators_reader().read()? else {
                            bail!("the image has data whose place is not a number");
                        };
                        runs.push((value.cast_unsigned() as usize, data.data));
                    }
                }
                _ => {}
            }
        }
        let len = len.context("the image has no memory")?;
        if runs.iter().any(|(place, bytes)| place + bytes.len() > len) {
            bail!("the image has data outside of its memory");
        }
        Ok(Content { len, runs })
    }
}

/// What an image is made of.
pub struct Content<'a> {
    /// Its length in bytes.
    pub len: usize,
    /// What is not zero: places and bytes.
    pub runs: Vec<(usize, &'a [u8])>,
}

/// A module like an image's of so many bytes, without the content: for hosts that provide it themselves.
pub fn empty(len: usize) -> Vec<u8> {
    module(len).finish()
}

fn module(len: usize) -> Module {
    let mut memories = MemorySection::new();
    memories.memory(memory_type(len.div_ceil(1 << 16) as u64));
    let mut exports = ExportSection::new();
    exports.export(MEMORY, ExportKind::Memory, 0);
    let mut module = Module::new();
    module.section(&memories).section(&exports);
    module
}

fn memory_type(minimum: u64) -> MemoryType {
    MemoryType { minimum, maximum: None, memory64: false, shared: false, page_size_log2: None }
}

/// The runs of pages that are not zero, each with its place.
fn runs(memory: &[u8]) -> Vec<(usize, &[u8])> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (index, page) in memory.chunks(PAGE).enumerate() {
        if page.iter().all(|byte| *byte == 0) {
            continue;
        }
        let (start, end) = (index * PAGE, index * PAGE + page.len());
        match runs.last_mut() {
            Some((_, last)) if *last == start => *last = end,
            _ => runs.push((start, end)),
        }
    }
    runs.into_iter().map(|(start, end)| (start, &memory[start..end])).collect()
}

/// A component that holds the image: it runs by itself.
pub fn complete(rest: &[u8], image: &Image) -> Vec<u8> {
    let mut component = Component::new();
    component.section(&RawSection { id: wasm_encoder::ComponentSectionId::CoreModule.into(), data: &image.0 });
    [component.finish().as_slice(), rest].concat()
}

/// A component that imports the image, so that it serves them all.
pub fn imported(rest: &[u8]) -> Vec<u8> {
    let mut image = ModuleType::new();
    image.export(MEMORY, EntityType::Memory(memory_type(0)));
    let mut types = CoreTypeSection::new();
    types.ty().module(&image);
    let mut imports = ComponentImportSection::new();
    imports.import(IMAGE, ComponentTypeRef::Module(0));
    let mut component = Component::new();
    component.section(&types).section(&imports);
    [component.finish().as_slice(), rest].concat()
}

/// Takes what [`complete`] made apart again. Nothing when it is not made of this rest; what follows it is not looked at.
pub fn split(component: &[u8], rest: &[u8]) -> Result<Option<Image>> {
    for payload in Parser::new(0).parse_all(component) {
        if let Payload::ModuleSection { unchecked_range, .. } = payload? {
            let image = usize::try_from(unchecked_range.start)?..usize::try_from(unchecked_range.end)?;
            let whole = component.get(image.end..).is_some_and(|behind| behind.starts_with(rest));
            return Ok(whole.then(|| Image(component[image].to_vec())));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_comes_apart_as_it_was_put_together() {
        let mut memory = vec![0; 3 << 16];
        memory[70_000] = 7;
        memory[70_001] = 8;
        let image = Image::new(&memory);
        assert!(image.0.len() < 5000, "pages of zeros are left out");
        let content = image.content().unwrap();
        let mut again = vec![0; content.len];
        for (place, bytes) in content.runs {
            again[place..place + bytes.len()].copy_from_slice(bytes);
        }
        assert!(again == memory);
        let component = complete(b"rest", &image);
        assert_eq!(split(&component, b"rest").unwrap().unwrap().0, image.0);
        assert!(split(&component, b"other").unwrap().is_none());
    }
}
