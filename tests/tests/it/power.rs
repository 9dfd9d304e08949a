//! The power goes in the middle of mixed work: what was answered is there.
//!
//! The data folder lies on a file system in a file, which is shut down under the server, so that whatever was not synced is
//! gone. That takes root, a loop device, `mkfs.ext4`, `mkfs.xfs` and `xfs_io` (Debian's `e2fsprogs` and `xfsprogs`), and
//! changes what the machine has mounted. So it runs only where it is asked for: `POWER_CYCLES=40` in front of the tests'
//! command.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;

use crate::killing::{Done, SETTINGS, Work, published, started, verify};
use crate::server::{Installation, Server};

/// How often unmounting is tried: a Git process of the server that was killed may end a moment later.
const TRIES: usize = 1000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_survives_power_cuts() {
    let Some(cycles) = std::env::var("POWER_CYCLES").ok().and_then(|cycles| cycles.parse().ok()) else {
        eprintln!("left out: POWER_CYCLES does not say how often to cut the power");
        return;
    };
    for system in ["ext4", "xfs"] {
        survives(system, cycles).await;
    }
}

async fn survives(system: &str, cycles: u64) {
    let server = Server::start_with(SETTINGS).await;
    let tools = published(&server).await;
    let installation = server.kill();
    let disk = Disk::make(&installation, system);
    let mut before: Option<Done> = None;
    for cycle in 0..=cycles {
        let server = started(&installation, before.take()).await;
        if cycle == cycles {
            server.kill();
            break;
        }
        let cut = |server: Server| {
            disk.cut();
            server.kill()
        };
        let (_, done) = Work::begin(server, cycle, &tools).until(cycle, cut).await;
        before = Some(done);
        disk.unmount();
        disk.mount();
        // A system that went down checks its index by itself, which it tells by its next run: here there is none.
        let _ = fs_err::remove_dir_all(installation.data().join("search"));
        assert_eq!(verify(&installation, &[])["problems"], json!([]), "cycle {cycle} on {system}");
    }
    println!("{cycles} power cuts on {system}");
}

/// A file system in a file, with the data folder on it.
struct Disk {
    image: PathBuf,
    folder: PathBuf,
}

impl Disk {
    fn make(installation: &Installation, system: &str) -> Self {
        let disk = Self { image: installation.path("disk.img"), folder: installation.path("disk") };
        fs_err::File::create(&disk.image).unwrap().set_len(4 << 30).unwrap();
        let image = disk.image.to_str().unwrap();
        let quiet = if system == "ext4" { ["-q", "-F"] } else { ["-q", "-f"] };
        run(&format!("mkfs.{system}"), &[quiet[0], quiet[1], image]);
        fs_err::create_dir(&disk.folder).unwrap();
        disk.mount();
        let (data, moved) = (installation.data(), disk.folder.join("data"));
        run("cp", &["-a", data.to_str().unwrap(), moved.to_str().unwrap()]);
        fs_err::remove_dir_all(&data).unwrap();
        std::os::unix::fs::symlink(&moved, &data).unwrap();
        run("sync", &["-f", moved.to_str().unwrap()]);
        disk
    }

    fn mount(&self) {
        run("mount", &["-o", "loop", self.image.to_str().unwrap(), self.folder.to_str().unwrap()]);
    }

    /// Nothing reaches the disk any more, and what has not is lost.
    fn cut(&self) {
        run("xfs_io", &["-x", "-c", "shutdown", self.folder.to_str().unwrap()]);
    }

    fn unmount(&self) {
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
