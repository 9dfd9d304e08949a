//! Search in what is on record, with tantivy, which appears in this folder and nowhere else.
//!
//! The index is derived: whatever it holds can be made again from the store. A record goes into it after it is durable
//! there; what was not committed when the process ended is indexed again at the next start.

mod query;
mod schema;

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use tantivy::collector::TopDocs;
use tantivy::directory::MmapDirectory;
use tantivy::{Index, IndexReader, IndexWriter, ReloadPolicy, TantivyDocument, Term};

pub use query::{Against, Kinds, SearchQuery, Unparsable};
use schema::Fields;

use crate::model::{Invocation, InvocationId, OrgId};

/// The most results of one search.
const MAX_RESULTS: usize = 100;

/// How many records may wait in memory. Committing takes some ten milliseconds however many there are, and what waits
/// is indexed again after a crash.
const MAX_WAITING: usize = 1_000;

/// The memory of the one indexing thread, in bytes; tantivy asks for at least 15 MB.
const WRITER_BYTES: usize = 30_000_000;

/// The open index.
pub struct Search {
    index: Index,
    reader: IndexReader,
    fields: Fields,
    writing: Mutex<Writing>,
}

struct Writing {
    writer: IndexWriter,
    waiting: usize,
    newest: Option<InvocationId>,
}

impl Search {
    /// Opens the index in a folder, and starts an empty one where there is none or it cannot be read.
    pub fn open(folder: &Path) -> Result<Self> {
        match Self::open_existing(folder) {
            Ok(search) => Ok(search),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "Could not read the search index; it is made again");
                fs_err::remove_dir_all(folder)?;
                Self::open_existing(folder)
            }
        }
    }

    fn open_existing(folder: &Path) -> Result<Self> {
        fs_err::create_dir_all(folder)?;
        let (schema, fields) = schema::schema();
        let index = Index::open_or_create(MmapDirectory::open(folder)?, schema).context("failed to open the index")?;
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let writer = index.writer_with_num_threads(1, WRITER_BYTES)?;
        let newest = index.load_metas()?.payload.as_deref().and_then(|text| InvocationId::parse(text).ok());
        Ok(Self { index, reader, fields, writing: Mutex::new(Writing { writer, waiting: 0, newest }) })
    }

    /// The newest record that was committed: everything that is much older is in the index.
    pub fn newest(&self) -> Option<InvocationId> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner).newest
    }

    /// Puts records into the index, in the place of what it may hold of them.
    pub fn add(&self, invocations: &[Invocation]) -> Result<()> {
        let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        for invocation in invocations {
            let id = invocation.id.to_string();
            writing.writer.delete_term(Term::from_field_text(self.fields.id, &id));
            writing.writer.add_document(self.fields.document(invocation))?;
            writing.newest = writing.newest.max(Some(invocation.id));
            writing.waiting += 1;
        }
        if writing.waiting >= MAX_WAITING { writing.commit() } else { Ok(()) }
    }

    /// Commits what waits, so that the next search sees it and the next start need not index it again.
    pub fn commit(&self) -> Result<()> {
        let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if writing.waiting == 0 { Ok(()) } else { writing.commit() }
    }

    /// The ids of the best matches, the best first. Every record that was added before is seen.
    pub fn find(&self, org: &OrgId, query: &SearchQuery) -> Result<Vec<InvocationId>> {
        self.commit()?;
        self.reader.reload()?;
        let searcher = self.reader.searcher();
        let query = query.compile(org, &self.fields, &self.index)?;
        let found = searcher.search(&*query, &TopDocs::with_limit(MAX_RESULTS).order_by_score())?;
        let id = |address| -> Result<InvocationId> {
            let document: TantivyDocument = searcher.doc(address)?;
            Ok(InvocationId::parse(self.fields.id_of(&document))?)
        };
        found.into_iter().map(|(_score, address)| id(address)).collect()
    }
}

impl Writing {
    fn commit(&mut self) -> Result<()> {
        let mut prepared = self.writer.prepare_commit()?;
        if let Some(newest) = self.newest {
            prepared.set_payload(&newest.to_string());
        }
        prepared.commit()?;
        self.waiting = 0;
        Ok(())
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        if let Err(error) = self.commit() {
            tracing::warn!(
                error = format!("{error:#}"),
                "Could not commit the search index; the next start catches up"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{InvocationSource, InvocationStatus, ToolId, UserId, Version};

    fn invocation(org: &OrgId, status: InvocationStatus) -> Invocation {
        Invocation {
            id: InvocationId::new(),
            org_id: org.clone(),
            created_at: jiff::Timestamp::UNIX_EPOCH,
            invocation_status: status,
            invocation_source: InvocationSource::RegularConversation {
                user_id: UserId::new(),
                conversation_id: None,
                interaction_id: None,
                invocation_metadata: None,
            },
            duration_ms: 1.0,
            tool_id: ToolId::new(),
            tool_version: Version::FIRST,
            inputs: serde_json::json!({}),
            logs: String::new(),
        }
    }

    fn output(text: &str) -> InvocationStatus {
        InvocationStatus::Succeeded { output: text.to_owned() }
    }

    fn raised(kind: &str, message: &str) -> InvocationStatus {
        InvocationStatus::Failed {
            exception_message: message.to_owned(),
            exception_type: kind.to_owned(),
            exception_stack_trace: vec!["File \"src/weather.py\", line 3, in forecast".to_owned()],
        }
    }

    #[test]
    fn words_prefixes_typos_and_phrases_find_what_a_person_expects() {
        let folder = tempfile::tempdir().unwrap();
        let search = Search::open(folder.path()).unwrap();
        let org = OrgId::parse("acme").unwrap();
        let sunny = invocation(&org, output("sunny weather in Ghent tomorrow"));
        let failed = invocation(&org, raised("weather.NotFound", "no such city: Gent"));
        search.add(&[sunny.clone(), failed.clone()]).unwrap();
        search.add(&[invocation(&OrgId::parse("other").unwrap(), output("sunny weather"))]).unwrap();

        let find =
            |text: &str, against: &[Against]| search.find(&org, &SearchQuery::parse(text, against).unwrap()).unwrap();
        assert_eq!(find("sunny", &[]), [sunny.id], "a word, of this organization alone");
        assert_eq!(find("tomor", &[]), [sunny.id], "a prefix");
        assert_eq!(find("tomorow", &[]), [sunny.id], "a typo");
        assert_eq!(find("\"weather in ghent\"", &[]), [sunny.id], "a phrase");
        assert_eq!(find("\"ghent in weather\"", &[]), [], "no phrase");
        assert_eq!(find("NotFound", &[Against::ExceptionType]), [failed.id], "an exception's type");
        assert_eq!(find("ghent", &[Against::ExceptionMessage]), [failed.id], "only in that field");
        assert_eq!(find("ghent city", &[]), [failed.id], "every word has to be there");
    }

    #[test]
    fn what_cannot_be_parsed_is_said_to_be() {
        for text in ["", "  ", "\"open", "!!"] {
            assert!(SearchQuery::parse(text, &[]).is_err(), "{text}");
        }
    }

    #[test]
    fn an_index_that_is_opened_again_knows_what_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let org = OrgId::parse("acme").unwrap();
        let kept = invocation(&org, output("kept"));
        let search = Search::open(folder.path()).unwrap();
        search.add(std::slice::from_ref(&kept)).unwrap();
        drop(search);
        let search = Search::open(folder.path()).unwrap();
        assert_eq!(search.newest(), Some(kept.id));
        search.add(std::slice::from_ref(&kept)).unwrap();
        let found = search.find(&org, &SearchQuery::parse("kept", &[]).unwrap()).unwrap();
        assert_eq!(found, [kept.id], "a record that is indexed twice is found once");
    }

    #[test]
    fn an_index_that_cannot_be_read_is_started_anew() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("meta.json"), "{").unwrap();
        assert_eq!(Search::open(folder.path()).unwrap().newest(), None);
    }
}
