//! The `git` program: which one, and with which settings and environment it runs.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use tokio::process::Command;

use crate::error::{Error, Result};

/// The oldest `git` that is served with: the first one whose `repack` knows `--cruft` well.
const OLDEST_GIT: (u32, u32) = (2, 38);

/// The settings of every command. They are given with the command and not written into the repository, so that they
/// hold for repositories of earlier versions, and go before whatever stands there.
///
/// - `unpackLimit`: a push stays the one pack that it arrived as, so it costs three syncs and not one per object.
/// - `bigFileThreshold`: larger files are streamed and never held in memory to look for deltas.
/// - `pack.*`, `core.packedGit*`, `core.deltaBaseCacheLimit`: what one process holds in memory follows none of the
///   machine's processors and none of the repository's size.
/// - `gc.auto`, `autogc`: nothing repacks unless `maintenance` says so.
/// - `hideRefs`: branches and tags are all that a client sees or changes; what else there is belongs to the server.
/// - `*Timeout`: a push that meets another at a lock waits for it, in milliseconds.
const SETTINGS: [(&str, &str); 29] = [
    ("core.fsync", "loose-object,pack,pack-metadata,reference"),
    ("core.fsyncMethod", "fsync"),
    ("core.hooksPath", "/dev/null"),
    ("core.logAllRefUpdates", "false"),
    ("core.bigFileThreshold", "16m"),
    ("core.packedGitWindowSize", "16m"),
    ("core.packedGitLimit", "128m"),
    ("core.deltaBaseCacheLimit", "32m"),
    ("core.filesRefLockTimeout", "2000"),
    ("core.packedRefsTimeout", "10000"),
    ("pack.threads", "1"),
    ("pack.windowMemory", "32m"),
    ("pack.deltaCacheSize", "32m"),
    ("safe.directory", "*"),
    ("transfer.fsckObjects", "true"),
    ("transfer.unpackLimit", "1"),
    ("transfer.hideRefs", "refs"),
    ("transfer.hideRefs", "!refs/heads"),
    ("transfer.hideRefs", "!refs/tags"),
    ("receive.denyNonFastForwards", "false"),
    ("receive.denyDeletes", "false"),
    ("receive.denyDeleteCurrent", "refuse"),
    ("receive.advertisePushOptions", "true"),
    ("receive.unpackLimit", "1"),
    ("receive.autogc", "false"),
    ("uploadpack.allowFilter", "true"),
    ("uploadpack.allowReachableSHA1InWant", "true"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
];

/// The program itself, beside which git keeps the programs that it starts: found once, so that no command needs the
/// `PATH` of this process.
#[derive(Debug, Clone)]
pub(super) struct Program(Arc<PathBuf>);

impl Program {
    /// Finds the program. Blocks.
    pub(super) fn find() -> Result<Self> {
        let version = ask("--version")?;
        if parse_version(&version).is_none_or(|version| version < OLDEST_GIT) {
            let (major, minor) = OLDEST_GIT;
            return Err(Error::Unavailable(format!("`{version}` is too old: install Git {major}.{minor} or newer")));
        }
        Ok(Self(Arc::new(Path::new(&ask("--exec-path")?).join("git"))))
    }

    /// A command within a repository, in a process group of its own, with further settings. Nothing of this process's
    /// environment or of the machine's configuration changes what it does.
    pub(super) fn command(&self, repository: &Path, further: &[(&str, OsString)]) -> Command {
        let mut command = Command::new(&*self.0);
        command
            .current_dir(repository)
            .env_clear()
            .env("HOME", "/nonexistent")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own, so that it can be ended with the processes that it starts.
            .process_group(0);
        if let Some(programs) = self.0.parent() {
            command.env("PATH", programs);
        }
        let fixed = SETTINGS.iter().map(|(key, value)| (*key, OsStr::new(*value)));
        let settings = fixed.chain(further.iter().map(|(key, value)| (*key, value.as_os_str())));
        let mut count = 0;
        for (key, value) in settings {
            command.env(format!("GIT_CONFIG_KEY_{count}"), key).env(format!("GIT_CONFIG_VALUE_{count}"), value);
            count += 1;
        }
        command.env("GIT_CONFIG_COUNT", count.to_string());
        command
    }
}

fn ask(argument: &str) -> Result<String> {
    let (major, minor) = OLDEST_GIT;
    let no_git = |why: String| {
        Error::Unavailable(format!("the program `git` does not run ({why}): install Git {major}.{minor} or newer"))
    };
    let output = std::process::Command::new("git").arg(argument).output().map_err(|error| no_git(error.to_string()))?;
    if !output.status.success() {
        return Err(no_git(output.status.to_string()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.strip_prefix("git version ")?.split('.').map(|number| number.parse::<u32>().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_git_are_understood() {
        assert_eq!(parse_version("git version 2.47.3"), Some((2, 47)));
        assert_eq!(parse_version("git version 2.39.5 (Apple Git-154)"), Some((2, 39)));
        assert_eq!(parse_version("hub version 1"), None);
    }

    #[test]
    fn a_command_has_no_environment_but_its_own() {
        let command = Program::find().unwrap().command(Path::new("/"), &[("receive.hideRefs", "^refs/heads/a".into())]);
        let count = SETTINGS.len() + 1;
        let set: Vec<_> = command.as_std().get_envs().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
        assert!(set.contains(&format!("GIT_CONFIG_VALUE_{}", count - 1)));
        assert_eq!(set.iter().filter(|name| name.starts_with("GIT_CONFIG_KEY_")).count(), count);
        assert!(!set.contains(&"GIT_DIR".to_owned()));
    }
}
