//! What the service does: `impl App`, a file per resource. The caller comes first and is authorized on the first line.

pub mod access;
pub mod api_keys;
pub mod builds;
pub mod claims;
pub mod invocations;
pub mod invoke;
pub mod loaded;
pub mod maintenance;
pub mod organizations;
pub mod publish;
pub mod resolve;
pub mod roles;
pub mod scrub;
pub mod search;
pub mod steps;
pub mod tool_test;
pub mod tools;
pub mod transfers;
pub mod users;
pub mod variables;
pub mod versions;
