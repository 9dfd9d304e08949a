//! What an invocation costs in process, each in a fresh instance: one at a time beside its peer, `python3 -I` with the
//! same code; many at once, with the processor time of everything; of a tool that is not in memory; and what comes before
//! it, the build of a changed tool. And what it costs more where tools run in a process of their own, as the service's do.
//!
//! `cargo bench --workspace --bench invoke --profile release`, and after `--` the names of those parts that are wanted:
//! `one`, `many`, `worker`, `loads`, `builds`, `peer`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use benches::{Distribution, processor_time};
use runtime::builds;
use runtime::component::Tool;
use runtime::engine::{Options, Runtime};
use runtime::invoke::{Call, Limits, Mode};
use runtime::outcome::Outcome;
use runtime::worker::{self, Worker};
use sdk::dependencies::Settings;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Calls before those that are counted.
const WARM_UP: usize = 100;
const CALLS: usize = 2_000;
const CALLS_AT_ONCE: usize = 8_000;
const CALLERS: usize = 4;
const BUILDS: usize = 10;
const LOADS: usize = 30;
const PEER_CALLS: usize = 40;

fn main() -> Result<()> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/small");
    let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("toolplane-cache");
    let built = builds::build(&cache, &project, &Settings::default())?;
    let executor = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let tool = Runtime::new(Options::new(&cache))?.load_file(&built)?;

    let named: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let wanted = |part: &str| named.is_empty() || named.iter().any(|name| name == part);
    if wanted("one") {
        let (calls, whole) = executor.block_on(one_at_a_time(&tool))?;
        println!("{}", calls.line("invoke, to the result"));
        println!("{}", whole.line("invoke, until the caller has it"));
    }
    if wanted("many") {
        executor.block_on(many_at_once(&tool))?;
    }
    if wanted("worker") {
        executor.block_on(in_a_worker(&tool, &cache))?;
    }
    if wanted("loads") {
        println!("{}", loads(&executor, &cache, &built)?.line("load from the cache, and first invocation"));
    }
    if wanted("builds") {
        println!("{}", builds_of_changes(&cache, &project)?.line("build a changed tool, and load it"));
    }
    if wanted("peer") {
        let calls = (0..PEER_CALLS).map(|_| subprocess(&project)).collect::<std::result::Result<_, _>>()?;
        println!("{}", Distribution::new(calls).line("peer: python3 -I in a subprocess, same code"));
    }
    Ok(())
}

async fn one_at_a_time(tool: &Tool) -> Result<(Distribution, Distribution)> {
    for _ in 0..WARM_UP {
        invoke(tool).await?;
    }
    let (mut calls, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..CALLS {
        let started = Instant::now();
        calls.push(invoke(tool).await?);
        whole.push(started.elapsed());
    }
    Ok((Distribution::new(calls), Distribution::new(whole)))
}

/// Invokes and answers how long it took to the result.
async fn invoke(tool: &Tool) -> Result<Duration> {
    let parameters = serde_json::json!({"document": "[1, 2, 3]"});
    let report = tool.invoke(&Call::new(&parameters, Mode::Regular), &Limits::default()).await?;
    match &report.outcome {
        Outcome::Returned { output } if output == r#"{"count":3,"sum":6}"# => Ok(report.duration),
        _ => Err(format!("{report:?}").into()),
    }
}

async fn many_at_once(tool: &Tool) -> Result<()> {
    let (started, processor) = (Instant::now(), processor_time()?);
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let tool = tool.clone();
        callers.spawn(async move {
            for _ in 0..CALLS_AT_ONCE / CALLERS {
                invoke(&tool).await.map_err(|error| error.to_string())?;
            }
            Ok::<(), String>(())
        });
    }
    while let Some(ended) = callers.join_next().await {
        ended??;
    }
    let per_second = CALLS_AT_ONCE as f64 / started.elapsed().as_secs_f64();
    let processor_ms = (processor_time()? - processor).as_secs_f64() * 1e3 / CALLS_AT_ONCE as f64;
    println!("{CALLERS} callers: {per_second:.0} invocations a second, {processor_ms:.2} ms of processor time each");
    Ok(())
}

/// Turns about with the same call in this process, so that whatever else the machine does hits both alike.
async fn in_a_worker(tool: &Tool, cache: &Path) -> Result<()> {
    let own = std::env::current_exe()?;
    let program = own.ancestors().nth(2).ok_or("the bench is in the folder `deps` of a profile")?.join("control-plane");
    let worker = Worker::new(worker::Options {
        program,
        arguments: vec!["worker".to_owned()],
        engine: Options::new(std::path::absolute(cache)?),
        loaded_tools: 1,
        patience: Duration::from_secs(30),
    });
    let (sha256, parameters) = (tool.unpacked().sha256(), serde_json::json!({"document": "[1, 2, 3]"}));
    let (call, limits) = (Call::new(&parameters, Mode::Regular), Limits::default());
    let (mut here, mut there, mut within) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..WARM_UP + CALLS {
        let started = Instant::now();
        invoke(tool).await?;
        let own = started.elapsed();
        let started = Instant::now();
        let report = worker.invoke(sha256, &call, &limits).await?;
        let whole = started.elapsed();
        if !matches!(report.outcome, Outcome::Returned { .. }) {
            return Err(format!("{report:?}").into());
        }
        if round >= WARM_UP {
            here.push(own);
            there.push(whole);
            within.push(report.duration);
        }
    }
    let (here, there) = (Distribution::new(here), Distribution::new(there));
    println!("{}", here.line("turn about: in this process"));
    println!("{}", there.line("turn about: in a process of its own"));
    println!("{}", Distribution::new(within).line("            of which there, to the result"));
    let more = there.percentile(50).saturating_sub(here.percentile(50));
    println!("a process of its own costs {:.3} ms more (p50)", more.as_secs_f64() * 1e3);
    Ok(())
}

/// A process that has just started, as far as the tool is concerned: what the system has cached of the files stays.
fn loads(executor: &tokio::runtime::Runtime, cache: &Path, built: &Path) -> Result<Distribution> {
    let sha256 = sdk_sha256(built)?;
    let mut durations = Vec::new();
    for _ in 0..LOADS {
        let runtime = Runtime::new(Options::new(cache))?;
        // The base is in memory: other tools are in use.
        runtime.load_file(built)?;
        let started = Instant::now();
        let tool = runtime.load(&sha256, || Err(std::io::Error::other("the cache does not have the tool")))?;
        executor.block_on(invoke(&tool))?;
        durations.push(started.elapsed());
    }
    Ok(Distribution::new(durations))
}

fn builds_of_changes(cache: &Path, project: &Path) -> Result<Distribution> {
    let copy = tempfile::tempdir()?;
    fs_err::create_dir(copy.path().join("src"))?;
    fs_err::copy(project.join("pyproject.toml"), copy.path().join("pyproject.toml"))?;
    let source = fs_err::read_to_string(project.join("src/small.py"))?;
    let runtime = Runtime::new(Options::new(cache))?;
    let mut durations = Vec::new();
    for _ in 0..BUILDS {
        let now = jiff::Timestamp::now();
        fs_err::write(copy.path().join("src/small.py"), format!("{source}\n# {now}\n"))?;
        let started = Instant::now();
        runtime.load_file(&builds::build(cache, copy.path(), &Settings::default())?)?;
        durations.push(started.elapsed());
    }
    Ok(Distribution::new(durations))
}

fn sdk_sha256(file: &Path) -> Result<String> {
    use sha2::{Digest, Sha256};
    Ok(hex::encode(Sha256::digest(fs_err::read(file)?)))
}

fn subprocess(project: &Path) -> std::io::Result<Duration> {
    let code = format!(
        "import sys; sys.path.insert(0, {:?}); import json, dataclasses, datetime, decimal, enum, inspect, logging, random, re, traceback, typing, uuid; from small import summarize; print(json.dumps(summarize('[1, 2, 3]')))",
        project.join("src")
    );
    let started = Instant::now();
    let status = Command::new("python3").args(["-I", "-c", &code]).stdout(Stdio::null()).status()?;
    assert!(status.success(), "python3 failed");
    Ok(started.elapsed())
}
