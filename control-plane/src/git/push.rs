//! Pushing. What git reports reaches the client once it is durable and recorded.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use tokio::io::{AsyncBufRead, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::ChildStdout;
use tokio::time::{Instant, timeout, timeout_at};

use super::answer::{self, Answer, Speaker};
use super::create::sync_folder;
use super::packet::{self, Packet};
use super::process::{BUFFER_BYTES, Fed, LAST_WORDS, Pipes, Process, complaint, drain, feed};
use super::push_request::{PushRequest, Unreadable};
use super::turns::Turn;
use super::{Repository, Service, report, rules, service};
use crate::error::{Error, Result};

/// How much more than the largest pack a body may have, so that git is the one to refuse it, in words.
const SLACK_BYTES: u64 = 64 << 10;

/// A reference that a push has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefUpdate {
    /// Its full name: `refs/heads/…` or `refs/tags/…`.
    pub name: String,
    /// The object that it pointed to, by its 40 hexadecimal digits; none when it was made.
    pub old: Option<String>,
    /// The object that it points to, by its 40 hexadecimal digits; none when it was deleted.
    pub new: Option<String>,
}

/// What git made of a push.
struct Judged {
    updates: Vec<RefUpdate>,
    /// What the client is told at the end.
    last_words: Vec<u8>,
}

impl Repository {
    /// A push and its answer. A push that git or a rule refuses is an answer too.
    ///
    /// `accepted` is called with what was changed, if anything was, after it is durable and before the client is told.
    /// From the moment that the push has arrived it goes on without the client.
    ///
    /// # Errors
    ///
    /// [`Error::BadRequest`] for what is no push; [`Error::Unavailable`] when too many operations run, or this one took
    /// too long.
    pub async fn push<F>(
        &self,
        git_protocol: Option<&str>,
        body: impl AsyncRead + Send + Unpin + 'static,
        accepted: impl FnOnce(Vec<RefUpdate>) -> F + Send + 'static,
    ) -> Result<Answer>
    where
        F: Future<Output = ()> + Send,
    {
        let turn = self.lane.enter()?;
        let (speaker, answer) = answer::channel(self.limits.stall_timeout);
        let repository = self.clone();
        let protocol = git_protocol.map(str::to_owned);
        tokio::spawn(async move {
            match repository.carry_out(turn, protocol, body, &speaker, accepted).await {
                // A client that is gone by now learns of its push when it fetches.
                Ok(last_words) if !last_words.is_empty() => drop(speaker.say(last_words.into()).await),
                Ok(_) => {}
                Err(error) => speaker.fail(error).await,
            }
        });
        Answer::begin(answer).await
    }

    async fn carry_out<F>(
        &self,
        turn: Turn,
        protocol: Option<String>,
        body: impl AsyncRead + Send + Unpin,
        speaker: &Speaker,
        accepted: impl FnOnce(Vec<RefUpdate>) -> F + Send,
    ) -> Result<Vec<u8>>
    where
        F: Future<Output = ()> + Send,
    {
        let body = BufReader::with_capacity(BUFFER_BYTES, body);
        let deadline = Instant::now() + self.limits.command_timeout;
        let exchange = self.exchange(turn, protocol.as_deref(), body, speaker, deadline);
        // A little longer than git is fed: when its input ends it clears its quarantine, when it is killed it does not.
        let judged = timeout_at(deadline + LAST_WORDS, exchange).await.unwrap_or_else(|_| {
            tracing::warn!(repository = %self.path.display(), "a push took too long and was ended");
            Err(took_too_long())
        })?;
        if !judged.updates.is_empty() {
            let (repository, updates) = (self.clone(), judged.updates.clone());
            let synced = tokio::task::spawn_blocking(move || repository.sync_names(&updates)).await;
            synced
                .unwrap_or_else(|panic| Err(io::Error::other(panic)))
                .map_err(|error| Error::internal(error, "make a push durable"))
                .inspect_err(
                    |error| tracing::error!(repository = %self.path.display(), ?error, "a push may be lost"),
                )?;
            accepted(judged.updates).await;
        }
        Ok(judged.last_words)
    }

    /// Reads what is to be changed, has the rules judge it, and then git.
    async fn exchange(
        &self,
        turn: Turn,
        protocol: Option<&str>,
        mut body: impl AsyncBufRead + Send + Unpin,
        speaker: &Speaker,
        deadline: Instant,
    ) -> Result<Judged> {
        let limits = &self.limits;
        let read = timeout(limits.stall_timeout, PushRequest::read(&mut body, limits.max_commands)).await;
        let request = match read.map_err(|_| took_too_long())? {
            Ok(request) => request,
            Err(Unreadable::Malformed) => {
                return Err(Error::BadRequest("this is no push in Git's protocol, or it is cut short".to_owned()));
            }
            Err(Unreadable::TooLong(request)) => {
                let most = limits.max_commands;
                let why = format!("error: one push changes at most {most} branches and tags: push fewer at a time");
                return self.refuse(&request, &mut body, &[why]).await;
            }
        };
        // What Git sends to find out whether it is signed in, before it sends much.
        if request.commands.is_empty() {
            return Ok(Judged { updates: Vec::new(), last_words: Vec::new() });
        }
        if !request.has("report-status") && !request.has("report-status-v2") {
            return Err(Error::BadRequest("a push has to ask for `report-status`: use a newer client".to_owned()));
        }
        let repository = self.clone();
        let prepared = tokio::task::spawn_blocking(move || {
            if let Err(error) = repository.clear_remains() {
                let repository = repository.path.display();
                tracing::warn!(%repository, %error, "failed to clear what an earlier push left");
            }
            repository.count_references()
        });
        let ref_count = prepared.await.map_err(|error| Error::internal(error, "count the references"))??;
        let verdict = rules::judge(&request, ref_count, limits.max_refs);
        let Some(mut settings) = verdict.settings else {
            return self.refuse(&request, &mut body, &verdict.messages).await;
        };
        settings.push(("receive.maxInputSize", OsString::from(limits.max_pack_bytes.to_string())));

        let _objects_stay = self.lane.keep_objects().await;
        let mut command = self.wire_command(Service::ReceivePack, protocol.and_then(service::protocol), &settings);
        command.arg(".");
        let (process, pipes) = Process::start(&mut command, limits.memory_bytes, Some(turn))?;
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::TimedOut => took_too_long(),
            _ => Error::internal(error, "talk to the git program"),
        };
        let attended = self.attend_push(process, pipes, &request, &mut body, speaker, deadline).await;
        let (fed, held) = attended.map_err(failed)?;
        let changed = report::changed(&held.report);
        let mut remarks = verdict.messages;
        match fed {
            // A client may have sent everything and not the end: what git has changed is changed.
            Err(_) if !changed.is_empty() => {}
            // Git has told its part of the story to a client that may still listen.
            Err(error) if error.kind() == io::ErrorKind::TimedOut && !held.report.is_empty() => {
                remarks.push(format!("error: {}", took_too_long()));
            }
            fed => fed.map_err(failed)?,
        }
        let updates = request.commands.iter().filter(|command| changed.contains(&command.name));
        let updates = updates.map(|command| RefUpdate {
            name: String::from_utf8_lossy(&command.name).into_owned(),
            old: command.old.clone(),
            new: command.new.clone(),
        });
        let last_words = [messages(&request, &remarks), held.bytes].concat();
        Ok(Judged { updates: updates.collect(), last_words })
    }

    /// Feeds git until the deadline, waits for its end, and logs what it complained about. How the feeding ended, and
    /// what git said.
    async fn attend_push(
        &self,
        mut process: Process,
        pipes: Pipes,
        request: &PushRequest,
        body: &mut (impl AsyncBufRead + Unpin),
        speaker: &Speaker,
        deadline: Instant,
    ) -> io::Result<(io::Result<()>, Held)> {
        let (max_pack_bytes, stall) = (self.limits.max_pack_bytes, self.limits.stall_timeout);
        let mut stdin = pipes.stdin;
        let feeding = async {
            let begun = stdin.write_all(&request.raw).await;
            let fed = match begun {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Fed::Refused,
                Err(error) => return Err(error),
                Ok(()) => feed(body, stdin, max_pack_bytes.saturating_add(SLACK_BYTES), stall).await?,
            };
            match fed {
                Fed::Whole => Ok(()),
                Fed::TooMuch | Fed::Refused => drain(body, max_pack_bytes, stall).await,
            }
        };
        // However it ends, git's input ends with it, and git is heard to its end: it would not clear its quarantine
        // otherwise.
        let fed = async { Ok(timeout_at(deadline, feeding).await.unwrap_or_else(|late| Err(late.into()))) };
        let held = hold_back(pipes.stdout, request, speaker);
        let (status, complaint, fed, held) = tokio::try_join!(process.wait(), complaint(pipes.stderr), fed, held)?;
        if !status.success() {
            let repository = self.path.display();
            tracing::warn!(%repository, %status, stderr = complaint, "git ended a push with a failure");
        }
        Ok((fed, held))
    }

    /// Refuses a push without git, after the client was heard out.
    async fn refuse(
        &self,
        request: &PushRequest,
        body: &mut (impl AsyncBufRead + Unpin),
        why: &[String],
    ) -> Result<Judged> {
        let drained = drain(body, self.limits.max_pack_bytes, self.limits.stall_timeout).await;
        drained.map_err(|_| took_too_long())?;
        let report = report::nothing_changed("refused by a rule of the server");
        let report = match is_multiplexed(request) {
            true => [packet::line(&[&[packet::DATA], &report[..]].concat()), packet::FLUSH.to_vec()].concat(),
            false => report,
        };
        Ok(Judged { updates: Vec::new(), last_words: [messages(request, why), report].concat() })
    }

    /// Makes durable where a push has put things: git syncs the content of its files (`core.fsync`) and never the
    /// folders that name them, so a power cut could still take back the renaming of a branch that was confirmed.
    fn sync_names(&self, updates: &[RefUpdate]) -> io::Result<()> {
        let within = |path: PathBuf| -> Vec<PathBuf> {
            path.ancestors().skip(1).take_while(|folder| **folder != self.path).map(PathBuf::from).collect()
        };
        let mut folders: BTreeSet<_> = updates.iter().flat_map(|update| within(self.path.join(&update.name))).collect();
        folders.extend([self.path.clone(), self.path.join("objects"), self.path.join("objects/pack")]);
        folders.iter().try_for_each(|folder| sync_folder(folder))
    }
}

/// What git says and the client must not hear before it is durable.
#[derive(Default)]
struct Held {
    bytes: Vec<u8>,
    /// The report within it.
    report: Vec<u8>,
}

/// Passes on what git tells the client's user, and holds back the report, which has a line for each command. It goes on
/// without a client.
async fn hold_back(mut stdout: ChildStdout, request: &PushRequest, speaker: &Speaker) -> io::Result<Held> {
    let mut held = Held::default();
    if !is_multiplexed(request) {
        stdout.read_to_end(&mut held.bytes).await?;
        held.report.clone_from(&held.bytes);
        return Ok(held);
    }
    let mut listens = true;
    while let Some(packet) = packet::read(&mut stdout).await? {
        match packet {
            Packet::Line(line) if line.get(4) == Some(&packet::DATA) => {
                held.report.extend_from_slice(&line[5..]);
                held.bytes.extend_from_slice(&line);
            }
            Packet::Mark(mark) => held.bytes.extend_from_slice(&mark),
            Packet::Line(line) => listens = listens && speaker.say(line).await.is_ok(),
        }
    }
    Ok(held)
}

/// Whether the answer has a side band for the client's user.
fn is_multiplexed(request: &PushRequest) -> bool {
    request.has("side-band-64k")
}

/// What the client's user reads, where the client can show it.
fn messages(request: &PushRequest, messages: &[String]) -> Vec<u8> {
    if is_multiplexed(request) { packet::message(&messages.join("\n")).to_vec() } else { Vec::new() }
}

fn took_too_long() -> Error {
    Error::Unavailable("the push took too long and was ended: push less at a time".to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::sync::{Arc, Mutex};

    use tokio::io::AsyncWriteExt;

    use super::super::Limits;
    use super::super::fixture::{Fixture, LIMITS, text};
    use super::*;

    async fn push(fixture: &Fixture, request: Vec<u8>) -> (String, Vec<RefUpdate>) {
        let updates = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&updates);
        let accepted = move |updates| async move { *seen.lock().unwrap() = updates };
        let answer = text(fixture.repository.push(None, Cursor::new(request), accepted).await.unwrap()).await;
        (answer, Arc::try_unwrap(updates).unwrap().into_inner().unwrap())
    }

    /// What a client sends that pushes a new branch.
    fn push_request(fixture: &Fixture, commit: &str, name: &str) -> Vec<u8> {
        let pack =
            fixture.git_with_input(&["pack-objects", "--stdout", "--revs", "-q"], format!("{commit}\n").as_bytes());
        [command(commit, name).into_bytes(), pack].concat()
    }

    fn command(commit: &str, name: &str) -> String {
        let line = format!("{} {commit} {name}\0 report-status side-band-64k", "0".repeat(40));
        format!("{:04x}{line}0000", line.len() + 4)
    }

    fn tip(fixture: &Fixture) -> Option<String> {
        fixture.repository.branch_tip("main").unwrap().map(|commit| commit.to_string())
    }

    #[tokio::test]
    async fn a_push_arrives_and_is_told_of_once() {
        let fixture = Fixture::new();
        let commit = fixture.commit(&[("a", "1")]);
        let (answer, updates) = push(&fixture, push_request(&fixture, &commit, "refs/heads/main")).await;
        assert!(answer.contains("ok refs/heads/main"), "{answer}");
        assert_eq!(tip(&fixture), Some(commit.clone()));
        assert_eq!(updates, [RefUpdate { name: "refs/heads/main".to_owned(), old: None, new: Some(commit) }]);
    }

    #[tokio::test]
    async fn a_reference_that_breaks_a_rule_is_refused_in_words() {
        let fixture = Fixture::new();
        let commit = fixture.commit(&[("a", "1")]);
        let (answer, updates) = push(&fixture, push_request(&fixture, &commit, "refs/notes/x")).await;
        assert!(answer.contains("\x02error: refs/notes/x: only branches and tags are kept here"), "{answer}");
        assert!(answer.contains("ng refs/notes/x deny updating a hidden ref"), "{answer}");
        assert_eq!(updates, []);
    }

    #[tokio::test]
    async fn a_push_that_is_too_large_is_told_so() {
        let fixture = Fixture::with_limits(Limits { max_pack_bytes: 16, ..LIMITS });
        let commit = fixture.commit(&[("a", "1")]);
        let (answer, _) = push(&fixture, push_request(&fixture, &commit, "refs/heads/main")).await;
        assert!(answer.contains("pack exceeds maximum allowed size"), "{answer}");
        assert_eq!(tip(&fixture), None);
    }

    #[tokio::test]
    async fn a_push_that_is_cut_short_leaves_nothing() {
        let fixture = Fixture::new();
        let commit = fixture.commit(&[("a", "1")]);
        let mut request = push_request(&fixture, &commit, "refs/heads/main");
        request.truncate(request.len() - 20);
        let (answer, updates) = push(&fixture, request).await;
        assert!(answer.contains("ng refs/heads/main"), "{answer}");
        assert_eq!((tip(&fixture), updates), (None, Vec::new()));
        assert_eq!(fs_err::read_dir(fixture.repository.path.join("objects")).unwrap().count(), 2);
    }

    #[tokio::test]
    async fn a_client_that_is_refused_early_is_heard_out() {
        let fixture = Fixture::new();
        let commit = fixture.commit(&[("a", "1")]);
        let (mut client, body) = tokio::io::duplex(BUFFER_BYTES);
        let upload = tokio::spawn(async move {
            client.write_all(command(&commit, "refs/heads/main").as_bytes()).await?;
            // It does not begin as a pack does, and is far more than the pipe to git holds.
            client.write_all(&vec![b'x'; 4 << 20]).await
        });
        let answer = fixture.repository.push(None, body, |_| async {}).await.unwrap();
        let answer = text(answer).await;
        assert!(answer.contains("ng refs/heads/main"), "{answer}");
        upload.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_push_goes_on_without_its_client() {
        let fixture = Fixture::new();
        let commit = fixture.commit(&[("a", "1")]);
        let (told, recorded) = tokio::sync::oneshot::channel();
        let request = Cursor::new(push_request(&fixture, &commit, "refs/heads/main"));
        let answer = fixture.repository.push(None, request, |updates| async { told.send(updates).unwrap() });
        // Polled once, it has begun; then the client hangs up.
        tokio::select! {
            biased;
            _ = answer => {}
            () = std::future::ready(()) => {}
        }
        assert_eq!(recorded.await.unwrap().len(), 1);
        assert_eq!(tip(&fixture), Some(commit));
    }

    #[tokio::test]
    async fn what_is_no_push_is_refused() {
        let fixture = Fixture::new();
        let refused = fixture.repository.push(None, Cursor::new("garbage"), |_| async {}).await;
        assert!(matches!(refused, Err(Error::BadRequest(_))));
        let probe = fixture.repository.push(None, Cursor::new("0000"), |_| async {}).await.unwrap();
        assert_eq!(text(probe).await, "");
    }
}
