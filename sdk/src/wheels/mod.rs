//! Wheels for the sandbox, built from the source archives of an index: Rust with PyO3 and maturin, and C, C++ and Cython
//! with setuptools or another back end of a package's own.
//!
//! A build runs a stranger's code: build scripts, macros, back ends. So it runs in a sandbox of the operating system
//! ([`confined`]), without a network once what it needs is fetched, without a home folder and without the variables of
//! whoever starts it. All paths are the same there on every machine, and what comes out is packed anew without times, so
//! the same source gives the same wheel.
//!
//! The modules in reading order: [`toolchain`] (what has to be installed), `confined`, `packages` (`uv` in there), `source`
//! (from the index), `build_system` (how it is built), then for Rust `standard_library` (its own, made once) and `rust`, for
//! C `interpreter` (headers) and `extension`, and `pack`.

mod build_system;
mod confined;
mod extension;
mod interpreter;
mod pack;
mod packages;
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

use build_system::BuildSystem;
use extension::Places;
use toolchain::Language;

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
/// It blocks for seconds where the package is in C, for minutes where it is in Rust.
pub fn build(text: &str, index: &WheelIndex, settings: &Settings, cache: &Path) -> Result<String, Error> {
    let fault = |source: std::io::Error| Error::internal("build a wheel", source);
    let wanted = Dependency::parse(text, 1).map_err(|_| {
        Problem::new(format!("`{}` names no package", text.escape_debug()), "write it like `pydantic-core==2.50.4`")
    })?;
    toolchain::check()?;
    let base = Base::find_or_make(cache, &Libraries::none())?;
    let progress = Progress::start("Building a wheel", 5);
    let all_work = Work::open(cache).map_err(fault)?;
    progress.step(format!("fetching {}", wanted.name()));
    let work = all_work.folder().map_err(fault)?;
    let source = source::fetch(&wanted, settings, cache, work.path())?;
    let system = BuildSystem::read(&source, work.path())?;
    let compiler = toolchain::compiler(system.language())?;
    let mut built_with = vec![compiler.lines().next().unwrap_or_default().to_owned()];
    let compiling = format!("compiling {} {}", source.name, source.version);
    let built = match system.language() {
        Language::Rust => {
            progress.step("looking for maturin");
            let maturin = toolchain::maturin(cache, &all_work)?;
            progress.step("compiling Rust's standard library");
            let library = standard_library::find_or_make(&compiler, cache, &all_work)?;
            progress.step(compiling);
            let headers =
                toolchain::compiler(Language::C).and_then(|_| interpreter::find_or_make(&base, cache, &all_work));
            rust::build(&source, &system, &maturin, &library, &base.stubs(), headers.ok().as_deref(), work.path())?
        }
        Language::C => {
            progress.step("laying out the headers of CPython");
            let headers = interpreter::find_or_make(&base, cache, &all_work)?;
            let places = Places { headers: &headers, stubs: &base.stubs(), folder: work.path(), cache };
            progress.step("installing what the build needs");
            built_with.extend(extension::prepare(&source, &system, &places, settings)?);
            progress.step(compiling);
            extension::build(&source, &system, &places)?
        }
    };
    progress.step("packing it");
    pack::put(&built, built_with, index, work.path())
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
