//! Turns the standard library and packages into bytecode, in the sandbox, by the very CPython that will read it.
//!
//! Without it an import at call time compiles its source first: 1.6 s for a large package.

use std::path::Path;
use std::time::Duration;

use crate::dependencies::site::GUEST;
use crate::error::Error;
use crate::sandbox::{Access, Limits, Mount};
use crate::snapshot::Loader;

/// A module whose import does the work; the entry point that it must have is never called.
pub(crate) const MODULE: &str = include_str!("../python/base/precompile.py");

/// Compiles every module below `python`, the folder of the standard library.
pub fn standard_library(loader: &Loader, python: &Path) -> Result<(), Error> {
    // About 600 modules at 10 ms each; a slow machine may take ten times as long.
    let limits = Limits { wall_clock: Duration::from_secs(600), memory_bytes: 1 << 30, ..Limits::for_build() };
    let python = Mount { host: python.to_owned(), guest: "/python", access: Access::Write };
    run(loader, vec![python], &limits)
}

/// Compiles every module below `folder`, an unpacked package. What is no Python of this version is left as it is.
///
/// The package is a stranger's: the compiler reads it in the sandbox, where nothing else can be written to.
pub fn package(loader: &Loader, python: &Path, folder: &Path) -> Result<(), Error> {
    let limits = Limits { wall_clock: Duration::from_secs(300), ..Limits::for_build() };
    let mounts = vec![
        Mount { host: python.to_owned(), guest: "/python", access: Access::Read },
        Mount { host: folder.to_owned(), guest: GUEST, access: Access::Write },
    ];
    run(loader, mounts, &limits)
}

fn run(loader: &Loader, mut mounts: Vec<Mount>, limits: &Limits) -> Result<(), Error> {
    let scratch = tempfile::tempdir().map_err(|source| Error::internal("make a folder", source))?;
    fs_err::write(scratch.path().join("precompile.py"), MODULE)
        .map_err(|source| Error::internal("write the precompiler", source))?;
    mounts.push(Mount { host: scratch.path().to_owned(), guest: "/tool", access: Access::Read });
    loader.run(&mounts, "precompile", "precompile:run", limits)
}
