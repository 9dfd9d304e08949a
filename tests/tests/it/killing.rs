//! A server that is killed again and again in the middle of mixed work, on one and the same folder: what it answered is
//! there, what it did not answer is there whole or not at all, and nothing piles up.
//!
//! `KILL_CYCLES=200` in front of the tests' command makes it two hundred kills.

mod work;

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::process::Output;
use std::sync::Arc;

use rustix::process::Signal;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::author::Author;
use crate::client::Client;
use crate::programs;
use crate::server::{Installation, Server};
use work::{Access, Changed, Granted, Invoked, Invoker, Published, Publisher, Pushed, Pusher, Variables};

/// How often the server is killed, unless more is asked for.
const CYCLES: u64 = 6;

/// The most answers that a cycle waits for before the kill.
const MOST_ANSWERS: u64 = 40;

/// The most blobs that one kill leaves and no row names: what was being written.
const MOST_UNUSED: u64 = 10;

/// Room for texts of a megabyte and a half.
pub const SETTINGS: &str = "[invoke]\noutput_kib = 2048\n";

/// Where the server ends itself, and how often it passes there before that at least, and how often more at most.
const PLACES: [(&str, u64, u64); 14] = [
    ("records-waiting", 0, 40),
    ("records-journaled", 0, 40),
    ("records-confirmed", 0, 40),
    // Opening the folder and signing in have rounds of their own.
    ("rows-written", 10, 40),
    ("rows-flushed", 10, 40),
    ("rows-synced", 10, 40),
    ("rows-confirmed", 10, 40),
    ("blob-written", 0, 3),
    ("project-exported", 0, 0),
    ("tool-imported", 0, 0),
    ("component-kept", 0, 0),
    ("build-kept", 0, 0),
    ("version-ready", 0, 5),
    ("push-accepted", 0, 1),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_survives_kills_at_any_moment() {
    let cycles = std::env::var("KILL_CYCLES").map_or(CYCLES, |cycles| cycles.parse().unwrap());
    let server = Server::start_with(SETTINGS).await;
    let tools = published(&server).await;
    let mut installation = server.kill();
    let (mut before, mut unused) = (None, 0);
    for cycle in 0..cycles {
        let server = started(&installation, before.take()).await;
        assert_eq!(remains(&installation), Vec::<String>::new(), "cycle {cycle}");
        let work = Work::begin(server, cycle, &tools);
        let (killed, done) = work.until(cycle, Server::kill).await;
        (installation, before) = (killed, Some(done));
        unused = nothing_is_half_written(&installation, unused, &format!("cycle {cycle}"));
    }
    // What the last checks changed counts, too.
    let installation = started(&installation, before).await.kill();

    let left = verify(&installation, &[]);
    let mended = verify(&installation, &["--rebuild"]);
    assert_eq!(
        (&mended["problems"], &mended["mended"]),
        (&json!([]), &left["unused_blobs"]),
        "nothing else is removed"
    );
    assert_eq!(verify(&installation, &[])["unused_blobs"], 0);
}

/// From outside, a kill hardly ever meets the instant between two steps that belong together, so the server ends itself there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_survives_an_end_between_any_two_steps() {
    let server = Server::start_with(SETTINGS).await;
    let tools = published(&server).await;
    let mut installation = server.kill();
    let (mut before, mut unused) = (None, 0);
    for (cycle, (place, least, more)) in (0..).zip(PLACES) {
        let server = started(&installation, before.take()).await;
        assert_eq!(remains(&installation), Vec::<String>::new(), "before {place}");
        push_what_was_never_built(&server, cycle);
        server.kill();

        let passes = least + random(cycle, place) % (more + 1);
        installation.configure(&format!("{SETTINGS}[testing]\nstop_at = \"{place}:{passes}\"\n"));
        let work = Work::begin(Server::start_on(Arc::clone(&installation)).await, cycle, &tools);
        let (ended, done) = work.until_it_ends().await;
        (installation, before) = (ended, Some(done));
        installation.configure(SETTINGS);
        unused = nothing_is_half_written(&installation, unused, place);
    }
    started(&installation, before).await.kill();
}

/// Looks at what a server left that is gone, and says how many blobs nothing names.
fn nothing_is_half_written(installation: &Installation, unused_before: u64, when: &str) -> u64 {
    let log = fs_err::read_to_string(installation.path("server.log")).unwrap();
    assert!(!log.contains("ERROR"), "{when}: {log}");
    let found = verify(installation, &[]);
    assert_eq!(found["problems"], json!([]), "{when}");
    let unused = found["unused_blobs"].as_u64().unwrap();
    assert!(unused <= unused_before + MOST_UNUSED, "{when}: {unused} blobs that nothing names, after {unused_before}");
    unused
}

/// The tools that the work is done with.
const TOOLS: [&str; 3] = ["counter", "prints", "long"];

/// Publishes the tools that the work is done with, and answers their ids.
pub async fn published(server: &Server) -> Vec<String> {
    server.author("work").push(&TOOLS);
    let mut tools = Vec::new();
    for project in TOOLS {
        let tool = server.client.create_tool(project).await;
        server.client.publish(&tool, project, "major").await.expect(201);
        tools.push(tool);
    }
    tools
}

/// Changes a project, so that the next publish has to build it.
fn push_what_was_never_built(server: &Server, cycle: u64) {
    let author = Author::existing(&server.installation.path("work"));
    let source = fs_err::read_to_string(author.folder().join("counter/src/counter.py")).unwrap();
    author.write("counter/src/counter.py", format!("{source}# {cycle}\n"));
    author.commit();
    author.git(&["push", "--quiet", &server.client.remote(), "HEAD:refs/heads/main"]);
}

/// Starts a server anew, and holds what there is against what was answered before.
pub async fn started(installation: &Arc<Installation>, before: Option<Done>) -> Server {
    let server = Server::start_on(Arc::clone(installation)).await;
    if let Some(before) = before {
        before.check(&server).await;
    }
    server
}

/// Work of all kinds that goes on at once.
pub struct Work {
    server: Server,
    answers: Arc<Semaphore>,
    invokers: [Invoker; 3],
    invoked: [JoinHandle<Invoked>; 3],
    published: JoinHandle<Published>,
    variables: (Variables, JoinHandle<Changed>),
    granted: JoinHandle<Granted>,
    pushed: JoinHandle<Pushed>,
}

impl Work {
    pub fn begin(server: Server, cycle: u64, tools: &[String]) -> Self {
        let answers = Arc::new(Semaphore::new(0));
        let client = Arc::new(server.client.clone());
        let (client, also) = (|| Arc::clone(&client), || Arc::clone(&answers));
        let invoker = |number: usize, field, says| Invoker {
            tool: tools[number].clone(),
            conversation: format!("{}-{cycle}", TOOLS[number]),
            field,
            says,
        };
        let invokers = [
            invoker(0, "step", |step| step.to_string()),
            invoker(1, "times", |_| "spoken".to_owned()),
            invoker(2, "number", work::long_text),
        ];
        let variables = Variables { tool: tools[0].clone() };
        let pusher = Pusher::new(&server, cycle);
        Self {
            invoked: invokers.clone().map(|invoker| tokio::spawn(invoker.go_on(client(), also()))),
            invokers,
            published: tokio::spawn(Publisher { cycle }.go_on(client(), also())),
            variables: (variables.clone(), tokio::spawn(variables.go_on(client(), also()))),
            granted: tokio::spawn(Access { cycle }.go_on(client(), also())),
            pushed: tokio::task::spawn_blocking({
                let answers = also();
                move || pusher.go_on(&answers)
            }),
            answers,
            server,
        }
    }

    /// Goes on until something was answered, and then for no time in particular, and ends the server.
    pub async fn until(self, cycle: u64, end: impl FnOnce(Server) -> Arc<Installation>) -> (Arc<Installation>, Done) {
        let target = 1 + random(cycle, "answers") % MOST_ANSWERS;
        self.answers.acquire_many(u32::try_from(target).unwrap()).await.unwrap().forget();
        for _ in 0..random(cycle, "turns") % 2000 {
            tokio::task::yield_now().await;
        }
        self.ended(end).await
    }

    /// Goes on until the server has ended itself as if it was killed.
    async fn until_it_ends(self) -> (Arc<Installation>, Done) {
        self.ended(|server| {
            let installation = Arc::clone(&server.installation);
            assert_eq!(server.ended().signal(), Some(Signal::KILL.as_raw()));
            installation
        })
        .await
    }

    async fn ended(self, end: impl FnOnce(Server) -> Arc<Installation>) -> (Arc<Installation>, Done) {
        let installation = end(self.server);
        let [counter, prints, long] = self.invoked;
        let (counter, prints, long) = tokio::try_join!(counter, prints, long).unwrap();
        let invoked = self.invokers.into_iter().zip([counter, prints, long]).collect();
        let (published, changed, granted, pushed) =
            tokio::try_join!(self.published, self.variables.1, self.granted, self.pushed).unwrap();
        (installation, Done { invoked, published, variables: (self.variables.0, changed), granted, pushed })
    }
}

/// What a cycle did, and how far it came.
pub struct Done {
    /// Of each tool.
    invoked: Vec<(Invoker, Invoked)>,
    published: Published,
    variables: (Variables, Changed),
    granted: Granted,
    pushed: Pushed,
}

impl Done {
    /// Holds what there is against what was answered.
    pub async fn check(&self, server: &Server) {
        let client = &server.client;
        for (invoker, invoked) in &self.invoked {
            invoker.check(client, invoked).await;
        }
        let (prints, printed) = &self.invoked[1];
        search_is_caught_up(client, prints, printed).await;
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
