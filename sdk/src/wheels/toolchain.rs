//! What has to be installed to build wheels, and what is missing.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::dependencies::uv;
use crate::error::{Error, Problem};
use crate::work::Work;

/// The version of maturin that is installed into the cache.
const MATURIN: &str = "1.16.0";

/// A program or a folder that has to be there, and Debian's package that has it.
const NEEDED: [(&str, &str); 5] = [
    ("/usr/bin/rustc", "rustc-web"),
    ("/usr/bin/cargo", "cargo-web"),
    ("/usr/lib/rustlib/src/rust/library", "rust-web-src"),
    ("/usr/bin/wasm-ld-22", "lld-22"),
    ("/usr/bin/bwrap", "bubblewrap"),
];

/// The major version of LLVM that the component's own CPython was made with: libraries of another one may differ in what
/// they take for granted.
const LLVM: &str = "LLVM version: 22.";

/// The toolchain: Debian's Rust, which lies beside any other.
#[derive(Debug)]
pub struct Toolchain {
    /// What `rustc -vV` says.
    pub version: String,
}

impl Toolchain {
    /// Finds it, or says what to install.
    pub fn find() -> Result<Self, Error> {
        let missing: Vec<_> =
            NEEDED.iter().filter(|(path, _)| !Path::new(path).exists()).map(|(_, package)| *package).collect();
        if !missing.is_empty() {
            let message = format!("building wheels needs Debian's packages {}", missing.join(", "));
            let remedy = format!("`apt-get install --no-install-recommends {}`", missing.join(" "));
            return Err(Problem::new(message, remedy).into());
        }
        let output = Command::new(NEEDED[0].0).arg("-vV").stdin(Stdio::null()).stderr(Stdio::null()).output();
        let output = output.map_err(|source| Error::internal("ask rustc for its version", source))?;
        let version = String::from_utf8_lossy(&output.stdout).into_owned();
        if !version.contains(LLVM) {
            let message =
                format!("`{}` is not of {}x, as CPython in the sandbox is", NEEDED[0].0, LLVM.trim_end_matches('.'));
            return Err(Problem::new(message, "install Debian's package rustc-web, of its security updates").into());
        }
        Ok(Self { version })
    }
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
