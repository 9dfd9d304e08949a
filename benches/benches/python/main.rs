//! Python that computes, in the sandbox and on this machine's own `python3`: the programs of pyperformance that need
//! neither processes nor packages. The wheel is fetched by pip, and both interpreters run the same files.
//!
//! `cargo bench --workspace --bench python --profile release [-- PROGRAM …]`

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use runtime::builds;
use runtime::engine::{Options, Runtime};
use runtime::invoke::{Call, Limits, Mode};
use runtime::outcome::Outcome;
use sdk::dependencies::Settings;
use serde_json::{Map, Value, json};

const PYPERFORMANCE: &str = "pyperformance==1.14.0";

const PROGRAMS: [&str; 23] = [
    "chaos",
    "comprehensions",
    "coroutines",
    "deepcopy",
    "deltablue",
    "fannkuch",
    "float",
    "generators",
    "go",
    "hexiom",
    "json_dumps",
    "json_loads",
    "logging",
    "mdp",
    "nbody",
    "nqueens",
    "pidigits",
    "raytrace",
    "regex_effbot",
    "richards",
    "scimark",
    "spectral_norm",
    "unpack_sequence",
];

const MANIFEST: &str = r#"[project]
name = "programs"
version = "1.0.0"
requires-python = ">=3.11"
dependencies = []

[tool.toolplane]
entry-point = "programs:run"
timeout = "600s"
"#;

fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let source = folder.path().join("src");
    fs_err::create_dir(&source)?;
    fs_err::write(folder.path().join("pyproject.toml"), MANIFEST)?;
    fs_err::write(source.join("pyperf.py"), include_str!("pyperf.py"))?;
    fs_err::write(source.join("programs.py"), include_str!("programs.py"))?;
    fetch(folder.path(), &source)?;

    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("toolplane-cache");
    let executor = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let tool =
        Runtime::new(Options::new(&cache))?.load_file(&builds::build(&cache, folder.path(), &Settings::default())?)?;
    let limits = Limits { wall_clock: Duration::from_secs(600), memory_bytes: 1 << 30, ..Limits::default() };

    let named: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    println!("peer: {}", text(Command::new("python3").arg("--version"))?.trim());
    let mut ratios = Vec::new();
    for program in PROGRAMS.iter().filter(|program| named.is_empty() || named.iter().any(|name| name == *program)) {
        let native: Map<String, Value> =
            serde_json::from_str(&text(Command::new("python3").arg(source.join("programs.py")).arg(program))?)?;
        let parameters = json!({"program": program});
        let report = executor.block_on(tool.invoke(&Call::new(&parameters, Mode::Regular), &limits))?;
        let Outcome::Returned { output } = &report.outcome else {
            println!("{program:<20} {:?}", report.outcome);
            continue;
        };
        let ours: Map<String, Value> = serde_json::from_str(output)?;
        let seconds = |times: &Map<String, Value>| times.values().filter_map(Value::as_f64).sum::<f64>();
        let (ours, native) = (seconds(&ours), seconds(&native));
        ratios.push(ours / native);
        println!(
            "{program:<20} {:>9.3} ms   python3 {:>9.3} ms   {:.2} times",
            ours * 1e3,
            native * 1e3,
            ours / native
        );
    }
    ensure!(!ratios.is_empty(), "no program has run");
    ratios.sort_by(f64::total_cmp);
    let mean = (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
    let within = ratios.iter().filter(|ratio| **ratio <= 1.5).count();
    println!("{} programs: geometric mean {mean:.2} times, {within} of them at most 1.5 times", ratios.len());
    Ok(())
}

/// Fetches the programs and puts each, under its name, beside the tool's module.
fn fetch(folder: &Path, source: &Path) -> Result<()> {
    let into = folder.join("pyperformance");
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "--target"]);
    ensure!(pip.arg(&into).arg(PYPERFORMANCE).status()?.success(), "pip could not fetch {PYPERFORMANCE}");
    for program in PROGRAMS {
        let from = into.join(format!("pyperformance/data-files/benchmarks/bm_{program}"));
        fs_err::rename(from, source.join(program))?;
    }
    // What is not the tool's would be built into it.
    Ok(fs_err::remove_dir_all(into)?)
}

fn text(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    ensure!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).context("the output is no text")
}
