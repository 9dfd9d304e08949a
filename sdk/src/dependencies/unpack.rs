//! A wheel becomes a folder. Its author is a stranger: paths, kinds, counts and sizes are checked, and nothing that the
//! archive says of itself is believed.
//!
//! Left out: shared objects, of which those for the sandbox are linked into the base, scripts and headers, and files for a Python's own installation
//! (`*.data/data`), none of which the sandbox has a use for. Licences and all else of `*.dist-info` stay.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use sha2::{Digest, Sha256};
use zip::ZipArchive;
use zip::read::ZipFile;

use super::lock::normalized;
use super::settings::Limits;
use super::site::Package;
use crate::error::{Error, Problem};
use crate::project::MANIFEST;

/// The longest path within a wheel, and the longest name in it, in bytes.
const MAX_PATH_BYTES: usize = 1024;
const MAX_NAME_BYTES: usize = 255;

/// Data packs well, but not like this: the most that contents may be larger than the archive, and from how many bytes
/// on that is looked at.
const MAX_RATIO: u64 = 100;
const RATIO_FROM_BYTES: u64 = 16 << 20;

/// The largest list of a wheel's own files.
const RECORD_BYTES: u64 = 16 << 20;

/// Unpacks a wheel into a folder, which exists and is empty. Answers how many bytes there are now.
pub fn unpack(archive: &Path, package: &Package, into: &Path, limits: &Limits) -> Result<u64, Error> {
    let refused = |why: String| -> Error {
        let message = format!("wheel `{}`: {why}", package.file);
        Problem::new(message, "report this to its maintainers, and use another version").at(MANIFEST, None).into()
    };
    let fault = |source: std::io::Error| Error::internal("unpack a wheel", source);
    let file = File::open(archive).map_err(fault)?;
    let packed_bytes = file.metadata().map_err(fault)?.len();
    let mut zip = ZipArchive::new(file).map_err(|error| refused(format!("it is no archive: {error}")))?;
    if zip.len() > limits.entries {
        return Err(refused(format!("it has {} files, and at most {} are allowed", zip.len(), limits.entries)));
    }
    if zip.has_duplicate_names() {
        return Err(refused("it has two files of one name".to_owned()));
    }
    let mut unpacking = Unpacking {
        into,
        left_bytes: limits.unpacked_bytes.min(RATIO_FROM_BYTES.max(packed_bytes.saturating_mul(MAX_RATIO))),
        written_bytes: 0,
        hashes: BTreeMap::new(),
        information: None,
    };
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).map_err(|error| refused(format!("it cannot be read: {error}")))?;
        unpacking.entry(&mut entry).map_err(|failed| failed.into_error(refused))?;
    }
    unpacking.finish(package).map_err(|failed| failed.into_error(refused))?;
    Ok(unpacking.written_bytes)
}

struct Unpacking<'a> {
    into: &'a Path,
    left_bytes: u64,
    written_bytes: u64,
    /// The SHA-256 of each file, by its path in the archive.
    hashes: BTreeMap<String, [u8; 32]>,
    /// The folder `*.dist-info`.
    information: Option<String>,
}

/// Whose fault it is.
enum Failed {
    Wheel(String),
    Host(std::io::Error),
}

impl Failed {
    fn into_error(self, refused: impl Fn(String) -> Error) -> Error {
        match self {
            Self::Wheel(why) => refused(why),
            Self::Host(source) => Error::internal("unpack a wheel", source),
        }
    }
}

impl From<String> for Failed {
    fn from(why: String) -> Self {
        Self::Wheel(why)
    }
}

impl Unpacking<'_> {
    fn entry(&mut self, entry: &mut ZipFile<'_, File>) -> Result<(), Failed> {
        let name = std::str::from_utf8(entry.name_raw()).map_err(|_| "it has a name that is not UTF-8".to_owned())?;
        let name = name.to_owned();
        let path = checked(&name)?;
        // The upper bits of a mode are the kind: 0 where the archive has none, 4 a folder, 8 a file.
        let kind = entry.unix_mode().unwrap_or_default() >> 12;
        if entry.is_symlink() || !matches!(kind, 0 | 4 | 8) {
            return Err(format!("`{path}` is a link or a device").into());
        }
        if entry.encrypted() {
            return Err(format!("`{path}` is encrypted").into());
        }
        if entry.is_dir() {
            return Ok(());
        }
        let first = path.split('/').next().unwrap_or_default();
        if first.ends_with(".dist-info") {
            match &self.information {
                Some(known) if known != first => return Err("it has two folders `*.dist-info`".to_owned().into()),
                _ => self.information = Some(first.to_owned()),
            }
        }
        let Some(target) = place(&path) else { return Ok(()) };
        let target = self.into.join(target);
        let folder = target.parent().unwrap_or(self.into);
        // Only a file stands in the way of a folder, and the archive has put it there.
        fs_err::create_dir_all(folder).map_err(|_| format!("`{path}` lies in a file"))?;
        let mut file = fs_err::File::create_new(&target).map_err(|_| format!("`{path}` is there twice"))?;
        let (mut hash, mut buffer) = (Sha256::new(), vec![0; 64 << 10]);
        loop {
            let read = entry.read(&mut buffer).map_err(|error| format!("`{path}` cannot be read: {error}"))?;
            if read == 0 {
                break;
            }
            let Some(left_bytes) = self.left_bytes.checked_sub(read as u64) else {
                return Err("it is far larger unpacked than it may be".to_owned().into());
            };
            self.left_bytes = left_bytes;
            self.written_bytes += read as u64;
            hash.update(&buffer[..read]);
            file.write_all(&buffer[..read]).map_err(Failed::Host)?;
        }
        self.hashes.insert(path, hash.finalize().into());
        Ok(())
    }

    /// Holds the whole against what the wheel says of itself.
    fn finish(&self, package: &Package) -> Result<(), Failed> {
        let information = self.information.as_deref().ok_or_else(|| "it has no folder `*.dist-info`".to_owned())?;
        let own = information.strip_suffix(".dist-info").and_then(|stem| stem.split_once('-'));
        if own.and_then(|(name, _)| normalized(name).ok()).as_deref() != Some(package.name.as_str()) {
            return Err(format!("it holds another package, `{}`", information.escape_debug()).into());
        }
        for needed in ["METADATA", "WHEEL", "RECORD"] {
            if !self.hashes.contains_key(&format!("{information}/{needed}")) {
                return Err(format!("it has no `{information}/{needed}`").into());
            }
        }
        let record = self.into.join(information).join("RECORD");
        if fs_err::metadata(&record).map_err(Failed::Host)?.len() > RECORD_BYTES {
            return Err("its RECORD is too long".to_owned().into());
        }
        let record = fs_err::read_to_string(&record).map_err(|_| "its RECORD is not UTF-8".to_owned())?;
        for line in record.lines() {
            let [path, expected, ..] = &fields(line)[..] else { continue };
            let (Some(found), Some(expected)) = (self.hashes.get(path), expected.strip_prefix("sha256=")) else {
                continue;
            };
            if BASE64.encode(found) != expected.trim_end_matches('=') {
                return Err(format!("`{path}` is not what its RECORD says").into());
            }
        }
        // As PEP 376 has it; `importlib.metadata` and tools that list licences read it.
        let installer = self.into.join(information).join("INSTALLER");
        if installer.is_dir() {
            return Err("its INSTALLER is a folder".to_owned().into());
        }
        fs_err::write(installer, "toolplane\n").map_err(Failed::Host)
    }
}

/// The path of an entry, if it stays in the folder and every file system takes it.
fn checked(name: &str) -> Result<String, Failed> {
    let shown: String = name.chars().take(80).collect();
    let shown = shown.escape_debug();
    if name.len() > MAX_PATH_BYTES || name.contains(['\\', '\0']) || name.contains(char::is_control) {
        return Err(format!("the path `{shown}` is not allowed").into());
    }
    let path = name.strip_suffix('/').unwrap_or(name);
    let is_allowed = |part: &str| !matches!(part, "" | "." | "..") && part.len() <= MAX_NAME_BYTES;
    if !path.split('/').all(is_allowed) {
        return Err(format!("the path `{shown}` is not allowed").into());
    }
    Ok(path.to_owned())
}

/// Where a file goes, or None when it is left out.
fn place(path: &str) -> Option<PathBuf> {
    let mut inner = path;
    if let Some((first, rest)) = path.split_once('/')
        && first.ends_with(".data")
    {
        let (kind, rest) = rest.split_once('/')?;
        if !matches!(kind, "purelib" | "platlib") {
            return None;
        }
        inner = rest;
    }
    let name = inner.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let is_shared_object = [".so", ".pyd", ".dylib", ".dll"].iter().any(|suffix| name.ends_with(suffix))
        || name.split_once(".so.").is_some_and(|(_, version)| version.starts_with(|c: char| c.is_ascii_digit()));
    // Bytecode of another Python, or of whoever wished to hide something from a reader of the source.
    let is_bytecode = name.ends_with(".pyc");
    (!is_shared_object && !is_bytecode).then(|| inner.into())
}

/// A line of comma-separated values.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut field, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(std::mem::take(&mut field)),
            other => field.push(other),
        }
    }
    fields.push(field);
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use zip::CompressionMethod;
    use zip::write::{SimpleFileOptions, ZipWriter};

    const INFORMATION: [(&str, &[u8]); 3] = [
        ("a-1.dist-info/METADATA", b"Name: a\n"),
        ("a-1.dist-info/WHEEL", b"Wheel-Version: 1.0\n"),
        ("a-1.dist-info/RECORD", b""),
    ];

    struct Tried {
        result: Result<u64, Error>,
        folder: tempfile::TempDir,
    }

    impl Tried {
        fn refusal(self) -> String {
            let Err(Error::Refused(problems)) = self.result else { panic!("it was unpacked") };
            assert!(!self.folder.path().join("evil").exists());
            problems[0].message.clone()
        }

        fn has(&self, path: &str) -> bool {
            self.folder.path().join("into").join(path).exists()
        }
    }

    fn unpack_bytes(bytes: &[u8]) -> Tried {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("a.whl");
        fs_err::write(&archive, bytes).unwrap();
        let into = folder.path().join("into");
        fs_err::create_dir(&into).unwrap();
        let package = Package {
            name: "a".to_owned(),
            version: "1".to_owned(),
            file: "a-1-py3-none-any.whl".to_owned(),
            sha256: String::new(),
        };
        let limits = Limits { entries: 20, unpacked_bytes: 64 << 20, ..Limits::default() };
        Tried { result: unpack(&archive, &package, &into, &limits), folder }
    }

    fn wheel(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        for (name, content) in files {
            zip.start_file(*name, options).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn with(files: &[(&str, &[u8])]) -> Tried {
        unpack_bytes(&wheel(&[&INFORMATION, files].concat()))
    }

    #[test]
    fn what_the_sandbox_can_use_is_unpacked_and_the_rest_left_out() {
        let tried = with(&[
            ("a/__init__.py", b""),
            ("a/data.json", b"{}"),
            ("a/_fast.cpython-314-x86_64-linux-gnu.so", b"\x7fELF"),
            ("a/_fast.pyd", b"MZ"),
            ("a.libs/libz.so.1", b"\x7fELF"),
            ("a/__pycache__/b.cpython-314.pyc", b""),
            ("a-1.data/purelib/pure.py", b""),
            ("a-1.data/platlib/plat.py", b""),
            ("a-1.data/scripts/a", b"#!/bin/sh"),
            ("a-1.data/headers/a.h", b""),
            ("a-1.data/data/share/a", b""),
            ("a-1.dist-info/licenses/LICENSE", b"Free"),
        ]);
        tried.result.as_ref().unwrap();
        for path in ["a/__init__.py", "a/data.json", "pure.py", "plat.py", "a-1.dist-info/licenses/LICENSE"] {
            assert!(tried.has(path), "{path}");
        }
        for path in
            ["a/_fast.pyd", "a.libs", "a-1.data", "a/__pycache__", "share", "a/_fast.cpython-314-x86_64-linux-gnu.so"]
        {
            assert!(!tried.has(path), "{path}");
        }
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for path in
            ["../evil", "a/../../evil", "/evil", "a//evil", "./evil", "a\\..\\evil", "a-1.data/purelib/../../../evil"]
        {
            assert!(with(&[(path, b"x")]).refusal().contains("is not allowed"), "{path}");
        }
        assert!(with(&[(&"a/".repeat(600), b"x")]).refusal().contains("is not allowed"));
    }

    #[test]
    fn links_are_refused() {
        let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
        zip.add_symlink("a", "/etc", SimpleFileOptions::default()).unwrap();
        let tried = unpack_bytes(&zip.finish().unwrap().into_inner());
        assert!(tried.refusal().contains("is a link"));
    }

    #[test]
    fn two_files_of_one_name_are_refused() {
        // The writer refuses them, so one is renamed in both places that name it.
        let mut bytes = wheel(&[&INFORMATION[..], &[("a/one.py", b"1"), ("a/two.py", b"2")]].concat());
        while let Some(place) = bytes.windows(8).position(|window| window == b"a/two.py") {
            bytes[place..place + 8].copy_from_slice(b"a/one.py");
        }
        assert!(unpack_bytes(&bytes).refusal().contains("two files of one name"));
        assert!(with(&[("a", b"1"), ("a/b", b"2")]).refusal().contains("lies in a file"));
        assert!(with(&[("b.py", b"1"), ("a-1.data/purelib/b.py", b"2")]).refusal().contains("is there twice"));
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_large() {
        let tried = with(&[("a/zeros", &vec![0; 32 << 20])]);
        assert!(tried.refusal().contains("far larger unpacked"));
        let many: Vec<_> = (0..30).map(|number| format!("a/{number}")).collect();
        let many: Vec<(&str, &[u8])> = many.iter().map(|name| (name.as_str(), &b""[..])).collect();
        assert!(with(&many).refusal().contains("at most 20 are allowed"));
    }

    #[test]
    fn a_lying_record_is_refused() {
        let record = |hash: &str| format!("\"a/b,c.py\",sha256={hash},1\na-1.dist-info/RECORD,,\n");
        let files = |record: &str| {
            wheel(&[INFORMATION[0], INFORMATION[1], ("a/b,c.py", b"1"), ("a-1.dist-info/RECORD", record.as_bytes())])
        };
        let right = BASE64.encode(Sha256::digest(b"1"));
        assert!(unpack_bytes(&files(&record(&right))).result.is_ok());
        let wrong = BASE64.encode(Sha256::digest(b"2"));
        assert!(unpack_bytes(&files(&record(&wrong))).refusal().contains("is not what its RECORD says"));
    }

    #[test]
    fn what_is_no_wheel_or_another_package_is_refused() {
        assert!(unpack_bytes(b"PK").refusal().contains("it is no archive"));
        assert!(unpack_bytes(&wheel(&[("a.py", b"")])).refusal().contains("no folder `*.dist-info`"));
        assert!(unpack_bytes(&wheel(&INFORMATION[..2])).refusal().contains("RECORD"));
        let other = [("b-1.dist-info/METADATA", &b""[..]), ("b-1.dist-info/WHEEL", b""), ("b-1.dist-info/RECORD", b"")];
        assert!(unpack_bytes(&wheel(&other)).refusal().contains("holds another package"));
        assert!(with(&[("b-1.dist-info/METADATA", b"")]).refusal().contains("two folders"));
        assert!(with(&[("a-1.dist-info/INSTALLER/x", b"")]).refusal().contains("INSTALLER is a folder"));
    }

    #[test]
    fn a_truncated_wheel_is_refused() {
        let whole = wheel(&[&INFORMATION[..], &[("a/b.py", b"content")]].concat());
        for length in 0..whole.len() {
            assert!(matches!(unpack_bytes(&whole[..length]).result, Err(Error::Refused(_))), "{length}");
        }
    }
}
