//! Machine code in the cache: of the base, which all its tools share, and of images, which are memory alone.
//!
//! Compiled once for each engine whose code differs, written under the engine's fingerprint, and mapped from there.

use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use wasmtime::component::Component;
use wasmtime::{Engine, Module};

/// The base's code for an engine, compiled where the folder does not have it: for about five seconds.
#[expect(unsafe_code, reason = "mapping machine code that this program compiled itself")]
pub fn component(engine: &Engine, folder: &Path, wasm: impl FnOnce() -> io::Result<Vec<u8>>) -> Result<Component> {
    let path = find_or_compile(engine, folder, "code", || Ok(engine.precompile_component(&wasm()?)?))?;
    // SAFETY: the file was compiled by this program into its own cache and renamed into place when whole; a stranger's
    // file is always compiled and never mapped. Wasmtime refuses code of another version or of other settings.
    Ok(unsafe { Component::deserialize_file(engine, path) }?)
}

/// An image for an engine, made ready where the folder does not have it: in some milliseconds, since there is no code.
#[expect(unsafe_code, reason = "mapping machine code that this program compiled itself")]
pub fn image(engine: &Engine, folder: &Path, wasm: impl FnOnce() -> io::Result<Vec<u8>>) -> Result<Module> {
    let path = find_or_compile(engine, folder, "image", || Ok(engine.precompile_module(&wasm()?)?))?;
    // SAFETY: as above.
    Ok(unsafe { Module::deserialize_file(engine, path) }?)
}

/// An image that is used by this process alone.
pub fn image_in_memory(engine: &Engine, image: &[u8]) -> Result<Module> {
    Ok(Module::from_binary(engine, image)?)
}

/// Whether the folder has an image for this engine.
pub fn has_image(engine: &Engine, folder: &Path) -> bool {
    path_of(engine, folder, "image").is_file()
}

/// Moves an engine's image into another folder.
pub fn move_image(engine: &Engine, from: &Path, to: &Path) -> io::Result<()> {
    fs_err::rename(path_of(engine, from, "image"), path_of(engine, to, "image"))
}

/// Changes whenever machine code made by another engine could not be run by this one.
fn fingerprint(engine: &Engine) -> String {
    let mut fingerprint = Fingerprint(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut fingerprint);
    hex::encode(&fingerprint.0.finalize()[..8])
}

fn path_of(engine: &Engine, folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}-{}.cwasm", fingerprint(engine)))
}

fn find_or_compile(
    engine: &Engine,
    folder: &Path,
    name: &str,
    compile: impl FnOnce() -> Result<Vec<u8>>,
) -> Result<PathBuf> {
    let path = path_of(engine, folder, name);
    if path.is_file() {
        return Ok(path);
    }
    let code = compile()?;
    // Whoever is quicker wins: both have the same.
    let file = tempfile::NamedTempFile::new_in(folder).context("make a file in the cache")?;
    fs_err::write(file.path(), code)?;
    file.persist(&path).context("put machine code into the cache")?;
    Ok(path)
}

/// A hasher that gives the same in every process, unlike the standard library's.
struct Fingerprint(Sha256);

impl Hasher for Fingerprint {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}
