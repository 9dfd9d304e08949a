//! What one organization notices of another that runs 32 endless loops: the same calls over HTTP, without and with them.
//!
//! `cargo bench --workspace --bench fairness --profile release`

#[path = "shared/client.rs"]
mod client;

use std::sync::Arc;

use anyhow::Result;
use client::{Client, organization};
use serde_json::json;
use tokio::net::TcpListener;

const CALLS: usize = 1_000;
const LOOPS: usize = 32;
/// Of one request.
const INPUTS: usize = 8;

fn main() -> Result<()> {
    let executor = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let measured = executor.block_on(measure());
    executor.shutdown_background();
    measured
}

async fn measure() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut config = client::config(&folder.path().join("data"))?;
    config.invoke.wall_clock_s = 600;
    let app = client::open(config).await?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?.to_string();
    let [calm, busy] = [organization(&app, "calm").await?, organization(&app, "busy").await?];
    tokio::spawn(control_plane::serve(Arc::clone(&app), listener, std::future::pending()));

    let calm = Client::sign_in(&address, "calm", &calm).await?;
    let tool = calm.publish(&folder.path().join("calm"), "small").await?;
    let busy = Arc::new(Client::sign_in(&address, "busy", &busy).await?);
    let looping = busy.publish(&folder.path().join("busy"), "loops").await?;

    let call = json!({"document": "[1, 2, 3]"});
    calm.calls(&tool, &call, CALLS / 10).await?;
    let undisturbed = calm.calls(&tool, &call, CALLS).await?;
    println!("{}", undisturbed.line("alone"));

    let looping: Arc<str> = Arc::from(looping);
    for _ in 0..LOOPS / INPUTS {
        let (busy, looping) = (Arc::clone(&busy), Arc::clone(&looping));
        tokio::spawn(async move { busy.invoke(&looping, &vec![json!({}); INPUTS]).await });
    }
    while app.metrics.invocations_running.get() < LOOPS as i64 {
        tokio::task::yield_now().await;
    }
    let disturbed = calm.calls(&tool, &call, CALLS).await?;
    println!("{}", disturbed.line(&format!("beside {LOOPS} loops of another organization")));
    for percent in [50, 90, 99] {
        let [before, after] = [&undisturbed, &disturbed].map(|times| times.percentile(percent).as_secs_f64());
        println!("p{percent}: {:.2} times as long", after / before);
    }
    // Dropping the service ends the loops with it.
    Ok(())
}
