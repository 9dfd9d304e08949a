//! Copying files between folders.

use std::io;
use std::path::Path;

/// Brings a file that never changes to another place: as a second name of the same file where both are in one file
/// system, otherwise as a copy. The copy is durable once [`sync_all`] has been called for its folder.
pub fn share(from: &Path, to: &Path) -> io::Result<()> {
    match fs_err::hard_link(from, to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // Another file system, or one without such names.
        Err(_) => fs_err::copy(from, to).map(drop),
        linked => linked,
    }
}

/// Copies a folder with all that is in it, rights included. Links and sockets are left out.
pub fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs_err::create_dir_all(to)?;
    for entry in fs_err::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else if kind.is_file() {
            fs_err::copy(entry.path(), target)?;
        }
    }
    fs_err::set_permissions(to, fs_err::metadata(from)?.permissions())
}

/// Makes everything durable that was written to the file system of a folder.
pub fn sync_all(folder: &Path) -> io::Result<()> {
    let folder = fs_err::File::open(folder)?;
    #[cfg(target_os = "linux")]
    rustix::fs::syncfs(folder.file())?;
    #[cfg(not(target_os = "linux"))]
    rustix::fs::sync();
    drop(folder);
    Ok(())
}

/// Whether a folder is not there, or has nothing in it.
pub fn is_free(folder: &Path) -> io::Result<bool> {
    match fs_err::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        entries => Ok(entries?.next().is_none()),
    }
}
