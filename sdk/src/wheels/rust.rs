//! A wheel of a package in Rust, by maturin.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::build_system::BuildSystem;
use super::confined::{Confined, FOLDER, Network};
use super::interpreter;
use super::source::Source;
use super::standard_library::{FLAGS, TARGET};
use crate::error::Error;

/// What PyO3 has to know of the interpreter, which it cannot ask.
const INTERPRETER: &str = "implementation=CPython\nversion=3.14\nshared=true\nabi3=false\npointer_width=32\n\
                           suppress_build_script_link_lines=true\next_suffix=.cpython-314-wasm32-wasi.so\n";

/// What makes a dynamic library of it that needs CPython and the C library.
const LINKING: &str = "-Clink-arg=-shared -Clink-arg=--experimental-pic -Clink-arg=-Bdynamic -Clink-arg=-L/link \
                       -Clink-arg=-lpython3.14 -Clink-arg=-lc";

/// Time to fetch crates, and to compile: pydantic-core takes five minutes on two cores.
const FETCH_TIME: Duration = Duration::from_secs(600);
const COMPILE_TIME: Duration = Duration::from_secs(3600);

/// What C within a crate is compiled with.
const C: [(&str, &str); 3] = [
    ("CC_wasm32_wasip2", "/usr/bin/clang-22"),
    ("CFLAGS_wasm32_wasip2", "--sysroot=/cross -fPIC -fvisibility=hidden"),
    ("AR_wasm32_wasip2", "/usr/lib/llvm-22/bin/llvm-ar"),
];

/// Builds it, and answers the wheel's path. Where there is a compiler of C, `headers` are those of the C library, for what a
/// crate has in C.
pub fn build(
    source: &Source,
    system: &BuildSystem,
    maturin: &Path,
    library: &Path,
    stubs: &Path,
    headers: Option<&Path>,
    folder: &Path,
) -> Result<PathBuf, Error> {
    let fault = |source: std::io::Error| Error::internal("build a wheel", source);
    let home = folder.join(&source.inner);
    // Where there is no lock there, cargo would take whatever is newest.
    let has_lock = ["Cargo.lock", "rust/Cargo.lock"].iter().any(|lock| home.join(lock).is_file());
    let locked: &[&str] = if has_lock { &["--locked"] } else { &[] };
    fs_err::write(folder.join("interpreter.txt"), INTERPRETER).map_err(fault)?;
    let confined = |network| {
        let confined = Confined::new(folder, &source.inner, network);
        let confined = match headers {
            Some(headers) => C
                .iter()
                .fold(confined.see(headers, interpreter::INSIDE), |confined, (name, value)| confined.set(name, value)),
            None => confined,
        };
        confined
            .see(maturin, "/maturin")
            .see(library, "/std")
            .see(stubs, "/link")
            .set("RUSTC", "/usr/bin/rustc")
            .set("CARGO", "/usr/bin/cargo")
            .set("RUSTC_BOOTSTRAP", "1")
            .set("CARGO_HOME", &format!("{FOLDER}/cargo"))
            .set("SOURCE_DATE_EPOCH", "315532800")
            .set("PYO3_CONFIG_FILE", &format!("{FOLDER}/interpreter.txt"))
            .set("PYO3_BUILD_EXTENSION_MODULE", "1")
            .set("CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS", &format!("--sysroot=/std {FLAGS} {LINKING}"))
            // Optimizing across crates takes three times as long, and was no faster to run.
            .set("CARGO_PROFILE_RELEASE_LTO", "false")
            .set("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .set("CARGO_PROFILE_RELEASE_STRIP", "debuginfo")
    };
    let what = format!("fetching the crates of {} {}", source.name, source.version);
    let fetch = [&["/usr/bin/cargo", "fetch"], locked].concat();
    let manifest = manifest_of(&home, &system.project);
    let fetch = [&fetch[..], &["--manifest-path", &manifest]].concat();
    confined(Network::Shared).run(&fetch, &what, folder, FETCH_TIME)?;

    let what = format!("compiling {} {}", source.name, source.version);
    let build =
        ["/maturin", "build", "--release", "--offline", "--target", TARGET, "-i", "python3.14", "-o", "/build/out"];
    let build = [&build[..], locked].concat();
    confined(Network::None).run(&build, &what, folder, COMPILE_TIME)?;
    source.built(folder)
}

/// The manifest of the crate, which maturin looks for in the same places.
fn manifest_of(home: &Path, project: &toml::Table) -> String {
    let own = project.get("tool").and_then(|tool| tool.get("maturin")).and_then(|maturin| maturin.get("manifest-path"));
    let named = own.and_then(toml::Value::as_str).map(str::to_owned);
    let rust = || home.join("rust/Cargo.toml").is_file().then(|| "rust/Cargo.toml".to_owned());
    named.or_else(rust).filter(|path| home.join(path).is_file()).unwrap_or_else(|| "Cargo.toml".to_owned())
}
