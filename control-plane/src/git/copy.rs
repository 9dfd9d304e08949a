//! A copy of a repository that is being used.
//!
//! References are copied first, while no push runs, and objects after them: so everything that a reference leads to is
//! in the copy. Packs never change, and nothing is removed meanwhile, since maintenance waits. Objects that nothing refers
//! to any more are copied too: versions may have been published from them.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;

use super::Repository;
use crate::error::{Error, Result};
use crate::files;

/// How long to wait for pushes that run. A push that takes longer may have moved some of its references in the copy, and
/// not yet the others.
const PUSHES_END_WITHIN: Duration = Duration::from_secs(10);

impl Repository {
    /// Copies the repository into the folder of repositories of another data folder.
    pub async fn copy_to(&self, folder: &Path) -> Result<()> {
        let name = self.path.file_name().map(ToOwned::to_owned).unwrap_or_default();
        let (from, to) = (self.path.clone(), folder.join(name));
        let _no_maintenance = self.lane.keep_from_maintenance().await;
        let no_push = timeout(PUSHES_END_WITHIN, self.lane.keep_pushes_waiting()).await.ok();
        let (source, target) = (from.clone(), to.clone());
        blocking(move || references(&source, &target)).await?;
        drop(no_push);
        blocking(move || objects(&from.join("objects"), &to.join("objects"))).await
    }
}

/// Loose references first: one that is deleted meanwhile leaves the packed ones before it leaves these.
fn references(from: &Path, to: &Path) -> io::Result<()> {
    fs_err::create_dir_all(to)?;
    loose(&from.join("refs"), &to.join("refs"))?;
    for name in ["packed-refs", "HEAD", "config"] {
        copy_if_there(&from.join(name), &to.join(name))?;
    }
    Ok(())
}

fn loose(from: &Path, to: &Path) -> io::Result<()> {
    fs_err::create_dir_all(to)?;
    let entries = match fs_err::read_dir(from) {
        // Git removes the folder of a deleted branch.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let (name, target) = (entry.file_name(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            loose(&entry.path(), &target)?;
        } else if !name.to_string_lossy().ends_with(".lock") {
            copy_if_there(&entry.path(), &target)?;
        }
    }
    Ok(())
}

fn objects(from: &Path, to: &Path) -> io::Result<()> {
    for folder in ["pack", "info"] {
        fs_err::create_dir_all(to.join(folder))?;
    }
    for entry in fs_err::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let target = to.join(&name);
        match name.as_str() {
            "pack" => packs(&entry.path(), &target)?,
            "info" => files::copy_folder(&entry.path(), &target)?,
            name if name.len() == 2 => {
                fs_err::create_dir_all(&target)?;
                for object in fs_err::read_dir(entry.path())? {
                    let object = object?;
                    if !object.file_name().to_string_lossy().starts_with("tmp_") {
                        files::share(&object.path(), &target.join(object.file_name()))?;
                    }
                }
            }
            // What a push has sent and git has not accepted.
            _ => {}
        }
    }
    Ok(())
}

/// A pack is there once its index is, which git writes last.
fn packs(from: &Path, to: &Path) -> io::Result<()> {
    let mut names = Vec::new();
    for entry in fs_err::read_dir(from)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    for index in names.iter().filter(|name| name.starts_with("pack-") && name.ends_with(".idx")) {
        let stem = index.trim_end_matches("idx");
        for extension in ["pack", "rev", "mtimes", "bitmap", "idx"] {
            let name = format!("{stem}{extension}");
            if from.join(&name).is_file() {
                files::share(&from.join(&name), &to.join(&name))?;
            }
        }
    }
    for name in names.iter().filter(|name| name.starts_with("multi-pack-index") && !name.ends_with(".lock")) {
        copy_if_there(&from.join(name), &to.join(name))?;
    }
    Ok(())
}

fn copy_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match fs_err::copy(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        copied => copied.map(drop),
    }
}

async fn blocking(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> Result<()> {
    let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| Err(io::Error::other(panic)));
    done.map_err(|error| Error::internal(error, "copy a repository"))
}
