//! The vault: seals and opens the values of environment variables, and the type of a value that cannot be printed.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rand::TryRngCore;
use rand::rngs::OsRng;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::error::Result;
use crate::model::{EnvVarName, OrgId, ToolId};

/// The format of what is sealed: this byte, the key's id, the nonce, the ciphertext with its tag.
const FORMAT: u8 = 1;
const KEY_BYTES: usize = 32;
/// Enough to tell one's own keys apart; it is no secret.
const KEY_ID_BYTES: usize = 8;
const NONCE_BYTES: usize = 24;

/// A text that is never shown and is wiped from memory when it is dropped.
#[derive(Clone, Deserialize)]
#[serde(from = "String")]
pub struct SecretString(Zeroizing<String>);

impl SecretString {
    /// The text, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretString {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl fmt::Debug for SecretString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretString([secret])")
    }
}

impl fmt::Display for SecretString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Holds the keys. What it seals for one organization, tool and name opens for these alone.
pub struct Vault {
    /// The one that seals.
    current: Key,
    /// Those that only open.
    former: Vec<Key>,
}

struct Key {
    cipher: XChaCha20Poly1305,
    id: [u8; KEY_ID_BYTES],
    fingerprint_key: Zeroizing<[u8; KEY_BYTES]>,
}

impl Vault {
    /// Opens the vault with the key in the file, which is made when there is none, and with keys that it had before,
    /// which have to be there. Who loses a file loses the values that its key has sealed.
    pub fn open(key_file: &Path, former: &[PathBuf]) -> Result<Self> {
        let current = read_or_create_key(key_file)?;
        let former = former.iter().map(|file| read_key(file)).collect::<Result<Vec<_>>>()?;
        Ok(Self { current: Key::new(&current), former: former.iter().map(|key| Key::new(key)).collect() })
    }

    /// A name of a content, in hexadecimal. Without the key nobody can find out the content by trying, so it may be
    /// stored where the content may not.
    pub fn fingerprint(&self, content: &[u8]) -> String {
        self.current.fingerprint(content)
    }

    /// Whether this is what [`Vault::fingerprint`] gives for the content, or gave while another key was the current one.
    pub fn is_fingerprint(&self, fingerprint: &str, content: &[u8]) -> bool {
        self.keys().any(|key| key.fingerprint(content) == fingerprint)
    }

    /// Whether a value was sealed with a former key.
    pub fn is_outdated(&self, sealed: &str) -> bool {
        STANDARD.decode(sealed).is_ok_and(|sealed| self.former.iter().any(|key| sealed.starts_with(&key.header())))
    }

    /// Whether there are former keys.
    pub fn has_former_keys(&self) -> bool {
        !self.former.is_empty()
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.current).chain(&self.former)
    }

    /// Seals a value, as base64.
    pub fn seal(&self, org: &OrgId, tool: ToolId, name: &EnvVarName, value: &SecretString) -> String {
        // 192 random bits do not repeat by chance, however many values there are.
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let payload = Payload { msg: value.expose().as_bytes(), aad: &self.current.associated_data(org, tool, name) };
        let ciphertext = self
            .current
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .expect("a value is shorter than the 256 GiB that the cipher takes");
        let mut sealed = self.current.header();
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&ciphertext);
        STANDARD.encode(sealed)
    }

    /// Opens what `seal` gave for the same organization, tool and name.
    pub fn open_sealed(&self, org: &OrgId, tool: ToolId, name: &EnvVarName, sealed: &str) -> Result<SecretString> {
        let operation = || format!("failed to open the value of {name} of tool {tool}");
        let sealed = STANDARD.decode(sealed).with_context(operation)?;
        let known = self.keys().find_map(|key| Some((key, sealed.strip_prefix(key.header().as_slice())?)));
        let (key, rest) = match known {
            Some(known) => known,
            None if sealed.first() != Some(&FORMAT) => {
                return Err(anyhow!("its format is not known to this version of the program")
                    .context(operation())
                    .into());
            }
            None => {
                return Err(anyhow!(
                    "it was sealed with another key: bring back that key file, or name it in vault.former_key_files"
                )
                .context(operation())
                .into());
            }
        };
        let (nonce, ciphertext) =
            rest.split_first_chunk::<NONCE_BYTES>().ok_or_else(|| anyhow!("it is cut short").context(operation()))?;
        let payload = Payload { msg: ciphertext, aad: &key.associated_data(org, tool, name) };
        let value = key
            .cipher
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| anyhow!("it was changed, or sealed for another variable").context(operation()))?;
        let text = String::from_utf8(value).map_err(|_| anyhow!("it is not UTF-8").context(operation()))?;
        Ok(text.into())
    }
}

impl Key {
    fn new(key: &[u8; KEY_BYTES]) -> Self {
        let digest = Sha256::new().chain_update(b"toolplane vault key id\0").chain_update(key).finalize();
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&digest[..KEY_ID_BYTES]);
        let derived = Sha256::new().chain_update(b"toolplane fingerprint key\0").chain_update(key).finalize();
        Self { cipher: XChaCha20Poly1305::new(key.into()), id, fingerprint_key: Zeroizing::new(derived.into()) }
    }

    fn fingerprint(&self, content: &[u8]) -> String {
        hex::encode(Sha256::new().chain_update(&self.fingerprint_key[..]).chain_update(content).finalize())
    }

    fn header(&self) -> Vec<u8> {
        let mut header = vec![FORMAT];
        header.extend_from_slice(&self.id);
        header
    }

    /// What a ciphertext is bound to. An organization's id holds no 0 byte and a tool's id is of a fixed length, so no
    /// two triples give the same bytes.
    fn associated_data(&self, org: &OrgId, tool: ToolId, name: &EnvVarName) -> Vec<u8> {
        let mut data = self.header();
        data.extend_from_slice(org.as_str().as_bytes());
        data.push(0);
        data.extend_from_slice(tool.as_bytes());
        data.extend_from_slice(name.as_str().as_bytes());
        data
    }
}

/// Reads a key of 32 bytes, in hexadecimal, from a file. When there is no file, a key from the system's random source
/// is written to one that only its owner can read, and is durable before anything is sealed or signed with it.
pub fn read_or_create_key(file: &Path) -> Result<Zeroizing<[u8; KEY_BYTES]>> {
    let text = match fs_err::read_to_string(file) {
        Ok(text) => Zeroizing::new(text),
        Err(e) if e.kind() == io::ErrorKind::NotFound => match create_key(file) {
            // Another process was faster: its key is the one.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                Zeroizing::new(fs_err::read_to_string(file).context("failed to read a key file")?)
            }
            created => created.context("failed to make a key file")?,
        },
        Err(e) => return Err(anyhow::Error::new(e).context("failed to read a key file").into()),
    };
    parse_key(file, &text)
}

/// Reads a key that has to be there.
fn read_key(file: &Path) -> Result<Zeroizing<[u8; KEY_BYTES]>> {
    let text = Zeroizing::new(fs_err::read_to_string(file).context("failed to read a key file")?);
    parse_key(file, &text)
}

fn parse_key(file: &Path, text: &str) -> Result<Zeroizing<[u8; KEY_BYTES]>> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    hex::decode_to_slice(text.trim(), &mut key[..])
        .map_err(|_| anyhow!("the key file {} must hold 64 hexadecimal digits and nothing else", file.display()))?;
    Ok(key)
}

/// Writes a new key and gives it as it was written.
fn create_key(file: &Path) -> io::Result<Zeroizing<String>> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs_err::create_dir_all(folder)?;
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    OsRng.try_fill_bytes(&mut key[..]).map_err(io::Error::other)?;
    let text = Zeroizing::new(hex::encode(&key[..]));

    // It is made with mode 0600 and keeps it.
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    temporary.write_all(text.as_bytes())?;
    temporary.as_file().sync_all()?;
    temporary.persist_noclobber(file).map_err(|e| e.error)?;
    fs_err::File::open(folder)?.sync_all()?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn acme() -> OrgId {
        OrgId::parse("acme").unwrap()
    }

    fn name(text: &str) -> EnvVarName {
        EnvVarName::parse(text).unwrap()
    }

    fn secret() -> SecretString {
        SecretString::from("s3cr3t".to_owned())
    }

    #[test]
    fn a_value_opens_for_what_it_was_sealed_for_alone() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::open(&folder.path().join("key"), &[]).unwrap();
        let tool = ToolId::new();
        let sealed = vault.seal(&acme(), tool, &name("API_KEY"), &secret());
        assert_eq!(vault.open_sealed(&acme(), tool, &name("API_KEY"), &sealed).unwrap().expose(), "s3cr3t");

        let other = OrgId::parse("acme-2").unwrap();
        assert!(vault.open_sealed(&other, tool, &name("API_KEY"), &sealed).is_err());
        assert!(vault.open_sealed(&acme(), ToolId::new(), &name("API_KEY"), &sealed).is_err());
        assert!(vault.open_sealed(&acme(), tool, &name("API_KEYS"), &sealed).is_err());
        assert!(vault.open_sealed(&acme(), tool, &name("API_KEY"), "AQ==").is_err());
        assert_ne!(vault.seal(&acme(), tool, &name("API_KEY"), &secret()), sealed, "a nonce was used twice");
    }

    #[test]
    fn the_key_stays_the_same_and_is_its_owners() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys/vault");
        let key = read_or_create_key(&file).unwrap();
        assert_eq!(*read_or_create_key(&file).unwrap(), *key);
        assert_eq!(fs_err::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs_err::read_dir(folder.path().join("keys")).unwrap().count(), 1);
    }

    #[test]
    fn a_former_key_opens_what_it_sealed_and_the_current_one_seals() {
        let folder = tempfile::tempdir().unwrap();
        let [old, new] = ["old", "new"].map(|name| folder.path().join(name));
        let (tool, key) = (ToolId::new(), name("API_KEY"));
        let before = Vault::open(&old, &[]).unwrap();
        let (sealed, fingerprint) = (before.seal(&acme(), tool, &key, &secret()), before.fingerprint(b"content"));

        let after = Vault::open(&new, std::slice::from_ref(&old)).unwrap();
        assert_eq!(after.open_sealed(&acme(), tool, &key, &sealed).unwrap().expose(), "s3cr3t");
        assert!(after.is_outdated(&sealed) && !before.is_outdated(&sealed));
        let resealed = after.seal(&acme(), tool, &key, &secret());
        assert!(!after.is_outdated(&resealed));
        assert!(after.is_fingerprint(&fingerprint, b"content") && !after.is_fingerprint(&fingerprint, b"other"));
        assert_ne!(after.fingerprint(b"content"), fingerprint);

        let alone = Vault::open(&new, &[]).unwrap();
        assert!(alone.open_sealed(&acme(), tool, &key, &sealed).is_err());
        assert_eq!(alone.open_sealed(&acme(), tool, &key, &resealed).unwrap().expose(), "s3cr3t");
        assert!(Vault::open(&new, &[folder.path().join("missing")]).is_err());
    }

    #[test]
    fn another_key_is_recognized() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::open(&folder.path().join("key"), &[]).unwrap();
        let other = Vault::open(&folder.path().join("other"), &[]).unwrap();
        let tool = ToolId::new();
        let sealed = vault.seal(&acme(), tool, &name("API_KEY"), &secret());
        let crate::error::Error::Internal(error) =
            other.open_sealed(&acme(), tool, &name("API_KEY"), &sealed).unwrap_err()
        else {
            panic!("expected an internal error");
        };
        assert!(format!("{error:#}").contains("another key"), "{error:#}");
    }

    #[test]
    fn a_file_that_holds_no_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        fs_err::write(&file, "not a key").unwrap();
        assert!(read_or_create_key(&file).is_err());
        assert_eq!(fs_err::read_to_string(&file).unwrap(), "not a key");
    }

    #[test]
    fn a_secret_is_not_printed() {
        assert_eq!(format!("{0:?} {0}", secret()), "SecretString([secret]) [secret]");
    }
}
