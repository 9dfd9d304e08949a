//! What the service costs over HTTP, records and their flushes included: one caller beside the disk's own flush, sixteen
//! at once, and a start with a thousand tools in the store.
//!
//! `cargo bench --workspace --bench service --profile release`
//!
//! Callers and service share the machine's processors.

#[path = "shared/client.rs"]
mod client;
#[path = "shared/listening.rs"]
mod listening;

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use benches::{Distribution, processor_time};
use client::{Client, organization};
use listening::Service;
use serde_json::{Value, json};
use tokio::task::JoinSet;

const CALLS: usize = 1_000;
const FLUSHES: usize = 300;
const CALLERS: usize = 16;
const CALLS_AT_ONCE: usize = 16_000;
const TOOLS: usize = 1_000;

fn main() -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(measure())
}

async fn measure() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    println!("{}", flushes(folder.path())?.line("an append and its flush, on this disk"));

    let app = client::open(client::config(&data)?).await?;
    let key = organization(&app, "bench").await?;
    let service = Service::start(app).await?;
    let client = Arc::new(Client::sign_in(&service.address, "bench", &key).await?);
    let tool = client.publish(&folder.path().join("tool"), "small").await?;
    let call = json!({"document": "[1, 2, 3]"});
    client.calls(&tool, &call, CALLS / 10).await?;
    println!("{}", client.calls(&tool, &call, CALLS).await?.line("invoke over HTTP, one caller"));
    at_once(&client, &tool, &call).await?;

    for number in 1..TOOLS {
        let made =
            client.post("", json!({"name": format!("tool{number}"), "description": "A tool.", "tags": {}})).await?;
        let id = made["id"].as_str().context("no id")?;
        client.post(&format!("{id}/version"), json!({"project_path": "small", "bump_type": "major"})).await?;
    }
    service.stop().await?;
    let started = Instant::now();
    let service = Service::start(client::open(client::config(&data)?).await?).await?;
    let mut client = Arc::into_inner(client).context("a caller is left")?;
    client.address.clone_from(&service.address);
    client.invoke(&tool, std::slice::from_ref(&call)).await?;
    let took = started.elapsed().as_secs_f64();
    println!("start with {TOOLS} tools, to the first invocation's answer: {took:.3} s");
    service.stop().await
}

/// What any durable record costs here: a kilobyte behind a file's end, and `fdatasync`.
fn flushes(folder: &Path) -> Result<Distribution> {
    let mut file = std::fs::File::create(folder.join("flushes"))?;
    let mut durations = Vec::with_capacity(FLUSHES);
    for _ in 0..FLUSHES {
        let started = Instant::now();
        file.write_all(&[1; 1024])?;
        file.sync_data()?;
        durations.push(started.elapsed());
    }
    Ok(Distribution::new(durations))
}

async fn at_once(client: &Arc<Client>, tool: &str, call: &Value) -> Result<()> {
    let (started, processor) = (Instant::now(), processor_time()?);
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (client, tool, call) = (Arc::clone(client), tool.to_owned(), call.clone());
        callers.spawn(async move { client.calls(&tool, &call, CALLS_AT_ONCE / CALLERS).await });
    }
    let mut durations: Vec<Duration> = Vec::with_capacity(CALLS_AT_ONCE);
    while let Some(ended) = callers.join_next().await {
        durations.extend(ended??.durations());
    }
    let per_second = CALLS_AT_ONCE as f64 / started.elapsed().as_secs_f64();
    let processor_ms = (processor_time()? - processor).as_secs_f64() * 1e3 / CALLS_AT_ONCE as f64;
    println!("{}", Distribution::new(durations).line(&format!("invoke over HTTP, {CALLERS} callers")));
    println!(
        "{CALLERS} callers: {per_second:.0} a second, {processor_ms:.2} ms of processor time each, callers included"
    );
    Ok(())
}
