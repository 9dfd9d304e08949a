//! Advertising references, and fetching: bytes in, bytes out, nothing held whole.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{ChildStdout, Command};
use tokio::time::timeout;

use super::answer::{self, Answer, Speaker};
use super::process::{BUFFER_BYTES, Fed, Pipes, Process, complaint, feed};
use super::service::protocol;
use super::{Repository, Service};
use crate::error::{Error, Result};

impl Repository {
    /// What the service can do and which references there are: the answer to `info/refs`.
    /// `git_protocol` is the `Git-Protocol` header.
    pub async fn advertise(&self, service: Service, git_protocol: Option<&str>) -> Result<Answer> {
        let protocol = git_protocol.and_then(protocol);
        let mut command = self.wire_command(service, protocol, &[]);
        command.args(["--http-backend-info-refs", "."]);
        self.converse(command, service.announcement(protocol), tokio::io::empty()).await
    }

    /// One request of a fetch and its answer.
    ///
    /// # Errors
    ///
    /// [`Error::BadRequest`] where git has no answer to it, or it is too large; [`Error::Unavailable`] when too many
    /// operations run, or this one took too long.
    pub async fn fetch(
        &self,
        git_protocol: Option<&str>,
        body: impl AsyncRead + Send + Unpin + 'static,
    ) -> Result<Answer> {
        let mut command = self.wire_command(Service::UploadPack, git_protocol.and_then(protocol), &[]);
        command.arg(".");
        self.converse(command, String::new(), body).await
    }

    /// A command that speaks the protocol. Its last argument, the repository, is still to come.
    pub(super) fn wire_command(
        &self,
        service: Service,
        protocol: Option<&str>,
        further: &[(&str, std::ffi::OsString)],
    ) -> Command {
        let mut command = self.program.command(&self.path, further);
        command.args([service.command(), "--stateless-rpc"]);
        if let Some(protocol) = protocol {
            command.env("GIT_PROTOCOL", protocol);
        }
        command
    }

    async fn converse(
        &self,
        mut command: Command,
        prefix: String,
        body: impl AsyncRead + Send + Unpin + 'static,
    ) -> Result<Answer> {
        let turn = self.lane.enter()?;
        let (process, pipes) = Process::start(&mut command, self.limits.memory_bytes, Some(turn))?;
        let (speaker, answer) = answer::channel(self.limits.stall_timeout);
        let repository = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = repository.attend(process, pipes, prefix, body, &speaker) => {}
                // Git may work for long before it says a word to somebody who does not listen any more.
                () = speaker.gone() => {}
            }
        });
        Answer::begin(answer).await
    }

    /// Feeds git, passes on what it says, waits for its end, and logs what it complained about.
    async fn attend(
        &self,
        mut process: Process,
        pipes: Pipes,
        prefix: String,
        body: impl AsyncRead + Unpin,
        speaker: &Speaker,
    ) {
        let limits = &self.limits;
        let mut body = BufReader::with_capacity(BUFFER_BYTES, body);
        let fed = async {
            match feed(&mut body, pipes.stdin, limits.max_fetch_request_bytes, limits.stall_timeout).await? {
                Fed::TooMuch => Err(io::ErrorKind::FileTooLarge.into()),
                Fed::Whole | Fed::Refused => Ok(()),
            }
        };
        let said = pass_on(pipes.stdout, prefix, speaker);
        let work = async { tokio::try_join!(process.wait(), complaint(pipes.stderr), fed, said) };
        let repository = self.path.display();
        let failure = match timeout(limits.command_timeout, work).await.unwrap_or_else(|late| Err(late.into())) {
            Ok((status, _, (), _)) if status.success() => return,
            Ok((status, complaint, (), said)) => {
                tracing::warn!(%repository, %status, stderr = complaint, "git ended with a failure");
                if said {
                    return;
                }
                Error::BadRequest("git has no answer to this request: it is cut short or not Git's".to_owned())
            }
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                let bytes = limits.max_fetch_request_bytes;
                Error::BadRequest(format!("the request of a fetch has at most {bytes} bytes: fetch fewer references"))
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                tracing::warn!(%repository, "git or its client took too long and was ended");
                Error::Unavailable("the operation took too long and was ended: fetch less at a time".to_owned())
            }
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return,
            Err(error) => Error::internal(error, "talk to the git program"),
        };
        speaker.fail(failure).await;
    }
}

/// Passes on what git says, after a prefix. Whether it said anything.
async fn pass_on(mut stdout: ChildStdout, prefix: String, speaker: &Speaker) -> io::Result<bool> {
    let mut buffer = BytesMut::with_capacity(BUFFER_BYTES);
    if stdout.read_buf(&mut buffer).await? == 0 {
        return Ok(false);
    }
    if !prefix.is_empty() {
        speaker.say(Bytes::from(prefix)).await?;
    }
    loop {
        speaker.say(buffer.split().freeze()).await?;
        buffer.reserve(BUFFER_BYTES);
        if stdout.read_buf(&mut buffer).await? == 0 {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::Limits;
    use super::super::fixture::{Fixture, LIMITS, text};
    use super::*;

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
    async fn references_are_listed_and_those_of_the_server_are_not() {
        let fixture = Fixture::new();
        let commit = fixture.commit(&[("a", "1")]);
        fixture.push("main");
        fixture.push("main:refs/toolplane/kept");
        let body = Cursor::new("0014command=ls-refs\n0000");
        let answer = text(fixture.repository.fetch(Some("version=2"), body).await.unwrap()).await;
        assert!(answer.contains(&format!("{commit} refs/heads/main\n")));
        assert!(!answer.contains("refs/toolplane"), "{answer}");
    }

    #[tokio::test]
    async fn a_request_that_is_too_large_or_none_at_all_is_refused() {
        let fixture = Fixture::with_limits(Limits { max_fetch_request_bytes: 100, ..LIMITS });
        let too_large = fixture.repository.fetch(Some("version=2"), Cursor::new("0014command=ls-refs\n".repeat(10)));
        assert!(too_large.await.unwrap_err().to_string().contains("at most 100 bytes"));
        let garbage = fixture.repository.fetch(Some("version=2"), Cursor::new("garbage"));
        assert!(matches!(garbage.await, Err(Error::BadRequest(_))));
    }
}
