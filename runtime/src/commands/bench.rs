//! `runtime bench`: how long a tool takes, and where the time goes.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use runtime::Error;
use runtime::input::InputLimits;
use runtime::invoke::{Call, Limits};
use runtime::outcome::Outcome;
use sdk::dependencies::Settings;
use serde_json::{Value, json};

use super::{call, exit, shown};

#[derive(clap::Args)]
#[command(after_help = "Each call has a sandbox of its own, as in production: nothing is warm but the machine.

Examples:
  runtime bench weather --input '{\"city\": \"Ghent\"}'
  runtime bench weather.tool --input @input.json --count 1000 --json")]
pub struct Arguments {
    /// The project's folder, or a built file.
    #[arg(default_value = ".", value_name = "PROJECT")]
    tool: PathBuf,
    /// How many calls, one after another; several inputs take turns.
    #[arg(long, default_value_t = 200, value_name = "NUMBER", value_parser = count)]
    count: u32,
    #[command(flatten)]
    call: call::Arguments,
}

impl Arguments {
    pub fn tool(&self) -> &Path {
        &self.tool
    }
}

/// More would hold more times in memory than anybody looks at.
const MOST_CALLS: u32 = 1_000_000;

fn count(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (1..=MOST_CALLS).contains(number));
    number.ok_or_else(|| format!("write a whole number from 1 to {MOST_CALLS}"))
}

/// The parts of a call, in the order of time.
const PARTS: [&str; 4] = ["start", "run", "clean_up", "total"];

pub fn execute(arguments: Arguments, cache: &Path, settings: &Settings) -> Result<ExitCode, Error> {
    let parameters = arguments.call.parameters()?;
    let built = super::built_file(&arguments.tool, cache, settings)?;
    let started = Instant::now();
    let tool = super::single_runtime(cache, arguments.call.network())?.load_file(&built)?;
    let load = started.elapsed();
    parameters.iter().try_for_each(|parameters| tool.unpacked().check_input(parameters, &InputLimits::default()))?;
    let calls = parameters.iter().map(|parameters| {
        let call = arguments.call.call(parameters, tool.unpacked().label(), &arguments.tool)?;
        Ok(Call { echoes_logs: false, ..call })
    });
    let calls = calls.collect::<Result<Vec<_>, Error>>()?;
    let executor = super::executor()?;
    let mut times: [Vec<Duration>; PARTS.len()] = Default::default();
    let mut peak_memory_bytes = 0;
    for call in calls.iter().cycle().take(arguments.count as usize) {
        let started = Instant::now();
        let report = executor.block_on(tool.invoke(call, &Limits::default()))?;
        let total = started.elapsed();
        if let Outcome::Failed(failure) = &report.outcome {
            eprint!("{}", report.logs);
            shown::print_failure(failure);
            return Ok(ExitCode::from(exit::TOOL_FAILED));
        }
        let parts = [report.startup, report.duration - report.startup, total.saturating_sub(report.duration), total];
        times.iter_mut().zip(parts).for_each(|(times, part)| times.push(part));
        peak_memory_bytes = peak_memory_bytes.max(report.peak_memory_bytes);
    }
    times.iter_mut().for_each(|times| times.sort());
    if arguments.call.json {
        let parts = PARTS.iter().zip(&times);
        let parts: serde_json::Map<_, _> = parts.map(|(name, times)| ((*name).to_owned(), figures(times))).collect();
        println!(
            "{}",
            json!({
                "count": arguments.count,
                "load_ms": milliseconds(load),
                "peak_memory_bytes": peak_memory_bytes,
                "parts": parts,
            })
        );
        return Ok(ExitCode::SUCCESS);
    }
    println!("{:9} {:>10} {:>10} {:>10}", format!("{} calls", arguments.count), "p50", "p90", "p99");
    for (name, times) in PARTS.iter().zip(&times) {
        let [p50, p90, p99] = [50, 90, 99].map(|percent| milliseconds(percentile(times, percent)));
        println!("{:9} {p50:>7.2} ms {p90:>7.2} ms {p99:>7.2} ms", name.replace('_', " "));
    }
    println!("loaded once in {:.1} ms; {} MiB at the most", milliseconds(load), peak_memory_bytes >> 20);
    Ok(ExitCode::SUCCESS)
}

fn figures(sorted: &[Duration]) -> Value {
    let [p50, p90, p99] = [50, 90, 99].map(|percent| milliseconds(percentile(sorted, percent)));
    json!({"p50_ms": p50, "p90_ms": p90, "p99_ms": p99})
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The smallest that at least so many of a hundred do not exceed.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let times: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!([50, 90, 99].map(|percent| percentile(&times, percent).as_millis()), [100, 180, 198]);
        assert_eq!(percentile(&times[..1], 50).as_millis(), 1);
    }
}
