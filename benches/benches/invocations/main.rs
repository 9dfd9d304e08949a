//! Lists and searches over HTTP with a million invocations on record: time, memory and start.
//!
//! `cargo bench --workspace --bench invocations --profile release [-- FOLDER]`
//!
//! It ends with 1 where half of the requests for a page take longer than [`PAGE_GOAL`], or half of a search's longer
//! than [`SEARCH_GOAL`].
//!
//! The first run fills the folder through the store's own write path, in batches of [`BATCH`] so that one round of
//! `fsync` serves as many; later runs use what is there.

mod records;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use benches::Distribution;
use control_plane::app::App;
use control_plane::config::Config;
use control_plane::failpoint::Failpoint;
use control_plane::model::{InvocationSource, OrgId};
use control_plane::store::{Options, Store};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use records::Records;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

const INVOCATIONS: u64 = 1_000_000;
const BATCH: usize = 1_000;
const REQUESTS: usize = 100;
const ORGANIZATION: &str = "bench";

/// Half of all requests for any page of a list.
const PAGE_GOAL: Duration = Duration::from_millis(20);

/// Half of all searches of a kind.
const SEARCH_GOAL: Duration = Duration::from_millis(50);

/// How often a record comes while there is traffic.
const RECORD_EVERY: Duration = Duration::from_millis(20);

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let executor = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if let [mode, folder] = &arguments[..]
        && mode == "fill"
    {
        return executor.block_on(fill(Path::new(folder)));
    }
    let default = || PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("a-million-invocations");
    let folder = arguments.first().map_or_else(default, PathBuf::from);
    if !folder.join("filled.json").exists() {
        // In a process of its own, so that its memory is not counted as the service's.
        let status = Command::new(std::env::current_exe()?).arg("fill").arg(&folder).status()?;
        ensure!(status.success(), "filling failed");
    }
    executor.block_on(measure(&folder))
}

async fn open(folder: &Path) -> Result<Arc<App>> {
    let config = Config::for_folder(&folder.join("data"))?;
    tokio::task::spawn_blocking(|| App::open(config)).await?
}

async fn fill(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs_err::remove_dir_all(folder)?;
    }
    let app = open(folder).await?;
    let org = OrgId::parse(ORGANIZATION)?;
    let made = app.init_organization(&org).await?;
    let mut records = Records::new(&org);
    let started = Instant::now();
    let mut newest = Value::Null;
    let mut under_way = None;
    for _ in 0..INVOCATIONS as usize / BATCH {
        let batch = records.batch(BATCH);
        for invocation in &batch {
            match &invocation.invocation_source {
                InvocationSource::RegularConversation { conversation_id, .. } => {
                    newest["conversation"] = json!(conversation_id)
                }
                InvocationSource::SimulationConversation { simulation_unit_test_set_run_id, .. } => {
                    newest["run"] = json!(simulation_unit_test_set_run_id);
                }
            }
        }
        // The next batch is made while this one is written.
        let (writer, org) = (Arc::clone(&app), org.clone());
        let writing: JoinHandle<Result<()>> =
            tokio::spawn(async move { Ok(writer.store.record_invocations(&org, &batch).await?) });
        if let Some(written) = under_way.replace(writing) {
            written.await??;
        }
    }
    if let Some(written) = under_way {
        written.await??;
    }
    let written = started.elapsed();
    let indexer = Arc::clone(&app);
    tokio::task::spawn_blocking(move || indexer.catch_up_search().and_then(|()| Ok(indexer.search.commit()?)))
        .await??;
    let words = [10, 2_000, 15_000].map(|rank| records.word(rank).to_owned());
    let filled = json!({
        "key": {"x-api-key": made.api_key.expose(), "x-api-key-id": made.api_key_id, "x-user-id": made.user_id},
        "tools": records.tools(),
        "words": words,
        "newest": newest,
        "written_s": written.as_secs_f64(),
        "indexed_s": started.elapsed().as_secs_f64(),
    });
    fs_err::write(folder.join("filled.json"), serde_json::to_vec(&filled)?)?;
    Ok(())
}

async fn measure(folder: &Path) -> Result<()> {
    let filled: Value = serde_json::from_slice(&fs_err::read(folder.join("filled.json"))?)?;
    println!("filled in {:.0} s, indexed after {:.0} s", number(&filled["written_s"]), number(&filled["indexed_s"]));
    println!(
        "on disk: store {} MB, search {} MB",
        megabytes(&folder.join("data/store"))?,
        megabytes(&folder.join("data/search"))?
    );

    let started = Instant::now();
    drop(Store::open(
        &folder.join("data"),
        Options { reserve_free_bytes: 0, flushes: None, failpoint: Failpoint::NONE },
    )?);
    println!("the store alone opened and closed in {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
    let before = resident_mb()?;
    let started = Instant::now();
    let app = open(folder).await?;
    println!("opened in {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let client = Client::sign_in(
        listener.local_addr()?.to_string(),
        &filled,
        async { drop(stopped.await) },
        listener,
        Arc::clone(&app),
    )
    .await?;
    client.request("?limit=100", 0).await?;
    println!("first list answered {:.0} ms after the start", started.elapsed().as_secs_f64() * 1e3);
    println!("resident: {before} MB before opening, {} MB after", resident_mb()?);

    let mut missed = client.lists(&filled).await?;
    println!("resident: {} MB after the lists", resident_mb()?);
    missed.extend(client.searches(&filled).await?);
    println!("resident: {} MB after the searches", resident_mb()?);
    record(&app).await?;
    client.search_after_records(&app).await?;
    missed.extend(client.search_during_records(&app).await?);
    drop(stop);
    ensure!(missed.is_empty(), "these missed their goals:\n{}", missed.join("\n"));
    Ok(())
}

/// Prints times, and gives the line again where half of them are above the goal.
fn judged(name: &str, taken: Vec<Duration>, goal: Duration) -> Option<String> {
    let distribution = Distribution::new(taken);
    let line = distribution.line(name);
    println!("{line}");
    (distribution.percentile(50) > goal).then(|| format!("{line}   goal {} ms", goal.as_millis()))
}

/// What one record costs its writer.
async fn record(app: &Arc<App>) -> Result<()> {
    let org = OrgId::parse("writers")?;
    let mut records = Records::new(&org);
    let mut alone = Vec::new();
    for _ in 0..200 {
        let batch = records.batch(1);
        let started = Instant::now();
        app.store.record_invocations(&org, &batch).await?;
        alone.push(started.elapsed());
    }
    println!("{}", Distribution::new(alone).line("record one, durably"));
    Ok(())
}

struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    async fn sign_in(
        address: String,
        filled: &Value,
        stopped: impl Future<Output = ()> + Send + 'static,
        listener: tokio::net::TcpListener,
        app: Arc<App>,
    ) -> Result<Self> {
        tokio::spawn(control_plane::serve(app, listener, stopped));
        // The library asks for one even where nothing speaks TLS. It fails only where there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build()?;
        let base = format!("http://{address}/v1/{ORGANIZATION}");
        let mut request = http.post(format!("{base}/user/signin_with_api_key"));
        for (name, value) in filled["key"].as_object().context("the folder has no key")? {
            request = request.header(name, value.as_str().unwrap_or_default());
        }
        let signed_in: Value = serde_json::from_slice(&request.send().await?.bytes().await?)?;
        let token = signed_in["id_token"].as_str().context("could not sign in")?.to_owned();
        Ok(Self { http, base, token })
    }

    /// How long an answer takes to arrive whole, and how many entries it has at least.
    async fn request(&self, query: &str, entries: usize) -> Result<Duration> {
        let started = Instant::now();
        let request = self.http.get(format!("{}/tool/invocation{query}", self.base)).bearer_auth(&self.token);
        let response = request.send().await?;
        let status = response.status();
        let body = response.bytes().await?;
        let taken = started.elapsed();
        ensure!(status == 200, "{query}: {status} {}", String::from_utf8_lossy(&body));
        let answer: Value = serde_json::from_slice(&body)?;
        let found = answer["tool_invocations"].as_array().map_or(0, Vec::len);
        ensure!(found >= entries, "{query}: {found} entries");
        Ok(taken)
    }

    async fn lists(&self, filled: &Value) -> Result<Vec<String>> {
        let mut missed = Vec::new();
        let tools: Vec<_> = filled["tools"].as_array().context("no tools")?.iter().filter_map(Value::as_str).collect();
        let conversation = filled["newest"]["conversation"].as_str().context("no conversation")?;
        let run = filled["newest"]["run"].as_str().context("no run")?;
        let mut cases: Vec<(String, String)> = vec![("newest first".to_owned(), String::new())];
        for field in [
            "created_at",
            "version.major",
            "version.minor",
            "version.patch",
            "tool_id",
            "invocation_source.type",
            "invocation_status.succeeded",
        ] {
            for sign in ["%2B", "-"] {
                cases.push((format!("{}{field}", sign.replace("%2B", "+")), format!("&sort_by={sign}{field}")));
            }
        }
        let chain =
            "&sort_by=-invocation_status.succeeded&sort_by=%2Btool_id&sort_by=-version.minor&sort_by=-created_at";
        let failed_newest = "&sort_by=%2Binvocation_status.succeeded&sort_by=-created_at";
        let three = format!("&tool_id={}&tool_id={}&tool_id={}", tools[0], tools[9], tools[39]);
        let constrained = format!("&tool_id={}&version=~%3D1.2&tool_id={}&version=%3E%3D2.0", tools[1], tools[39]);
        for (name, query) in [
            ("a chain of four", chain.to_owned()),
            ("failed first, newest", failed_newest.to_owned()),
            ("of the rarest tool", format!("&tool_id={}", tools[39])),
            ("of three tools, by a chain", format!("{three}{chain}")),
            ("of two tools, constrained", constrained.clone()),
            ("simulations that failed", "&invocation_source_type=simulation-conversation&succeeded=false".to_owned()),
            ("of a conversation", format!("&conversation_id={conversation}")),
            ("of a run, by a chain", format!("&simulation_unit_test_set_run_id={run}{chain}")),
            (
                "everything at once",
                format!("{constrained}&succeeded=true&invocation_source_type=regular-conversation{failed_newest}"),
            ),
        ] {
            cases.push((name.to_owned(), query));
        }
        let mut random = StdRng::seed_from_u64(1);
        for (name, query) in &cases {
            let mut first = Vec::new();
            let mut deep = Vec::new();
            for _ in 0..REQUESTS {
                first.push(self.request(&format!("?limit=100{query}"), 1).await?);
                // A token is the place of a record, so any of them stands for some page, however deep.
                let token = random.random_range(1..=INVOCATIONS);
                deep.push(self.request(&format!("?limit=100&continuation_token={token}{query}"), 0).await?);
            }
            missed.extend(judged(&format!("{name}, first page"), first, PAGE_GOAL));
            missed.extend(judged(&format!("{name}, any page"), deep, PAGE_GOAL));
        }
        Ok(missed)
    }

    /// A search that has one more record to index and to commit first.
    async fn search_after_records(&self, app: &App) -> Result<()> {
        let org = OrgId::parse(ORGANIZATION)?;
        let mut records = Records::new(&org);
        let mut taken = Vec::new();
        for _ in 0..REQUESTS {
            app.store.record_invocations(&org, &records.batch(1)).await?;
            taken.push(self.request("/search?query=ValueError", 1).await?);
        }
        println!("{}", Distribution::new(taken).line("search: right after a record"));
        Ok(())
    }

    /// Searches while records come in, as they do when tools are in use.
    async fn search_during_records(&self, app: &Arc<App>) -> Result<Option<String>> {
        let org = OrgId::parse(ORGANIZATION)?;
        let writer = Arc::clone(app);
        let writing: JoinHandle<Result<()>> = tokio::spawn(async move {
            let mut records = Records::new(&org);
            let mut due = tokio::time::interval(RECORD_EVERY);
            loop {
                due.tick().await;
                writer.store.record_invocations(&org, &records.batch(1)).await?;
                writer.indexing.wake();
            }
        });
        let mut taken = Vec::new();
        for _ in 0..REQUESTS {
            taken.push(self.request("/search?query=ValueError", 1).await?);
            // As long as somebody looks at what was found.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        ensure!(!writing.is_finished(), "nothing was recorded any more");
        writing.abort();
        Ok(judged("search: while records come in", taken, SEARCH_GOAL))
    }

    async fn searches(&self, filled: &Value) -> Result<Vec<String>> {
        let mut missed = Vec::new();
        let word = |index: usize| filled["words"][index].as_str().unwrap_or_default();
        let (common, rare) = (word(0), word(2));
        let prefix = &word(1)[..4];
        let typo = format!("{}x{}", &rare[..2], &rare[3..]);
        let filter = format!("&succeeded=false&tool_id={}", filled["tools"][3].as_str().unwrap_or_default());
        for (name, query) in [
            ("a common word", common.to_owned()),
            ("a rare word", rare.to_owned()),
            ("one booking of a million", "B0123456".to_owned()),
            ("a prefix", prefix.to_owned()),
            ("a word with a typo", typo),
            ("a long word with two typos", "alraedybokked".to_owned()),
            ("two words", format!("{common} {rare}")),
            ("a phrase", "%22in%20book%22".to_owned()),
            ("an exception's type", "ValueError&query_against=invocation_status.exception_type".to_owned()),
            ("a common word, of a tool, failed", format!("{common}{filter}")),
            ("a typo, of a tool, failed", format!("bokking{filter}")),
            ("a common word, simulations", format!("{common}&invocation_source_type=simulation-conversation")),
        ] {
            let mut taken = Vec::new();
            for _ in 0..REQUESTS {
                taken.push(self.request(&format!("/search?query={query}"), 0).await?);
            }
            missed.extend(judged(&format!("search: {name}"), taken, SEARCH_GOAL));
        }
        Ok(missed)
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_default()
}

fn resident_mb() -> Result<u64> {
    let status = fs_err::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
}

fn megabytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs_err::read_dir(folder)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes >> 20)
}
