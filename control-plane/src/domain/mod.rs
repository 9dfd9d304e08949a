//! What the service does: `impl App`, a file per resource. The caller comes first and is authorized on the first line.

pub mod access;
pub mod branches;
pub mod browsing;
pub mod builds;
pub mod claims;
pub mod commits;
pub mod directories;
pub mod files;
pub mod invocations;
pub mod invoke;
pub mod loaded;
pub mod organizations;
pub mod publish;
pub mod pushes;
pub mod resolve;
pub mod scaffold;
pub mod scrub;
pub mod search;
pub mod tools;
pub mod variables;
pub mod versions;
