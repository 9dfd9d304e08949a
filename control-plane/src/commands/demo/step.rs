//! One step of the demo: one line on stdout once it is done, or an error that names it.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::Context;
use indicatif::ProgressBar;

/// Does a step. `intent` completes "failed to …"; `work` answers a value and what to print.
pub async fn step<T>(
    intent: &'static str,
    work: impl Future<Output = anyhow::Result<(T, String)>>,
) -> anyhow::Result<T> {
    let started = Instant::now();
    let (value, told) = work.await.with_context(|| format!("failed to {intent}"))?;
    println!("✓ {told:<68} {:>10}", duration(started.elapsed()));
    Ok(value)
}

/// Prints what belongs to the step above.
pub fn detail(text: &str) {
    println!("    {text}");
}

/// A sign of life on stderr until it is dropped. It is silent where stderr is no terminal.
pub fn spinner(message: &'static str) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(message);
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

/// A measured time with three digits or more: `7.21 s`, `3.10 ms`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds >= 1.0 { format!("{seconds:.2} s") } else { format!("{:.2} ms", seconds * 1e3) }
}
