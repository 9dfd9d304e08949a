//! The machine code of bases, each mapped once for all the tools that are made of it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sdk::base::Base;
use sdk::merge;
use wasmtime::component::Component;
use wasmtime::{Engine, Module};

use crate::error::Error;

/// The bases that tools were loaded of. There are as many as versions of Toolplane have built what is in use.
#[derive(Default)]
pub(crate) struct Bases {
    by_key: Mutex<HashMap<String, Component>>,
    /// The modules that stand for images, by the images' lengths: a memory, and nothing in it.
    memories: Mutex<HashMap<usize, Module>>,
}

impl Bases {
    /// The base's code, compiled where the cache does not have it for this engine. Whoever else asks meanwhile waits.
    pub(crate) fn code(&self, engine: &Engine, base: &Base) -> Result<Component, Error> {
        let mut by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(code) = by_key.get(&base.key) {
            return Ok(code.clone());
        }
        let code = base.code(engine)?;
        by_key.insert(base.key.clone(), code.clone());
        Ok(code)
    }

    /// A module whose memory is as long as an image.
    pub(crate) fn memory(&self, engine: &Engine, len: usize) -> wasmtime::Result<Module> {
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = memories.get(&len) {
            return Ok(module.clone());
        }
        let module = Module::new(engine, merge::empty(len))?;
        memories.insert(len, module.clone());
        Ok(module)
    }
}
