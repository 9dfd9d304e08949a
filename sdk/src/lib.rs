//! A tool project becomes a WASI component, by two snapshots.
//!
//! 1. [`base`]: CPython, the world `tool` and the guest host module are linked into one component whose interpreter
//!    has already started. Made once per installation, kept in the cache by the hash of what went into it.
//! 2. [`snapshot`]: the base is instantiated in a sandbox, imports the tool's entry point and describes it; its memory
//!    is taken and, with the base's code, is a component of its own. This happens at each publish.
//!
//! The modules in reading order: [`project`] (what an author wrote), [`egress`] (what it may connect to), [`base`],
//! [`merge`] (its modules become one, its memory an image), [`machine_code`], [`dependencies`] (its packages),
//! [`libraries`] (what they have of native code), [`wheels`] (how such wheels are built),
//! [`snapshot`], [`input_schema`] (what a tool may say of its input), [`artifact`] (what comes out), [`sandbox`] (the limits that both
//! snapshots and the runtime's invocations run under), [`work`] (folders for what is not finished), [`scaffold`],
//! [`error`].
//!
//! No code of a project ever runs outside the sandbox.
//!
//! ```no_run
//! use sdk::{dependencies, project::Project, snapshot::Snapshotter};
//!
//! # fn main() -> Result<(), sdk::Error> {
//! let project = Project::read("weather".as_ref())?;
//! let settings = dependencies::Settings::default();
//! let lock = dependencies::lock(&project, &settings, "cache".as_ref())?;
//! let packages = dependencies::install(&project, &lock, &settings, "cache".as_ref())?;
//! let snapshotter = Snapshotter::new(packages.base().clone())?;
//! let artifact = snapshotter.build(&project, &packages, &sdk::sandbox::Limits::for_build())?;
//! println!("{}: {} bytes", artifact.label.description.name, artifact.bytes.len());
//! # Ok(())
//! # }
//! ```

pub mod artifact;
pub mod base;
mod bound_secrets;
pub mod dependencies;
pub mod egress;
mod errno;
pub mod error;
mod immortal;
pub mod input_schema;
mod known_keys;
pub mod libraries;
mod link_stubs;
mod load_request;
pub mod machine_code;
pub mod merge;
mod precompile;
pub mod progress;
pub mod project;
mod reset;
pub mod sandbox;
pub mod scaffold;
pub mod snapshot;
pub mod testing;
mod time_zones;
pub mod wheels;
pub mod work;

pub use error::{Error, Problem};
