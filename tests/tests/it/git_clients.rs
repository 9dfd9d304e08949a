//! Other programs than `git`: dulwich (Python alone), libgit2 (by way of pygit2) and isomorphic-git (JavaScript).
//!
//! They are installed once, below the target folder, by pip and npm. Where that fails, because there is no network, a
//! test says so and ends. Where the variable `CI` is set, two of the three have to run.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::author::git;
use crate::server::Server;

const DULWICH: &str = include_str!("git_clients/dulwich_client.py");
const LIBGIT2: &str = include_str!("git_clients/libgit2_client.py");
const ISOMORPHIC: &str = include_str!("git_clients/isomorphic_client.mjs");

#[tokio::test]
async fn dulwich_clones_commits_pushes_fetches_and_tags() {
    let Some(folder) = with_python("dulwich==1.2.21") else { return };
    check(&folder.join("bin/python"), "client.py", DULWICH).await;
}

#[tokio::test]
async fn libgit2_clones_commits_pushes_fetches_and_tags() {
    let Some(folder) = with_python("pygit2==1.21.0") else { return };
    check(&folder.join("bin/python"), "client.py", LIBGIT2).await;
}

#[tokio::test]
async fn isomorphic_git_clones_commits_pushes_fetches_and_tags() {
    let folder = installed("isomorphic-git");
    if !folder.join("installed").exists() {
        fs_err::create_dir_all(&folder).unwrap();
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--prefix", ".", "isomorphic-git@1.44.17"])
            .current_dir(&folder);
        if !succeeds(&mut npm, "isomorphic-git") {
            return;
        }
        fs_err::write(folder.join("installed"), "").unwrap();
    }
    // Node looks for modules beside the program.
    let program = folder.join(format!("client-{}.mjs", std::process::id()));
    fs_err::write(&program, ISOMORPHIC).unwrap();
    let server = Server::start().await;
    play(&server, Command::new("node").arg(&program));
    fs_err::remove_file(&program).unwrap();
}

/// Runs a program's text against a server that has a branch, and looks at what it left.
async fn check(interpreter: &Path, name: &str, text: &str) {
    let server = Server::start().await;
    let program = server.installation.path(name);
    fs_err::write(&program, text).unwrap();
    play(&server, Command::new(interpreter).arg(&program));
}

/// The program gets the remote's URL, user and password and an empty folder. It has to clone, commit `theirs`, push it to
/// `main` and to a branch `side`, tag it `v1`, annotated, and push that; then, on a line `ready` of its own, the author
/// pushes once more, and the program has to fetch that and print its id.
fn play(server: &Server, program: &mut Command) {
    let ada = server.author("ada");
    ada.write("ours", "1");
    ada.commit();
    ada.git(&["push", "--quiet", "origin", "main"]);
    let folder = server.installation.path("client");
    fs_err::create_dir(&folder).unwrap();
    let user = format!("{}_{}", server.client.key.organization_id, server.client.key.user_id);
    let arguments = [&server.client.url("tool/git"), &user, &server.client.token];
    let steps = |step: &str, program: &mut Command| {
        let output = program.env("STEP", step).output().unwrap();
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{step}: {stdout}{stderr}");
        stdout.trim().to_owned()
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    program.args(arguments).arg(folder.join("clone")).env_clear().env("PATH", path).env("HOME", &folder);

    let pushed = steps("push", program);
    let listed = ada.git(&["ls-remote", "origin"]);
    for expected in ["refs/heads/main", "refs/heads/side", "refs/tags/v1^{}"] {
        assert!(listed.contains(&format!("{pushed}\t{expected}")), "{pushed}: {listed}");
    }
    ada.git(&["pull", "--quiet", "origin", "main"]);
    assert_eq!(fs_err::read_to_string(server.installation.path("ada").join("theirs")).unwrap(), "2");

    ada.write("ours", "3");
    let commit = ada.commit();
    ada.git(&["push", "--quiet", "origin", "main"]);
    assert_eq!(steps("fetch", program), commit);
    git(&server.installation.repository(), &["fsck", "--strict"]);
}

/// A virtual environment with a package, or None where it cannot be installed.
fn with_python(requirement: &str) -> Option<PathBuf> {
    let (name, _) = requirement.split_once("==").unwrap();
    let folder = installed(name);
    if folder.join("installed").exists() {
        return Some(folder);
    }
    let venv = succeeds(Command::new("python3").args(["-m", "venv"]).arg(&folder), name);
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--only-binary=:all:", "--disable-pip-version-check", requirement]);
    if !venv || !succeeds(&mut pip, name) {
        return None;
    }
    fs_err::write(folder.join("installed"), requirement).unwrap();
    Some(folder)
}

fn installed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("git-clients").join(name)
}

/// Whether an installation succeeded; says why a test is left out where it did not.
fn succeeds(command: &mut Command, name: &str) -> bool {
    let failed = match command.output() {
        Ok(Output { status, .. }) if status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    static LEFT_OUT: AtomicUsize = AtomicUsize::new(0);
    let left_out = LEFT_OUT.fetch_add(1, Ordering::Relaxed) + 1;
    let told = format!("left out: {name} could not be installed:\n{failed}");
    assert!(left_out < 2 || std::env::var_os("CI").is_none(), "{told}\nand so fewer than two clients were tried");
    eprintln!("{told}");
    false
}
