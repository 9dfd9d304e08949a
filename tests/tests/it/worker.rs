//! Tools run in a process of their own, and the service outlives it.

use std::path::PathBuf;
use std::pin::pin;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::json;

use crate::client::{failed, results, succeeded};
use crate::server::Server;

const LOST: &str = "the process that the tool ran in ended before the tool did";

/// The process that a server's tools run in.
pub fn worker(server: &Server) -> Pid {
    let parent = server.process_id().to_string();
    let ids = fs_err::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let is_worker = |id: &i32| {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{id}/{file}")).unwrap_or_default();
        let stat = read("stat");
        let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        fields.get(1) == Some(&parent.as_str()) && read("cmdline").contains("\0worker\0")
    };
    Pid::from_raw(ids.into_iter().find(is_worker).expect("a worker runs")).unwrap()
}

/// The states of its threads, a letter each.
fn threads(worker: Pid) -> Vec<String> {
    let tasks = fs_err::read_dir(format!("/proc/{}/task", worker.as_raw_nonzero())).unwrap();
    let state = |task: std::io::Result<fs_err::DirEntry>| {
        let stat = std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap_or_default();
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().next().unwrap_or("T").to_owned()
    };
    tasks.map(state).collect()
}

fn status(worker: Pid) -> String {
    fs_err::read_to_string(format!("/proc/{}/status", worker.as_raw_nonzero())).unwrap()
}

#[tokio::test]
async fn when_the_process_of_tools_dies_only_what_runs_in_it_fails() {
    let (server, tool) = Server::with_tool("loops_forever").await;
    let before = worker(&server);
    let forever = [json!({"forever": true})];
    let mut running = pin!(server.client.invoke(&tool, "1.0.0", &forever));
    // It runs once the metrics say so.
    let is_running =
        async { while !server.client.page("/metrics").await.1.contains("\ntoolplane_invocations_running 1\n") {} };
    tokio::select! {
        answer = &mut running => panic!("it did not loop: {answer:?}"),
        () = is_running => {}
    }

    let died = Instant::now();
    kill_process(before, Signal::KILL).unwrap();
    assert_eq!(results(running.await), [failed("ToolCrashed", LOST, &[])]);
    assert_eq!(server.client.result(&tool, json!({"forever": false})).await, succeeded("done"));
    assert!(died.elapsed() < Duration::from_secs(1), "it took {:?} until a tool ran again", died.elapsed());

    assert_ne!(worker(&server), before);
    // The failure is on record like any other, and operators are told.
    let records = server.client.invocations("").await;
    assert_eq!(records.len(), 2);
    assert!(records.iter().any(|record| record["invocation_status"]["exception_message"] == LOST), "{records:?}");
    assert!(server.client.page("/metrics").await.1.contains("\ntoolplane_worker_starts_total 2\n"));
    let log = fs_err::read_to_string(server.installation.path("server.log")).unwrap();
    assert!(log.contains("The process for sandboxes has ended"), "{log}");
}

#[tokio::test]
async fn a_process_of_tools_that_hangs_is_ended() {
    let settings = "[invoke]\nwall_clock_s = 1\n[sandbox]\npatience_s = 1\n";
    let server = Server::start_with(settings).await;
    server.author("work").push(&["loops_forever"]);
    let tool = server.client.create_tool("loops_forever").await;
    server.client.publish(&tool, "loops_forever", "major").await.expect(201);
    let worker = worker(&server);
    kill_process(worker, Signal::STOP).unwrap();
    // A thread that runs stops a little later.
    while !threads(worker).iter().all(|state| state == "T") {}
    assert_eq!(server.client.result(&tool, json!({"forever": false})).await, failed("ToolCrashed", LOST, &[]));
    assert_eq!(server.client.result(&tool, json!({"forever": false})).await, succeeded("done"));
}

#[tokio::test]
async fn the_process_of_tools_holds_nothing_of_the_service_and_may_do_little() {
    let (server, tool) = Server::with_tool("counter").await;
    let worker = worker(&server);
    assert_eq!(server.client.result(&tool, json!({})).await, succeeded("1"));

    let process = PathBuf::from(format!("/proc/{}", worker.as_raw_nonzero()));
    let status = status(worker);
    let line = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.unwrap_or_else(|| panic!("no {name}: {status}")).trim().to_owned()
    };
    assert_eq!([line("NoNewPrivs"), line("Seccomp")], ["1", "2"]);
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(line(set), "0000000000000000", "{set}");
    }
    // The rest is for those to see who may trace any process, and who have capabilities to give away.
    if geteuid().is_root() {
        assert_eq!(line("CapBnd"), "0000000000000000");
        assert_eq!(fs_err::read_to_string(process.join("environ")).unwrap(), "");
        // No file of the data folder is open: the store, the keys, the log. What is open is the cache's, and sockets.
        let data = server.installation.path("data");
        let open: Vec<_> = fs_err::read_dir(process.join("fd"))
            .unwrap()
            .filter_map(|entry| fs_err::read_link(entry.unwrap().path()).ok())
            .filter(|path| path.starts_with(&data))
            .collect();
        assert!(open.is_empty(), "{open:?}");
    } else {
        eprintln!("left out: only root sees what the process has open");
        assert!(fs_err::read_dir(process.join("fd")).is_err(), "others of its user can look into it");
    }

    // It goes with the server, however that ends.
    let installation = server.kill();
    while process.join("status").exists() && !ended(&process) {}
    drop(installation);
}

/// Whether a process is over, and only its parent has not looked.
fn ended(process: &std::path::Path) -> bool {
    let stat = std::fs::read_to_string(process.join("stat")).unwrap_or_default();
    stat.is_empty() || stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z')
}
