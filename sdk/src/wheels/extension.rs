//! A wheel of a package in C, C++ or Cython, by the package's own build back end: setuptools, or what it brings itself.
//!
//! The back end runs on the host's Python and is told that it builds for another: Python's build tools ask a module of
//! variables for the compiler, the suffix of libraries and the tags of the wheel (`interpreter.py`). What the build needs
//! (setuptools, Cython) is installed from wheels alone, so what has the network runs no code of strangers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::build_system::{BuildSystem, requirement};
use super::confined::{Confined, FOLDER, Network};
use super::interpreter;
use super::packages::{self, UV};
use super::source::Source;
use crate::dependencies::Settings;
use crate::dependencies::requirement::Dependency;
use crate::error::{Error, Problem};

const BACK_END: &str = include_str!("../../python/wheels/back_end.py");
/// Where it lies in the folder of the build.
const SCRIPT: &str = "back_end.py";
const PYTHON: &str = "/build/venv/bin/python";

/// Time for what the build needs: Cython is 3 MB.
const FETCH_TIME: Duration = Duration::from_secs(300);
/// Time to ask, which is half a second, and to build: the largest take a minute on two cores.
const ASK_TIME: Duration = Duration::from_secs(60);
const COMPILE_TIME: Duration = Duration::from_secs(1800);

/// Variables that packages look at. Those that would make a wheel without compiled code, where it cannot be compiled or is
/// not asked for, make one with it or none.
const VARIABLES: [(&str, &str, &str); 4] = [
    // It would take the sandbox for a browser.
    ("aiohttp", "CFLAGS", "-U__wasm__"),
    ("charset-normalizer", "CHARSET_NORMALIZER_USE_CYTHON", "1"),
    ("simplejson", "REQUIRE_SPEEDUPS", "1"),
    ("wrapt", "WRAPT_INSTALL_EXTENSIONS", "true"),
];

/// Where the folders are that a build sees.
pub struct Places<'a> {
    /// What `interpreter` has laid out.
    pub headers: &'a Path,
    /// What libraries are linked against.
    pub stubs: &'a Path,
    /// The folder of the build, with the source.
    pub folder: &'a Path,
    /// The cache.
    pub cache: &'a Path,
}

/// Installs what its build needs, and answers that, each with its version.
pub fn prepare(
    source: &Source,
    system: &BuildSystem,
    places: &Places<'_>,
    settings: &Settings,
) -> Result<Vec<String>, Error> {
    let fault = |source: std::io::Error| Error::internal("prepare a build", source);
    let folder = places.folder;
    fs_err::write(folder.join(SCRIPT), BACK_END).map_err(fault)?;
    let environment = [&UV[..], &["venv", "--python", "/usr/bin/python3", "/build/venv"]].concat();
    let what = format!("making an environment to build {} in", source.name);
    packages::confined(folder, "", settings, places.cache)?.run(&environment, &what, folder, ASK_TIME)?;
    install(&system.requires, source, places, settings)?;

    let what = format!("asking what {} {} needs to be built", source.name, source.version);
    ask(system, source, places, "requires", "more.in", &what, ASK_TIME)?;
    let more = fs_err::read_to_string(folder.join("more.in")).map_err(fault)?;
    let more = more.lines().map(requirement).collect::<Result<Vec<_>, _>>().map_err(|why| {
        let message = format!("package `{}` {}: {why}", source.name, source.version);
        Problem::new(message, "build another version, or use another package")
    })?;
    if !more.is_empty() {
        let all: Vec<_> = system.requires.iter().chain(&more).cloned().collect();
        install(&all, source, places, settings)?;
    }
    installed(folder).map_err(fault)
}

/// Builds it, and answers the wheel's path.
pub fn build(source: &Source, system: &BuildSystem, places: &Places<'_>) -> Result<PathBuf, Error> {
    let what = format!("compiling {} {}", source.name, source.version);
    ask(system, source, places, "wheel", "out", &what, COMPILE_TIME)?;
    source.built(places.folder)
}

fn install(requires: &[Dependency], source: &Source, places: &Places<'_>, settings: &Settings) -> Result<(), Error> {
    let lines: String = requires.iter().map(|dependency| format!("{}\n", dependency.requirement)).collect();
    fs_err::write(places.folder.join("requires.in"), lines)
        .map_err(|source| Error::internal("prepare a build", source))?;
    let install = ["pip", "install", "--python", "/build/venv", "--no-build", "--keyring-provider", "disabled"];
    let install = [&UV[..], &install, &["--requirement", "/build/requires.in"]].concat();
    let what = format!("installing what {} {} needs to be built", source.name, source.version);
    packages::confined(places.folder, "", settings, places.cache)?.run(&install, &what, places.folder, FETCH_TIME)
}

/// Calls the back end, without a network.
fn ask(
    system: &BuildSystem,
    source: &Source,
    places: &Places<'_>,
    hook: &str,
    target: &str,
    what: &str,
    limit: Duration,
) -> Result<(), Error> {
    let mut confined = Confined::new(places.folder, &source.inner, Network::None)
        .see(places.headers, interpreter::INSIDE)
        .see(places.stubs, "/link")
        .set("PATH", "/build/venv/bin:/usr/bin:/bin")
        .set("PYTHONPATH", &format!("{}/python", interpreter::INSIDE))
        .set("_PYTHON_SYSCONFIGDATA_NAME", interpreter::VARIABLES)
        .set("_PYTHON_HOST_PLATFORM", "wasi-0.0.0-wasm32")
        .set("SOURCE_DATE_EPOCH", "315532800")
        // The order of sets shows in what some back ends write.
        .set("PYTHONHASHSEED", "0")
        // Those who make wheels for an index set it, and packages then fail where they would leave compiled code out.
        .set("CIBUILDWHEEL", "1");
    for (_, variable, value) in VARIABLES.iter().filter(|(name, ..)| *name == source.name) {
        confined = confined.set(variable, value);
    }
    let (script, target) = (format!("{FOLDER}/{SCRIPT}"), format!("{FOLDER}/{target}"));
    let mut arguments = vec![PYTHON, &script, hook, &target, &system.back_end];
    arguments.extend(system.folders.iter().map(String::as_str));
    confined.run(&arguments, what, places.folder, limit)
}

/// The packages of the environment, `NAME VERSION`, in order.
fn installed(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut found = Vec::new();
    for python in fs_err::read_dir(folder.join("venv/lib"))? {
        for entry in fs_err::read_dir(python?.path().join("site-packages"))? {
            let name = entry?.file_name().into_string().unwrap_or_default();
            found.extend(name.strip_suffix(".dist-info").map(|name| name.replacen('-', " ", 1)));
        }
    }
    found.sort();
    Ok(found)
}
