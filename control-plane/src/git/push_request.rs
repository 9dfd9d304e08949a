//! The beginning of a push: which references it wants to change. The pack comes after it and is git's.

use std::io;

use tokio::io::AsyncRead;

use super::packet::{self, Packet};

/// A command has two ids, a name and, the first one, the client's capabilities; this is far more than any client says.
const BYTES_PER_COMMAND: usize = 1024;

/// What every push may say, however few references it may change: capabilities and push options.
const MIN_BYTES: usize = 64 << 10;

/// What a push says before its pack.
#[derive(Debug, Default)]
pub(super) struct PushRequest {
    /// The bytes as they came, for git.
    pub(super) raw: Vec<u8>,
    pub(super) commands: Vec<Command>,
    pub(super) capabilities: Vec<String>,
}

/// One reference that a push wants to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    /// Where the client believes it to be; none when it is new. 40 lowercase hexadecimal digits.
    pub(super) old: Option<String>,
    /// Where it is to be; none when it is to go.
    pub(super) new: Option<String>,
    /// Its full name, as the client wrote it, which may be any bytes.
    pub(super) name: Vec<u8>,
}

/// Why a push cannot be read.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// It is none, or ends early.
    Malformed,
    /// It says more before its pack than it may. What was read tells how to answer.
    TooLong(PushRequest),
}

impl From<io::Error> for Unreadable {
    fn from(_: io::Error) -> Self {
        Self::Malformed
    }
}

impl PushRequest {
    /// Reads up to the pack. The client's push options, which nobody reads, are among it.
    pub(super) async fn read(input: &mut (impl AsyncRead + Unpin), max_commands: usize) -> Result<Self, Unreadable> {
        let max_bytes = MIN_BYTES + max_commands.saturating_mul(BYTES_PER_COMMAND);
        let mut request = Self::default();
        let mut sections = 1;
        while sections > 0 {
            let content = match packet::read(input).await?.ok_or(Unreadable::Malformed)? {
                Packet::Mark(mark) if mark == packet::FLUSH => {
                    request.raw.extend_from_slice(&mark);
                    // A second section follows the first where the client says so.
                    let has_options = request.has("push-options") && !request.commands.is_empty();
                    sections = if sections == 1 && has_options { 2 } else { 0 };
                    continue;
                }
                Packet::Mark(_) => return Err(Unreadable::Malformed),
                Packet::Line(line) => {
                    request.raw.extend_from_slice(&line);
                    line.slice(4..)
                }
            };
            if sections == 1 {
                request.add(&content).ok_or(Unreadable::Malformed)?;
            }
            if request.commands.len() > max_commands || request.raw.len() > max_bytes {
                return Err(Unreadable::TooLong(request));
            }
        }
        Ok(request)
    }

    /// Whether the client knows a capability of the protocol.
    pub(super) fn has(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|known| known == capability)
    }

    fn add(&mut self, content: &[u8]) -> Option<()> {
        let content = content.strip_suffix(b"\n").unwrap_or(content);
        // The boundary of a shallow clone, which git reads.
        if content.starts_with(b"shallow ") {
            return Some(());
        }
        let (command, capabilities) = match content.iter().position(|byte| *byte == 0) {
            Some(end) => (&content[..end], &content[end + 1..]),
            None => (content, &[][..]),
        };
        if self.commands.is_empty() {
            let words = String::from_utf8_lossy(capabilities);
            self.capabilities = words.split_ascii_whitespace().map(str::to_owned).collect();
        }
        let (old, rest) = split_id(command)?;
        let (new, name) = split_id(rest)?;
        self.commands.push(Command { old, new, name: name.to_vec() });
        Some(())
    }
}

/// An id and what follows the space after it. Zeros are no id.
fn split_id(text: &[u8]) -> Option<(Option<String>, &[u8])> {
    let (id, rest) = text.split_at_checked(40)?;
    let rest = rest.strip_prefix(b" ")?;
    let is_id = id.iter().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(c));
    let id = std::str::from_utf8(id).ok().filter(|_| is_id)?;
    Some((id.bytes().any(|c| c != b'0').then(|| id.to_owned()), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef01234567";

    async fn read(packets: &[&str]) -> Result<PushRequest, Unreadable> {
        let lines: Vec<_> = packets.iter().map(|content| packet::line(content.as_bytes())).collect();
        PushRequest::read(&mut [&lines.concat()[..], packet::FLUSH, b"PACK"].concat().as_slice(), 2).await
    }

    #[tokio::test]
    async fn commands_and_capabilities_are_read_and_the_pack_is_left() {
        let zeros = "0".repeat(40);
        let first = format!("{zeros} {ID} refs/heads/a b\0 report-status atomic agent=x\n");
        let second = format!("{ID} {zeros} refs/tags/t");
        let request = read(&[&format!("shallow {ID}"), &first, &second]).await.unwrap();
        let id = Some(ID.to_owned());
        let expected = [
            Command { old: None, new: id.clone(), name: b"refs/heads/a b".to_vec() },
            Command { old: id, new: None, name: b"refs/tags/t".to_vec() },
        ];
        assert_eq!(request.commands, expected);
        assert!(request.has("atomic") && !request.has("side-band-64k"));
        assert!(request.raw.ends_with(b"refs/tags/t0000"));
    }

    #[tokio::test]
    async fn push_options_are_read_along() {
        let command = format!("{ID} {ID} refs/heads/a\0report-status push-options");
        let sections =
            [packet::line(command.as_bytes()), b"0000".to_vec(), packet::line(b"ci.skip"), b"0000PACK".into()];
        let bytes = sections.concat();
        let mut input = &bytes[..];
        let request = PushRequest::read(&mut input, 1).await.unwrap();
        assert!(request.raw.ends_with(b"ci.skip0000"));
        assert_eq!(input, b"PACK");
    }

    #[tokio::test]
    async fn what_is_no_push_is_refused() {
        let upper = ID.to_uppercase();
        let long = format!("{ID} {} refs/heads/a", "0".repeat(64));
        for content in ["", "push-cert\0", ID, &format!("{upper} {ID} refs/heads/a"), &long] {
            assert!(matches!(read(&[content]).await, Err(Unreadable::Malformed)), "{content}");
        }
        let cut = PushRequest::read(&mut &b"00a5"[..], 1).await;
        assert!(matches!(cut, Err(Unreadable::Malformed)));
        let command = format!("{ID} {ID} refs/heads/a");
        assert!(matches!(read(&[command.as_str(); 3]).await, Err(Unreadable::TooLong(_))));
    }
}
