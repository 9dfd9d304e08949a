//! The nouns: plain data that every layer may name, with ids that are valid by construction.

pub mod access;
pub mod idempotency;
pub mod ids;
pub mod invocations;
mod sources;
pub mod tools;
pub mod versions;

pub use access::{ApiKey, Grant, Role, RoleName, User, UserRef};
pub use idempotency::{FirstResult, IdempotencyKey};
pub use ids::{ApiKeyId, InvocationId, OrgId, ToolId, UserId, VersionId};
pub use invocations::{Invocation, InvocationSource, InvocationStatus, Mode, SourceType};
pub use tools::{EnvVar, EnvVarName, Tool, ToolName};
pub use versions::{ToolVersion, Version};

/// Why a text is not a valid id, name or version. Lowercase, fit for "failed to …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);
