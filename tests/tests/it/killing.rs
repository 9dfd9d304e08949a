//! A server that is killed again and again in the middle of mixed work, on one and the same folder: what it answered is
//! there, what it did not answer is there whole or not at all, and nothing piles up.
//!
//! `KILL_CYCLES=200` in front of the tests' command makes it two hundred kills.

mod work;

use std::collections::BTreeSet;
use std::process::Output;
use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::client::Client;
use crate::programs;
use crate::server::{Installation, Server};
use work::{Access, Changed, Granted, Invoked, Invoker, Published, Publisher, Pushed, Pusher, Variables};

/// How often the server is killed, unless more is asked for.
const CYCLES: u64 = 6;

/// The most answers that a cycle waits for before the kill.
const MOST_ANSWERS: u64 = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_survives_kills_at_any_moment() {
    let cycles = std::env::var("KILL_CYCLES").map_or(CYCLES, |cycles| cycles.parse().unwrap());
    let server = Server::start().await;
    let tools = published(&server).await;
    // What a killed process was writing may stay among the blobs, a few of them a kill, until they are collected.
    let mut unused = 0;
    let mut installation = server.kill();
    let mut before: Option<Done> = None;
    for cycle in 0..=cycles {
        let server = started(&installation, before.take()).await;
        if cycle == cycles {
            // What the checks changed counts, too.
            installation = server.kill();
            break;
        }
        assert_eq!(remains(&installation), Vec::<String>::new(), "cycle {cycle}");
        let (killed, done) = work_until(server, cycle, &tools, Server::kill).await;
        installation = killed;
        before = Some(done);
        let log = fs_err::read_to_string(installation.path("server.log")).unwrap();
        assert!(!log.contains("ERROR"), "cycle {cycle}: {log}");

        let found = verify(&installation, &[]);
        assert_eq!(found["problems"], json!([]), "cycle {cycle}");
        let now = found["unused_blobs"].as_u64().unwrap();
        assert!(now <= unused + 10, "cycle {cycle}: {now} blobs that nothing names, after {unused}");
        unused = now;
    }
    let left = verify(&installation, &[]);
    let mended = verify(&installation, &["--rebuild"]);
    assert_eq!(
        (&mended["problems"], &mended["mended"]),
        (&json!([]), &left["unused_blobs"]),
        "nothing else is removed"
    );
    assert_eq!(verify(&installation, &[])["unused_blobs"], 0);
}

/// Publishes the two tools that the work is done with, and answers their ids.
pub async fn published(server: &Server) -> Vec<String> {
    server.author("work").push(&["counter", "prints"]);
    let mut tools = Vec::new();
    for project in ["counter", "prints"] {
        let tool = server.client.create_tool(project).await;
        server.client.publish(&tool, project, "major").await.expect(201);
        tools.push(tool);
    }
    tools
}

/// Starts a server anew, and holds what there is against what was answered before.
pub async fn started(installation: &Arc<Installation>, before: Option<Done>) -> Server {
    let server = Server::start_on(Arc::clone(installation)).await;
    if let Some(before) = before {
        before.check(&server).await;
    }
    server
}

/// What a cycle did, and how far it came.
pub struct Done {
    counter: (Invoker, Invoked),
    prints: (Invoker, Invoked),
    published: Published,
    variables: (Variables, Changed),
    granted: Granted,
    pushed: Pushed,
}

/// Works in all ways at once, and ends the server in the middle of it.
pub async fn work_until(
    server: Server,
    cycle: u64,
    tools: &[String],
    end: impl FnOnce(Server) -> Arc<Installation>,
) -> (Arc<Installation>, Done) {
    let answers = Arc::new(Semaphore::new(0));
    let client = Arc::new(server.client.clone());
    let (client, also) = (|| Arc::clone(&client), || Arc::clone(&answers));
    let pusher = Pusher::new(&server, cycle);
    let counter = Invoker { tool: tools[0].clone(), conversation: format!("counter-{cycle}"), field: "step" };
    let prints = Invoker { tool: tools[1].clone(), conversation: format!("prints-{cycle}"), field: "times" };
    let variables = Variables { tool: tools[0].clone() };
    let work = (
        tokio::spawn(counter.clone().go_on(client(), also())),
        tokio::spawn(prints.clone().go_on(client(), also())),
        tokio::spawn(Publisher { cycle }.go_on(client(), also())),
        tokio::spawn(variables.clone().go_on(client(), also())),
        tokio::spawn(Access { cycle }.go_on(client(), also())),
        tokio::task::spawn_blocking({
            let answers = also();
            move || pusher.go_on(&answers)
        }),
    );
    let target = 1 + random(cycle, "answers") % MOST_ANSWERS;
    answers.acquire_many(u32::try_from(target).unwrap()).await.unwrap().forget();
    // And then at no moment in particular.
    for _ in 0..random(cycle, "turns") % 2000 {
        tokio::task::yield_now().await;
    }
    let installation = end(server);
    let (counted, printed, published, changed, granted, pushed) =
        tokio::try_join!(work.0, work.1, work.2, work.3, work.4, work.5).unwrap();
    let done = Done {
        counter: (counter, counted),
        prints: (prints, printed),
        published,
        variables: (variables, changed),
        granted,
        pushed,
    };
    (installation, done)
}

impl Done {
    /// Holds what there is against what was answered.
    pub async fn check(&self, server: &Server) {
        let client = &server.client;
        for (invoker, invoked) in [&self.counter, &self.prints] {
            invoker.check(client, invoked).await;
        }
        search_is_caught_up(client, &self.prints.0, &self.prints.1).await;
        self.published.check(client).await;
        self.variables.0.check(client, &self.variables.1).await;
        self.granted.check(client).await;
        self.pushed.check(server);
    }
}

/// A search finds all that is on record.
async fn search_is_caught_up(client: &Client, prints: &Invoker, done: &Invoked) {
    let path = format!("tool/invocation/search?query=spoken&conversation_id={}", prints.conversation);
    let found = client.get(&path).await.expect(200);
    let found: BTreeSet<_> =
        found["tool_invocations"].as_array().unwrap().iter().map(|found| found["id"].to_string()).collect();
    assert_eq!(found.len() as u64, done.asked.min(100), "the search is behind");
}

/// Files of a process that was killed that its successor should have cleared.
fn remains(installation: &Installation) -> Vec<String> {
    let is_remains = |name: &String| {
        ["/stages/", "/unfinished/", ".lock", "tmp_objdir-", "/tmp_pack"].iter().any(|sign| name.contains(sign))
    };
    let files = installation.lasting_files().into_iter().map(|file| file.to_string_lossy().into_owned());
    // The cache is the tests' own, and its locks stay.
    files.filter(is_remains).collect()
}

/// What `control-plane verify` says of a folder that nobody serves.
pub fn verify(installation: &Installation, arguments: &[&str]) -> Value {
    let output = verified(installation, arguments);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("verify failed: {}", String::from_utf8_lossy(&output.stderr)))
}

/// The same, as the program ended.
pub fn verified(installation: &Installation, arguments: &[&str]) -> Output {
    let mut command = programs::command("control-plane");
    command.args(["verify", "--json", "--data"]).arg(installation.data()).args(arguments);
    command.output().unwrap()
}

/// A number that looks random and is the same in every run.
fn random(cycle: u64, what: &str) -> u64 {
    let hash = Sha256::digest(format!("{cycle} {what}"));
    u64::from_le_bytes(hash[..8].try_into().unwrap())
}
