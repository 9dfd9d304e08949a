//! One invocation in process, each in a fresh instance, beside its peer: `python3 -I` with the same code.
//!
//! `cargo bench -p benches --bench invoke`

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use benches::Distribution;
use runtime::builds;
use runtime::engine::{Options, Runtime};
use runtime::invoke::{Call, Limits, Mode};
use runtime::outcome::Outcome;
use sdk::dependencies::Settings;

const CALLS: usize = 2_000;
const PEER_CALLS: usize = 40;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/small");
    let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("toolplane-cache");
    let built = builds::build(&cache, &project, &Settings::default())?;
    let tool = Runtime::new(Options::new(&cache))?.load_file(&built)?;
    let parameters = serde_json::json!({"document": "[1, 2, 3]"});
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build()?;

    let (mut calls, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..CALLS {
        let started = Instant::now();
        let report = executor.block_on(tool.invoke(&Call::new(&parameters, Mode::Regular), &Limits::default()))?;
        whole.push(started.elapsed());
        calls.push(report.duration);
        let Outcome::Returned { output } = &report.outcome else { return Err(format!("{report:?}").into()) };
        assert_eq!(output, r#"{"count":3,"sum":6}"#);
    }
    let peer = Distribution::new((0..PEER_CALLS).map(|_| subprocess(&project)).collect::<Result<_, _>>()?);
    let whole = Distribution::new(whole);
    println!("{}", Distribution::new(calls).line("toolplane, to the result"));
    println!("{}", whole.line("toolplane, with the instance dropped"));
    println!("{}", peer.line("python3 -I in a subprocess, same code"));
    let ratio = peer.percentile(50).as_secs_f64() / whole.percentile(50).as_secs_f64();
    println!("the subprocess takes {ratio:.0} times as long");
    Ok(())
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
