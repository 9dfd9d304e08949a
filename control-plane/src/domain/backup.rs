//! A backup is a data folder: with everything that cannot be made again, as it was at one moment, and a file that says so.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::error::{Error, Result};
use crate::files;

/// The file that makes a folder a backup. It is written last, so what was interrupted is none.
const MANIFEST: &str = "backup.json";

/// The layout of a backup. A change that older programs cannot restore raises it.
const FORMAT: u32 = 1;

/// What of a data folder no other part can be made of. The search index and the cache are left out.
const FOLDERS: [&str; 4] = ["store", "blobs", "repositories", "keys"];

/// What a backup says of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    /// The layout.
    pub format: u32,
    /// The version of the program that made it.
    pub program: String,
    /// The data is as it was then.
    pub made_at: Timestamp,
    /// How many rows there are.
    pub rows: u64,
    /// How many repositories there are.
    pub repositories: u64,
}

impl App {
    /// Makes a backup in a folder that is empty or not there, while requests are carried out.
    ///
    /// # Errors
    ///
    /// There is something in the folder; it cannot be written.
    pub async fn back_up(self: &Arc<Self>, folder: PathBuf) -> Result<Manifest> {
        let fault = |error| Error::internal(error, "make the folder of a backup");
        if !files::is_free(&folder).map_err(fault)? {
            return Err(Error::Conflict(format!(
                "there is something in {}: name an empty folder, or one that does not exist",
                folder.display()
            )));
        }
        fs_err::create_dir_all(&folder).map_err(fault)?;
        private(&folder).map_err(fault)?;
        // Nothing that rows or versions name is removed meanwhile.
        let _nothing_goes = self.removing.lock().await;
        let (app, to) = (Arc::clone(self), folder.clone());
        let copied = tokio::task::spawn_blocking(move || app.store.copy_to(&to));
        let rows = copied.await.context("failed to copy the store")??;
        let made_at = Timestamp::now();

        let repositories_folder = folder.join("repositories");
        fs_err::create_dir_all(&repositories_folder).map_err(fault)?;
        let mut repositories = 0;
        for org in self.store.list_organizations()? {
            let repository = self.repositories.repository(&org);
            if repository.exists() {
                repository.copy_to(&repositories_folder).await?;
                repositories += 1;
            }
        }
        let manifest =
            Manifest { format: FORMAT, program: env!("CARGO_PKG_VERSION").to_owned(), made_at, rows, repositories };
        let (keys, written) = (self.config.data.join("keys"), manifest.clone());
        let finish = move || {
            if keys.is_dir() {
                files::copy_folder(&keys, &folder.join("keys"))?;
            }
            files::sync_all(&folder)?;
            let temporary = folder.join("backup.new");
            fs_err::write(&temporary, serde_json::to_vec_pretty(&written)?)?;
            files::sync_all(&folder)?;
            fs_err::rename(temporary, folder.join(MANIFEST))?;
            files::sync_all(&folder)
        };
        let finished = tokio::task::spawn_blocking(finish).await.context("failed to finish a backup")?;
        finished.map_err(|error| Error::internal(error, "finish a backup"))?;
        self.metrics.last_backup.set(made_at.as_second() as f64);
        tracing::info!(rows, repositories, "Made a backup");
        Ok(manifest)
    }
}

/// Copies a backup into a data folder that is empty or not there. It blocks.
///
/// # Errors
///
/// It is no whole backup, or one of a newer program; there is something in the data folder.
pub fn restore(backup: &Path, data: &Path) -> Result<Manifest> {
    let refuse = |why: String| Err(Error::BadRequest(format!("{} {why}", backup.display())));
    let Ok(text) = fs_err::read(backup.join(MANIFEST)) else {
        return refuse(format!("is no backup, or one that was interrupted: it has no {MANIFEST}"));
    };
    let manifest: Manifest = match serde_json::from_slice(&text) {
        Ok(manifest) => manifest,
        Err(error) => return refuse(format!("has a {MANIFEST} that cannot be read: {error}")),
    };
    if manifest.format > FORMAT {
        let (format, program) = (manifest.format, &manifest.program);
        return refuse(format!("has format {format}, and this program reads {FORMAT}: use {program} or a later one"));
    }
    let fault = |error| Error::internal(error, "restore a backup");
    if !files::is_free(data).map_err(fault)? {
        return Err(Error::Conflict(format!(
            "there is something in the data folder {}: name another, or move that one away",
            data.display()
        )));
    }
    fs_err::create_dir_all(data).map_err(fault)?;
    for folder in FOLDERS {
        let from = backup.join(folder);
        if from.is_dir() {
            files::copy_folder(&from, &data.join(folder)).map_err(fault)?;
        }
    }
    files::sync_all(data).map_err(fault)?;
    Ok(manifest)
}

/// What is in it is for its owner alone: keys are.
fn private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs_err::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
}
