//! Large pushes in little memory.

use std::io::{BufWriter, Write};
use std::process::Stdio;

use crate::author::{command, git, run};
use crate::git_protocol::random;
use crate::git_pushes::commit_with_message;
use crate::server::Server;

/// What one git process of the server may hold: less than a tenth of what is pushed.
const SETTINGS: &str = "[git]\nmemory_mib = 64\n";

const FILES: usize = 8;
const FILE_BYTES: usize = 24 << 20;

#[tokio::test]
async fn two_hundred_megabytes_stream_through() {
    let server = Server::start_with(SETTINGS).await;
    let ada = server.author("ada");
    // The server loads the Python base when it starts; when it has refused a project, that is behind it.
    ada.push(&["broken/syntax_error"]);
    let tool = server.client.create_tool("broken").await;
    server.client.publish(&tool, "broken/syntax_error", "major").await.expect(400);
    let folder = server.installation.path("ada");
    // Not by way of files, and not compressed, which is half of the time.
    let arguments = ["-c", "pack.compression=0", "-c", "core.compression=0", "fast-import", "--quiet"];
    let mut import = command(&folder, &arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut stream = BufWriter::new(import.stdin.take().unwrap());
    write!(stream, "commit refs/heads/large\ncommitter Ada <ada@example.com> 1 +0000\ndata 1\nx\n").unwrap();
    for number in 0..FILES {
        write!(stream, "M 100644 inline file-{number}\ndata {FILE_BYTES}\n").unwrap();
        stream.write_all(&random(FILE_BYTES)).unwrap();
        writeln!(stream).unwrap();
    }
    drop(stream);
    assert!(import.wait().unwrap().success());

    // From here on the peak is counted anew (proc_pid_clear_refs(5)).
    fs_err::write(format!("/proc/{}/clear_refs", server.process_id()), "5").unwrap();
    let before = peak_kib(&server);
    ada.git(&["-c", "pack.compression=0", "push", "--quiet", "origin", "large"]);
    let (clone, remote) = (server.installation.path("clone"), server.client.remote());
    ada.git(&["clone", "--quiet", "--no-checkout", "--branch=large", &remote, clone.to_str().unwrap()]);
    // The system counts by batches, so a peak may come out a little lower than what was there before.
    let grown_kib = peak_kib(&server).saturating_sub(before);

    assert!(grown_kib < 64 << 10, "the server's memory grew by {grown_kib} KiB");
    assert_eq!(git(&clone, &["rev-parse", "HEAD"]), ada.git(&["rev-parse", "large"]));
}

#[tokio::test]
async fn what_unpacks_to_more_than_a_process_may_hold_is_refused() {
    let server = Server::start_with(SETTINGS).await;
    let ada = server.author("ada");
    ada.push(&["counter"]);
    let folder = server.installation.path("ada");
    let bomb = commit_with_message(&folder, 200 << 20);
    let pushed = run(&folder, &["push", "origin", &format!("{bomb}:refs/heads/bomb")]);
    let stderr = String::from_utf8_lossy(&pushed.stderr);
    assert!(!pushed.status.success() && stderr.contains("Out of memory"), "{stderr}");
    assert!(!ada.git(&["ls-remote", "origin"]).contains("bomb"));
    ada.push(&["counter"]);
}

/// The most memory that the server's process has held so far.
fn peak_kib(server: &Server) -> u64 {
    let status = fs_err::read_to_string(format!("/proc/{}/status", server.process_id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}
