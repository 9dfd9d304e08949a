//! What browsing a large repository costs over HTTP: 10,000 files, 5,000 commits, beside a small one and beside `git`, each
//! of whose commands is a process of its own.
//!
//! `cargo bench --workspace --bench browsing --profile release`
//!
//! What is asked for is what should cost: a first page as much in both repositories, a later one and a path more by what has
//! to be walked.

#[expect(dead_code, reason = "other benches publish and invoke with it")]
#[path = "shared/client.rs"]
mod client;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use benches::Distribution;
use client::{Client, organization};
use reqwest::Method;
use tokio::net::TcpListener;

/// Folders, and files in each.
const LARGE: Size = Size { folders: 100, files: 100, commits: 5_000 };
const SMALL: Size = Size { folders: 2, files: 10, commits: 50 };

/// How often what takes little is asked for, and what takes a walk.
const OFTEN: usize = 300;
const SELDOM: usize = 20;

#[derive(Clone, Copy)]
struct Size {
    folders: usize,
    files: usize,
    commits: usize,
}

fn main() -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(measure())
}

async fn measure() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let app = client::open(client::config(&folder.path().join("data"))?).await?;
    for (org, size) in [("small", SMALL), ("large", LARGE)] {
        let key = organization(&app, org).await?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?.to_string();
        let serving = tokio::spawn(control_plane::serve(app.clone(), listener, std::future::pending()));
        let client = Client::sign_in(&address, org, &key).await?;
        let work = folder.path().join(org);
        let started = Instant::now();
        make(&work, size)?;
        git(&work, &["push", "--quiet", &client.remote(), "main"])?;
        let files = size.folders * size.files;
        println!("\n{org}: {files} files, {} commits, made and pushed in {:.1?}", size.commits, started.elapsed());
        ask(&client, size).await?;
        beside(&work, size)?;
        serving.abort();
    }
    Ok(())
}

/// A repository whose first commit has all files, and each further one changes one of them.
fn make(folder: &Path, size: Size) -> Result<()> {
    fs_err::create_dir_all(folder)?;
    git(folder, &["init", "--quiet", "--initial-branch=main"])?;
    let mut child = command(folder, &["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn()?;
    let mut stream = std::io::BufWriter::new(child.stdin.take().context("no pipe")?);
    for number in 0..size.commits {
        let message = format!("Change number {number}");
        let when = 1_700_000_000 + number * 60;
        write!(
            stream,
            "commit refs/heads/main\ncommitter Ada <ada@example.com> {when} +0000\ndata {}\n{message}\n",
            message.len()
        )?;
        let all = size.folders * size.files;
        let changed = if number == 0 { 0..all } else { number * 7919 % all..number * 7919 % all + 1 };
        for file in changed {
            let (place, content) = (path(file, size), format!("file {file}\nchange {number}\n"));
            write!(stream, "M 100644 inline {place}\ndata {}\n{content}\n", content.len())?;
        }
    }
    drop(stream.into_inner()?);
    ensure!(child.wait()?.success(), "git fast-import failed");
    Ok(())
}

fn path(file: usize, size: Size) -> String {
    format!("folder{:03}/file{:03}.py", file / size.files, file % size.files)
}

async fn ask(client: &Client, size: Size) -> Result<()> {
    let last_page = size.commits.div_ceil(20);
    let rare = path(7919 % (size.folders * size.files), size);
    let requests = [
        ("branches", "repo/branch".to_owned(), OFTEN),
        ("commits, the first page", "repo/commit".to_owned(), OFTEN),
        (
            "commits, the first page with files and lines",
            "repo/commit?show_change_stats=true&show_changed_files=true".to_owned(),
            SELDOM,
        ),
        ("commits, the page in the middle", format!("repo/commit?continuation_token={}", last_page / 2), SELDOM),
        ("commits, the last page", format!("repo/commit?continuation_token={last_page}"), SELDOM),
        ("commits of one folder, the first page", "repo/commit?path=folder001".to_owned(), SELDOM),
        ("commits of one file, all of them", format!("repo/commit?path={rare}"), SELDOM),
        ("the root", "repo/directory/".to_owned(), OFTEN),
        ("a folder", "repo/directory/folder001".to_owned(), OFTEN),
        ("a folder with last commits", "repo/directory/folder001?include_last_commit_info=true".to_owned(), SELDOM),
        ("a file", format!("repo/file?file_paths={rare}"), OFTEN),
    ];
    for (name, path, count) in requests {
        let mut durations = Vec::with_capacity(count);
        for _ in 0..count {
            let started = Instant::now();
            client.send(Method::GET, &path, None).await?;
            durations.push(started.elapsed());
        }
        println!("{}", Distribution::new(durations).line(name));
    }
    Ok(())
}

/// The same of the program, in the repository of whoever pushed.
fn beside(folder: &Path, size: Size) -> Result<()> {
    let skip = format!("--skip={}", size.commits / 2);
    let requests = [
        ("git log -20", vec!["log", "-20", "--format=%H%P%s%ct"]),
        ("git log -20 --numstat", vec!["log", "-20", "--numstat", "--format=%H%P%s%ct"]),
        ("git log -20, in the middle", vec!["log", "-20", skip.as_str(), "--format=%H%P%s%ct"]),
        ("git log -20 -- folder001", vec!["log", "-20", "--format=%H%P%s%ct", "--", "folder001"]),
        ("git ls-tree --long", vec!["ls-tree", "--long", "HEAD:folder001"]),
    ];
    for (name, arguments) in requests {
        let mut durations = Vec::with_capacity(SELDOM);
        for _ in 0..SELDOM {
            let started = Instant::now();
            git(folder, &arguments)?;
            durations.push(started.elapsed());
        }
        println!("{}", Distribution::new(durations).line(name));
    }
    Ok(())
}

fn git(folder: &Path, arguments: &[&str]) -> Result<()> {
    ensure!(command(folder, arguments).stdout(Stdio::null()).status()?.success(), "git {arguments:?} failed");
    Ok(())
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.args(arguments).current_dir(folder);
    command
}
