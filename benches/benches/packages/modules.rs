//! What a package was made to be imported as, by the files that its wheel says it has.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};

use crate::list::normalized;

/// Folders that some wheels have beside the package itself.
const ASIDE: [&str; 8] = ["test", "tests", "testing", "doc", "docs", "example", "examples", "scripts"];

/// The modules of a package, in a folder where it is installed. One that is called like the package stands for all.
pub fn of(packages: &Path, name: &str) -> Result<Vec<String>> {
    let information =
        information(packages, name)?.with_context(|| format!("{name} has no information about itself"))?;
    let record = fs_err::read_to_string(information.join("RECORD"))?;
    let files: BTreeSet<_> =
        record.lines().map(|line| line.split(',').next().unwrap_or_default().trim_matches('"')).collect();
    let top_level = fs_err::read_to_string(information.join("top_level.txt")).unwrap_or_default();
    let named: BTreeSet<_> = top_level.split_whitespace().map(|name| name.replace('/', ".")).collect();
    let found: BTreeSet<_> = files.iter().filter_map(|file| root(file)).map(str::to_owned).collect();
    let all = if named.is_empty() { found } else { named };
    let is_public =
        |module: &&String| is_module(module) && !module.starts_with('_') && !ASIDE.contains(&module.as_str());
    let public: Vec<_> = all.iter().filter(is_public).collect();
    let namesake: Vec<_> = public.iter().copied().filter(|module| normalized(module) == normalized(name)).collect();
    let chosen = if namesake.is_empty() { public } else { namesake };
    Ok(chosen.into_iter().flat_map(|module| below(module, &files)).collect())
}

/// The module itself, or, where it is a mere name before others, those nearest below.
fn below(module: &str, files: &BTreeSet<&str>) -> Vec<String> {
    let path = module.replace('.', "/");
    if files.contains(format!("{path}.py").as_str()) || files.contains(format!("{path}/__init__.py").as_str()) {
        return vec![module.to_owned()];
    }
    let packages = files.iter().filter_map(|file| file.strip_suffix("/__init__.py"));
    let inside: Vec<_> = packages.filter(|folder| folder.starts_with(&format!("{path}/"))).collect();
    let depth = |folder: &str| folder.matches('/').count();
    let nearest = inside.iter().map(|folder| depth(folder)).min();
    let nearest = inside.iter().filter(|folder| Some(depth(folder)) == nearest).map(|folder| folder.replace('/', "."));
    let nearest: Vec<_> = nearest.filter(|module| module.split('.').all(is_module)).collect();
    if nearest.is_empty() { vec![module.to_owned()] } else { nearest }
}

fn information(packages: &Path, name: &str) -> Result<Option<std::path::PathBuf>> {
    for entry in fs_err::read_dir(packages)? {
        let path = entry?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let distribution = file.strip_suffix(".dist-info").and_then(|stem| stem.split_once('-'));
        if distribution.is_some_and(|(distribution, _)| normalized(distribution) == normalized(name)) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// The first part of a file's path where it is Python.
fn root(file: &str) -> Option<&str> {
    let stem = file.strip_suffix(".py")?;
    let root = stem.split('/').next()?;
    (!root.ends_with(".data") && !root.ends_with(".dist-info")).then_some(root)
}

fn is_module(name: &str) -> bool {
    name.split('.').all(|part| {
        !part.is_empty()
            && !part.starts_with(|c: char| c.is_ascii_digit())
            && part.chars().all(|c| c.is_alphanumeric() || c == '_')
    })
}
