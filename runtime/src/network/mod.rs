//! What stands behind a tool's sockets: names, TLS, connection pooling and the policy are the host's.
//!
//! A guest opens an ordinary socket and speaks HTTP/1.1 on it, in plain text. The host reads each request whole, holds it
//! against what the project allows, and forwards it over a pooled connection of its own. To hosts under `tcp` bytes pass
//! as they are. TLS is asked for within the connection (see [`handshake`]), so the guest's libraries choose between http
//! and https as they always do, and no key is ever in the sandbox.
//!
//! In reading order: [`gateway`] (one per process), [`session`] (one per invocation), [`address`] (what nobody may
//! connect to), [`dial`], [`handshake`], [`tls`], [`http`], [`route`] and [`pool`], [`raw`]; [`bound`] and
//! [`mask`] (secrets that the guest does not have).

mod address;
mod bound;
mod dial;
#[doc(hidden)]
pub mod fuzzing;
mod gateway;
mod handshake;
mod http;
mod mask;
mod peek;
mod pool;
mod raw;
mod resolver;
mod route;
mod session;
mod settings;
mod tls;
mod usage;

pub(crate) use bound::BoundSecrets;
pub(crate) use gateway::Gateway;
pub use resolver::Resolver;
pub(crate) use session::Session;
pub use settings::{NetworkLimits, NetworkSettings};
pub use usage::NetworkUse;
