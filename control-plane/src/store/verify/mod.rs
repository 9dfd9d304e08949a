//! A look at everything that is stored: every key and row, what follows from the rows, and every blob.
//!
//! It is for a store that nobody writes to. What follows from rows can be made again, and is where that is asked for:
//! names of tools, active versions, counts, expiries, columns. Nothing else is ever changed.

mod blobs;
mod invocations;
mod tools;

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sled::Tree;

use super::journal;
use super::mark::Mark;
use super::{Options, Store, rows};
use crate::error::{Error, Result};
use crate::model::{ApiKey, ApiKeyId, FirstResult, OrgId, Role, RoleName, User, UserId, UserRef};

/// How many problems are named. One fault of a disk may make a million, and the first ones say it all.
const NAMED_PROBLEMS: usize = 1000;

/// Whether what follows from rows is made again where it is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is changed.
    Look,
    /// Indexes are made again, and blobs that no row names are removed.
    Rebuild,
}

/// What was found.
#[derive(Debug, Default, Serialize)]
pub struct Findings {
    /// What is wrong and was not made again, each in a sentence; no more than some hundreds.
    pub problems: Vec<String>,
    /// How many more there are.
    pub unnamed_problems: u64,
    /// How many entries of indexes were made again.
    pub mended: u64,
    /// How many rows there are.
    pub rows: u64,
    /// How many blobs there are.
    pub blobs: u64,
    /// What they hold together, in bytes.
    pub blob_bytes: u64,
    /// How many of the blobs no row names: what was being written when the process was killed. They do no harm.
    pub unused_blobs: u64,
    /// How many repositories were looked at.
    pub repositories: u64,
}

impl Findings {
    /// Whether all is well.
    pub fn is_good(&self) -> bool {
        self.problems.is_empty()
    }

    /// Adds what is wrong.
    pub fn wrong(&mut self, problem: impl Display) {
        if self.problems.len() < NAMED_PROBLEMS {
            self.problems.push(problem.to_string());
        } else {
            self.unnamed_problems += 1;
        }
    }
}

/// What is known halfway.
struct Look<'a> {
    store: &'a Store,
    mode: Mode,
    findings: Findings,
    organizations: HashSet<OrgId>,
    roles: HashSet<(OrgId, RoleName)>,
    /// The blobs that rows name.
    named: HashSet<[u8; 32]>,
    removes_unused: bool,
}

impl Store {
    /// Opens a data folder to look at it: what is wrong with its records does not keep it from being opened.
    pub fn open_to_verify(folder: &Path, options: Options) -> Result<Self> {
        Self::open_rows(folder, options, |_| Ok(()))
    }

    /// Looks at everything. It blocks; nobody else may write meanwhile.
    pub fn verify(&self, mode: Mode) -> Result<Findings> {
        let mut look = Look {
            store: self,
            mode,
            findings: Findings::default(),
            organizations: self.list_organizations()?.into_iter().collect(),
            roles: HashSet::new(),
            named: HashSet::new(),
            removes_unused: false,
        };
        if let Some(problem) = self.standing.problem(&self.folder) {
            match mode {
                Mode::Look => look.findings.wrong(problem),
                Mode::Rebuild => {
                    // What there is of the journal is in sled, and durable.
                    journal::forget(&self.folder)?;
                    Mark::open(&self.engine, &self.folder)?;
                    look.findings.mended += 1;
                }
            }
        }
        look.access()?;
        look.tools()?;
        look.invocations()?;
        look.first_results()?;
        look.blobs()?;
        let findings = look.findings;
        self.engine.flush()?;
        Ok(findings)
    }
}

impl Look<'_> {
    fn access(&mut self) -> Result<()> {
        let store = self.store;
        // Their keys were read when they were listed.
        self.findings.rows += store.organizations.len() as u64;
        let mut roles = HashSet::new();
        self.rows("roles", &store.roles, |_, org, key, role: Role| {
            roles.insert((org.clone(), role.name.clone()));
            agree(key == role.name.as_str().as_bytes(), "its key is another role's")
        })?;
        self.roles = roles;
        self.rows("users", &store.users, |look, org, key, user: User| {
            agree(key == UserId::as_bytes(&user.id), "its key is another user's")?;
            look.has_role(org, &user.role_name)
        })?;
        self.rows("api_keys", &store.api_keys, |look, org, key, api_key: ApiKey| {
            agree(key == ApiKeyId::as_bytes(&api_key.id), "its key is another API key's")?;
            look.has_role(org, &api_key.role_name)
        })?;
        self.rows("access_changes", &store.access_changes, |_, _, key, _: u64| {
            agree(key.is_empty(), "its key is odd")
        })?;
        self.rows("pushers", &store.pushers, |_, _, key, _: UserRef| {
            agree(key.len() == 40 && key.iter().all(u8::is_ascii_hexdigit), "its key is no commit")
        })
    }

    fn first_results(&mut self) -> Result<()> {
        let store = self.store;
        let mut missing = Vec::new();
        self.rows("idempotency_keys", &store.idempotency_keys, |_, org, key, result: FirstResult| {
            let Ok(scope) = key.try_into() else { return Err("its key is no scope".to_owned()) };
            let expiry = super::idempotency::expiry_key(org, result.expires_at, scope);
            match store.idempotency_expiries.contains_key(&expiry) {
                Ok(false) => missing.push(expiry),
                Ok(true) => {}
                Err(error) => return Err(error.to_string()),
            }
            Ok(())
        })?;
        for expiry in missing {
            self.mend("idempotency_expiries", &store.idempotency_expiries, &expiry, Some(rows::MARK))?;
        }
        self.keys("idempotency_expiries", &store.idempotency_expiries, |key| {
            agree(key.len() == 8 + 56, "its key is no moment with a scope")
        })
    }

    fn has_role(&self, org: &OrgId, role: &RoleName) -> Result<(), String> {
        agree(self.roles.contains(&(org.clone(), role.clone())), "its role does not exist")
    }

    /// Reads every row of a tree and judges it. What a row names among the blobs is noted.
    fn rows<T: DeserializeOwned>(
        &mut self,
        name: &str,
        tree: &Tree,
        mut judge: impl FnMut(&mut Self, &OrgId, &[u8], T) -> Result<(), String>,
    ) -> Result<()> {
        for entry in tree {
            let (key, value) = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.findings.wrong(format_args!("{name}: the tree cannot be read on: {error}"));
                    break;
                }
            };
            self.findings.rows += 1;
            let Some((org, rest)) = split(&key) else {
                self.findings.wrong(format_args!("{name} {}: its key names no organization", hex::encode(&key)));
                continue;
            };
            let is_known = self.organizations.contains(&org);
            if let Some(blob) = rows::blob_of(&value) {
                self.name_blob(&blob);
            }
            let judged = match rows::decode(&value, &self.store.blobs) {
                Ok(row) => judge(self, &org, rest, row),
                Err(error) => Err(said(&error)),
            };
            let judged = judged.and_then(|()| agree(is_known, "its organization does not exist"));
            if let Err(why) = judged {
                self.findings.wrong(format_args!("{name} {org}/{}: {why}", shown(rest)));
            }
        }
        Ok(())
    }

    /// Reads every key of a tree of marks.
    fn keys(&mut self, name: &str, tree: &Tree, judge: impl Fn(&[u8]) -> Result<(), String>) -> Result<()> {
        for entry in tree {
            let (key, value) = entry?;
            self.findings.rows += 1;
            let judged = match split(&key) {
                Some((_, rest)) => judge(rest).and_then(|()| agree(value == rows::MARK, "it says something")),
                None => Err("its key names no organization".to_owned()),
            };
            if let Err(why) = judged {
                self.findings.wrong(format_args!("{name} {}: {why}", shown(&key)));
            }
        }
        Ok(())
    }

    /// An entry of an index is wrong: it should have this value, or not be there.
    fn mend(&mut self, name: &str, tree: &Tree, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        if self.mode == Mode::Look {
            let is = if value.is_some() { "missing or wrong" } else { "of nothing" };
            self.findings.wrong(format_args!("{name} {}: the entry is {is}; --rebuild mends it", shown(key)));
            return Ok(());
        }
        match value {
            Some(value) => tree.insert(key, value)?,
            None => tree.remove(key)?,
        };
        self.findings.mended += 1;
        Ok(())
    }

    /// Compares an index with what it should be.
    fn index(&mut self, name: &str, tree: &Tree, mut expected: HashMap<Vec<u8>, Vec<u8>>) -> Result<()> {
        for entry in tree {
            let (key, value) = entry?;
            self.findings.rows += 1;
            match expected.remove(&key[..]) {
                Some(expected) if value == expected => {}
                other => self.mend(name, tree, &key, other.as_deref())?,
            }
        }
        for (key, value) in expected {
            self.mend(name, tree, &key, Some(&value))?;
        }
        Ok(())
    }

    fn name_blob(&mut self, sha256: &str) {
        let mut name = [0; 32];
        if hex::decode_to_slice(sha256, &mut name).is_ok() {
            self.named.insert(name);
        }
    }
}

/// What an error says, with its reasons: they are about the folder of who reads it.
fn said(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(reason) = source {
        text = format!("{text}: {reason}");
        source = reason.source();
    }
    text
}

/// Says what is wrong unless all is well.
fn agree(is_well: bool, otherwise: &str) -> Result<(), String> {
    if is_well { Ok(()) } else { Err(otherwise.to_owned()) }
}

/// The organization of a key, and the rest.
fn split(key: &[u8]) -> Option<(OrgId, &[u8])> {
    let end = key.iter().position(|byte| *byte == 0)?;
    let org = OrgId::parse(std::str::from_utf8(&key[..end]).ok()?).ok()?;
    Some((org, &key[end + 1..]))
}

/// A key as a person may read it: text where it is text, otherwise digits.
fn shown(key: &[u8]) -> String {
    match std::str::from_utf8(key) {
        Ok(text) if text.chars().all(|c| c.is_ascii_graphic()) => text.to_owned(),
        _ => hex::encode(key),
    }
}

#[cfg(test)]
mod tests;
