//! Mixed work for a while: memory, open files and latency stay where they are.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use benches::Distribution;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::client::{Client, Said, git};
use crate::plot::{Line, plot};
use crate::server::Server;

/// How many invoke at once, each again after a pause: a load that leaves the machine room for itself.
const CALLERS: usize = 2;
const PAUSE: Duration = Duration::from_millis(10);

/// How many points the plot has.
const SAMPLES: usize = 60;

/// How much more than in the third quarter may be taken in the last one. Caches fill before that, and what goes on growing
/// shows then as well.
const GROWTH: f64 = 1.075;

pub async fn measure(minutes: f64) -> Result<()> {
    let settings = "[rate_limits]\ninvokes_per_minute = 0\nreads_per_minute = 0\npublishes_per_minute = 0\n\
                    git_per_minute = 0\nwrites_per_minute = 0\n";
    let server = Server::start(settings)?;
    let client = Client::sign_in(&server).await?;
    let small = client.publish(&server.path("work"), "small").await?;
    let every = Duration::from_secs_f64(minutes * 60.0 / SAMPLES as f64);

    let (stop, times) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
    let mut work: Vec<JoinHandle<Result<()>>> = Vec::new();
    for _ in 0..CALLERS {
        let (client, small, stop, times) = (client.clone(), small.clone(), Arc::clone(&stop), Arc::clone(&times));
        work.push(tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let started = Instant::now();
                let said = client.invoke(&small, &json!({"document": "[1, 2, 3]"})).await;
                ensure!(said == Said::Done, "an invocation was answered {said:?}");
                times.lock().unwrap_or_else(PoisonError::into_inner).push(started.elapsed());
                tokio::time::sleep(PAUSE).await;
            }
            Ok(())
        }));
    }
    let (others, again, halt, folder) = (client.clone(), small.clone(), Arc::clone(&stop), server.path("work"));
    work.push(tokio::spawn(async move {
        while !halt.load(Ordering::Relaxed) {
            others.get("invocation?limit=100&sort_by=-created_at").await?;
            others.get("invocation/search?query=3").await?;
            others.get("repo/commit?ref=small").await?;
            others.publish_again(&again, "small", "patch").await?;
            git(&folder, &["ls-remote", "--quiet", &others.remote()]).await?;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    }));

    let (mut memory, mut files, mut disk, mut p50, mut p99) = (vec![], vec![], vec![], vec![], vec![]);
    let mut count = 0;
    for _ in 0..SAMPLES {
        tokio::time::sleep(every).await;
        let taken = server.taken()?;
        let times = std::mem::take(&mut *times.lock().unwrap_or_else(PoisonError::into_inner));
        count += times.len();
        let times = Distribution::new(times);
        memory.push(taken.resident_mb);
        files.push(taken.files);
        disk.push(taken.disk_mb);
        p50.push(times.percentile(50).as_secs_f64() * 1e3);
        p99.push(times.percentile(99).as_secs_f64() * 1e3);
        ensure!(!work.iter().any(JoinHandle::is_finished), "work ended before its time");
    }
    stop.store(true, Ordering::Relaxed);
    for work in work {
        work.await??;
    }
    let lines = [
        Line { name: "resident memory, MB", values: &memory },
        Line { name: "open files", values: &files },
        Line { name: "disk, MB", values: &disk },
        Line { name: "invoke, p50, ms", values: &p50 },
        Line { name: "invoke, p99, ms", values: &p99 },
    ];
    let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/soak.svg");
    fs_err::write(&picture, plot(&lines, minutes))?;
    println!("{count} invocations in {minutes} minutes");
    let quarter = |values: &[f64], number: usize| {
        let part = &values[number * SAMPLES / 4..(number + 1) * SAMPLES / 4];
        part.iter().sum::<f64>() / part.len() as f64
    };
    for Line { name, values } in &lines {
        let quarters = (0..4).map(|number| format!("{:>8.2}", quarter(values, number))).collect::<Vec<_>>().join("  ");
        println!("{name:<24} by quarters {quarters}");
    }
    for Line { name, values } in &lines[..2] {
        let (early, late) = (quarter(values, 2), quarter(values, 3));
        ensure!(late <= early * GROWTH, "{name} grows: {early:.1}, then {late:.1}");
    }
    let grown_bytes = (quarter(&disk, 3) - quarter(&disk, 1)) * 1e6;
    println!("disk for each invocation {:.0} bytes", grown_bytes / (count as f64 / 2.0));
    Ok(())
}
