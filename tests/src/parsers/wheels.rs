//! Wheels, and the native libraries in them.

use std::path::Path;

use sdk::Error;
use sdk::dependencies::settings::Limits;
use sdk::dependencies::site::Package;
use sdk::dependencies::unpack;
use sdk::libraries::{self, Libraries};
use sdk::work::Work;
use sha2::{Digest, Sha256};

use super::folder::look;

/// The file that says who installed a wheel, as [`unpack`] writes it.
const INSTALLER: &str = "toolplane\n";

/// What a wheel may be, so that one of a few bytes can reach each limit.
const LIMITS: Limits = Limits { unpacked_bytes: 256 << 10, entries: 24, ..Limits::DEFAULT };

/// Nothing lies outside the folder, nothing in it is a link, and there is no more of it than is allowed.
pub fn wheel(bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let (archive, into) = (folder.path().join("a.whl"), folder.path().join("into"));
    fs_err::write(&archive, bytes).unwrap();
    fs_err::create_dir(&into).unwrap();
    let package = package(bytes, "a-1-py3-none-any.whl");
    let unpacked = expect_refusal(unpack::unpack(&archive, &package, &into, &LIMITS));
    let (all, inside) = (look(folder.path()), look(&into));
    assert_eq!((all.files, all.bytes), (inside.files + 1, inside.bytes + bytes.len() as u64), "something lies outside");
    assert!(inside.files <= LIMITS.entries + 1 && inside.bytes <= LIMITS.unpacked_bytes + INSTALLER.len() as u64);
    if let Some(unpacked) = unpacked {
        assert!(unpacked <= LIMITS.unpacked_bytes && inside.bytes <= unpacked + INSTALLER.len() as u64);
    }
    natives(bytes, folder.path());
}

/// The same wheel, named as one for the sandbox: only libraries that were vetted come into the cache.
fn natives(bytes: &[u8], folder: &Path) {
    let cache = folder.join("cache");
    let package = package(bytes, "a-1-cp314-cp314-wasi_0_2_wasm32.whl");
    fs_err::create_dir_all(cache.join("wheels")).unwrap();
    fs_err::write(cache.join("wheels").join(format!("{}.whl", package.sha256)), bytes).unwrap();
    let work = Work::open(&cache).unwrap();
    let Some(found) = expect_refusal(Libraries::of(&[package], &LIMITS, &cache, &work)) else {
        return assert!(!cache.join("libraries").exists());
    };
    drop(work);
    let all = look(&cache);
    let mut listed = 0;
    for (library, file) in found.iter() {
        let content = fs_err::read(file).unwrap();
        assert_eq!(hex::encode(Sha256::digest(&content)), library.sha256);
        libraries::vet(&content, &library.module).unwrap();
        assert!(file.starts_with(&cache) && !library.path.split('/').any(|part| matches!(part, "" | "." | "..")));
        listed += content.len() as u64;
    }
    assert!(listed <= LIMITS.unpacked_bytes && all.files <= LIMITS.entries + 3, "{all:?}");
}

/// What is let pass calls no more of the host than is allowed.
pub fn library(bytes: &[u8]) {
    match libraries::vet(bytes, "a.b") {
        Ok(vetted) => {
            let allowed = ["wasi:random/", "wasi:clocks/"];
            assert!(vetted.interfaces.iter().all(|name| allowed.iter().any(|allowed| name.starts_with(allowed))));
        }
        Err(why) => assert!(!why.is_empty()),
    }
}

fn package(bytes: &[u8], file: &str) -> Package {
    let sha256 = hex::encode(Sha256::digest(bytes));
    Package { name: "a".to_owned(), version: "1".to_owned(), file: file.to_owned(), sha256 }
}

/// Bytes from outside are never a fault of ours.
fn expect_refusal<T>(result: Result<T, Error>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(Error::Refused(problems)) => {
            assert!(!problems.is_empty());
            None
        }
        Err(Error::Internal { operation, source }) => panic!("failed to {operation}: {source:#}"),
    }
}
