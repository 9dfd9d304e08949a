//! What the service does: `impl App`, a file per resource. The caller comes first and is authorized on the first line.

pub mod access;
pub mod availability;
pub mod builds;
pub mod claims;
pub mod idempotency;
pub mod invocations;
pub mod invoke;
pub mod loaded;
pub mod organizations;
pub mod publish;
pub mod rate_limits;
pub mod resolve;
pub mod scrub;
pub mod search;
pub mod tools;
pub mod variables;
pub mod versions;
