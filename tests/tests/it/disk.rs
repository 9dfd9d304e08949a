//! A file system for a data folder alone: one that can lose its power, be full, or be read-only. It takes root.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::server::Installation;

/// How often unmounting is tried: a Git process of the server that was killed may end a moment later.
const TRIES: usize = 1000;

/// A mounted file system with the data folder on it.
pub struct Disk {
    /// The file that it is in; none where it is in memory.
    image: Option<PathBuf>,
    folder: PathBuf,
}

impl Disk {
    /// Makes a file system in a file, and moves the data folder there. No server may run.
    pub fn make(installation: &Installation, system: &str, bytes: u64) -> Self {
        let image = installation.path("disk.img");
        fs_err::File::create(&image).unwrap().set_len(bytes).unwrap();
        let force = if system == "ext4" { "-F" } else { "-f" };
        run(&format!("mkfs.{system}"), &["-q", force, image.to_str().unwrap()]);
        let disk = Self { image: Some(image), folder: installation.path("disk") };
        fs_err::create_dir(&disk.folder).unwrap();
        disk.mount();
        disk.take(&installation.data());
        disk
    }

    /// The same with one in memory, which ends with its being unmounted. None where this user may not mount: even root may
    /// not in most containers.
    pub fn in_memory(installation: &Installation, bytes: u64) -> Option<Self> {
        let folder = installation.path("disk");
        fs_err::create_dir(&folder).unwrap();
        let size = format!("size={bytes},mode=700");
        let mounted = try_run("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", folder.to_str().unwrap()]);
        if !mounted.status.success() {
            let said = String::from_utf8_lossy(&mounted.stderr);
            eprintln!("left out: this user may not mount a file system: {said}");
            return None;
        }
        let disk = Self { image: None, folder };
        disk.take(&installation.data());
        Some(disk)
    }

    /// Moves the data folder here.
    fn take(&self, data: &Path) {
        let moved = self.folder.join("data");
        run("cp", &["-a", data.to_str().unwrap(), moved.to_str().unwrap()]);
        fs_err::remove_dir_all(data).unwrap();
        std::os::unix::fs::symlink(&moved, data).unwrap();
        run("sync", &["-f", moved.to_str().unwrap()]);
    }

    /// Where it is mounted.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn mount(&self) {
        let image = self.image.as_ref().unwrap();
        run("mount", &["-o", "loop", image.to_str().unwrap(), self.folder.to_str().unwrap()]);
    }

    /// Lets nobody write, or again everybody. No server may run.
    pub fn make_read_only(&self, is_read_only: bool) {
        let how = if is_read_only { "remount,ro" } else { "remount,rw" };
        run("mount", &["-o", how, self.folder.to_str().unwrap()]);
    }

    /// Nothing reaches the disk any more, and what has not is lost.
    pub fn cut(&self) {
        run("xfs_io", &["-x", "-c", "shutdown", self.folder.to_str().unwrap()]);
    }

    pub fn unmount(&self) {
        let is_unmounted = (0..TRIES).any(|_| try_run("umount", &[self.folder.to_str().unwrap()]).status.success());
        assert!(is_unmounted, "{} is in use", self.folder.display());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if is_mounted(&self.folder) {
            self.unmount();
        }
    }
}

fn is_mounted(folder: &Path) -> bool {
    let mounts = fs_err::read_to_string("/proc/mounts").unwrap_or_default();
    mounts.lines().any(|line| line.split(' ').nth(1) == folder.to_str())
}

fn try_run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program} does not run: {error}"))
}

fn run(program: &str, arguments: &[&str]) {
    let output = try_run(program, arguments);
    assert!(output.status.success(), "{program} failed: {}", String::from_utf8_lossy(&output.stderr));
}
