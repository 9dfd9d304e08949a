//! Search in what is on record, with tantivy, which appears in this folder and nowhere else.
//!
//! The index is derived: whatever it holds can be made again from the store. It takes records in the order of their
//! numbers there, and each commit says how far it has come, so what was not committed when the process ended is exactly
//! what comes next. Whoever searches has the rest indexed first; see `domain::search`.

mod folder;
mod query;
mod schema;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use tantivy::collector::TopDocs;
use tantivy::directory::error::LockError;
use tantivy::{Index, IndexReader, IndexWriter, ReloadPolicy, TantivyDocument, TantivyError, Term};

use folder::IndexFolder;
use query::Precision;
pub use query::{Against, Kinds, SearchQuery, Unparsable};
use schema::Fields;

use crate::locks;
use crate::model::{Invocation, InvocationId, OrgId};

/// The most results of one search.
const MAX_RESULTS: usize = 100;

/// How many records may wait in memory. What waits is committed when nothing more comes, or by the next search, which
/// takes some milliseconds and more the more there are, and is indexed again after a crash.
const MAX_WAITING: usize = 1_000;

/// The same while the index is far behind: the larger a commit, the less of it there is to merge later.
const MAX_WAITING_BEHIND: usize = 20_000;

/// The memory of the one indexing thread, in bytes; tantivy asks for at least 15 MB.
const WRITER_BYTES: usize = 30_000_000;

/// How long to wait for the index's lock. A child of the process that held it has a copy of it until it starts its own
/// program.
const LOCKED_AT_MOST: Duration = Duration::from_secs(1);

/// The open index.
pub struct Search {
    index: Index,
    reader: IndexReader,
    fields: Fields,
    max_text_bytes: usize,
    writing: Mutex<Writing>,
}

struct Writing {
    writer: IndexWriter,
    waiting: usize,
    reached: BTreeMap<OrgId, Reached>,
    committed: BTreeMap<OrgId, Reached>,
    system_run: Option<String>,
}

/// How far the index has come with an organization's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// The number of the next record.
    pub next: u64,
    /// The id of the last one: whether it is the same in the store tells whether the index belongs to the store.
    pub last: InvocationId,
}

/// What the index says of itself.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Payload {
    system_run: Option<String>,
    reached: BTreeMap<OrgId, Reached>,
}

impl Search {
    /// Opens the index in a folder, and starts an empty one where there is none, where it cannot be read, or where it
    /// `belongs` to other records. Of each text, so many bytes are indexed.
    pub fn open(folder: &Path, max_text_bytes: usize, belongs: impl Fn(&OrgId, Reached) -> bool) -> Result<Self> {
        let reason = match Self::open_existing(folder, max_text_bytes) {
            Ok(search) if search.lock().reached.iter().all(|(org, reached)| belongs(org, *reached)) => {
                return Ok(search);
            }
            Ok(_) => "it was made of other records".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        tracing::warn!(reason, "Could not use the search index; it is made again");
        fs_err::remove_dir_all(folder)?;
        Self::open_existing(folder, max_text_bytes)
    }

    fn open_existing(folder: &Path, max_text_bytes: usize) -> Result<Self> {
        fs_err::create_dir_all(folder)?;
        let (schema, fields) = schema::schema();
        let index = Index::open_or_create(IndexFolder::open(folder)?, schema).context("failed to open the index")?;
        schema::register_analyzer(&index);
        let payload = index.load_metas()?.payload.map_or_else(|| Ok(Payload::default()), |text| read_payload(&text))?;
        let system_run = folder::system_run();
        if system_run.is_none() || payload.system_run != system_run {
            let damaged = index.validate_checksum()?;
            ensure!(damaged.is_empty(), "the system went down before {damaged:?} reached the disk");
        }
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let is_busy = |error: &TantivyError| matches!(error, TantivyError::LockFailure(LockError::LockBusy, _));
        let writer = locks::take(LOCKED_AT_MOST, is_busy, || index.writer_with_num_threads(1, WRITER_BYTES))?;
        let Payload { reached, .. } = payload;
        let writing = Writing { writer, waiting: 0, committed: reached.clone(), reached, system_run };
        Ok(Self { index, reader, fields, max_text_bytes, writing: Mutex::new(writing) })
    }

    /// The number of the next record of an organization that is to be indexed.
    pub fn next(&self, org: &OrgId) -> u64 {
        self.lock().next(org)
    }

    /// Indexes the next records of an organization, which `read` gives from a number on; there are none below `first`.
    /// Says how many there were.
    pub fn advance<E: From<anyhow::Error>>(
        &self,
        org: &OrgId,
        first: u64,
        read: impl FnOnce(u64) -> Result<Vec<Invocation>, E>,
    ) -> Result<usize, E> {
        let mut writing = self.lock();
        let next = writing.next(org).max(first);
        let invocations = read(next)?;
        let Some(last) = invocations.last() else { return Ok(0) };
        if let Err(error) = self.add(&mut writing, &invocations) {
            // A writer that has failed takes nothing more. What it held is indexed again by its successor.
            writing.start_again().context("failed to start the index's writer again")?;
            return Err(error.context("failed to index").into());
        }
        let count = invocations.len();
        writing.reached.insert(org.clone(), Reached { next: next + count as u64, last: last.id });
        writing.waiting += count;
        if writing.waiting >= MAX_WAITING_BEHIND {
            writing.commit()?;
        }
        Ok(count)
    }

    /// Takes records off the index.
    pub fn forget(&self, ids: &[InvocationId]) {
        let mut writing = self.lock();
        for id in ids {
            writing.writer.delete_term(Term::from_field_text(self.fields.id, &id.to_string()));
        }
        // Committed with whatever comes next.
        writing.waiting += 1;
    }

    fn add(&self, writing: &mut Writing, invocations: &[Invocation]) -> Result<()> {
        for invocation in invocations {
            writing.writer.add_document(self.fields.document(invocation, self.max_text_bytes))?;
        }
        Ok(())
    }

    /// Commits what waits if it is much, so that the next search need not.
    pub fn commit_if_many(&self) -> Result<()> {
        let mut writing = self.lock();
        if writing.waiting >= MAX_WAITING { writing.commit() } else { Ok(()) }
    }

    /// Commits what waits, so that the next search sees it and the next start need not index it again.
    pub fn commit(&self) -> Result<()> {
        let mut writing = self.lock();
        if writing.waiting == 0 { Ok(()) } else { writing.commit() }
    }

    /// Does what the next search would have to do before it can look.
    pub fn get_ready(&self) -> Result<()> {
        self.commit()?;
        Ok(self.reader.reload()?)
    }

    /// How many records wait to be committed.
    pub fn waiting(&self) -> usize {
        self.lock().waiting
    }

    /// The ids of the best matches, the best first. Every record that was added before is seen.
    pub fn find(&self, org: &OrgId, query: &SearchQuery) -> Result<Vec<InvocationId>> {
        self.get_ready()?;
        // Typos cost a walk through the whole dictionary and sort last: where there is enough without, it is spared.
        let found = self.find_with(org, query, Precision::AsWritten)?;
        if found.len() == MAX_RESULTS { Ok(found) } else { self.find_with(org, query, Precision::WithTypos) }
    }

    fn find_with(&self, org: &OrgId, query: &SearchQuery, precision: Precision) -> Result<Vec<InvocationId>> {
        let searcher = self.reader.searcher();
        let query = query.compile(org, &self.fields, &self.index, precision)?;
        let found = searcher.search(&*query, &TopDocs::with_limit(MAX_RESULTS).order_by_score())?;
        let id = |address| -> Result<InvocationId> {
            let document: TantivyDocument = searcher.doc(address)?;
            Ok(InvocationId::parse(self.fields.id_of(&document))?)
        };
        found.into_iter().map(|(_score, address)| id(address)).collect()
    }

    /// No code that holds this lock leaves what it guards half changed, so a poisoned one is as good as any.
    fn lock(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_payload(text: &str) -> Result<Payload> {
    serde_json::from_str(text).context("failed to read how far the index has come")
}

impl Writing {
    fn next(&self, org: &OrgId) -> u64 {
        self.reached.get(org).map_or(0, |reached| reached.next)
    }

    fn commit(&mut self) -> Result<()> {
        let payload = Payload { system_run: self.system_run.clone(), reached: self.reached.clone() };
        let mut prepared = self.writer.prepare_commit()?;
        prepared.set_payload(&serde_json::to_string(&payload)?);
        prepared.commit()?;
        self.committed = self.reached.clone();
        self.waiting = 0;
        Ok(())
    }

    /// Forgets what was not committed.
    fn start_again(&mut self) -> Result<()> {
        self.writer.rollback()?;
        self.reached = self.committed.clone();
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

    const MAX_TEXT_BYTES: usize = 1000;

    fn open(folder: &Path) -> Search {
        Search::open(folder, MAX_TEXT_BYTES, |_, _| true).unwrap()
    }

    fn add(search: &Search, org: &OrgId, invocations: &[Invocation]) {
        let added = search.advance(org, 0, |_| anyhow::Ok(invocations.to_vec())).unwrap();
        assert_eq!(added, invocations.len());
    }

    fn acme() -> OrgId {
        OrgId::parse("acme").unwrap()
    }

    fn find(search: &Search, text: &str, against: &[Against]) -> Vec<InvocationId> {
        search.find(&acme(), &SearchQuery::parse(text, against).unwrap()).unwrap()
    }

    #[test]
    fn words_prefixes_typos_and_phrases_find_what_a_person_expects() {
        let folder = tempfile::tempdir().unwrap();
        let search = open(folder.path());
        let (org, other) = (acme(), OrgId::parse("other").unwrap());
        let sunny = invocation(&org, output("sunny weather in Ghent tomorrow"));
        let failed = invocation(&org, raised("weather.NotFound", "no such city: Gent"));
        add(&search, &org, &[sunny.clone(), failed.clone()]);
        add(&search, &other, &[invocation(&other, output("sunny weather"))]);

        let find = |text: &str, against: &[Against]| find(&search, text, against);
        assert_eq!(find("sunny", &[]), [sunny.id], "a word, of this organization alone");
        assert_eq!(find("tomor", &[]), [sunny.id], "a prefix");
        assert_eq!(find("tomorow", &[]), [sunny.id], "a typo");
        assert_eq!(find("\"weather in ghent\"", &[]), [sunny.id], "a phrase");
        assert_eq!(find("\"ghent in weather\"", &[]), [], "no phrase");
        assert_eq!(find("NotFound", &[Against::ExceptionType]), [failed.id], "an exception's type");
        assert_eq!(find("NotF", &[Against::ExceptionType]), [], "types are whole words");
        assert_eq!(find("NotFuond", &[Against::ExceptionType]), [], "without typos");
        assert_eq!(find("weather.NotFound", &[]), [failed.id], "all of it");
        assert_eq!(find("weather.NotF", &[Against::ExceptionType]), [], "and no less than all of it");
        assert_eq!(find("weather.p", &[]), [failed.id], "the beginning of a name of several words: weather.py");
        assert_eq!(find("Found", &[Against::ExceptionType]), [], "the end of one is no word");
        assert_eq!(find("ghent", &[Against::ExceptionMessage]), [failed.id], "only in that field");
        assert_eq!(find("ghent city", &[]), [failed.id], "every word has to be there");
        assert_eq!(find("ghent", &[]), [sunny.id, failed.id], "what is as written comes before what has a typo");
    }

    #[test]
    fn filters_leave_what_they_name() {
        let folder = tempfile::tempdir().unwrap();
        let search = open(folder.path());
        let org = acme();
        let good = invocation(&org, output("weather"));
        let bad = invocation(&org, raised("ValueError", "weather"));
        let mut simulated = invocation(&org, output("weather"));
        simulated.invocation_source = InvocationSource::SimulationConversation {
            simulation_unit_test_set_run_id: Some("run".to_owned()),
            unit_test_id: None,
            run_index: None,
            invocation_metadata: None,
        };
        add(&search, &org, &[good.clone(), bad.clone(), simulated.clone()]);
        let found = |change: &dyn Fn(&mut SearchQuery)| {
            let mut query = SearchQuery::parse("weather", &[]).unwrap();
            change(&mut query);
            let mut found = search.find(&org, &query).unwrap();
            found.sort();
            found
        };
        assert_eq!(found(&|_| {}), [good.id, bad.id, simulated.id]);
        assert_eq!(found(&|query| query.succeeded = Some(false)), [bad.id]);
        assert_eq!(found(&|query| query.tools = vec![good.tool_id, bad.tool_id]), [good.id, bad.id]);
        assert_eq!(found(&|query| query.simulation_run_ids = vec!["run".to_owned()]), [simulated.id]);
        assert_eq!(found(&|query| query.conversation_ids = vec!["run".to_owned()]), []);
        let kinds = |regular, simulation| found(&|query| query.kinds = Kinds { regular, simulation });
        assert_eq!(kinds(true, false), [good.id, bad.id]);
        assert_eq!(kinds(false, true), [simulated.id]);
        assert_eq!(kinds(false, false), []);
    }

    #[test]
    fn a_long_word_is_found_and_one_that_is_no_word_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let search = open(folder.path());
        let (hash, data) = ("0123456789abcdef".repeat(16), "x".repeat(257));
        let long = invocation(&acme(), output(&format!("the hash is {hash} of {data}")));
        add(&search, &acme(), std::slice::from_ref(&long));
        for text in [&*hash, &hash[..63], &format!("\"is {hash}\"")] {
            assert_eq!(find(&search, text, &[]), [long.id], "{text}");
        }
        assert_eq!(find(&search, &data, &[]), []);
    }

    #[test]
    fn a_long_text_is_indexed_up_to_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let search = open(folder.path());
        let text = format!("first {}é last", "word ".repeat(MAX_TEXT_BYTES / 5 - 2));
        let long = invocation(&acme(), output(&text));
        add(&search, &acme(), std::slice::from_ref(&long));
        assert_eq!(find(&search, "first", &[]), [long.id]);
        assert_eq!(find(&search, "last", &[]), []);
    }

    #[test]
    fn what_cannot_be_parsed_is_said_to_be() {
        for text in ["", "  ", "\"open", "!!", &"word ".repeat(33), &"a".repeat(2000)] {
            assert!(SearchQuery::parse(text, &[]).is_err(), "{text}");
        }
    }

    #[test]
    fn an_index_that_is_opened_again_goes_on_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let kept = invocation(&acme(), output("kept"));
        let search = open(folder.path());
        add(&search, &acme(), std::slice::from_ref(&kept));
        assert_eq!(search.next(&acme()), 1);
        drop(search);
        let search = open(folder.path());
        assert_eq!(search.next(&acme()), 1);
        assert_eq!(find(&search, "kept", &[]), [kept.id]);
        let last = Reached { next: 1, last: kept.id };
        assert_eq!(search.lock().reached.get(&acme()), Some(&last));
    }

    #[test]
    fn an_index_of_other_records_or_that_cannot_be_read_is_started_anew() {
        let folder = tempfile::tempdir().unwrap();
        let search = open(folder.path());
        add(&search, &acme(), &[invocation(&acme(), output("kept"))]);
        drop(search);
        let search = Search::open(folder.path(), MAX_TEXT_BYTES, |_, _| false).unwrap();
        assert_eq!(search.next(&acme()), 0);
        assert_eq!(find(&search, "kept", &[]), []);
        drop(search);
        fs_err::write(folder.path().join("meta.json"), "{").unwrap();
        assert_eq!(open(folder.path()).next(&acme()), 0);
    }

    #[test]
    fn an_index_that_the_system_went_down_with_is_verified() {
        let folder = tempfile::tempdir().unwrap();
        let search = open(folder.path());
        add(&search, &acme(), &[invocation(&acme(), output("kept"))]);
        search.lock().system_run = Some("another".to_owned());
        drop(search);
        let search = open(folder.path());
        assert_eq!(search.next(&acme()), 1, "what is whole is kept");
        add(&search, &acme(), &[invocation(&acme(), output("kept, too"))]);
        search.lock().system_run = Some("another".to_owned());
        drop(search);

        let mut files = fs_err::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let torn = files.find(|path| path.extension().is_some_and(|kind| kind == "store")).unwrap();
        let mut content = fs_err::read(&torn).unwrap();
        content[0] ^= 1;
        fs_err::remove_file(&torn).unwrap();
        fs_err::write(&torn, content).unwrap();
        assert_eq!(open(folder.path()).next(&acme()), 0, "what is torn is made again");
    }

    #[test]
    fn a_fault_of_the_reader_leaves_the_index_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let search = open(folder.path());
        assert!(search.advance(&acme(), 0, |_| Err(anyhow::anyhow!("the store is gone"))).is_err());
        assert_eq!(search.next(&acme()), 0);
    }
}
