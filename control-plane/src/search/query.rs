//! A person's words become a query: every word has to be there, as it stands, as a beginning, or with a typo.

use anyhow::Result;
use tantivy::query::{
    BooleanQuery, BoostQuery, ConstScoreQuery, EmptyQuery, FuzzyTermQuery, Occur, PhrasePrefixQuery, PhraseQuery,
    Query, TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::tokenizer::TokenStream;
use tantivy::{Index, Term};

use super::schema::{Fields, REGULAR, SIMULATION};
use crate::model::{OrgId, ToolId};

/// The most words of one query; each costs a walk through the dictionary.
const MAX_WORDS: usize = 32;

/// A word of so many characters or more was copied and not typed, and what finds typos grows with it.
const MAX_MISTYPED: usize = 40;

/// The longest query, in bytes.
const MAX_QUERY_BYTES: usize = 1_000;

/// How closely words have to match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precision {
    /// As words or as the beginnings of words.
    AsWritten,
    /// Also with a typo.
    WithTypos,
}

/// A field that is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// `invocation_status.exception_message`
    ExceptionMessage,
    /// `invocation_status.exception_type`
    ExceptionType,
    /// `invocation_status.exception_stack_trace`
    ExceptionStackTrace,
    /// `invocation_status.output`
    Output,
}

/// What is searched for, and where. What is empty does not restrict.
#[derive(Debug, Clone, Default)]
pub struct SearchQuery {
    parts: Vec<Part>,
    against: Vec<Against>,
    /// Of one of these tools.
    pub tools: Vec<ToolId>,
    /// Of one of these conversations.
    pub conversation_ids: Vec<String>,
    /// Of one of these runs.
    pub simulation_run_ids: Vec<String>,
    /// Whether regular conversations are wanted, and whether simulations are.
    pub kinds: Kinds,
    /// Succeeded, or not.
    pub succeeded: Option<bool>,
}

/// The kinds of invocations that are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Kinds {
    /// Those of regular conversations.
    pub regular: bool,
    /// Those of simulations.
    pub simulation: bool,
}

impl Default for Kinds {
    fn default() -> Self {
        Self { regular: true, simulation: true }
    }
}

/// Why a text is no query.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unparsable(&'static str);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Word(String),
    Phrase(String),
}

impl SearchQuery {
    /// Parses words and quoted phrases. No field means all of them.
    pub fn parse(text: &str, against: &[Against]) -> Result<Self, Unparsable> {
        if text.len() > MAX_QUERY_BYTES {
            return Err(Unparsable("the query is longer than 1000 bytes: leave something out"));
        }
        let mut parts = Vec::new();
        for (index, piece) in text.split('"').enumerate() {
            if index % 2 == 1 {
                parts.push(Part::Phrase(piece.to_owned()));
            } else {
                parts.extend(piece.split_whitespace().map(|word| Part::Word(word.to_owned())));
            }
        }
        if text.matches('"').count() % 2 == 1 {
            return Err(Unparsable("a quotation mark is open: close it, or leave it out"));
        }
        parts.retain(|part| {
            let (Part::Word(text) | Part::Phrase(text)) = part;
            text.chars().any(char::is_alphanumeric)
        });
        if parts.is_empty() {
            return Err(Unparsable("there is no word to search for"));
        }
        if parts.len() > MAX_WORDS {
            return Err(Unparsable("there are more than 32 words: leave some out"));
        }
        Ok(Self { parts, against: against.to_vec(), ..Self::default() })
    }

    pub(super) fn compile(
        &self,
        org: &OrgId,
        fields: &Fields,
        index: &Index,
        precision: Precision,
    ) -> Result<Box<dyn Query>> {
        // A filter says nothing of how good a match is.
        let one_of = |field: Field, values: Vec<String>| -> (Occur, Box<dyn Query>) {
            let mut terms: Vec<_> = values.iter().map(|value| filter(Term::from_field_text(field, value))).collect();
            let query = if terms.len() == 1 { terms.remove(0) } else { any(terms) };
            (Occur::Must, Box::new(ConstScoreQuery::new(query, 0.0)))
        };
        let mut all = vec![one_of(fields.org, vec![org.to_string()])];
        if !self.tools.is_empty() {
            all.push(one_of(fields.tool, self.tools.iter().map(ToString::to_string).collect()));
        }
        if !self.conversation_ids.is_empty() {
            all.push(one_of(fields.conversation, self.conversation_ids.clone()));
        }
        if !self.simulation_run_ids.is_empty() {
            all.push(one_of(fields.simulation_run, self.simulation_run_ids.clone()));
        }
        if let Some(succeeded) = self.succeeded {
            all.push(one_of(fields.succeeded, vec![succeeded.to_string()]));
        }
        match self.kinds {
            Kinds { regular: true, simulation: true } => {}
            Kinds { regular: true, simulation: false } => {
                all.push(one_of(fields.source_type, vec![REGULAR.to_owned()]));
            }
            Kinds { regular: false, simulation: true } => {
                all.push(one_of(fields.source_type, vec![SIMULATION.to_owned()]));
            }
            Kinds { regular: false, simulation: false } => return Ok(Box::new(EmptyQuery)),
        }
        for part in &self.parts {
            let in_fields = self.fields(fields).into_iter().map(|field| part.compile(field, fields, index, precision));
            all.push((Occur::Must, any(in_fields.collect::<Result<_>>()?)));
        }
        Ok(Box::new(BooleanQuery::new(all)))
    }

    fn fields(&self, fields: &Fields) -> Vec<Field> {
        let every = [Against::ExceptionMessage, Against::ExceptionType, Against::ExceptionStackTrace, Against::Output];
        let wanted = if self.against.is_empty() { &every[..] } else { &self.against[..] };
        let field = |against: &Against| match against {
            Against::ExceptionMessage => fields.exception_message,
            Against::ExceptionType => fields.exception_type,
            Against::ExceptionStackTrace => fields.exception_stack_trace,
            Against::Output => fields.output,
        };
        wanted.iter().map(field).collect()
    }
}

impl Part {
    fn compile(&self, field: Field, fields: &Fields, index: &Index, precision: Precision) -> Result<Box<dyn Query>> {
        let (Self::Word(text) | Self::Phrase(text)) = self;
        let mut words = Vec::new();
        let mut analyzer = index.tokenizer_for_field(field)?;
        let mut tokens = analyzer.token_stream(text);
        while let Some(token) = tokens.next() {
            words.push(Term::from_field_text(field, &token.text));
        }
        // Of a phrase nobody leaves out an end, and types are told apart by whole words.
        let is_exact = matches!(self, Self::Phrase(_)) || field == fields.exception_type;
        Ok(match &words[..] {
            // The analyzer drops words that are too long to be one.
            [] => Box::new(EmptyQuery),
            [word] if is_exact => term(word.clone()),
            [word] => loosely(word, text.chars().count(), precision),
            _ if is_exact => Box::new(PhraseQuery::new(words)),
            // `weather.NotFound` is two words to the index, one after the other, and its end may be left out.
            _ => {
                let prefix = Box::new(PhrasePrefixQuery::new(words.clone()));
                any(vec![boosted(Box::new(PhraseQuery::new(words)), 4.0), boosted(prefix, 2.0)])
            }
        })
    }
}

/// A word as it stands, as a beginning, or with a typo; the closer, the better.
fn loosely(word: &Term, length: usize, precision: Precision) -> Box<dyn Query> {
    let mut ways = vec![boosted(term(word.clone()), 4.0)];
    if length >= 2 {
        ways.push(boosted(Box::new(FuzzyTermQuery::new_prefix(word.clone(), 0, true)), 2.0));
    }
    // Below four letters nearly every word is one letter away from another.
    if (4..MAX_MISTYPED).contains(&length) && precision == Precision::WithTypos {
        let typos = if length >= 8 { 2 } else { 1 };
        ways.push(Box::new(FuzzyTermQuery::new(word.clone(), typos, true)));
    }
    any(ways)
}

fn term(term: Term) -> Box<dyn Query> {
    Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs))
}

fn filter(term: Term) -> Box<dyn Query> {
    Box::new(TermQuery::new(term, IndexRecordOption::Basic))
}

fn boosted(query: Box<dyn Query>, factor: f32) -> Box<dyn Query> {
    Box::new(BoostQuery::new(query, factor))
}

fn any(queries: Vec<Box<dyn Query>>) -> Box<dyn Query> {
    Box::new(BooleanQuery::new(queries.into_iter().map(|query| (Occur::Should, query)).collect()))
}
