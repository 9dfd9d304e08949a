//! Ids: no constructor but `parse`, `new` for those that are ours to make.

use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Invalid;

/// An organization's id: a slug, `^[a-z0-9][a-z0-9-]{0,62}$`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(pattern = "^[a-z0-9][a-z0-9-]{0,62}$", examples("acme"))]
pub struct OrgId(String);

impl OrgId {
    /// Parses a slug.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let is_slug_character = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        let fits = (1..=63).contains(&text.len()) && !text.starts_with('-');
        if !fits || !text.bytes().all(is_slug_character) {
            return Err(Invalid(format!(
                "organization id `{text}` must be 1 to 63 of a-z, 0-9 and -, and must not start with -"
            )));
        }
        Ok(Self(text.to_owned()))
    }

    /// The slug.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OrgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for OrgId {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl From<OrgId> for String {
    fn from(id: OrgId) -> Self {
        id.0
    }
}

macro_rules! object_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schema(value_type = String, pattern = "^[a-f0-9]{24}$", examples("69240f3a5c1d2e3f4a000001"))]
        pub struct $name([u8; 12]);

        impl $name {
            /// A new id that sorts after every id made before it by this process.
            #[expect(clippy::new_without_default, reason = "a default id would be a new one every time")]
            pub fn new() -> Self {
                Self(next())
            }

            /// Parses 24 lowercase hexadecimal digits.
            pub fn parse(text: &str) -> Result<Self, Invalid> {
                parse(text).map(Self)
            }

            /// The id of bytes that `as_bytes` gave.
            pub fn from_bytes(bytes: [u8; 12]) -> Self {
                Self(bytes)
            }

            /// The twelve bytes, in the order in which ids sort.
            pub fn as_bytes(&self) -> &[u8; 12] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;

            fn try_from(text: String) -> Result<Self, Invalid> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

object_id!(
    /// A user's id.
    UserId
);
object_id!(
    /// A tool's id.
    ToolId
);
object_id!(
    /// A published version's id.
    VersionId
);
object_id!(
    /// An invocation's id.
    InvocationId
);
object_id!(
    /// An API key's id. It is no secret; the key is.
    ApiKeyId
);

fn parse(text: &str) -> Result<[u8; 12], Invalid> {
    let invalid = || Invalid(format!("id `{text}` must be 24 lowercase hexadecimal digits"));
    if text.len() != 24 || text.bytes().any(|c| c.is_ascii_uppercase()) {
        return Err(invalid());
    }
    let mut bytes = [0; 12];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| invalid())?;
    Ok(bytes)
}

/// Four bytes of seconds, five drawn once per process, three of a counter: the layout of a BSON ObjectId.
fn next() -> [u8; 12] {
    static PROCESS: LazyLock<[u8; 5]> = LazyLock::new(rand::random);
    // It starts at zero, so that a process has 16 million ids before the counter wraps within one second.
    static COUNTER: AtomicU32 = AtomicU32::new(0);

    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs());
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&(seconds as u32).to_be_bytes());
    bytes[4..9].copy_from_slice(&*PROCESS);
    bytes[9..].copy_from_slice(&COUNTER.fetch_add(1, Ordering::Relaxed).to_be_bytes()[1..]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text() {
        let id = ToolId::new();
        assert_eq!(ToolId::parse(&id.to_string()), Ok(id));
    }

    #[test]
    fn ids_sort_by_creation() {
        let ids: Vec<_> = (0..1000).map(|_| InvocationId::new()).collect();
        assert!(ids.is_sorted());
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in ["", "abc", "0123456789abcdef0123456g", "0123456789ABCDEF01234567", "0123456789abcdef012345678"] {
            assert!(ToolId::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_organization_is_a_slug() {
        for text in ["acme", "a", "0-9", &"a".repeat(63)] {
            assert!(OrgId::parse(text).is_ok(), "{text}");
        }
        for text in ["", "-a", "Acme", "a_b", "a/b", "a b", &"a".repeat(64)] {
            assert!(OrgId::parse(text).is_err(), "{text}");
        }
    }
}
