//! The power goes in the middle of mixed work: what was answered is there.
//!
//! The data folder lies on a file system in a file, which is shut down under the server, so that whatever was not synced is
//! gone. That takes root, a loop device, `mkfs.ext4`, `mkfs.xfs` and `xfs_io` (Debian's `e2fsprogs` and `xfsprogs`), and
//! changes what the machine has mounted. So it runs only where it is asked for: `POWER_CYCLES=40` in front of the tests'
//! command.

use serde_json::json;

use crate::disk::Disk;
use crate::killing::{Done, SETTINGS, Work, published, started, verify};
use crate::server::Server;

/// How large the disk is, in bytes. Its file has holes.
const DISK_BYTES: u64 = 4 << 30;

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
    let disk = Disk::make(&installation, system, DISK_BYTES);
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
