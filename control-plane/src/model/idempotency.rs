//! Idempotency keys: a request that is sent again under the same key is carried out once.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Invalid, InvocationId, Version};

/// What a client calls a request: from 1 to 255 visible ASCII characters. It is compared as it stands, quotation marks
/// included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The longest key, in characters. A UUID has 36.
    pub const MAX_LENGTH: usize = 255;

    /// Parses a key.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let fits = (1..=Self::MAX_LENGTH).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_graphic());
        if !fits {
            let limit = Self::MAX_LENGTH;
            return Err(Invalid(format!("an idempotency key has from 1 to {limit} visible ASCII characters")));
        }
        Ok(Self(text.to_owned()))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What came of the first request of a key, as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FirstResult {
    /// What the request was, as the vault's fingerprint: a request that differs is another.
    pub fingerprint: String,
    /// The version that ran.
    pub version: Version,
    /// What ran, in the order of the inputs.
    pub invocations: Vec<InvocationId>,
    /// From then on the key is free again.
    pub expires_at: Timestamp,
}
