//! The binaries under test, the tools that they are tried on, and the cache that all tests share.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A command of one of our binaries, with the shared cache and none of the machine's own settings of Toolplane.
pub fn command(program: &str) -> Command {
    prepared(&binary(program))
}

/// A shell that finds our binaries as if they were installed.
pub fn shell() -> Command {
    let mut shell = prepared(Path::new("bash"));
    let mut path = vec![binary("runtime").parent().expect("a binary is in a folder").to_owned()];
    path.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    shell.env("PATH", std::env::join_paths(path).expect("the folders were in a path before"));
    shell
}

fn prepared(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_ours(name)) {
        command.env_remove(name);
    }
    // Making the Python base takes twenty seconds; a lock in the cache lets concurrent processes make it once.
    command.env("TOOLPLANE_CACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("toolplane-cache"));
    // Tests have no secrets but their own, and run wherever a developer or a pipeline does.
    command.env("TOOLPLANE_ALLOW_SWAP", "1");
    command.env("NO_COLOR", "1");
    command
}

/// The folder of a tool project, such as `greeting` or `broken/syntax_error`.
pub fn tool(project: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tools").join(project)
}

/// The workspace's folder.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in a workspace")
}

fn is_ours(name: &OsStr) -> bool {
    name == "RUST_LOG" || name.to_string_lossy().starts_with("TOOLPLANE_")
}

fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test knows its own path");
    let profile = test.parent().and_then(Path::parent).expect("the test is in the folder `deps` of a profile");
    let binary = profile.join(name).with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        binary.is_file(),
        "the binary `{name}` is not beside the tests: run `cargo build --release --workspace`, \
         then `cargo test --release --workspace`"
    );
    binary
}
