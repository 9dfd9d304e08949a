//! A disk that becomes full while it is served, and a folder that nobody may write to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use serde_json::json;

use crate::author::Author;
use crate::client::{Client, succeeded};
use crate::disk::Disk;
use crate::killing::verify;
use crate::programs;
use crate::server::{Installation, Server};

/// How large the disk is, in bytes.
const DISK_BYTES: u64 = 96 << 20;

const SETTINGS: &str = "[store]\nreserve_mib = 24\n";

/// Less than the reserve, and more than nothing.
const LITTLE_BYTES: u64 = 20 << 20;

/// Takes space of the disk until so much is free.
fn leave(disk: &Disk, bytes: u64) {
    let file = fs_err::OpenOptions::new().create(true).append(true).open(disk.folder().join("filler")).unwrap();
    let free = statvfs(disk.folder()).unwrap();
    let taken = (free.f_bavail * free.f_frsize).saturating_sub(bytes);
    let length = file.metadata().unwrap().len();
    // A running server may take some of it first.
    let _ = fallocate(file.file(), FallocateFlags::empty(), length, taken.max(1));
}

fn make_room(disk: &Disk) {
    fs_err::remove_file(disk.folder().join("filler")).unwrap();
}

/// What `serve` says when it does not start.
fn refusal(installation: &Installation) -> String {
    let mut command = programs::command("control-plane");
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(installation.data());
    let output = command.output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty(), "it starts");
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_read_and_not_written_and_goes_on_once_there_is_room() {
    let (server, tool) = Server::with_tool("counter").await;
    assert_eq!(server.client.result(&tool, json!({"step": 1})).await, succeeded("1"));
    let installation = server.kill();
    installation.configure(SETTINGS);
    let Some(disk) = Disk::in_memory(&installation, DISK_BYTES) else { return };
    let server = Server::start_on(Arc::clone(&installation)).await;
    let client = &server.client;
    let author = Author::existing(&installation.path("work"));
    author.git(&["remote", "set-url", "origin", &client.remote()]);

    leave(&disk, LITTLE_BYTES);
    until_refused(client).await;
    only_reads_go_on(client, &author, &tool).await;
    leave(&disk, 0);
    only_reads_go_on(client, &author, &tool).await;
    make_room(&disk);
    until_taken(client).await;
    assert_eq!(client.result(&tool, json!({"step": 2})).await, succeeded("2"));
    author.push(&["prints"]);
    assert_eq!(client.publish(&tool, "prints", "minor").await.expect(201), json!({"new_version": "1.1.0"}));

    // A push has what there is down to the reserve, however large a pack may be.
    author.write("large", crate::git_protocol::random(40 << 20));
    author.commit();
    let refused = author.refused(&["push", "--quiet", "origin", "main"]);
    assert!(refused.contains("pack exceeds maximum allowed size"), "{refused}");
    author.git(&["reset", "--quiet", "--hard", "HEAD~"]);

    // Without a warning, in the middle of work: whatever was answered is there.
    let answered = Arc::new(AtomicU64::new(0));
    let working: Vec<_> =
        (0..4).map(|_| tokio::spawn(invoke_on(client.clone(), tool.clone(), Arc::clone(&answered)))).collect();
    while answered.load(Ordering::Relaxed) < 20 {
        tokio::task::yield_now().await;
    }
    for bytes in [LITTLE_BYTES, 0] {
        leave(&disk, bytes);
        until_refused(client).await;
    }
    assert_eq!(server.stop().code(), Some(0), "it ends cleanly on a full disk");
    for work in working {
        work.await.unwrap();
    }
    let last = answered.load(Ordering::Relaxed);
    let said = refusal(&installation);
    assert!(said.contains("is full") && said.contains("Make space and start again"), "{said}");
    make_room(&disk);
    assert_eq!(verify(&installation, &[])["problems"], json!([]));
    let server = Server::start_on(Arc::clone(&installation)).await;
    let (_, metrics) = server.client.page("/metrics").await;
    let records = metrics.lines().find_map(|line| line.strip_prefix("toolplane_records ")).unwrap();
    assert_eq!(records.parse::<u64>().unwrap(), 2 + last);
    assert_eq!(server.stop().code(), Some(0));

    disk.make_read_only(true);
    let said = refusal(&installation);
    assert!(said.contains("make it this user's, or its file system writable"), "{said}");
    fs_err::remove_file(installation.data()).unwrap();
    std::os::unix::fs::symlink(disk.folder().join("elsewhere"), installation.data()).unwrap();
    let said = refusal(&installation);
    assert!(said.contains("name one with --data that this user may write to"), "{said}");
}

/// Waits until writes are refused.
async fn until_refused(client: &Client) {
    while client.page("/readyz").await.0 == 200 {}
}

/// Waits until writes are taken.
async fn until_taken(client: &Client) {
    while client.page("/readyz").await.0 != 200 {}
}

async fn only_reads_go_on(client: &Client, author: &Author, tool: &str) {
    let refused = client.post("tool/", json!({"name": "a", "description": "A tool."})).await;
    assert!(refused.headers.contains_key("retry-after"));
    assert!(refused.detail(503).contains("is nearly full"));
    let variable = json!({"name": "A", "value": "b", "is_secret": true});
    client.set_envvars(tool, json!({"inserts": [variable]})).await.detail(503);
    client.publish(tool, "counter", "minor").await.detail(503);
    client.invoke(tool, "1.0.0", &[json!({})]).await.detail(503);
    client.delete(&format!("tool/{tool}")).await.detail(503);
    author.commit();
    let refused = author.refused(&["push", "--quiet", "origin", "HEAD:refs/heads/main"]);
    assert!(refused.contains("is nearly full"), "{refused}");
    author.git(&["reset", "--quiet", "--hard", "HEAD~"]);

    assert_eq!(client.tools("").await.len(), 1);
    assert_eq!(client.versions(tool).await.len(), 1);
    assert_eq!(client.invocations("").await.len(), 1);
    client.get("tool/invocation/search?query=1").await.expect(200);
    client.get("tool/repo/commit").await.expect(200);
    author.git(&["fetch", "--quiet", "origin"]);
    let (_, metrics) = client.page("/metrics").await;
    assert!(metrics.contains("toolplane_store_writable 0"), "{metrics}");
}

/// Goes on invoking until the server is gone, and counts what succeeded.
async fn invoke_on(client: Client, tool: String, answered: Arc<AtomicU64>) {
    let body = json!({"inputs": [{"input_parameters": {"step": 1}, "invocation_mode": "regular"}]});
    let path = format!("tool/{tool}/version/1.0.0/invoke");
    loop {
        let request = client.anonymous(reqwest::Method::POST, &path).bearer_auth(&client.token).json(&body);
        match request.send().await.map(|answer| answer.status().as_u16()) {
            Ok(200) => drop(answered.fetch_add(1, Ordering::Relaxed)),
            Ok(status) => assert_eq!(status, 503),
            Err(_) => return,
        }
    }
}
