//! What the operator's commands ask of a running server: over a socket in the data folder, which only those may use who
//! own the folder. A request is a line of JSON, and so is its answer.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use crate::app::App;
use crate::domain::backup::Manifest;
use crate::error::Error;

/// The socket's name in the data folder.
const SOCKET: &str = "control.sock";

/// The longest request, in bytes: it holds a path.
const REQUEST_BYTES: u64 = 64 << 10;

/// What can be asked for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// A backup in this folder, whose path is absolute.
    BackUp(PathBuf),
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// A backup was made.
    BackedUp(Manifest),
    /// It failed, for these reasons, each the reason of the one before.
    Failed(Vec<String>),
}

/// Serves the socket of an app's data folder until this is dropped.
pub(crate) struct Control(tokio::task::JoinHandle<()>);

impl Control {
    /// Begins to listen.
    pub(crate) fn start(app: &Arc<App>) -> Result<Self> {
        let folder = app.config.data.clone();
        // The folder belongs to this process, so what a killed one left is nobody's.
        match fs_err::remove_file(folder.join(SOCKET)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let listener = with_short_path(&folder, |path| UnixListener::bind(path));
        let listener = listener.with_context(|| format!("failed to make the socket {SOCKET} in the data folder"))?;
        fs_err::set_permissions(folder.join(SOCKET), std::fs::Permissions::from_mode(0o600))?;
        Ok(Self(tokio::spawn(serve(Arc::downgrade(app), listener))))
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn serve(app: std::sync::Weak<App>, listener: UnixListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let Some(app) = app.upgrade() else { return };
                // One at a time: whoever may ask can wait.
                if let Err(error) = answer(&app, stream).await {
                    tracing::debug!(%error, "A request of the operator's was not answered");
                }
            }
            Err(error) => {
                tracing::error!(%error, "The operator's commands cannot reach this server any more");
                return;
            }
        }
    }
}

async fn answer(app: &Arc<App>, mut stream: UnixStream) -> Result<()> {
    let mut line = String::new();
    BufReader::new((&mut stream).take(REQUEST_BYTES)).read_line(&mut line).await?;
    let answer = match serde_json::from_str(&line) {
        Ok(Request::BackUp(folder)) => match app.back_up(folder).await {
            Ok(manifest) => Answer::BackedUp(manifest),
            Err(error) => failed(&error),
        },
        Err(error) => Answer::Failed(vec![format!("this server does not understand the request: {error}")]),
    };
    let mut text = serde_json::to_vec(&answer)?;
    text.push(b'\n');
    stream.write_all(&text).await?;
    Ok(())
}

fn failed(error: &Error) -> Answer {
    let mut reasons = vec![error.to_string()];
    let mut source = std::error::Error::source(error);
    while let Some(reason) = source {
        reasons.push(reason.to_string());
        source = reason.source();
    }
    Answer::Failed(reasons)
}

/// Asks the server of a data folder. None when no server serves it.
pub async fn ask(data: &Path, request: &Request) -> Result<Option<Answer>> {
    let Ok(socket) = with_short_path(data, std::os::unix::net::UnixStream::connect) else { return Ok(None) };
    socket.set_nonblocking(true)?;
    let mut socket = UnixStream::from_std(socket)?;
    let mut text = serde_json::to_vec(request)?;
    text.push(b'\n');
    socket.write_all(&text).await?;
    let mut answer = String::new();
    BufReader::new(socket).read_line(&mut answer).await?;
    Ok(Some(serde_json::from_str(&answer).context("the server ended before it had answered")?))
}

/// Uses the socket by a path that is short, however long that of the folder is: the system takes 107 bytes.
fn with_short_path<T>(folder: &Path, with: impl FnOnce(PathBuf) -> std::io::Result<T>) -> std::io::Result<T> {
    use std::os::fd::AsRawFd;
    let opened = fs_err::File::open(folder)?;
    let short = PathBuf::from(format!("/proc/self/fd/{}", opened.file().as_raw_fd()));
    // Where the system does not show open files, the folder's own path has to do.
    let folder = if short.exists() { short } else { folder.to_owned() };
    with(folder.join(SOCKET))
}
