//! Many modules become one, and its memory comes from outside.
//!
//! componentize-py links CPython as some fifteen core modules that share a memory and a table and find each other's
//! addresses in some hundred global variables. That is how shared libraries work, and it costs: each instance has to
//! create thousands of function references, since a table that is imported cannot be filled lazily; each call between
//! libraries goes through a pointer; each address is loaded before it is used.
//!
//! Nothing of that is needed once all is linked and started. So the modules are merged into one: calls between them
//! become direct, variables that nobody sets any more become constants, and the one table is defined where its elements
//! are. Two modules of wit-component's own stay beside it.
//!
//! The memory is not in that module but in one of its own, the *image*, which holds nothing else. A tool is an image:
//! what its memory was when it had been imported. The rest is the same for every tool of a base, so it is compiled
//! once, and its machine code is shared.

mod component;
mod graph;
mod image;
mod measure;
mod module;
mod resolve;

use anyhow::{Result, bail, ensure};
use wasmparser::{Validator, WasmFeatures};

use crate::immortal;

pub(crate) use graph::{Graph, Kind, Module as CoreModule};
pub use image::{Content, Image, complete, empty, imported, split};
pub use measure::{EXPORT as MEASURE, split as split_measured};

/// The name of the component's import, when the image is imported.
pub const IMAGE: &str = "image";
/// The name of the image's export.
const MEMORY: &str = "memory";
/// How every component begins.
const HEAD: [u8; 8] = *b"\0asm\x0d\0\x01\0";

/// A merged component.
pub struct Merged {
    /// Everything behind the image. [`complete`] and [`imported`] make a component of it.
    pub rest: Vec<u8>,
    /// The memory that the component had.
    pub image: Image,
    /// The values of the variables that some function sets. A tool has to leave them as they are.
    pub variables: Vec<i32>,
}

/// Merges the modules of a component that wit-component has linked and whose instance was snapshotted, and makes the
/// objects of its memory immortal that `immortal` names.
pub fn merge(component: &[u8], immortal: &str) -> Result<Merged> {
    let graph = graph::Graph::read(component)?;
    let resolver = resolve::Resolver::new(&graph)?;
    let plan = module::Plan::new(&graph, &resolver)?;
    let types = Validator::new_with_features(WasmFeatures::all()).validate_all(component)?;
    let types = types.as_ref();
    let counts = component::Counts { types: types.component_type_count(), functions: types.component_function_count() };
    let rest = component::Writer::new(component, &graph, &resolver, &plan).write(&counts)?;

    let memories: Vec<_> = graph.modules.iter().flat_map(|module| &module.memories).collect();
    let [memory] = memories[..] else { bail!("there are {} memories, and not one", memories.len()) };
    let mut bytes = vec![0; usize::try_from(memory.initial)? << 16];
    for (index, module) in graph.modules.iter().enumerate() {
        for (place, data) in &module.data {
            let place = resolver.constant(index, place)?.cast_unsigned() as usize;
            ensure!(place + data.len() <= bytes.len(), "a data segment lies outside of the memory");
            bytes[place..place + data.len()].copy_from_slice(data);
        }
    }
    immortal::mark(&mut bytes, immortal)?;
    let variables = plan.variables.iter().map(|variable| resolver.initial(*variable)).collect::<Result<_>>()?;
    let merged = Merged { rest, image: Image::new(&bytes), variables };
    Validator::new_with_features(WasmFeatures::all()).validate_all(&complete(&merged.rest, &merged.image))?;
    Ok(merged)
}
