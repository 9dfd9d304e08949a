//! Wheels of real packages, as their authors published them.

use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

/// A folder with the wheels of these requirements and of all that they need, fetched once for all test runs. None where
/// they cannot be had, which a test says and passes; where everything has to be tried, it fails.
pub fn wheels(name: &str, requirements: &[&str]) -> Option<PathBuf> {
    let key = hex::encode(Sha256::digest(requirements.join("\n")));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wheels").join(format!("{name}-{}", &key[..16]));
    fs_err::create_dir_all(&folder).unwrap();
    // Tests run beside each other.
    let lock = std::fs::File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let whole = folder.join("whole");
    if whole.exists() {
        return Some(folder);
    }
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--only-binary=:all:"]);
    // For the sandbox's Python, and not for the one that runs pip. What is native in them is not used.
    pip.args(["--python-version=3.14", "--platform=manylinux2014_x86_64", "--platform=manylinux_2_28_x86_64"]);
    let output = pip.args(requirements).arg("--dest").arg(&folder).output().unwrap();
    if output.status.success() {
        fs_err::write(whole, "").unwrap();
        return Some(folder);
    }
    missing(&format!("{name}: the packages could not be fetched: {}", String::from_utf8_lossy(&output.stderr)));
    None
}

/// What a test needs is not there, so it says so and is left out; not where a change is judged (`CI` is set).
pub fn missing(what: &str) {
    assert!(std::env::var_os("CI").is_none(), "{what}");
    eprintln!("left out: {what}");
}
