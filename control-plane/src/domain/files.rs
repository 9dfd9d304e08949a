//! Files: several at once, or one as a stream.

use std::sync::Arc;

use anyhow::Context;
use tokio::io::DuplexStream;

use crate::app::App;
use crate::auth::Caller;
use crate::error::Result;
use crate::git::files::{File, Part, is_binary_head};

/// A file, and what its beginning says of it.
#[derive(Debug)]
pub struct FileView {
    /// The file.
    pub file: File,
    /// Whether it is something else than UTF-8 text, as far as its beginning tells.
    pub is_binary: bool,
}

impl App {
    /// Files of one commit.
    pub async fn read_files(&self, caller: &Caller, reference: String, paths: Vec<String>) -> Result<Vec<FileView>> {
        let files = self.browse(caller, move |reader| reader.files(&reference, &paths)).await?;
        let mut views = Vec::new();
        for file in files {
            views.push(self.view(caller, file).await?);
        }
        Ok(views)
    }

    /// One file.
    pub async fn read_file(&self, caller: &Caller, reference: String, path: Vec<u8>) -> Result<FileView> {
        let file = self.browse(caller, move |reader| reader.file(&reference, &path)).await?;
        self.view(caller, file).await
    }

    /// A part of a file that is too large to be held, beside not too many others.
    pub async fn stream_file(&self, caller: &Caller, file: &File, part: Part) -> Result<DuplexStream> {
        let repository = self.git_repository(caller)?;
        let turn = Arc::clone(&self.streams).acquire_owned().await.context("failed to wait for a stream's turn")?;
        repository.stream(file, part, turn)
    }

    async fn view(&self, caller: &Caller, file: File) -> Result<FileView> {
        let repository = self.git_repository(caller)?;
        let _turn = match &file.content {
            Some(_) => None,
            None => Some(self.streams.acquire().await.context("failed to wait for a stream's turn")?),
        };
        let head = repository.head(&file).await?;
        Ok(FileView { is_binary: is_binary_head(&head), file })
    }
}
