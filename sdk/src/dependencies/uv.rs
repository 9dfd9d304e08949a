//! The program `uv`: found on the path, or else installed once into the cache.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Problem};
use crate::work::Work;

/// What is installed where there is no `uv`.
const PINNED: &str = "0.13.9";

/// Older ones do not write `pylock.toml` well.
const OLDEST: (u32, u32) = (0, 8);

/// The way to the network, whom to trust there, and which index `uv` takes by itself.
pub const NETWORK: [&str; 14] = [
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_SYSTEM_CERTS",
    "UV_NATIVE_TLS",
];

/// What else a program of ours needs of its surroundings. Nothing but both is passed on.
const KEPT: [&str; 3] = ["PATH", "ALL_PROXY", "all_proxy"];

/// The longest that an installation may take: it is one wheel, of 25 MB for `uv` and of 10 for maturin.
const INSTALL_TIME: Duration = Duration::from_secs(300);

/// What a program left when it ended.
pub struct Ended {
    /// Whether it succeeded.
    pub succeeded: bool,
    /// Whether it was ended because it took too long.
    pub out_of_time: bool,
    /// The beginning of its standard error.
    pub stderr: String,
}

/// Finds `uv`, or installs it. Several processes may ask at once; one installs it, the others wait.
pub fn find_or_install(cache: &Path) -> Result<PathBuf, Error> {
    if is_usable(Path::new("uv")) {
        return Ok("uv".into());
    }
    let folder = cache.join(format!("uv-{PINNED}"));
    let program = folder.join("bin/uv");
    if program.is_file() {
        return Ok(program);
    }
    let fault = |source: std::io::Error| Error::internal("install uv", source);
    fs_err::create_dir_all(cache).map_err(fault)?;
    let lock = File::create(cache.join("uv.lock")).map_err(fault)?;
    lock.lock().map_err(fault)?;
    if program.is_file() {
        return Ok(program);
    }
    // Authors see this line, and operators find it in the log.
    eprintln!("uv is not installed: installing version {PINNED} into {}", folder.display());
    // A virtual environment cannot be moved, so it is made in its place; what was left half done goes first.
    let _ = fs_err::remove_dir_all(&folder);
    let all_work = Work::open(cache).map_err(fault)?;
    let log = all_work.folder().map_err(fault)?;
    install(&folder, &format!("uv=={PINNED}"), log.path()).map_err(|why| {
        let _ = fs_err::remove_dir_all(&folder);
        let message = format!("dependencies need the program uv: it is missing, and cannot be installed: {why}");
        let remedy = "install uv from your system or with `pip install uv`, so that it is on the path; a project with a \
                      `pylock.toml`, made by `runtime lock` on any machine, needs none";
        Problem::new(message, remedy)
    })?;
    Ok(program)
}

/// A command that gets nothing of the surroundings but [`NETWORK`] and [`KEPT`]. Those are settings of the programs that it starts, and
/// of none of ours.
pub fn isolated(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    let names = KEPT.iter().chain(&NETWORK);
    let kept: Vec<(&str, OsString)> = names.filter_map(|name| Some((*name, std::env::var_os(name)?))).collect();
    command.env_clear().envs(kept).env("HOME", home).env("LC_ALL", "C.UTF-8").current_dir(home).stdin(Stdio::null());
    command
}

/// Runs a command to its end, or to the deadline. Of what it prints on standard error the first 64 KiB are kept.
pub fn run_bounded(mut command: Command, folder: &Path, limit: Duration) -> Result<Ended, Error> {
    let fault = |source: std::io::Error| Error::internal("run uv", source);
    let log = folder.join("stderr");
    let stderr = fs_err::File::create(&log).map_err(fault)?;
    let mut child = command.stdout(Stdio::null()).stderr(stderr.into_file()).spawn().map_err(fault)?;
    let deadline = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(fault)? {
            break Some(status);
        }
        if Instant::now() >= deadline {
            // It may have ended just now, and then there is nothing to end.
            let _ = child.kill();
            child.wait().map_err(fault)?;
            break None;
        }
        thread::sleep(Duration::from_millis(10));
    };
    let mut stderr = String::new();
    let printed = std::io::Read::take(fs_err::File::open(&log).map_err(fault)?, 64 << 10);
    // What is not UTF-8 is cut there; it is for a person to read.
    let _ = std::io::Read::read_to_string(&mut { printed }, &mut stderr);
    Ok(Ended { succeeded: status.is_some_and(|status| status.success()), out_of_time: status.is_none(), stderr })
}

fn is_usable(program: &Path) -> bool {
    let Ok(output) = Command::new(program).arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output() else {
        return false;
    };
    version(&String::from_utf8_lossy(&output.stdout)).is_some_and(|version| version >= OLDEST)
}

/// `uv 0.13.9 (x86_64-unknown-linux-gnu)`.
fn version(printed: &str) -> Option<(u32, u32)> {
    let mut numbers = printed.strip_prefix("uv ")?.split(['.', ' ', '\n']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Installs a program that a wheel brings into a virtual environment of its own, as the operator's settings of pip say. The
/// error says why that is not possible.
pub fn install(folder: &Path, requirement: &str, log: &Path) -> Result<(), String> {
    let mut environment = Command::new("python3");
    environment.args(["-m", "venv"]).arg(folder);
    let mut packages = Command::new(folder.join("bin/python"));
    packages.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]);
    packages.arg(requirement);
    for mut command in [environment, packages] {
        command.stdin(Stdio::null());
        let program = command.get_program().to_string_lossy().into_owned();
        let ended = run_bounded(command, log, INSTALL_TIME).map_err(|_| format!("`{program}` cannot be started"))?;
        if !ended.succeeded {
            let last = ended.stderr.trim().lines().last().unwrap_or("it did not end in time");
            return Err(format!("`{program}` failed: {last}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(version("uv 0.13.9 (x86_64-unknown-linux-gnu)\n"), Some((0, 13)));
        assert_eq!(version("uv 1.0\n"), Some((1, 0)));
        assert_eq!(version("microvium 3"), None);
    }

    #[test]
    fn a_command_gets_no_other_variables_and_ends_at_its_deadline() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = isolated(Path::new("sh"), folder.path());
        command.args(["-c", "env >&2"]);
        let ended = run_bounded(command, folder.path(), Duration::from_secs(60)).unwrap();
        assert!(ended.succeeded && !ended.stderr.contains("CARGO"), "{}", ended.stderr);

        let mut command = isolated(Path::new("sleep"), folder.path());
        command.arg("600");
        let ended = run_bounded(command, folder.path(), Duration::from_millis(1)).unwrap();
        assert!(ended.out_of_time && !ended.succeeded);
    }
}
