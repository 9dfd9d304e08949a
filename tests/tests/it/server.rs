//! A control plane on a temporary folder and a port of its own.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, ExitStatus, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::author::Author;
use crate::client::{self, Client};
use crate::programs;

/// Longer than the server waits for requests in flight (30 s).
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(60);

/// The file of settings that differ from the defaults.
const SETTINGS: &str = "config.toml";

/// Tests sign in and publish as often as they like. Those of the limits themselves have settings of their own.
const WITHOUT_RATE_LIMITS: &str = "[rate_limits]\nreads_per_minute = 0\nwrites_per_minute = 0\npublishes_per_minute = 0\n\
                                   sign_ins_per_minute = 0\nsign_ins_of_address_per_minute = 0\n";

/// A running server.
pub struct Server {
    /// Signed in as the organization's first administrator.
    pub client: Client,
    /// The server's folder and organization, which outlive the process.
    pub installation: Arc<Installation>,
    process: Process,
}

/// The server's process. Dropping it stops it, and a server that does not stop cleanly fails the test.
struct Process {
    child: Option<Child>,
    // Closed only after the server, which may write to it at any time.
    stdout: BufReader<ChildStdout>,
    installation: Arc<Installation>,
}

/// A data folder with one organization.
pub struct Installation {
    /// The organization's first key, and whose it is.
    pub key: Key,
    folder: TempDir,
}

/// What `init-org` printed.
#[derive(Clone)]
pub struct Key {
    pub organization_id: String,
    pub user_id: String,
    pub api_key_id: String,
    pub api_key: String,
}

impl Installation {
    /// Makes a data folder with an organization.
    pub fn new() -> Arc<Self> {
        let folder = tempfile::tempdir().unwrap();
        let key = init_org("acme", &folder.path().join("data"));
        let installation = Self { key, folder };
        installation.configure("");
        Arc::new(installation)
    }

    /// Makes another organization. No server may run.
    pub fn add_organization(&self, name: &str) -> Key {
        init_org(name, &self.data())
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A file of the data folder, or the server's log, in which this text lies in the clear.
    pub fn file_with(&self, text: &str) -> Option<PathBuf> {
        let holds = |file: &PathBuf| {
            let content = if_there(fs_err::read(file)).unwrap_or_default();
            content.windows(text.len()).any(|window| window == text.as_bytes())
        };
        self.files().into_iter().chain([self.path("server.log")]).find(holds)
    }

    /// All files in the data folder but those of the database and of the search index, which write whenever they like.
    pub fn lasting_files(&self) -> BTreeSet<PathBuf> {
        let busy = ["store", "search"].map(|name| self.data().join(name));
        self.files().into_iter().filter(|path| !busy.iter().any(|folder| path.starts_with(folder))).collect()
    }

    fn files(&self) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        list(&self.data(), &mut found);
        found
    }

    /// The bare repository of the first organization.
    pub fn repository(&self) -> PathBuf {
        self.data().join(format!("repositories/{}.git", self.key.organization_id))
    }

    /// Settings that differ from the defaults, in TOML, for every server that starts from now on. There are no rate
    /// limits, unless the settings have a table of them.
    pub fn configure(&self, settings: &str) {
        let limits = if settings.contains("[rate_limits]") { "" } else { WITHOUT_RATE_LIMITS };
        fs_err::write(self.path(SETTINGS), format!("{settings}\n{limits}")).unwrap();
    }

    /// A place in the temporary folder, outside of the data folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Server {
    /// Starts a server with a new organization and signs in.
    pub async fn start() -> Self {
        Self::start_on(Installation::new()).await
    }

    /// Starts a server with a new organization and settings that differ from the defaults, in TOML, and signs in.
    pub async fn start_with(settings: &str) -> Self {
        let installation = Installation::new();
        installation.configure(settings);
        Self::start_on(installation).await
    }

    /// Starts a server on a data folder and signs in.
    pub async fn start_on(installation: Arc<Installation>) -> Self {
        Self::start_through(client::http().build().unwrap(), installation).await
    }

    /// The same with a client whose settings differ.
    pub async fn start_through(http: reqwest::Client, installation: Arc<Installation>) -> Self {
        let log = fs_err::File::create(installation.path("server.log")).unwrap();
        let mut child = programs::command("control-plane")
            .arg("serve")
            .arg("--config")
            .arg(installation.path(SETTINGS))
            .args(["--listen", "127.0.0.1:0", "--data"])
            .arg(installation.data())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.into_file())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        // From here on the process ends with this value, whatever fails.
        let mut process = Process { child: Some(child), stdout, installation: Arc::clone(&installation) };
        let mut url = String::new();
        process.stdout.read_line(&mut url).unwrap();
        let url = url.trim_end();
        assert!(url.contains("://127.0.0.1:"), "the server did not start: its first line is {url:?}");
        let client = Client::sign_in_through(http, url, &installation.key).await;
        Self { client, installation, process }
    }

    /// Ends the server without warning and answers what it leaves.
    pub fn kill(mut self) -> Arc<Installation> {
        let mut child = self.process.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        self.installation
    }

    /// The id of the server's process.
    pub fn process_id(&self) -> u32 {
        self.process.child.as_ref().unwrap().id()
    }

    /// Asks the server to stop, and does not wait.
    pub fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// Sends the server's process a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(self.process.child.as_ref().unwrap());
        rustix::process::kill_process(id, signal).unwrap();
    }

    /// How a server ended that was asked to.
    pub fn ended(mut self) -> ExitStatus {
        self.process.child.take().unwrap().wait().unwrap()
    }

    /// Asks the server to stop, and answers how it ended.
    pub fn stop(mut self) -> ExitStatus {
        terminate(self.process.child.take().unwrap())
    }

    /// A tool author of the organization. Of one name there is one working copy.
    pub fn author(&self, name: &str) -> Author {
        Author::new(&self.installation.path(name), &self.client.remote())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let Some(child) = self.child.take() else { return };
        let status = terminate(child);
        if std::thread::panicking() {
            eprintln!("the server's log:\n{}", log_of(&self.installation));
        } else {
            assert!(status.success(), "the server ended with {status}:\n{}", log_of(&self.installation));
        }
    }
}

fn init_org(name: &str, data: &Path) -> Key {
    let output =
        programs::command("control-plane").args(["init-org", name, "--json", "--data"]).arg(data).output().unwrap();
    assert!(output.status.success(), "init-org failed:\n{}", String::from_utf8_lossy(&output.stderr));
    let printed: Value = serde_json::from_slice(&output.stdout).expect("init-org prints JSON alone");
    let text = |field: &str| printed[field].as_str().unwrap_or_else(|| panic!("no `{field}`")).to_owned();
    Key {
        organization_id: text("organization_id"),
        user_id: text("user_id"),
        api_key_id: text("api_key_id"),
        api_key: text("api_key"),
    }
}

/// Sends SIGTERM to that very process and waits for its end.
fn terminate(mut child: Child) -> ExitStatus {
    let id = rustix::process::Pid::from_child(&child);
    // It may have ended by itself, which its status will tell.
    let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
    let (ended, end) = mpsc::channel();
    std::thread::spawn(move || {
        // The receiver gives up after a while, and then nobody wants to know.
        let _ = ended.send(child.wait());
    });
    if let Ok(status) = end.recv_timeout(SHUTDOWN_LIMIT) {
        return status.unwrap();
    }
    // It has not been waited for, so the id is still its own.
    let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
    end.recv().unwrap().unwrap()
}

fn log_of(installation: &Installation) -> String {
    fs_err::read_to_string(installation.path("server.log")).unwrap_or_default()
}

/// A server that runs removes files at any time, also between their being listed and read.
fn if_there<T>(outcome: std::io::Result<T>) -> Option<T> {
    match outcome {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
        outcome => Some(outcome.unwrap()),
    }
}

fn list(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in if_there(fs_err::read_dir(folder)).into_iter().flatten() {
        let entry = entry.unwrap();
        let Some(kind) = if_there(entry.file_type()) else { continue };
        if kind.is_dir() {
            list(&entry.path(), found);
        } else if kind.is_file() {
            found.insert(entry.path());
        }
    }
}
