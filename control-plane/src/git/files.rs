//! Files: where they are, and their content. A large one is streamed by the `git` program, since gix holds an object
//! whole.

use std::io;
use std::process::Stdio;

use gix::ObjectId;
use gix::objs::Kind;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, DuplexStream};
use tokio::process::Child;

use super::Repository;
use super::paths::normalized;
use super::read::{CommitId, object_id};
use super::reader::Reader;
use crate::error::{Error, Result};

/// A larger file is not read whole, in bytes. It is also what the contract gives as a text at most.
pub const MAX_WHOLE_BYTES: u64 = 1 << 20;

/// How much of a file's beginning says whether it is text, in bytes: as much as Git looks at.
pub const HEAD_BYTES: usize = 8000;

/// What a pipe holds on Linux.
const BUFFER_BYTES: usize = 64 << 10;

/// A file of a commit.
#[derive(Debug, Clone)]
pub struct File {
    /// The commit.
    pub commit: CommitId,
    /// Its path, with no more slashes than it needs.
    pub path: String,
    /// The name of its content: equal content, equal name.
    pub object: String,
    /// The size of its content.
    pub size_bytes: u64,
    /// Its content, unless that is larger than [`MAX_WHOLE_BYTES`].
    pub content: Option<Vec<u8>>,
}

/// A part of a file, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// How many come before it.
    pub start: u64,
    /// How many it has.
    pub length: u64,
}

impl Reader {
    /// A file. A symbolic link is a file whose content is the path that it leads to.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] for a `ref` that leads nowhere, and for a path that leads to no file.
    pub fn file(&self, reference: &str, path: &[u8]) -> Result<File> {
        self.file_of(self.resolve_id(reference)?, reference, path)
    }

    /// Some files of one commit, whatever is pushed meanwhile. Fails as [`Self::file`] does.
    pub fn files(&self, reference: &str, paths: &[impl AsRef<[u8]>]) -> Result<Vec<File>> {
        let tip = self.resolve_id(reference)?;
        paths.iter().map(|path| self.file_of(tip, reference, path.as_ref())).collect()
    }

    fn file_of(&self, tip: Option<ObjectId>, reference: &str, path: &[u8]) -> Result<File> {
        let path_shown = normalized(path);
        let missing = |why: &str| Error::NotFound(format!("`{path_shown}` of `{reference}` {why}"));
        let tip = tip.ok_or_else(|| missing("does not exist: the repository is empty"))?;
        let found = self.find(self.node(tip)?.tree, path)?.ok_or_else(|| missing("does not exist"))?;
        if found.mode.is_tree() {
            return Err(missing("is a folder: ask for it with /tool/repo/directory/"));
        }
        if found.mode.is_commit() {
            return Err(missing("is a submodule: its files are in another repository"));
        }
        let Some((Kind::Blob, size_bytes)) = self.header(found.id)? else { return Err(missing("is no file")) };
        let content = (size_bytes <= MAX_WHOLE_BYTES).then(|| {
            let blob = self.repository.find_blob(found.id);
            blob.map(|mut blob| blob.take_data()).map_err(|error| self.unreadable(found.id, error, "read a file"))
        });
        let object = found.id.to_string();
        Ok(File { commit: tip.into(), path: path_shown, object, size_bytes, content: content.transpose()? })
    }
}

impl Repository {
    /// The beginning of a file's content, as much as says whether it is text.
    pub async fn head(&self, file: &File) -> Result<Vec<u8>> {
        if let Some(content) = &file.content {
            return Ok(content[..content.len().min(HEAD_BYTES)].to_owned());
        }
        let (_process, content) = self.print(file)?;
        let mut head = Vec::new();
        let mut beginning = content.take(HEAD_BYTES as u64);
        let read = tokio::time::timeout(self.limits.command_timeout, beginning.read_to_end(&mut head)).await;
        read.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(|error| Error::internal(error, "read the beginning of a file"))?;
        Ok(head)
    }

    /// A part of a file's content, as a stream. It ends early when it takes longer than a fetch may, and when git fails,
    /// so its length has to be told and counted. `held` is dropped when it ends.
    pub fn stream(&self, file: &File, part: Part, held: impl Send + 'static) -> Result<DuplexStream> {
        let (process, content) = self.print(file)?;
        let (reader, writer) = tokio::io::duplex(BUFFER_BYTES);
        let limit = self.limits.command_timeout;
        let object = file.object.clone();
        tokio::spawn(async move {
            let _held = (process, held);
            // When the reader goes away, there is nobody left who wants to hear of it.
            if tokio::time::timeout(limit, send(content, part, writer)).await.is_err() {
                tracing::warn!(object, "a file took too long to be sent and was cut off");
            }
        });
        Ok(reader)
    }

    /// Has git print an object. The process ends when it is dropped.
    fn print(&self, file: &File) -> Result<(Child, impl AsyncRead + Send + Unpin + use<>)> {
        object_id(&file.object)?;
        let mut process = self
            .program
            .command(&self.path, &[])
            .args(["cat-file", "blob", &file.object])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Error::internal(error, "start the git program"))?;
        let content = process.stdout.take();
        let content =
            content.ok_or_else(|| Error::Internal(anyhow::anyhow!("a pipe of the git program is missing")))?;
        Ok((process, content))
    }
}

async fn send(mut content: impl AsyncRead + Unpin, part: Part, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
    tokio::io::copy(&mut (&mut content).take(part.start), &mut tokio::io::sink()).await?;
    tokio::io::copy(&mut content.take(part.length), &mut to).await?;
    Ok(())
}

/// Whether content is binary: it has a NUL in its beginning, as Git says, or is not UTF-8.
pub fn is_binary(content: &[u8]) -> bool {
    has_nul(content) || std::str::from_utf8(content).is_err()
}

/// The same of a beginning, which may end within a character.
pub fn is_binary_head(head: &[u8]) -> bool {
    has_nul(head) || std::str::from_utf8(head).is_err_and(|error| error.error_len().is_some())
}

fn has_nul(content: &[u8]) -> bool {
    content[..content.len().min(HEAD_BYTES)].contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_binary() {
        for (content, expected) in
            [(&b""[..], false), (b"a\n", false), (b"\x00", true), (b"caf\xe9", true), ("caf\u{e9}".as_bytes(), false)]
        {
            assert_eq!(is_binary(content), expected, "{content:?}");
        }
        let cut = &"caf\u{e9}".as_bytes()[..4];
        assert!(is_binary(cut) && !is_binary_head(cut));
        assert!(is_binary_head(b"caf\xe9 au lait"));
    }
}
