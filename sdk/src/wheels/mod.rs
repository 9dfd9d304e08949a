//! Wheels for the sandbox, built from the source archives of an index: Rust with PyO3 and maturin.
//!
//! A build runs a stranger's code: build scripts and macros. So it runs in a sandbox of the operating system
//! ([`confined`]), without a network once its crates are fetched, without a home folder and without the variables of
//! whoever starts it. All paths are the same there on every machine, and what comes out is packed anew without times, so
//! the same source gives the same wheel.
//!
//! The modules in reading order: [`toolchain`] (what has to be installed), `confined`, `standard_library` (Rust's own, made
//! once), `source` (from the index), `rust`, `pack`.

mod confined;
mod pack;
mod rust;
mod source;
mod standard_library;
mod toolchain;

use std::path::Path;

use crate::base::Base;
use crate::dependencies::Settings;
use crate::dependencies::requirement::Dependency;
use crate::dependencies::wheel_index::WheelIndex;
use crate::error::{Error, Problem};
use crate::libraries::{self, Libraries};
use crate::progress::Progress;
use crate::work::Work;

/// A wheel of an index, and what came of vetting it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The name of its file.
    pub file: String,
    /// Its modules, or what is wrong with it.
    pub modules: Result<Vec<String>, String>,
}

/// Builds the wheel of a package, `NAME` or `NAME==VERSION`, and puts it into the index. Answers the name of its file.
///
/// It blocks for minutes.
pub fn build(text: &str, index: &WheelIndex, settings: &Settings, cache: &Path) -> Result<String, Error> {
    let fault = |source: std::io::Error| Error::internal("build a wheel", source);
    let wanted = Dependency::parse(text, 1).map_err(|_| {
        Problem::new(format!("`{}` names no package", text.escape_debug()), "write it like `pydantic-core==2.50.4`")
    })?;
    let toolchain = toolchain::Toolchain::find()?;
    let base = Base::find_or_make(cache, &Libraries::none())?;
    let progress = Progress::start("Building a wheel", 5);
    let all_work = Work::open(cache).map_err(fault)?;
    progress.step("looking for maturin");
    let maturin = toolchain::maturin(cache, &all_work)?;
    progress.step("compiling Rust's standard library");
    let library = standard_library::find_or_make(&toolchain, cache, &all_work)?;
    progress.step(format!("fetching {}", wanted.name()));
    let work = all_work.folder().map_err(fault)?;
    let source = source::fetch(&wanted, settings, cache, work.path())?;
    progress.step(format!("compiling {} {}", source.name, source.version));
    let built = rust::build(&source, &maturin, &library, &base.stubs(), work.path())?;
    progress.step("packing it");
    pack::put(&built, index, work.path())
}

/// Vets the wheels of an index.
pub fn verify(index: &WheelIndex, settings: &Settings) -> Vec<Verified> {
    let vetted = |file: &String| {
        let wheel = std::fs::File::open(index.folder().join(file)).map_err(|error| error.to_string())?;
        pack::check_record(&wheel)?;
        let libraries = libraries::read(wheel, &settings.limits)?;
        Ok(libraries.into_iter().map(|(library, _)| library.module).collect())
    };
    index.files().into_iter().map(|file| Verified { modules: vetted(&file), file }).collect()
}
