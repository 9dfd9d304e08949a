//! What keys and values look like.
//!
//! A value is one byte of format, then JSON: `{"inline": …}`, or `{"blob": {"sha256": …}}` when the row is large.
//!
//! No value is larger than [`MAX_INLINE_BYTES`]. sled keeps up to 17 rows in a page and writes a page that has grown
//! above 128 KiB (a quarter of its segment) into a file of its own, which it never syncs: measured, 10 of 10 such pages
//! were lost when the power went. 17 rows of 4 KiB and their keys are at most some 70 KiB.

use std::any::type_name;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Blobs, StoreError, blobs};
use crate::error::Result;
use crate::model::OrgId;

/// The format that this program writes.
pub(super) const FORMAT: u8 = 1;

/// The largest value that is kept within sled, its format byte included.
pub(super) const MAX_INLINE_BYTES: usize = 4096;

/// The value of a key that says all by being there.
pub(super) const MARK: &[u8] = &[FORMAT];

/// A value in its place, or the name of the blob that holds it as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Stored<T> {
    /// The value.
    Inline(T),
    /// Where the value is.
    Blob {
        /// The blob's name.
        sha256: String,
    },
}

impl<T: Serialize + DeserializeOwned> Stored<T> {
    /// Keeps a small value as it is. A large one becomes a blob, which is added to those that have to be put first.
    pub(super) fn new(value: T, blobs: &mut Vec<Vec<u8>>) -> Result<Self> {
        let json = to_json(&value)?;
        if json.len() <= MAX_INLINE_BYTES {
            return Ok(Self::Inline(value));
        }
        let sha256 = blobs::name_of(&json);
        blobs.push(json);
        Ok(Self::Blob { sha256 })
    }
}

impl<T> Stored<T> {
    /// The blob that holds the value, where one does.
    pub(super) fn blob(&self) -> Option<&str> {
        match self {
            Self::Inline(_) => None,
            Self::Blob { sha256 } => Some(sha256),
        }
    }
}

impl<T: DeserializeOwned> Stored<T> {
    /// The value, wherever it is.
    pub(super) fn load(self, blobs: &Blobs) -> Result<T> {
        match self {
            Self::Inline(value) => Ok(value),
            Self::Blob { sha256 } => from_json(&blobs.get(&sha256)?),
        }
    }
}

/// `org 0 part part …`. All parts but the last have to be of a fixed length, or else two lists would give one key.
pub(super) fn key(org: &OrgId, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::with_capacity(64);
    key.extend_from_slice(org.as_str().as_bytes());
    key.push(0);
    for part in parts {
        key.extend_from_slice(part);
    }
    key
}

/// The value of a row. A large row becomes a blob, which is added to those that have to be put first.
pub(super) fn encode<T: Serialize>(row: &T, blobs: &mut Vec<Vec<u8>>) -> Result<Vec<u8>> {
    let mut value = vec![FORMAT];
    value.extend(to_json(&Stored::Inline(row))?);
    if value.len() > MAX_INLINE_BYTES {
        let json = to_json(row)?;
        value.truncate(1);
        value.extend(to_json(&Stored::<()>::Blob { sha256: blobs::name_of(&json) })?);
        blobs.push(json);
    }
    Ok(value)
}

/// The row of a value.
pub(super) fn decode<T: DeserializeOwned>(value: &[u8], blobs: &Blobs) -> Result<T> {
    match value.split_first() {
        Some((&FORMAT, json)) => from_json::<Stored<T>>(json)?.load(blobs),
        first => {
            let found = first.map_or(0, |(format, _)| *format);
            Err(StoreError::RowFormat { kind: type_name::<T>(), found }.into())
        }
    }
}

/// A value whose content nobody asks for.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kept {
    Inline(serde::de::IgnoredAny),
    Blob { sha256: String },
}

/// The blob that holds a row, where one does.
pub(super) fn blob_of(value: &[u8]) -> Option<String> {
    let (&FORMAT, json) = value.split_first()? else { return None };
    match serde_json::from_slice(json).ok()? {
        Kept::Inline(_) => None,
        Kept::Blob { sha256 } => Some(sha256),
    }
}

/// The SHA-256 of parts, one after the other: a part of a key for what others chose.
pub(super) fn digest(parts: &[&[u8]]) -> [u8; 32] {
    parts.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part)).finalize().into()
}

/// The value of a count. It is never large.
pub(super) fn encode_count(count: u64) -> Result<Vec<u8>> {
    encode(&count, &mut Vec::new())
}

/// The count of a value; a key that is not there counts nothing.
pub(super) fn decode_count(value: Option<&[u8]>, blobs: &Blobs) -> Result<u64> {
    value.map_or(Ok(0), |value| decode(value, blobs))
}

fn to_json<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    Ok(serde_json::to_vec(value).map_err(|source| StoreError::Row { kind: type_name::<T>(), source })?)
}

fn from_json<T: DeserializeOwned>(json: &[u8]) -> Result<T> {
    Ok(serde_json::from_slice(json).map_err(|source| StoreError::Row { kind: type_name::<T>(), source })?)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{acme, open_in};
    use super::*;

    #[test]
    fn a_row_survives_small_and_large() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_in(folder.path());
        for (length, expected_blobs) in [(10, 0), (4050, 0), (4096, 1), (1_000_000, 1)] {
            let row = "a".repeat(length);
            let mut blobs = Vec::new();
            let value = encode(&row, &mut blobs).unwrap();
            assert!(value.len() <= MAX_INLINE_BYTES, "{length}");
            assert_eq!(blobs.len(), expected_blobs, "{length}");
            for content in blobs {
                store.blobs().put(&content).unwrap();
            }
            assert_eq!(decode::<String>(&value, store.blobs()).unwrap(), row);
        }
    }

    #[test]
    fn a_row_of_another_format_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_in(folder.path());
        for value in [&b""[..], b"\x02{}", b"\x01{}"] {
            assert!(decode::<String>(value, store.blobs()).is_err());
        }
    }

    #[test]
    fn no_organization_reaches_into_another() {
        let longer = OrgId::parse("acme-1").unwrap();
        assert!(!key(&longer, &[b"x"]).starts_with(&key(&acme(), &[])));
    }
}
