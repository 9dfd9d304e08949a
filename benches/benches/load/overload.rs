//! Ten times what the server can do, idle connections, and clients that are slow.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use benches::Distribution;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::client::{Client, Said};
use crate::server::Server;

/// What the server may run and keep waiting here, so that the machine can make ten times as much.
const SETTINGS: &str = "
[rate_limits]
invokes_per_minute = 0
[invoke]
concurrent = 8
concurrent_per_organization = 8
concurrent_per_tool = 8
waiting = 16
waiting_per_organization = 16
[http]
max_connections = 12000
";
const CONCURRENT: usize = 8;
const PHASE: Duration = Duration::from_secs(8);
const OVERLOAD: f64 = 10.0;
const IDLE: usize = 10_000;
const SLOW: usize = 200;

pub async fn measure() -> Result<()> {
    let server = Server::start(SETTINGS)?;
    let client = Client::sign_in(&server).await?;
    let naps: Arc<str> = Arc::from(client.publish(&server.path("work"), "naps").await?);
    let small = client.publish(&server.path("more"), "small").await?;

    // As many as run, and as many again that wait: nobody is refused.
    let peak = closed_loop(&client, &naps, 2 * CONCURRENT, PHASE).await?;
    let calm = server.taken()?.resident_mb;
    println!("peak                     {peak:.0} a second, {calm:.0} MB resident");

    let (done, shed, failed, most) = open_loop(&server, &client, &naps, peak * OVERLOAD).await?;
    let goodput = done as f64 / PHASE.as_secs_f64();
    let share = goodput / peak;
    println!(
        "at {:.0} requests a second  {goodput:.0} a second ({:.0} % of the peak), {shed} told when to try again, {failed} \
         failed, at most {most:.0} MB resident",
        peak * OVERLOAD,
        share * 100.0
    );
    let began = Instant::now();
    let mut recovered = None;
    while recovered.is_none() && began.elapsed() < Duration::from_secs(10) {
        let now = closed_loop(&client, &naps, 2 * CONCURRENT, Duration::from_secs(1)).await?;
        recovered = (now >= 0.9 * peak).then(|| began.elapsed());
    }
    let recovered = recovered.context("it does not recover within ten seconds")?;
    println!("back to the peak         within {:.1} s", recovered.as_secs_f64());

    let call = json!({"document": "[1, 2, 3]"});
    println!("{}", calls(&client, &small, &call).await?.line("invoke, alone"));
    let mut idle = Vec::new();
    for _ in 0..IDLE {
        idle.push(TcpStream::connect(&server.address).await?);
    }
    println!("{}", calls(&client, &small, &call).await?.line(&format!("beside {IDLE} idle connections")));
    let with_idle = server.taken()?;
    println!("{} files open, {:.0} MB resident", with_idle.files, with_idle.resident_mb);
    drop(idle);
    let slow: Vec<_> = (0..SLOW).map(|_| tokio::spawn(drip(server.address.clone()))).collect();
    println!("{}", calls(&client, &small, &call).await?.line(&format!("beside {SLOW} slow clients")));
    slow.iter().for_each(tokio::task::JoinHandle::abort);

    ensure!(share >= 0.8, "the goodput falls to {:.0} % of the peak", share * 100.0);
    ensure!(failed == 0, "{failed} were neither carried out nor told when to try again");
    ensure!(recovered < Duration::from_secs(5), "it takes {recovered:?} to recover");
    Ok(())
}

/// So many callers, each of whom waits for its answer: how many were carried out in a second.
async fn closed_loop(client: &Client, tool: &Arc<str>, callers: usize, time: Duration) -> Result<f64> {
    let until = Instant::now() + time;
    let callers = (0..callers).map(|_| {
        let (client, tool) = (client.clone(), Arc::clone(tool));
        tokio::spawn(async move {
            let mut done = 0_u64;
            while Instant::now() < until {
                done += u64::from(client.invoke(&tool, &json!({})).await == Said::Done);
            }
            done
        })
    });
    let mut done = 0;
    for caller in callers.collect::<Vec<_>>() {
        done += caller.await?;
    }
    Ok(done as f64 / time.as_secs_f64())
}

/// So many requests a second, whatever is answered: what was, and the most memory.
async fn open_loop(server: &Server, client: &Client, tool: &Arc<str>, per_second: f64) -> Result<(u64, u64, u64, f64)> {
    let counts: Arc<[AtomicU64; 3]> = Arc::default();
    let (began, mut sent, mut most) = (Instant::now(), 0_u64, 0.0_f64);
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    let mut calls = tokio::task::JoinSet::new();
    while began.elapsed() < PHASE {
        tick.tick().await;
        let due = (began.elapsed().as_secs_f64() * per_second) as u64;
        for _ in sent..due {
            let (client, tool, counts) = (client.clone(), Arc::clone(tool), Arc::clone(&counts));
            calls.spawn(async move {
                let said = client.invoke(&tool, &json!({})).await;
                counts[said as usize].fetch_add(1, Ordering::Relaxed);
            });
        }
        if sent / 1000 != due / 1000 {
            most = most.max(server.taken()?.resident_mb);
        }
        sent = due;
        while calls.try_join_next().is_some() {}
    }
    // What was carried out within the time counts; the rest has to be answered, too.
    let done = counts[Said::Done as usize].load(Ordering::Relaxed);
    while calls.join_next().await.is_some() {}
    let [_, shed, failed] = [0, 1, 2].map(|kind| counts[kind].load(Ordering::Relaxed));
    Ok((done, shed, failed, most))
}

async fn calls(client: &Client, tool: &str, call: &Value) -> Result<Distribution> {
    let mut durations = Vec::new();
    for _ in 0..500 {
        let started = Instant::now();
        ensure!(client.invoke(tool, call).await == Said::Done, "an invocation failed");
        durations.push(started.elapsed());
    }
    Ok(Distribution::new(durations))
}

/// Sends the head of a request a byte at a time, again and again.
async fn drip(address: String) {
    loop {
        let Ok(mut stream) = TcpStream::connect(&address).await else { return };
        for byte in b"POST /v1/acme/tool/ HTTP/1.1\r\nHost: a\r\nX-Slow: ".iter().chain(std::iter::repeat(&b'x')) {
            if stream.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
