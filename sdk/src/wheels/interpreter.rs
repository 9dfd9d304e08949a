//! What a compiler of C has to know of CPython and of the C library: their headers, and the variables that Python's build
//! tools ask for.
//!
//! No package of the index has the headers, and Debian has those of its own release alone; headers of another C library
//! compile as well and crash later. So they are here, out of two packages of Debian's (`sdk/headers/make.sh`), of the same
//! minor version of CPython and a C library as old as the one that componentize-py links.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::confined::{Confined, Network};
use crate::base::Base;
use crate::error::Error;
use crate::work::Work;

/// Where a build sees the folder.
pub const INSIDE: &str = "/cross";
/// The name of the module of variables, for `_PYTHON_SYSCONFIGDATA_NAME`. It is that of the sandbox's own.
pub const VARIABLES: &str = "_sysconfigdata__wasi_wasm32-wasi";

const HEADERS: &[u8] = include_bytes!("../../headers/headers.tar.xz");
const SCRIPT: &str = include_str!("../../python/wheels/interpreter.py");

/// It takes half a second.
const TIME: Duration = Duration::from_secs(60);

/// The folder with `include`, `lib`, and `python`, in which the module of variables is.
pub fn find_or_make(base: &Base, cache: &Path, work: &Work) -> Result<PathBuf, Error> {
    let fault = |source: std::io::Error| Error::internal("lay out the headers of CPython", source);
    let variables = fs_err::read(base.python().join(format!("{VARIABLES}.py"))).map_err(fault)?;
    let mut hash = Sha256::new();
    for part in [HEADERS, SCRIPT.as_bytes(), &variables] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let folder = cache.join("build-tools").join(format!("headers-{}", hex::encode(&hash.finalize()[..8])));
    if folder.is_dir() {
        return Ok(folder);
    }
    let made = work.folder().map_err(fault)?;
    for (name, content) in
        [("headers.tar.xz", HEADERS), ("sysconfigdata.py", &variables), ("make.py", SCRIPT.as_bytes())]
    {
        fs_err::write(made.path().join(name), content).map_err(fault)?;
    }
    let log = work.folder().map_err(fault)?;
    Confined::new(made.path(), "", Network::None).run(
        &["/usr/bin/python3", "-I", "make.py"],
        "laying out the headers of CPython",
        log.path(),
        TIME,
    )?;
    fs_err::create_dir_all(cache.join("build-tools")).map_err(fault)?;
    match fs_err::rename(made.path(), &folder) {
        Err(_) if folder.is_dir() => Ok(folder),
        result => result.map(|()| folder).map_err(fault),
    }
}
