//! The wire protocol, spoken by the `git` program: bytes in, bytes out, nothing held whole.

use std::io::{self, Cursor};
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader, Chain, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinSet;

use super::Repository;
use crate::error::{Error, Result};

/// What a pipe holds on Linux: no more than this is in memory in either direction.
const BUFFER_BYTES: usize = 64 << 10;

/// How much of git's complaints goes to the log.
const MAX_STDERR_BYTES: u64 = 8 << 10;

/// The two things that a client asks of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Clone and fetch.
    UploadPack,
    /// Push.
    ReceivePack,
}

/// The two requests that a service knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Request {
    /// `info/refs`, which changes nothing.
    Advertisement,
    /// The fetch or the push itself.
    Exchange,
}

/// What git says, as a stream that ends once git has ended and what it confirmed is durable.
///
/// Dropping it ends the process: a client that went away leaves none behind.
#[derive(Debug)]
pub struct Answer {
    bytes: Chain<Cursor<Vec<u8>>, BufReader<ChildStdout>>,
    attendant: JoinSet<io::Result<()>>,
}

/// A running git and the processes that it started. Dropping it ends them all.
struct Process(Child);

impl Service {
    /// Parses `git-upload-pack` or `git-receive-pack`.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::UploadPack, Self::ReceivePack].into_iter().find(|service| service.name() == name)
    }

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }

    fn command(self) -> &'static str {
        match self {
            Self::UploadPack => "upload-pack",
            Self::ReceivePack => "receive-pack",
        }
    }
}

impl Repository {
    /// What the service can do and which references there are: the answer to `info/refs`.
    /// `protocol` is the `Git-Protocol` header; one that is not well-formed is ignored, as git does.
    pub async fn advertise(&self, service: Service, protocol: Option<&str>) -> Result<Answer> {
        let protocol = protocol.filter(|text| is_protocol(text));
        // Version 2 has no such line. Pushing knows no version 2: git falls back, and its clients expect the line.
        let version_2 = protocol.is_some_and(|text| text.split(':').any(|item| item == "version=2"));
        let prefix = if version_2 && service == Service::UploadPack { String::new() } else { service_line(service) };
        self.start(service, Request::Advertisement, protocol, prefix, tokio::io::empty()).await
    }

    /// One request of the service and its answer. A push that git refuses is an answer too.
    pub async fn rpc(
        &self,
        service: Service,
        protocol: Option<&str>,
        body: impl AsyncRead + Send + Unpin + 'static,
    ) -> Result<Answer> {
        if service == Service::ReceivePack {
            let repository = self.clone();
            let cleared = tokio::task::spawn_blocking(move || repository.clear_remains()).await;
            if let Err(error) = cleared.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
                tracing::warn!(repository = %self.path.display(), %error, "failed to clear what an earlier push left");
            }
        }
        let protocol = protocol.filter(|text| is_protocol(text));
        self.start(service, Request::Exchange, protocol, String::new(), body).await
    }

    async fn start(
        &self,
        service: Service,
        request: Request,
        protocol: Option<&str>,
        prefix: String,
        body: impl AsyncRead + Send + Unpin + 'static,
    ) -> Result<Answer> {
        let child = self
            .command(service, request, protocol)
            .spawn()
            .map_err(|error| Error::internal(error, "start the git program"))?;
        let mut process = Process(child);
        let pipes = (process.0.stdin.take(), process.0.stdout.take(), process.0.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(Error::Internal(anyhow::anyhow!("a pipe of the git program is missing")));
        };
        let mut attendant = JoinSet::new();
        attendant.spawn(attend(self.clone(), service, request, process, body, stdin, stderr));

        // Git speaks once it has read what it needs. An answer that began before that would make a client that waits
        // for `100 Continue` believe that its body is not wanted.
        let mut stdout = BufReader::with_capacity(BUFFER_BYTES, stdout);
        stdout.fill_buf().await.map_err(|error| Error::internal(error, "read from the git program"))?;
        Ok(Answer { bytes: Cursor::new(prefix.into_bytes()).chain(stdout), attendant })
    }

    fn command(&self, service: Service, request: Request, protocol: Option<&str>) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg("-c")
            .arg(format!("receive.maxInputSize={}", self.limits.max_pack_bytes))
            .args([service.command(), "--stateless-rpc"])
            .args((request == Request::Advertisement).then_some("--http-backend-info-refs"))
            .arg(&self.path)
            // Nothing of this process's environment or of the machine's configuration may change what git does.
            .env_clear()
            .env("HOME", "/nonexistent")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own, so that it can be ended with the processes that it starts.
            .process_group(0);
        if let Some(programs) = self.program.parent() {
            command.env("PATH", programs);
        }
        if let Some(protocol) = protocol {
            command.env("GIT_PROTOCOL", protocol);
        }
        command
    }
}

impl AsyncRead for Answer {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let filled_before = buf.filled().len();
        ready!(Pin::new(&mut this.bytes).poll_read(cx, buf))?;
        if buf.filled().len() > filled_before || buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        // A client takes a push for done when the answer ends, so the end waits for the attendant.
        match ready!(this.attendant.poll_join_next(cx)) {
            Some(ended) => Poll::Ready(ended.unwrap_or_else(|panic| Err(io::Error::other(panic)))),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl Drop for Process {
    /// Asks the whole group to end, unless git has ended. Not `SIGKILL`: git removes its locks when it is asked.
    /// What it has not accepted yet lies in quarantine, so a push is whole or has not happened.
    fn drop(&mut self) {
        // The id is gone once the process was waited for, so it cannot be another's by now.
        let id = self.0.id().and_then(|id| i32::try_from(id).ok());
        if let Some(group) = id.and_then(rustix::process::Pid::from_raw) {
            // It may have ended a moment ago.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::TERM);
        }
    }
}

/// Feeds git, waits for its end, logs what it complained about, and makes durable what it did.
async fn attend(
    repository: Repository,
    service: Service,
    request: Request,
    mut process: Process,
    body: impl AsyncRead + Send + Unpin + 'static,
    stdin: ChildStdin,
    stderr: ChildStderr,
) -> io::Result<()> {
    let path = repository.path.display().to_string();
    let limits = repository.limits;
    let work = async { tokio::join!(process.0.wait(), complaint(stderr), feed(body, stdin, limits.max_pack_bytes)) };
    let Ok((status, complaint, ())) = tokio::time::timeout(limits.command_timeout, work).await else {
        tracing::warn!(repository = path, service = service.name(), "git took too long and was ended");
        return Err(io::ErrorKind::TimedOut.into());
    };
    let status = status?;
    if !status.success() {
        tracing::warn!(
            repository = path,
            service = service.name(),
            %status,
            stderr = complaint.trim_end(),
            "git ended with a failure"
        );
    }
    if (service, request) == (Service::ReceivePack, Request::Exchange) {
        // The content of packs and references was synced by git itself (core.fsync), their names were not.
        let synced = tokio::task::spawn_blocking(move || repository.sync_names()).await;
        synced
            .unwrap_or_else(|panic| Err(io::Error::other(panic)))
            .inspect_err(|error| tracing::error!(repository = path, %error, "failed to make a push durable"))?;
    }
    Ok(())
}

/// Gives git the request's body. Its failures are not errors: when the client goes away, git finds its input cut
/// short and refuses it; when git refuses early, the client still has to be heard out, since a client whose upload is
/// cut off never reads why.
async fn feed(body: impl AsyncRead + Unpin, mut stdin: ChildStdin, max_rest_bytes: u64) {
    let mut body = BufReader::with_capacity(BUFFER_BYTES, body);
    let fed = tokio::io::copy_buf(&mut body, &mut stdin).await;
    if fed.is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        let _ = tokio::io::copy_buf(&mut body.take(max_rest_bytes), &mut tokio::io::sink()).await;
    }
}

/// The beginning of what git writes to its standard error; the rest is read too, or git would wait for a reader.
async fn complaint(mut stderr: ChildStderr) -> String {
    let mut beginning = Vec::new();
    // What could not be read is missing in the log, no more.
    let _ = (&mut stderr).take(MAX_STDERR_BYTES).read_to_end(&mut beginning).await;
    let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&beginning).into_owned()
}

/// The first packet of an advertisement and the flush after it. The four digits count themselves and the line's end.
fn service_line(service: Service) -> String {
    let line = format!("# service={}\n", service.name());
    format!("{:04x}{line}0000", line.len() + 4)
}

/// `^version=\d+(:.*)?$`, in printable ASCII: it becomes an environment variable.
fn is_protocol(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("version=") else { return false };
    let (number, extensions) = rest.split_once(':').unwrap_or((rest, ""));
    !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit()) && extensions.bytes().all(|c| c.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::super::Limits;
    use super::super::fixture::{Fixture, LIMITS};
    use super::*;

    async fn text(mut answer: Answer) -> String {
        let mut bytes = Vec::new();
        answer.read_to_end(&mut bytes).await.unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    async fn push(fixture: &Fixture, request: Vec<u8>) -> String {
        text(fixture.repository.rpc(Service::ReceivePack, None, Cursor::new(request)).await.unwrap()).await
    }

    /// What a client sends that pushes a new branch `main`.
    fn push_request(fixture: &Fixture, commit: &str) -> Vec<u8> {
        let pack =
            fixture.git_with_input(&["pack-objects", "--stdout", "--revs", "-q"], format!("{commit}\n").as_bytes());
        [command(commit).into_bytes(), pack].concat()
    }

    fn command(commit: &str) -> String {
        let line = format!("{} {commit} refs/heads/main\0 report-status side-band-64k", "0".repeat(40));
        format!("{:04x}{line}0000", line.len() + 4)
    }

    #[tokio::test]
    async fn version_2_is_advertised_without_the_service_line() {
        let fixture = Fixture::new();
        let answer = fixture.repository.advertise(Service::UploadPack, Some("version=2")).await.unwrap();
        assert!(text(answer).await.starts_with("000eversion 2\n"));
    }

    #[tokio::test]
    async fn older_versions_and_pushes_are_advertised_with_it() {
        let fixture = Fixture::new();
        for (service, protocol, beginning) in [
            (Service::UploadPack, None, "001e# service=git-upload-pack\n0000"),
            (Service::UploadPack, Some("version=1"), "001e# service=git-upload-pack\n0000000eversion 1\n"),
            (Service::ReceivePack, Some("version=2"), "001f# service=git-receive-pack\n0000"),
        ] {
            let answer = text(fixture.repository.advertise(service, protocol).await.unwrap()).await;
            assert!(answer.starts_with(beginning), "{answer}");
        }
    }

    #[tokio::test]
    async fn references_are_listed() {
        let fixture = Fixture::new();
        let commit = fixture.commit(&[("a", "1")]);
        fixture.push("main");
        let body = Cursor::new("0014command=ls-refs\n0000");
        let answer = fixture.repository.rpc(Service::UploadPack, Some("version=2"), body).await.unwrap();
        assert!(text(answer).await.contains(&format!("{commit} refs/heads/main\n")));
    }

    #[tokio::test]
    async fn a_push_arrives() {
        let fixture = Fixture::new();
        let commit = fixture.commit(&[("a", "1")]);
        let answer = push(&fixture, push_request(&fixture, &commit)).await;
        assert!(answer.contains("ok refs/heads/main"), "{answer}");
        assert_eq!(fixture.repository.branch_tip("main").unwrap().unwrap().as_str(), commit);
    }

    #[tokio::test]
    async fn a_push_that_is_too_large_is_told_so() {
        let fixture = Fixture::with_limits(Limits { max_pack_bytes: 16, ..LIMITS });
        let commit = fixture.commit(&[("a", "1")]);
        let answer = push(&fixture, push_request(&fixture, &commit)).await;
        assert!(answer.contains("pack exceeds maximum allowed size"), "{answer}");
        assert_eq!(fixture.repository.branch_tip("main").unwrap(), None);
    }

    #[tokio::test]
    async fn a_push_that_is_cut_short_leaves_nothing() {
        let fixture = Fixture::new();
        let commit = fixture.commit(&[("a", "1")]);
        let mut request = push_request(&fixture, &commit);
        request.truncate(request.len() - 20);
        let answer = push(&fixture, request).await;
        assert!(answer.contains("ng refs/heads/main"), "{answer}");
        assert_eq!(fixture.repository.branch_tip("main").unwrap(), None);
        assert_eq!(fs_err::read_dir(fixture.repository.path.join("objects")).unwrap().count(), 2);
    }

    #[tokio::test]
    async fn a_client_that_is_refused_early_is_heard_out() {
        let fixture = Fixture::new();
        let commit = fixture.commit(&[("a", "1")]);
        let (mut client, body) = tokio::io::duplex(BUFFER_BYTES);
        let upload = tokio::spawn(async move {
            client.write_all(command(&commit).as_bytes()).await?;
            // It does not begin as a pack does, and is far more than the pipe to git holds.
            client.write_all(&vec![b'x'; 4 << 20]).await
        });
        let answer = fixture.repository.rpc(Service::ReceivePack, None, body).await.unwrap();
        let answer = text(answer).await;
        assert!(answer.contains("ng refs/heads/main"), "{answer}");
        upload.await.unwrap().unwrap();
    }

    #[test]
    fn a_protocol_is_checked_before_it_becomes_a_variable() {
        for text in ["version=2", "version=1", "version=2:key=value", "version=0:"] {
            assert!(is_protocol(text), "{text}");
        }
        for text in ["", "version=", "version=2 ", "version=x", " version=2", "version=2:a\nb", "x:version=2"] {
            assert!(!is_protocol(text), "{text:?}");
        }
    }
}
