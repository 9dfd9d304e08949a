//! The files of a project, looked at again and again: it works on every file system, mounted ones too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use sdk::artifact;

/// Between two looks. A person does not notice it.
const PAUSE: Duration = Duration::from_millis(15);
/// A pause is at least so many times as long as a look, so that watching a large project takes little of a processor.
const PAUSE_PER_LOOK: u32 = 15;
/// A project has at most 5000 files, and more are looked at no further.
const MOST_FILES: usize = 5_000;

/// A folder and some more files, as they were when last looked at.
pub struct Watch {
    folder: PathBuf,
    files: Vec<PathBuf>,
    seen: Seen,
}

/// When a file was saved, and its size.
type Seen = BTreeMap<PathBuf, (SystemTime, u64)>;

/// What has changed.
pub struct Changes {
    /// The files, relative to the folder.
    pub names: Vec<String>,
    /// When the last of them was saved.
    pub saved: SystemTime,
}

impl Watch {
    pub fn new(folder: &Path, files: Vec<PathBuf>) -> Self {
        let mut watch = Self { folder: folder.to_owned(), files, seen: Seen::new() };
        watch.seen = watch.look();
        watch
    }

    /// Waits until something is not as it was.
    pub async fn changed(&mut self) -> Changes {
        loop {
            let started = Instant::now();
            let now = self.look();
            let took = started.elapsed();
            if let Some(changes) = self.differences(&now) {
                self.seen = now;
                return changes;
            }
            tokio::time::sleep(PAUSE.max(took * PAUSE_PER_LOOK)).await;
        }
    }

    fn differences(&self, now: &Seen) -> Option<Changes> {
        let (before, paths) = (&self.seen, self.seen.keys().chain(now.keys()));
        let mut paths: Vec<_> = paths.filter(|path| before.get(*path) != now.get(*path)).collect();
        paths.sort();
        paths.dedup();
        // What was removed has no time of its own.
        let saved = paths.iter().filter_map(|path| now.get(*path)).map(|(saved, _)| *saved).max();
        let name = |path: &&PathBuf| path.strip_prefix(&self.folder).unwrap_or(path).display().to_string();
        let names: Vec<_> = paths.iter().map(name).collect();
        (!names.is_empty()).then(|| Changes { names, saved: saved.unwrap_or_else(SystemTime::now) })
    }

    fn look(&self) -> Seen {
        let mut seen = Seen::new();
        look_into(&self.folder, &mut seen);
        for file in &self.files {
            if let Ok(metadata) = std::fs::metadata(file) {
                note(file.clone(), &metadata, &mut seen);
            }
        }
        seen
    }
}

fn look_into(folder: &Path, seen: &mut Seen) {
    // A folder may go between two looks.
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| !entry.file_name().to_str().is_none_or(artifact::is_left_out)) {
        let Ok(metadata) = entry.metadata() else { continue };
        if seen.len() >= MOST_FILES {
            return;
        }
        if metadata.is_dir() {
            look_into(&entry.path(), seen);
        } else {
            note(entry.path(), &metadata, seen);
        }
    }
}

fn note(path: PathBuf, metadata: &std::fs::Metadata, seen: &mut Seen) {
    seen.insert(path, (metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), metadata.len()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_made_or_removed_is_seen_and_what_is_no_part_of_a_project_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        };
        write("src/a.py", "1");
        write(".venv/b.py", "1");
        let mut watch = Watch::new(folder.path(), Vec::new());
        let mut changed = || {
            let now = watch.look();
            let changes = watch.differences(&now).map(|changes| changes.names);
            watch.seen = now;
            changes.unwrap_or_default()
        };
        assert!(changed().is_empty());
        write("src/a.py", "12");
        write("src/c.py", "1");
        write(".venv/b.py", "12");
        write("src/__pycache__/a.pyc", "1");
        assert_eq!(changed(), ["src/a.py", "src/c.py"]);
        fs_err::remove_file(folder.path().join("src/c.py")).unwrap();
        assert_eq!(changed(), ["src/c.py"]);
    }
}
