//! What has to be installed to build wheels, and what is missing.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::dependencies::uv;
use crate::error::{Error, Problem};
use crate::work::Work;

/// The version of maturin that is installed into the cache.
const MATURIN: &str = "1.16.0";

/// A program or a folder that has to be there, and Debian's package that has it.
type Needed = (&'static str, &'static str);

/// What all builds need.
const FOR_ALL: [Needed; 1] = [("/usr/bin/bwrap", "bubblewrap")];

const RUSTC: &str = "/usr/bin/rustc";
const FOR_RUST: [Needed; 5] = [
    (RUSTC, "rustc-web"),
    ("/usr/bin/cargo", "cargo-web"),
    ("/usr/lib/rustlib/src/rust/library", "rust-web-src"),
    ("/usr/bin/wasm-ld-22", "lld-22"),
    FOR_ALL[0],
];

/// The compiler of C, as `interpreter.py` names it too.
const CLANG: &str = "/usr/bin/clang-22";
const FOR_C: [Needed; 7] = [
    (CLANG, "clang-22"),
    ("/usr/lib/llvm-22/bin/wasm-ld", "lld-22"),
    ("/usr/lib/llvm-22/bin/llvm-ar", "llvm-22"),
    ("/usr/lib/llvm-22/lib/clang/22/lib/wasi/libclang_rt.builtins-wasm32.a", "libclang-rt-22-dev-wasm32"),
    ("/usr/lib/llvm-22/include/wasm32-wasi/c++/v1/cstdlib", "libc++-22-dev-wasm32"),
    ("/usr/bin/python3", "python3"),
    FOR_ALL[0],
];

/// The major version of LLVM that the component's own CPython was made with: libraries of another one may differ in what
/// they take for granted.
const LLVM: &str = "LLVM version: 22.";

/// What a package's compiled code is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Rust, with PyO3.
    Rust,
    /// C, C++, or Cython, which writes either.
    C,
}

/// What there is no build at all without.
pub fn check() -> Result<(), Error> {
    require(&FOR_ALL, "")
}

/// Finds the compiler of a language and all that it needs, or says what to install. Answers what the compiler says of
/// its version.
pub fn compiler(language: Language) -> Result<String, Error> {
    match language {
        // Debian's Rust, which lies beside any other.
        Language::Rust => {
            require(&FOR_RUST, " of packages in Rust")?;
            let version = ask(RUSTC, "-vV")?;
            if !version.contains(LLVM) {
                let message =
                    format!("`{RUSTC}` is not of {}x, as CPython in the sandbox is", LLVM.trim_end_matches('.'));
                let remedy = "install Debian's package rustc-web, of its security updates";
                return Err(Problem::new(message, remedy).into());
            }
            Ok(version)
        }
        Language::C => {
            require(&FOR_C, " of packages in C")?;
            ask(CLANG, "--version")
        }
    }
}

fn require(needed: &[Needed], of: &str) -> Result<(), Error> {
    let missing: Vec<_> = needed.iter().filter(|(path, _)| !Path::new(path).exists()).map(|(_, name)| *name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("building wheels{of} needs Debian's packages {}", missing.join(", "));
    let remedy = format!("`apt-get install --no-install-recommends {}`", missing.join(" "));
    Err(Problem::new(message, remedy).into())
}

fn ask(program: &str, option: &str) -> Result<String, Error> {
    let output = Command::new(program).arg(option).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let output = output.map_err(|source| Error::internal("ask a compiler for its version", source))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The program maturin, installed into the cache at its first use.
pub fn maturin(cache: &Path, work: &Work) -> Result<PathBuf, Error> {
    let folder = cache.join("build-tools").join(format!("maturin-{MATURIN}"));
    let program = folder.join("bin/maturin");
    if program.is_file() {
        return Ok(program);
    }
    let fault = |source: std::io::Error| Error::internal("install maturin", source);
    let log = work.folder().map_err(fault)?;
    // A virtual environment cannot be moved; what was left half done goes first.
    let _ = fs_err::remove_dir_all(&folder);
    fs_err::create_dir_all(&folder).map_err(fault)?;
    uv::install(&folder, &format!("maturin=={MATURIN}"), log.path()).map_err(|why| {
        let message = format!("maturin {MATURIN} is missing, and cannot be installed: {why}");
        Problem::new(message, "see that the index can be reached, and that `python3 -m venv` works")
    })?;
    Ok(program)
}
