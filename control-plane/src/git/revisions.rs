//! What a `ref` of a request means: a branch, a tag, or a commit by its 40 digits, in that order.

use gix::ObjectId;
use gix::bstr::BString;
use gix::objs::Kind;
use gix::refs::FullName;

use super::read::CommitId;
use super::reader::Reader;
use crate::error::{Error, Result};

/// How often a list of references is read anew because one of them went away.
const MAX_ATTEMPTS: usize = 4;

/// Where a `ref` leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revision {
    /// To a commit. One that no branch leads to any more can still be named by its digits.
    Commit(CommitId),
    /// Nowhere: the repository has neither branches nor tags yet.
    Empty,
}

impl Reader {
    /// Finds what a `ref` means. It may also be a full name such as `refs/tags/v1`.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when it means nothing, unless the repository is empty.
    pub fn resolve(&self, name: &str) -> Result<Revision> {
        Ok(self.resolve_id(name)?.map_or(Revision::Empty, |id| Revision::Commit(id.into())))
    }

    pub(super) fn resolve_id(&self, name: &str) -> Result<Option<ObjectId>> {
        let full = name.starts_with("refs/heads/") || name.starts_with("refs/tags/");
        let names =
            [Some(format!("refs/heads/{name}")), Some(format!("refs/tags/{name}")), full.then(|| name.to_owned())];
        for name in names.into_iter().flatten() {
            if let Some(id) = self.reference(name)? {
                return Ok(Some(id));
            }
        }
        if let Some(id) = ObjectId::from_hex(name.as_bytes()).ok().filter(|_| name.len() == 40)
            && let Some((Kind::Commit, _)) = self.header(id)?
        {
            return Ok(Some(id));
        }
        if self.is_empty()? {
            return Ok(None);
        }
        Err(Error::NotFound(format!("`{name}` is no branch, tag or commit of the repository")))
    }

    /// The commit that a reference leads to, by its full name. A name that no reference can have is nobody's.
    pub(super) fn reference<N>(&self, name: N) -> Result<Option<ObjectId>>
    where
        FullName: TryFrom<N>,
    {
        let Ok(name) = FullName::try_from(name) else { return Ok(None) };
        let found =
            self.repository.try_find_reference(&name).map_err(|error| Error::internal(error, "look up a reference"))?;
        // The lookup goes on to other places when there is no such reference.
        let Some(mut reference) = found.filter(|reference| reference.name().as_bstr() == name.as_bstr()) else {
            return Ok(None);
        };
        let id = reference.peel_to_id().map_err(|error| Error::internal(error, "follow a reference"))?.detach();
        // A tag can name anything.
        Ok(matches!(self.header(id)?, Some((Kind::Commit, _))).then_some(id))
    }

    /// The full names of all references that begin so. Where they lead is not looked at.
    pub(super) fn reference_names(&self, prefix: &str) -> Result<Vec<BString>> {
        let list = || -> gix::Result<Vec<_>> {
            let references = self.repository.references()?;
            let names = references.prefixed(prefix)?;
            names.map(|reference| Ok(reference?.name().as_bstr().to_owned())).collect()
        };
        // A push may delete a reference after it was listed and before it was read.
        let listed = (1..MAX_ATTEMPTS).find_map(|_| list().ok()).map_or_else(list, Ok);
        listed.map_err(|error| Error::internal(error, "list references"))
    }

    /// All references whose full names begin so, each with what it, being a tag, leads to.
    pub(super) fn references(&self, prefix: &str) -> Result<Vec<(BString, ObjectId)>> {
        let list = || -> gix::Result<Vec<_>> {
            let mut found = Vec::new();
            for reference in self.repository.references()?.prefixed(prefix)?.peeled()? {
                let reference = reference?;
                found.extend(reference.try_id().map(|id| (reference.name().as_bstr().to_owned(), id.detach())));
            }
            Ok(found)
        };
        // A push may delete a reference after it was listed and before it was read.
        let listed = (1..MAX_ATTEMPTS).find_map(|_| list().ok()).map_or_else(list, Ok);
        listed.map_err(|error| Error::internal(error, "list references"))
    }

    /// Whether nothing was ever pushed, or everything was deleted again.
    fn is_empty(&self) -> Result<bool> {
        let unreadable = |error| Error::internal(error, "list references");
        let references = self.repository.references().map_err(unreadable)?;
        Ok(references.all().map_err(unreadable)?.next().is_none())
    }
}
