//! Rust's standard library as a dynamic library of WebAssembly needs it: position independent, and with none of its own
//! names to be seen outside.
//!
//! Debian has its source and not the code. It is compiled once for each version of rustc and kept in the cache.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::confined::{Confined, Network};
use crate::error::Error;
use crate::work::Work;

/// The target's name.
pub const TARGET: &str = "wasm32-wasip2";

/// Raised when the same rustc gives another library.
const RECIPE: u32 = 1;

/// What all code for a library is compiled with. Names that are hidden by default keep the standard library's own out of
/// sight; with them, a library would call the host's HTTP by itself.
pub const FLAGS: &str = "-Clinker=wasm-ld-22 -Clinker-flavor=wasm-ld -Crelocation-model=pic -Clink-self-contained=no \
                         -Ctarget-feature=-crt-static -Zdefault-visibility=hidden";

/// Two minutes on two cores; a slow machine may take ten times as long.
const COMPILE_TIME: Duration = Duration::from_secs(1200);

/// Makes the sources whole, compiles an empty crate with the standard library, and leaves the library in `out`. Debian's
/// sources lack an archive that the C library already has all of.
const SCRIPT: &str = r#"
set -eu
mkdir -p source empty/src empty/.cargo out
cp -rL /usr/lib/rustlib/src/rust/library source/library
for crate in source/library/vendor/wit-bindgen-*/src/rt; do printf '!<arch>\n' > $crate/libwit_bindgen_cabi.a; done
printf '[package]\nname = "empty"\nversion = "0.0.0"\nedition = "2021"\n' > empty/Cargo.toml
: > empty/src/lib.rs
printf '[source.crates-io]\nreplace-with = "debian"\n[source.debian]\ndirectory = "/build/source/library/vendor"\n' \
    > empty/.cargo/config.toml
cd empty
/usr/bin/cargo build --release --offline --target "$TARGET" -Zbuild-std=std,panic_abort
cp target/"$TARGET"/release/deps/*.rlib ../out/
rm -f ../out/libempty-*
"#;

/// The folder that `rustc --sysroot` takes, of the rustc that says so of its version.
pub fn find_or_make(rustc: &str, cache: &Path, work: &Work) -> Result<PathBuf, Error> {
    let fault = |source: std::io::Error| Error::internal("keep Rust's standard library", source);
    let mut hash = Sha256::new();
    for part in [&RECIPE.to_string(), FLAGS, SCRIPT, rustc] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let folder = cache.join("build-tools").join(format!("std-{}", hex::encode(&hash.finalize()[..8])));
    if folder.is_dir() {
        return Ok(folder);
    }
    let made = work.folder().map_err(fault)?;
    Confined::new(made.path(), "", Network::None)
        .set("TARGET", TARGET)
        .set("RUSTC", "/usr/bin/rustc")
        .set("RUSTC_BOOTSTRAP", "1")
        .set("CARGO_HOME", "/build/cargo")
        .set("CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS", &format!("{FLAGS} --remap-path-prefix=/build=/rust"))
        .set("__CARGO_TESTS_ONLY_SRC_ROOT", "/build/source/library")
        .run(&["/bin/sh", "-c", SCRIPT], "compiling Rust's standard library", made.path(), COMPILE_TIME)?;
    let whole = work.folder().map_err(fault)?;
    let libraries = whole.path().join("lib/rustlib").join(TARGET);
    fs_err::create_dir_all(&libraries).map_err(fault)?;
    fs_err::rename(made.path().join("out"), libraries.join("lib")).map_err(fault)?;
    fs_err::create_dir_all(cache.join("build-tools")).map_err(fault)?;
    match fs_err::rename(whole.path(), &folder) {
        Err(_) if folder.is_dir() => Ok(folder),
        result => result.map(|()| folder).map_err(fault),
    }
}
