//! The real program on a temporary folder.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use benches::{family, memory_mb};
use serde_json::Value;
use tempfile::TempDir;

/// A running server; dropping it ends it.
pub struct Server {
    child: Child,
    folder: TempDir,
    /// Such as `127.0.0.1:4321`.
    pub address: String,
    /// What `init-org` printed.
    pub key: Value,
}

/// What a server takes of the machine.
pub struct Taken {
    pub resident_mb: f64,
    pub files: f64,
    pub disk_mb: f64,
}

impl Server {
    /// Starts a server with settings that differ from the defaults, in TOML.
    pub fn start(settings: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        let file = folder.path().join("toolplane.toml");
        fs_err::write(&file, settings)?;
        let output = command()?.args(["init-org", "acme", "--json", "--data"]).arg(&data).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let key = serde_json::from_slice(&output.stdout)?;
        let mut serve = command()?;
        serve.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&file).arg("--data").arg(&data);
        let log = fs_err::File::create(folder.path().join("server.log"))?;
        let mut child = serve.stdout(Stdio::piped()).stderr(log.into_file()).spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("no standard output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim_end().strip_prefix("http://").context("the server did not start")?.to_owned();
        Ok(Self { child, folder, address, key })
    }

    /// A place beside the data folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What it takes now.
    pub fn taken(&self) -> Result<Taken> {
        // The server, and the process that tools run in.
        let processes = family(self.child.id())?;
        let files = |id: &u32| std::fs::read_dir(format!("/proc/{id}/fd")).map_or(0, Iterator::count);
        Ok(Taken {
            resident_mb: memory_mb(&processes, "VmRSS"),
            files: processes.iter().map(files).sum::<usize>() as f64,
            disk_mb: size(&self.path("data")) as f64 / 1e6,
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has no work by now, so it ends at once. Where it has ended by itself, there is nobody to ask.
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

/// What a folder takes. Files may go while they are counted.
fn size(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let of = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.flatten().map(of).sum()
}

fn command() -> Result<Command> {
    let own = std::env::current_exe()?;
    let profile = own.parent().and_then(Path::parent).context("the bench is in the folder `deps` of a profile")?;
    let binary = profile.join("control-plane");
    ensure!(binary.is_file(), "there is no {}: run `cargo build --release --workspace` first", binary.display());
    let mut command = Command::new(binary);
    command.env("TOOLPLANE_CACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("toolplane-cache"));
    command.env("TOOLPLANE_ALLOW_SWAP", "1").stdin(Stdio::null());
    Ok(command)
}
