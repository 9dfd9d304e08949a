//! Projects to built tools. Equal inputs are built once.

use std::path::{Path, PathBuf};

use sdk::artifact;
use sdk::base::{self, Base};
use sdk::project::Project;
use sdk::sandbox::Limits;
use sdk::snapshot::Snapshotter;
use sha2::{Digest, Sha256};

use crate::error::Error;

/// Builds the project in a folder, or finds what was built of the same files before. Answers the built file's path.
///
/// It blocks for about a second once the base exists, and must not be called on a thread of an async executor.
pub fn build(cache: &Path, folder: &Path) -> Result<PathBuf, Error> {
    let project = Project::read(folder)?;
    let files = artifact::pack(folder)?;
    let mut hash = Sha256::new();
    hash.update(base::key());
    hash.update(&files);
    let builds = cache.join("builds");
    let target = builds.join(format!("{}.wasm", hex::encode(hash.finalize())));
    if target.is_file() {
        return Ok(target);
    }
    let snapshotter = Snapshotter::new(Base::find_or_make(cache)?)?;
    let built = snapshotter.build(&project, &Limits::for_build())?;
    let fault = |source: std::io::Error| Error::internal("write the built tool", source);
    fs_err::create_dir_all(&builds).map_err(fault)?;
    let work = tempfile::NamedTempFile::new_in(&builds).map_err(fault)?;
    fs_err::write(work.path(), &built.bytes).map_err(fault)?;
    work.persist(&target).map_err(|error| fault(error.error))?;
    Ok(target)
}
