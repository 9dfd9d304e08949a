//! The cache: built tools unpacked, so that their memory can be mapped and their files mounted.
//!
//! Whoever unpacks tools and whoever runs them may be two processes: the one writes the cache, the other only reads it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sdk::artifact::{self, Artifact, Label};
use sdk::base::Base;
use sdk::dependencies::{Packages, site};
use sdk::input_schema::InputSchema;
use sdk::libraries;
use sdk::project::MANIFEST;
use sdk::sandbox::{Access, Mount};
use sdk::work::Work;
use sdk::{Error as BuildError, Problem, merge};
use tempfile::TempDir;

use crate::error::Error;
use crate::input::{self, InputLimits};
use crate::invoke::Limits;
use crate::memory::Image;

/// The file in a tool's folder of the cache that holds its label.
const LABEL: &str = "label.json";
/// The file beside it that is the content of its memory.
const MEMORY: &str = "memory";
/// The folder beside them with the project's files.
const FILES: &str = "files";

/// A folder of unpacked tools, bases and packages. It may be deleted while nothing runs.
pub struct Cache {
    folder: PathBuf,
    /// Where tools are unpacked before they have their place. None for whoever only reads.
    work: Option<Work>,
    makes_bases: bool,
}

impl Cache {
    /// Opens a cache, and makes it where there is none. With `makes_bases`, the base of a tool with native packages is made
    /// anew of the libraries within the tool's file, where the cache has lost it. They run while it is made, and nothing
    /// bounds that: for files of one's own builds alone.
    pub fn open(folder: &Path, makes_bases: bool) -> Result<Self, Error> {
        let work = Work::open(folder).map_err(|source| Error::internal("open the cache", source))?;
        Ok(Self { folder: folder.to_owned(), work: Some(work), makes_bases })
    }

    /// A cache that another process writes.
    pub(crate) fn read_only(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), work: None, makes_bases: false }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Unpacks a built tool by the SHA-256 of its bytes, unless that was done before: then they are not read.
    ///
    /// It blocks, and must not be called on a thread of an async executor.
    pub fn unpack(&self, sha256: &str, read: impl FnOnce() -> io::Result<Vec<u8>>) -> Result<Unpacked, Error> {
        if let Some(found) = self.find(sha256)? {
            return Ok(found);
        }
        let fault = |source: io::Error| Error::internal("write the tool into the cache", source);
        let unreadable = |source: anyhow::Error| Error::internal("read the built tool", source);
        let artifact = Artifact::parse(read().map_err(|source| unreadable(source.into()))?)?;
        let base = self.find_or_make_base(&artifact)?;
        site::restore(&artifact, &base)?;
        // Code that is not the base's own would have to be compiled, and is not what this version builds.
        let image = merge::split(&artifact.bytes, &base.rest()?).map_err(unreadable)?.ok_or_else(other_version)?;
        let content = image.content().map_err(unreadable)?;
        let (tools, folder) = (self.folder.join("tools"), self.tool(sha256));
        fs_err::create_dir_all(&tools).map_err(fault)?;
        let work = self.work_folder().map_err(fault)?;
        Image::write(&work.path().join(MEMORY), content.len, content.runs).map_err(fault)?;
        let label = serde_json::to_vec(&artifact.label).map_err(|source| Error::internal("write the label", source))?;
        fs_err::write(work.path().join(LABEL), label).map_err(fault)?;
        let files = work.path().join(FILES);
        fs_err::create_dir(&files).map_err(fault)?;
        artifact::unpack(&artifact.files, &files).map_err(fault)?;
        match fs_err::rename(work.path(), &folder) {
            Ok(()) => {}
            // Another process was quicker, or another version has left the folder without this file.
            Err(_) if folder.is_dir() => {
                fs_err::rename(work.path().join(MEMORY), folder.join(MEMORY)).map_err(fault)?;
            }
            Err(source) => return Err(fault(source)),
        }
        self.find(sha256)?.ok_or_else(gone)
    }

    /// A tool that was unpacked before, as long as its base and its packages are there, too.
    pub(crate) fn find(&self, sha256: &str) -> Result<Option<Unpacked>, Error> {
        let folder = self.tool(sha256);
        let Ok(memory) = fs_err::metadata(folder.join(MEMORY)) else { return Ok(None) };
        let unreadable = |source: io::Error| Error::internal("read the tool's label", source);
        let label = fs_err::read(folder.join(LABEL)).map_err(unreadable)?;
        let label: Label = serde_json::from_slice(&label).map_err(|source| unreadable(source.into()))?;
        let Some(base) = Base::find(&self.folder, &label.base_key) else { return Ok(None) };
        let Some(packages) = site::find(&base, &label.packages) else { return Ok(None) };
        let memory_bytes = usize::try_from(memory.len()).unwrap_or(usize::MAX);
        let image = (folder.join(MEMORY), memory_bytes);
        Unpacked::new(sha256, label, &packages, image, folder.join(FILES)).map(Some)
    }

    /// An empty folder in the cache, which goes when it is dropped, unless it was moved away.
    pub(crate) fn work_folder(&self) -> io::Result<TempDir> {
        self.work.as_ref().ok_or_else(|| io::Error::other("this process only reads the cache"))?.folder()
    }

    fn tool(&self, sha256: &str) -> PathBuf {
        self.folder.join("tools").join(sha256)
    }

    /// Where the cache has lost the base of a tool with native packages, it is made anew of the libraries within the tool.
    fn find_or_make_base(&self, artifact: &Artifact) -> Result<Base, Error> {
        if let Some(base) = Base::find(&self.folder, &artifact.label.base_key) {
            return Ok(base);
        }
        if !artifact.label.packages.iter().any(libraries::has_libraries) {
            return Err(other_version().into());
        }
        if !self.makes_bases {
            let message = "this tool has native packages, whose base this machine does not have";
            let remedy = "build the tool here, with the same wheels: a stranger's native code is not linked";
            return Err(BuildError::from(Problem::new(message, remedy)).into());
        }
        site::restore_base(artifact, &self.folder)?.ok_or_else(|| other_version().into())
    }
}

fn other_version() -> BuildError {
    Problem::new("this tool was built by another version of Toolplane", "build it again with this version").into()
}

pub(crate) fn gone() -> Error {
    Error::internal("find the tool", anyhow::anyhow!("the cache was changed while it was in use"))
}

/// A built tool as the cache has it: all that is known of it without its code. Cheap to clone.
#[derive(Clone)]
pub struct Unpacked(Arc<Inner>);

struct Inner {
    sha256: String,
    label: Label,
    input_schema: InputSchema,
    base: Base,
    memory_bytes: usize,
    mounts: Vec<Mount>,
    /// The file of what its memory holds when it is called.
    image: PathBuf,
}

impl Unpacked {
    /// A tool with these packages, and so of their base, with the file of its memory, whose size is known, and the folder of
    /// its project's files.
    pub(crate) fn new(
        sha256: &str,
        label: Label,
        packages: &Packages,
        (image, memory_bytes): (PathBuf, usize),
        files: PathBuf,
    ) -> Result<Self, Error> {
        let input_schema = input::parse(&label.description)?;
        let base = packages.base().clone();
        let mut mounts = vec![
            Mount { host: base.python(), guest: "/python", access: Access::Read },
            Mount { host: files, guest: "/tool", access: Access::Read },
        ];
        mounts.extend(packages.mount());
        Ok(Self(Arc::new(Inner { sha256: sha256.to_owned(), label, input_schema, base, memory_bytes, mounts, image })))
    }

    /// The SHA-256 of the built file, by which the cache has it. That of a draft is empty.
    pub fn sha256(&self) -> &str {
        &self.0.sha256
    }

    /// What the tool says of itself.
    pub fn label(&self) -> &Label {
        &self.0.label
    }

    /// The base whose code it runs.
    pub fn base(&self) -> &Base {
        &self.0.base
    }

    /// Holds parameters against the tool's schema.
    pub fn check_input(&self, parameters: &serde_json::Value, limits: &InputLimits) -> Result<(), Error> {
        input::check(&self.0.input_schema, parameters, limits)
    }

    /// Whether an invocation under these limits has room for what the tool holds when it is called. The limits are the
    /// host's; the author's own apply where they are lower.
    pub fn check_memory(&self, limits: &Limits) -> Result<(), Problem> {
        let (image, limit) = (self.0.memory_bytes, self.narrowed(limits).memory_bytes);
        if image <= limit {
            return Ok(());
        }
        let [image, limit] = [image, limit].map(|bytes| bytes >> 20);
        let message = format!("the tool takes {image} MiB once it is imported, and its memory limit is {limit} MiB");
        let remedy = match self.0.label.memory_bytes {
            Some(own) if own >> 20 == limit as u64 => "raise `memory` under `[tool.toolplane]`, or import less",
            _ => {
                "import less, or hold less in the module's variables: the limit is of this service (`invoke.memory_mib`)"
            }
        };
        Err(Problem::new(message, remedy).at(MANIFEST, None))
    }

    /// How much memory of the server an invocation under these limits may take, its `/tmp` included.
    pub fn most_memory_bytes(&self, limits: &Limits) -> u64 {
        let limits = self.narrowed(limits);
        limits.memory_bytes.saturating_add(limits.tmp_bytes) as u64
    }

    /// These limits, or the tool's own where they are lower.
    pub(crate) fn narrowed(&self, limits: &Limits) -> Limits {
        let label = &self.0.label;
        let wall_clock = label.timeout().map_or(limits.wall_clock, |own| own.min(limits.wall_clock));
        let own_memory = label.memory_bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(usize::MAX);
        Limits { wall_clock, memory_bytes: limits.memory_bytes.min(own_memory), ..limits.clone() }
    }

    pub(crate) fn mounts(&self) -> &[Mount] {
        &self.0.mounts
    }

    pub(crate) fn image(&self) -> &Path {
        &self.0.image
    }
}
