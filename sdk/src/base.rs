//! The base: CPython, the world and the guest host module in one component, started and snapshotted.
//!
//! It is made once per installation and kept in the cache under the hash of all that goes into it: the component
//! without its memory, which every tool of the base shares, the memory as an image, and the standard library. Machine
//! code lies beside it. Tools whose packages have native libraries get a base of their own, which links those as well;
//! all tools with the same libraries share it.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};

use componentize_py::ComponentGenerator;
use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};

use wasmtime::component::Component;
use wasmtime::{Engine, Module};

use crate::dependencies::site;
use crate::error::{Error, Problem};
use crate::libraries::Libraries;
use crate::merge::{self, Merged};
use crate::progress::Progress;
use crate::snapshot::Loader;
use crate::work::Work;
use crate::{errno, link_stubs, machine_code, precompile, reset, time_zones};

/// The version that `Cargo.toml` pins: another one may bring another CPython.
pub const COMPONENTIZE_PY: &str = "0.25.1";

/// Raised when this file, or what it calls, makes something else out of the same inputs.
const RECIPE: u32 = 6;

/// The files of a base: the component behind its image, the image, and the values of its variables.
const REST: &str = "rest.wasm";
const IMAGE: &str = "image.wasm";
const VARIABLES: &str = "variables.json";
/// Where the application module leaves the addresses of the objects that are made immortal.
const IMMORTAL: &str = "immortal";

/// The package `toolplane`, as authors import it.
static PACKAGE: Dir = include_dir!("$CARGO_MANIFEST_DIR/python/src");
/// The application module that componentize-py imports.
const APPLICATION: &str = include_str!("../python/base/toolplane_base.py");
/// Its name.
const APPLICATION_NAME: &str = "toolplane_base";
/// The module beside it that says which modules are native libraries, and where each is linked.
const LIBRARIES: &str = "toolplane_libraries.py";
/// The folder of what native code is linked against when it is compiled.
const STUBS: &str = "link";

/// A base that is ready on this machine.
#[derive(Debug, Clone)]
pub struct Base {
    /// The hash of all that went into it.
    pub key: String,
    folder: PathBuf,
}

impl Base {
    /// Finds the base with these libraries in the cache, or makes it: about 20 s on two cores, with a progress bar.
    ///
    /// Several processes may ask at once; one makes it, the others wait.
    pub fn find_or_make(cache: &Path, libraries: &Libraries) -> Result<Self, Error> {
        let key = key(libraries);
        if let Some(base) = Self::find(cache, &key) {
            return Ok(base);
        }
        // Its standard library, with bytecode, is that of all others.
        let plain = (!libraries.is_empty()).then(|| Self::find_or_make(cache, &Libraries::none())).transpose()?;
        let base = Self { folder: cache.join(format!("base-{}", &key[..16])), key };
        let fault = |source| Error::internal("make the base's folder", source);
        fs_err::create_dir_all(cache).map_err(fault)?;
        let lock = File::create(cache.join("base.lock")).map_err(fault)?;
        lock.lock().map_err(fault)?;
        if !base.folder.is_dir() {
            let modules: Vec<_> = libraries.iter().map(|(library, _)| library.module.as_str()).collect();
            tracing::info!(?modules, "Making a Python base, once for all tools with these native libraries");
            make(cache, &base, libraries, plain.as_ref())?;
        }
        Ok(base)
    }

    /// Finds a base that was made before, by the key that a tool names.
    pub fn find(cache: &Path, key: &str) -> Option<Self> {
        let folder = cache.join(format!("base-{}", key.get(..16)?));
        folder.is_dir().then(|| Self { key: key.to_owned(), folder })
    }

    /// The cache that it is in.
    pub(crate) fn cache(&self) -> &Path {
        self.folder.parent().unwrap_or(&self.folder)
    }

    /// The component without its image, as bytes.
    pub fn rest(&self) -> Result<Vec<u8>, Error> {
        fs_err::read(self.folder.join(REST)).map_err(|source| Error::internal("read the base", source))
    }

    /// The values that a tool has to leave the base's variables at.
    pub(crate) fn variables(&self) -> Result<Vec<i32>, Error> {
        let text = fs_err::read(self.folder.join(VARIABLES)).map_err(|source| Error::internal("read the base", source));
        serde_json::from_slice(&text?).map_err(|source| Error::internal("read the base's variables", source))
    }

    /// The component that imports its image, as machine code of an engine. It is compiled, for about five seconds, where
    /// the cache does not have it.
    pub fn code(&self, engine: &Engine) -> Result<Component, Error> {
        let wasm = || Ok(merge::imported(&fs_err::read(self.folder.join(REST))?));
        machine_code::component(engine, &self.folder, wasm)
            .map_err(|source| Error::internal("compile the base", source))
    }

    /// The image that a tool is imported into.
    pub(crate) fn image(&self, engine: &Engine) -> Result<Module, Error> {
        machine_code::image(engine, &self.folder, || fs_err::read(self.folder.join(IMAGE)))
            .map_err(|source| Error::internal("open the base's image", source))
    }

    /// The folder of what native code is linked against when it is compiled. Only the base without libraries has it.
    pub(crate) fn stubs(&self) -> PathBuf {
        self.folder.join(STUBS)
    }

    /// The folder of the standard library and of the package `toolplane`, for the guest's `/python`.
    pub fn python(&self) -> PathBuf {
        self.folder.join("python")
    }
}

/// The hash of all that goes into the base with these libraries.
pub fn key(libraries: &Libraries) -> String {
    let mut hash = Sha256::new();
    let time_zones = time_zones::release();
    for part in [COMPONENTIZE_PY, &RECIPE.to_string(), wit::WORLD, APPLICATION, precompile::MODULE, time_zones] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash_folder(&mut hash, &PACKAGE);
    for (library, _) in libraries.iter() {
        for part in [&library.module, &library.path, &library.sha256] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    hex::encode(hash.finalize())
}

fn hash_folder(hash: &mut Sha256, folder: &Dir) {
    for file in folder.files().filter(|file| is_source(file.path())) {
        let name = file.path().to_string_lossy();
        for part in [name.as_bytes(), file.contents()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    folder.dirs().for_each(|inner| hash_folder(hash, inner));
}

/// Tests on plain CPython leave bytecode in the source tree, which is no part of the package.
fn is_source(path: &Path) -> bool {
    path.extension().is_none_or(|extension| extension != "pyc")
}

/// Makes the base in a temporary folder and renames it when it is whole.
///
/// The standard library is taken from `plain`, the base without libraries, where there is one.
fn make(cache: &Path, base: &Base, libraries: &Libraries, plain: Option<&Base>) -> Result<(), Error> {
    let title =
        if libraries.is_empty() { "Making the Python base" } else { "Making a Python base with native packages" };
    let progress = Progress::start(title, 4);
    let fault = |source| Error::internal("write the base", source);
    let all_work = Work::open(cache).map_err(fault)?;
    let work = all_work.folder().map_err(fault)?;
    let [wit, application, product] = ["wit", "application", "product"].map(|name| work.path().join(name));
    let python = product.join("python");
    for folder in [&wit, &application, &python] {
        fs_err::create_dir_all(folder).map_err(fault)?;
    }
    fs_err::write(wit.join("tool.wit"), wit::WORLD).map_err(fault)?;
    fs_err::write(application.join(format!("{APPLICATION_NAME}.py")), APPLICATION).map_err(fault)?;
    PACKAGE.extract(&application).map_err(fault)?;
    let linked_libraries = Linked::new(libraries, work.path())?;
    fs_err::write(application.join(LIBRARIES), linked_libraries.module()?).map_err(fault)?;

    progress.step("linking CPython");
    let linked = work.path().join("linked.wasm");
    link(&wit, &application, &python, &linked_libraries, &linked)?;
    let immortal = fs_err::read_to_string(python.join(IMMORTAL)).map_err(fault)?;
    fs_err::remove_file(python.join(IMMORTAL)).map_err(fault)?;
    match plain {
        Some(plain) => {
            fs_err::remove_dir_all(&python).map_err(fault)?;
            fs_err::create_dir(&python).map_err(fault)?;
            site::link(&plain.python(), &python).map_err(fault)?;
        }
        None => {
            PACKAGE.extract(&python).map_err(fault)?;
            time_zones::write(&python)?;
        }
    }
    let mut component = fs_err::read(&linked).map_err(fault)?;
    if plain.is_none() {
        fs_err::create_dir(product.join(STUBS)).map_err(fault)?;
        let stubs = link_stubs::stubs(&component).map_err(|source| Error::internal("name what CPython has", source));
        for (name, stub) in stubs? {
            fs_err::write(product.join(STUBS).join(name), stub).map_err(fault)?;
        }
    }
    errno::name_lack_of_space(&mut component).map_err(|source| Error::internal("adapt the C library", source))?;
    let component = reset::export(&component).map_err(|source| Error::internal("extend the base", source))?;
    let Merged { rest, image, variables } =
        merge::merge(&component, &immortal).map_err(|source| Error::internal("merge the base's modules", source))?;
    fs_err::write(product.join(REST), &rest).map_err(fault)?;
    fs_err::write(product.join(IMAGE), &image.0).map_err(fault)?;
    let variables = serde_json::to_vec(&variables).map_err(|source| Error::internal("write the variables", source))?;
    fs_err::write(product.join(VARIABLES), variables).map_err(fault)?;

    progress.step("compiling it to machine code");
    let unfinished = Base { key: base.key.clone(), folder: product };
    let loader = Loader::open(&unfinished)?;

    if plain.is_none() {
        progress.step("compiling the standard library to bytecode");
        precompile::standard_library(&loader, &python)?;
    }

    progress.step("putting it into the cache");
    fs_err::rename(&unfinished.folder, &base.folder).map_err(fault)
}

/// Libraries as componentize-py takes them: each in a folder of its own. It names a library by the number of the folder
/// among its Python path and the path within, so that name is the same on every machine.
struct Linked {
    folders: Vec<String>,
    /// The path of the package's file, and under which name it is linked, by module.
    by_module: BTreeMap<String, (String, String)>,
}

impl Linked {
    /// The folders before those of libraries: of the application, and of the standard library.
    const FIRST: usize = 2;

    fn new(libraries: &Libraries, work: &Path) -> Result<Self, Error> {
        let fault = |source| Error::internal("lay out the libraries", source);
        let (mut folders, mut by_module) = (Vec::new(), BTreeMap::new());
        for (number, (library, file)) in libraries.iter().enumerate() {
            let folder = work.join(format!("library-{number}"));
            let name = library.path.rsplit('/').next().unwrap_or_default();
            fs_err::create_dir(&folder).map_err(fault)?;
            fs_err::copy(file, folder.join(name)).map_err(fault)?;
            let linked_as = format!("/{}/{name}", number + Self::FIRST);
            by_module.insert(library.module.clone(), (library.path.clone(), linked_as));
            folders.push(utf8(&folder)?);
        }
        Ok(Self { folders, by_module })
    }

    /// The source of the module [`LIBRARIES`]. What it is made of was vetted, and JSON's texts are Python's.
    fn module(&self) -> Result<String, Error> {
        let modules = serde_json::to_string(&self.by_module);
        Ok(format!("MODULES = {}\n", modules.map_err(|source| Error::internal("name the libraries", source))?))
    }

    fn modules(&self) -> String {
        let modules: Vec<_> = self.by_module.keys().map(|module| format!("`{module}`")).collect();
        modules.join(", ")
    }
}

fn utf8(path: &Path) -> Result<String, Error> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| Error::internal("link CPython", anyhow::anyhow!("the path is not UTF-8")))
}

/// Links CPython, the world, the guest host module and libraries, starts the interpreter and snapshots it.
fn link(wit: &Path, application: &Path, python: &Path, libraries: &Linked, output: &Path) -> Result<(), Error> {
    let mut path = vec![utf8(application)?, utf8(python)?];
    path.extend(libraries.folders.iter().cloned());
    let path: Vec<_> = path.iter().map(String::as_str).collect();
    let generator = ComponentGenerator {
        wit_paths: &[wit],
        worlds: &[wit::WORLD_NAME],
        features: &[],
        all_features: false,
        world_module: None,
        python_path: &path,
        module_worlds: &[],
        app_name: APPLICATION_NAME,
        output_path: output,
        add_to_linker: None,
        stub_wasi: false,
        import_interface_names: &HashMap::new(),
        export_interface_names: &HashMap::new(),
        full_names: false,
        intersect_world: None,
    };
    let executor = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::internal("start an executor", source))?;
    executor.block_on(generator.generate()).map_err(|source| match libraries.folders.is_empty() {
        true => Error::internal("link CPython", source),
        // What the libraries ask of each other and of the C library is known only now.
        false => {
            let message = format!("the native libraries {} cannot be linked: {source:#}", libraries.modules());
            Problem::new(message, "build their wheels anew with `runtime wheels build`").into()
        }
    })
}
