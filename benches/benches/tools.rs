//! Many different tools in one service: what a publish and the first invocation of each take, and what they hold in memory
//! and on disk.
//!
//! `cargo bench --workspace --bench tools --profile release -- [COUNT]`, a thousand by itself. Each takes about 31 MB of
//! disk, in a folder that goes when it ends.
//!
//! No two are built of the same files, so nothing is shared but the base. Half of the invocations come after a restart, of
//! tools that are in no memory.

#[path = "shared/client.rs"]
mod client;
#[path = "shared/listening.rs"]
mod listening;

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use benches::{Distribution, family, memory_mb};
use client::{Client, organization};
use listening::Service;
use serde_json::json;

const TOOLS: usize = 1_000;

fn main() -> Result<()> {
    let count = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(TOOLS);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(measure(count))
}

async fn measure(count: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let mut config = client::config(&data)?;
    // Beside the data, so that it goes with it. The base alone is the one that other benches have.
    let cache = folder.path().join("cache");
    share_base(&config.cache, &cache)?;
    config.cache.clone_from(&cache);
    let loaded_tools = config.invoke.loaded_tools;

    let app = client::open(config.clone()).await?;
    let key = organization(&app, "bench").await?;
    let service = Service::start(app).await?;
    let mut client = Client::sign_in(&service.address, "bench", &key).await?;
    let projects = folder.path().join("projects");
    // The first build maps the base, which is no tool's own.
    client.publish(&projects, "small").await?;
    write_projects(&projects, count)?;
    client.push(&projects).await?;
    let (mut tools, mut publishes) = (Vec::new(), Vec::new());
    for number in 0..count {
        let started = Instant::now();
        tools.push(client.publish_pushed(&format!("tool{number}"), &format!("tool{number}")).await?);
        publishes.push(started.elapsed());
    }
    println!("{}", Distribution::new(publishes).line("make and publish a tool"));
    println!("{}", invoke_each(&client, &tools).await?.line("invoke each once, after it was published"));
    print_memory("all were published and invoked", loaded_tools)?;
    service.stop().await?;

    let service = Service::start(client::open(config).await?).await?;
    client.address.clone_from(&service.address);
    println!("{}", invoke_each(&client, &tools).await?.line("invoke each once, after a restart"));
    print_memory("all were invoked", loaded_tools)?;
    service.stop().await?;
    for (name, folder) in [("store", &data), ("cache", &cache)] {
        println!("{name}: {:.1} MB on disk for each tool", size(folder)? as f64 / 1e6 / count as f64);
    }
    Ok(())
}

async fn invoke_each(client: &Client, tools: &[String]) -> Result<Distribution> {
    let call = json!({"document": "[1, 2, 3]"});
    let mut durations = Vec::new();
    for tool in tools {
        durations.extend(client.calls(tool, &call, 1).await?.durations());
    }
    Ok(Distribution::new(durations))
}

/// Projects that differ in one line.
fn write_projects(folder: &Path, count: usize) -> Result<()> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/small");
    let manifest = fs_err::read_to_string(source.join("pyproject.toml"))?;
    let code = fs_err::read_to_string(source.join("src/small.py"))?;
    for number in 0..count {
        let project = folder.join(format!("tool{number}"));
        fs_err::create_dir_all(project.join("src"))?;
        fs_err::write(project.join("pyproject.toml"), &manifest)?;
        fs_err::write(project.join("src/small.py"), format!("{code}\n\nNUMBER = {number}\n"))?;
    }
    Ok(())
}

/// Copies bases, which take half a minute to make.
fn share_base(from: &Path, to: &Path) -> Result<()> {
    fs_err::create_dir_all(to)?;
    let Ok(entries) = fs_err::read_dir(from) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("base-") {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        fs_err::copy(from, to)?;
        return Ok(());
    }
    fs_err::create_dir_all(to)?;
    fs_err::read_dir(from)?.try_for_each(|entry| {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))
    })
}

/// What files take on the disk, holes left out.
fn size(path: &Path) -> Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs_err::symlink_metadata(path)?;
    let own = metadata.blocks() * 512;
    if !metadata.is_dir() {
        return Ok(own);
    }
    fs_err::read_dir(path)?.try_fold(own, |sum, entry| Ok(sum + size(&entry?.path())?))
}

/// What this process, which is the service and its one caller, and the one that tools run in hold together. A page of a file
/// that is mapped twice counts twice.
fn print_memory(when: &str, loaded_tools: usize) -> Result<()> {
    let processes = family(std::process::id())?;
    let [resident, anonymous, files] = ["VmRSS", "RssAnon", "RssFile"].map(|line| memory_mb(&processes, line));
    println!(
        "resident once {when}: {resident:.0} MB ({anonymous:.0} MB of its own, {files:.0} MB of files), at most \
         {loaded_tools} tools in memory"
    );
    Ok(())
}
