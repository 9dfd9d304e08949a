//! Who runs the servers that do nothing for root: whoever runs the tests, or the user `nobody`.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::process::{getgid, getuid};

const NOBODY: u32 = 65_534;

#[derive(Clone, Copy)]
pub struct Account {
    pub user: u32,
    pub group: u32,
}

impl Account {
    pub fn for_servers() -> Self {
        if getuid().is_root() {
            Self { user: NOBODY, group: NOBODY }
        } else {
            Self { user: getuid().as_raw(), group: getgid().as_raw() }
        }
    }

    /// A command that this user runs.
    pub fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env("LC_ALL", "C");
        if getuid().is_root() {
            command.uid(self.user).gid(self.group);
        }
        command
    }

    /// Makes a file or folder this user's.
    pub fn give(self, path: &Path) {
        chown(path, Some(self.user), Some(self.group)).unwrap();
    }

    /// Its name and its group's.
    pub fn names(self) -> [String; 2] {
        [("passwd", self.user), ("group", self.group)].map(|(table, number)| {
            let lines = fs_err::read_to_string(format!("/etc/{table}")).unwrap();
            let mut entries = lines.lines().map(|line| line.split(':').collect::<Vec<_>>());
            let entry = entries.find(|entry| entry.get(2) == Some(&number.to_string().as_str()));
            entry.unwrap_or_else(|| panic!("{number} has no name in /etc/{table}"))[0].to_owned()
        })
    }
}
