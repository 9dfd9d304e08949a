//! What the index knows of a record.

use tantivy::schema::{Field, IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions, Value};
use tantivy::tokenizer::{LowerCaser, RemoveLongFilter, SimpleTokenizer, TextAnalyzer};
use tantivy::{Index, TantivyDocument};

use crate::model::{Invocation, InvocationSource, InvocationStatus};

/// The fields by name.
pub struct Fields {
    pub id: Field,
    pub org: Field,
    pub tool: Field,
    pub conversation: Field,
    pub simulation_run: Field,
    pub source_type: Field,
    pub succeeded: Field,
    pub exception_message: Field,
    pub exception_type: Field,
    pub exception_stack_trace: Field,
    pub output: Field,
}

/// The name of the analyzer of texts. It stands in the index: whoever changes what it does gives it another name, and
/// the index is made again.
const WORDS: &str = "words-256";

/// A longer word is not found, in bytes. Hashes and tokens are shorter; what is longer is no word but data.
const MAX_WORD_BYTES: usize = 256;

/// Tells the index how texts are taken apart.
pub fn register_analyzer(index: &Index) {
    // The filter keeps what is shorter than it says.
    let words = TextAnalyzer::builder(SimpleTokenizer::default()).filter(RemoveLongFilter::limit(MAX_WORD_BYTES + 1));
    index.tokenizers().register(WORDS, words.filter(LowerCaser).build());
}

/// The schema and its fields. Words are split where they are no letters and no digits, so `weather.NotFound` is found
/// by `NotFound` and not by `Found`.
pub fn schema() -> (Schema, Fields) {
    let mut schema = Schema::builder();
    let words = TextFieldIndexing::default().set_tokenizer(WORDS);
    let words = words.set_index_option(IndexRecordOption::WithFreqsAndPositions);
    let text = TextOptions::default().set_indexing_options(words);
    let fields = Fields {
        id: schema.add_text_field("id", STRING | STORED),
        org: schema.add_text_field("org", STRING),
        tool: schema.add_text_field("tool", STRING),
        conversation: schema.add_text_field("conversation", STRING),
        simulation_run: schema.add_text_field("simulation_run", STRING),
        source_type: schema.add_text_field("source_type", STRING),
        succeeded: schema.add_text_field("succeeded", STRING),
        exception_message: schema.add_text_field("exception_message", text.clone()),
        exception_type: schema.add_text_field("exception_type", text.clone()),
        exception_stack_trace: schema.add_text_field("exception_stack_trace", text.clone()),
        output: schema.add_text_field("output", text),
    };
    (schema.build(), fields)
}

/// The values of `source_type`.
pub const REGULAR: &str = "regular-conversation";
/// The other one.
pub const SIMULATION: &str = "simulation-conversation";

impl Fields {
    /// A record as the index takes it in: of each text, so many bytes.
    pub fn document(&self, invocation: &Invocation, max_text_bytes: usize) -> TantivyDocument {
        let bounded = |text: &str| text[..text.floor_char_boundary(max_text_bytes)].to_owned();
        let mut document = TantivyDocument::new();
        document.add_text(self.id, invocation.id.to_string());
        document.add_text(self.org, invocation.org_id.as_str());
        document.add_text(self.tool, invocation.tool_id.to_string());
        match &invocation.invocation_source {
            InvocationSource::RegularConversation { conversation_id, .. } => {
                document.add_text(self.source_type, REGULAR);
                conversation_id.iter().for_each(|id| document.add_text(self.conversation, id));
            }
            InvocationSource::SimulationConversation { simulation_unit_test_set_run_id, .. } => {
                document.add_text(self.source_type, SIMULATION);
                simulation_unit_test_set_run_id.iter().for_each(|id| document.add_text(self.simulation_run, id));
            }
        }
        match &invocation.invocation_status {
            InvocationStatus::Succeeded { output } => {
                document.add_text(self.succeeded, "true");
                document.add_text(self.output, bounded(output));
            }
            InvocationStatus::Failed { exception_message, exception_type, exception_stack_trace } => {
                document.add_text(self.succeeded, "false");
                document.add_text(self.exception_message, bounded(exception_message));
                document.add_text(self.exception_type, bounded(exception_type));
                document.add_text(self.exception_stack_trace, bounded(&exception_stack_trace.join("\n")));
            }
        }
        document
    }

    /// The id that a document was stored with.
    pub fn id_of<'a>(&self, document: &'a TantivyDocument) -> &'a str {
        document.get_first(self.id).and_then(|value| value.as_str()).unwrap_or_default()
    }
}
