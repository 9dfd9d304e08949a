//! What a build gives: one file that holds the component, the project's files and the tool's description.
//!
//! The component is a valid WASI component by itself; the rest lies in custom sections behind it. The files are there
//! because a tool may import its own modules, or read data that lies beside them, while it runs. For the same reason the
//! wheels of its packages are there, as they were fetched: packed they are a fifth of what is mounted, and whoever gets
//! the file can verify and unpack them, once for all tools that have the same ones, without a network.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wasm_encoder::{ComponentSection, CustomSection};
use wasmparser::{Parser, Payload};

use crate::dependencies::{Package, Packages};
use crate::egress::{Egress, Pattern};
use crate::error::{Error, Problem};
use crate::project::Manifest;

/// The section with [`Label`] as JSON.
const LABEL: &str = "toolplane:label";
/// The section with the project's files as a tar archive.
const FILES: &str = "toolplane:files";
/// The section with the wheels of the project's packages as a tar archive; it is not there when there are none.
const WHEELS: &str = "toolplane:wheels";
/// The version of all. A reader refuses every other.
const FORMAT: u32 = 1;

/// The most files that a project may have.
const MAX_FILES: usize = 5_000;
/// The most bytes that they may have together.
const MAX_BYTES: u64 = 64 << 20;

/// A tool as its code describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// The project's name.
    pub name: String,
    /// The first paragraph of the entry point's docstring.
    pub description: Option<String>,
    /// JSON Schema 2020-12 of the input.
    pub input_schema: serde_json::Value,
    /// The parameters that the tool itself holds against their part of the schema, as pydantic does with its models.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checked_inside: Vec<String>,
    /// Whether the entry point is `async def`.
    pub is_async: bool,
    /// Whether something else runs in simulations.
    pub has_simulation: bool,
}

/// What has to be known of a component to run it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Label {
    format: u32,
    /// The base that the component is made of, whose standard library has to be mounted.
    pub base_key: String,
    /// The tool as its code describes it.
    pub description: Description,
    /// The packages that are mounted beside the project's files.
    #[serde(default)]
    pub packages: Vec<Package>,
    /// Variables that an invocation needs.
    pub env: Vec<String>,
    /// Secret variables that an invocation needs.
    pub secrets: Vec<String>,
    /// The author's own limit of wall clock.
    pub timeout_ms: Option<u64>,
    /// The author's own limit of memory.
    pub memory_bytes: Option<u64>,
    /// What the tool may connect to.
    #[serde(default)]
    pub egress: Egress,
    /// Secrets that never enter the sandbox, each with the hosts that get them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bound_secrets: BTreeMap<String, Vec<Pattern>>,
}

impl Label {
    pub(crate) fn new(base_key: &str, description: Description, manifest: &Manifest, packages: &Packages) -> Self {
        Self {
            format: FORMAT,
            base_key: base_key.to_owned(),
            description,
            packages: packages.list().to_vec(),
            env: manifest.env.clone(),
            secrets: manifest.secrets.clone(),
            timeout_ms: manifest.timeout.map(|limit| limit.as_millis() as u64),
            memory_bytes: manifest.memory_bytes,
            egress: manifest.egress.clone(),
            bound_secrets: manifest.bound_secrets.clone(),
        }
    }

    /// The author's own limit of wall clock.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout_ms.map(Duration::from_millis)
    }
}

/// A built tool.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// What has to be known to run it.
    pub label: Label,
    /// The project's files, as a tar archive.
    pub files: Vec<u8>,
    /// The wheels of its packages, as a tar archive; empty when there are none.
    pub wheels: Vec<u8>,
    /// The whole file: the component with its sections behind it.
    pub bytes: Vec<u8>,
    /// What the project printed while it was imported.
    pub logs: String,
}

impl Artifact {
    pub(crate) fn new(
        component: Vec<u8>,
        label: Label,
        files: Vec<u8>,
        wheels: Vec<u8>,
        logs: String,
    ) -> Result<Self, Error> {
        let encoded = serde_json::to_vec(&label).map_err(|source| Error::internal("write the label", source))?;
        let mut bytes = component;
        CustomSection { name: LABEL.into(), data: encoded.into() }.append_to_component(&mut bytes);
        CustomSection { name: FILES.into(), data: (&files).into() }.append_to_component(&mut bytes);
        if !wheels.is_empty() {
            CustomSection { name: WHEELS.into(), data: (&wheels).into() }.append_to_component(&mut bytes);
        }
        Ok(Self { label, files, wheels, bytes, logs })
    }

    /// Reads a built file back.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, Error> {
        let not_ours = || Problem::new("this is no built tool", "build one with `runtime build`");
        let (mut label, mut files, mut wheels) = (None, None, Vec::new());
        for payload in Parser::new(0).parse_all(&bytes) {
            if let Payload::CustomSection(section) = payload.map_err(|_| not_ours())? {
                match section.name() {
                    LABEL => label = Some(section.data().to_vec()),
                    FILES => files = Some(section.data().to_vec()),
                    WHEELS => wheels = section.data().to_vec(),
                    _ => {}
                }
            }
        }
        let (Some(label), Some(files)) = (label, files) else { return Err(not_ours().into()) };
        let label: Label = serde_json::from_slice(&label).map_err(|_| not_ours())?;
        if label.format != FORMAT {
            let message = format!("this tool was built in format {}, and this program reads {FORMAT}", label.format);
            return Err(Problem::new(message, "build it again with `runtime build`").into());
        }
        Ok(Self { label, files, wheels, bytes, logs: String::new() })
    }
}

/// Whether a file or folder of this name is no part of a project: hidden ones and what other tools leave behind.
pub fn is_left_out(name: &str) -> bool {
    name.starts_with('.') || matches!(name, "__pycache__" | "node_modules" | "venv" | "target")
}

/// Packs a project's files: all but hidden ones and what other tools leave behind.
pub fn pack(folder: &Path) -> Result<Vec<u8>, Error> {
    let mut archive = tar::Builder::new(Vec::new());
    archive.mode(tar::HeaderMode::Deterministic);
    let mut found = Found::default();
    pack_folder(&mut archive, folder, Path::new(""), &mut found)?;
    archive.into_inner().map_err(|source| Error::internal("pack the project's files", source))
}

#[derive(Default)]
struct Found {
    files: usize,
    bytes: u64,
}

fn pack_folder(
    archive: &mut tar::Builder<Vec<u8>>,
    folder: &Path,
    inner: &Path,
    found: &mut Found,
) -> Result<(), Error> {
    let unreadable = |source: std::io::Error| Error::internal("read the project's files", source);
    let mut entries: Vec<_> =
        fs_err::read_dir(folder.join(inner)).map_err(unreadable)?.collect::<Result<_, _>>().map_err(unreadable)?;
    entries.sort_by_key(fs_err::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        let Some(text) = name.to_str() else {
            let message = format!("the name of {} is not UTF-8", entry.path().display());
            return Err(Problem::new(message, "rename the file").into());
        };
        if is_left_out(text) {
            continue;
        }
        let path = inner.join(text);
        let kind = entry.file_type().map_err(unreadable)?;
        if kind.is_symlink() {
            let problem = Problem::new("symbolic links are not allowed in a project", "copy the file instead");
            return Err(problem.at(path.display().to_string(), None).into());
        }
        if kind.is_dir() {
            pack_folder(archive, folder, &path, found)?;
            continue;
        }
        found.files += 1;
        found.bytes += entry.metadata().map_err(unreadable)?.len();
        if found.files > MAX_FILES || found.bytes > MAX_BYTES {
            let message = format!("the project has more than {MAX_FILES} files or {} MiB", MAX_BYTES >> 20);
            return Err(Problem::new(message, "move what the tool does not need out of its folder").into());
        }
        archive.append_path_with_name(entry.path(), &path).map_err(unreadable)?;
    }
    Ok(())
}

/// Unpacks what [`pack`] packed. The archive may come from a stranger: only plain files below `folder` are written.
pub fn unpack(files: &[u8], folder: &Path) -> std::io::Result<()> {
    for entry in tar::Archive::new(files).entries()? {
        let mut entry = entry?;
        // `unpack_in` refuses absolute paths, `..` and what lies behind a link.
        if !entry.header().entry_type().is_file() || !entry.unpack_in(folder)? {
            return Err(std::io::Error::other(format!("refused to unpack {}", entry.path()?.display())));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_survive_packing_and_hidden_ones_stay_out() {
        let project = tempfile::tempdir().unwrap();
        fs_err::create_dir_all(project.path().join("src/.git")).unwrap();
        fs_err::write(project.path().join("src/a.py"), "a = 1\n").unwrap();
        fs_err::write(project.path().join(".env"), "SECRET=1\n").unwrap();
        let packed = pack(project.path()).unwrap();
        assert_eq!(packed, pack(project.path()).unwrap(), "packing is deterministic");

        let unpacked = tempfile::tempdir().unwrap();
        unpack(&packed, unpacked.path()).unwrap();
        assert_eq!(fs_err::read_to_string(unpacked.path().join("src/a.py")).unwrap(), "a = 1\n");
        assert!(!unpacked.path().join(".env").exists());
    }

    #[test]
    fn a_link_is_refused_by_name() {
        let project = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", project.path().join("data")).unwrap();
        let Err(Error::Refused(problems)) = pack(project.path()) else { panic!("the link was packed") };
        assert_eq!(problems[0].file.as_deref(), Some("data"));
    }

    #[test]
    fn an_archive_that_climbs_out_is_refused() {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(1);
        header.as_gnu_mut().unwrap().name[..7].copy_from_slice(b"../evil");
        header.set_cksum();
        archive.append(&header, &b"x"[..]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs_err::create_dir(&inner).unwrap();
        assert!(unpack(&archive.into_inner().unwrap(), &inner).is_err());
        assert!(!folder.path().join("evil").exists());
    }

    #[test]
    fn a_stranger_s_file_is_no_tool() {
        assert!(matches!(Artifact::parse(b"\0asm\x01\0\0\0".to_vec()), Err(Error::Refused(_))));
        assert!(matches!(Artifact::parse(b"hello".to_vec()), Err(Error::Refused(_))));
    }
}
