//! `uv` in a sandbox: it has the network and the operator's indexes, and nothing else of the machine.

use std::path::{Path, PathBuf};

use super::confined::{Confined, Network};
use crate::dependencies::{Settings, settings, uv};
use crate::error::{Error, Problem};

/// What each of its commands begins with.
pub const UV: [&str; 8] = [
    "/uv",
    "--no-config",
    "--quiet",
    "--no-progress",
    "--color=never",
    "--no-python-downloads",
    "--cache-dir",
    "/build/uv",
];

/// Refuses a package where the network is not to be used.
pub fn check_network(name: &str, settings: &Settings) -> Result<(), Error> {
    if settings.network == settings::Network::Off {
        let message = format!("package `{name}` cannot be fetched: the network is not to be used");
        return Err(Problem::new(message, "leave out `--offline`").into());
    }
    Ok(())
}

/// Prepares a run of `uv` in a folder below the folder of the build.
pub fn confined(folder: &Path, inner: &str, settings: &Settings, cache: &Path) -> Result<Confined, Error> {
    let mut confined = Confined::new(folder, inner, Network::Shared).see(&program(cache)?, "/uv");
    if let Some(index) = &settings.index_url {
        confined = confined.set("UV_DEFAULT_INDEX", index.expose().as_str());
    }
    if !settings.extra_index_urls.is_empty() {
        let indexes: Vec<_> = settings.extra_index_urls.iter().map(|index| index.expose().as_str()).collect();
        confined = confined.set("UV_INDEX", &indexes.join(" "));
    }
    Ok(confined)
}

fn program(cache: &Path) -> Result<PathBuf, Error> {
    let program = uv::find_or_install(cache)?;
    if program.is_file() {
        return Ok(program);
    }
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&paths).map(|path| path.join(&program));
    Ok(places.find(|path| path.is_file()).unwrap_or(program))
}
