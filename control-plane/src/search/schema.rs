//! What the index knows of a record.

use tantivy::TantivyDocument;
use tantivy::schema::{Field, STORED, STRING, Schema, TEXT, Value};

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

/// The schema and its fields. Words are split where they are no letters and no digits, so `weather.NotFound` is found
/// by `NotFound` and not by `Found`.
pub fn schema() -> (Schema, Fields) {
    let mut schema = Schema::builder();
    let fields = Fields {
        id: schema.add_text_field("id", STRING | STORED),
        org: schema.add_text_field("org", STRING),
        tool: schema.add_text_field("tool", STRING),
        conversation: schema.add_text_field("conversation", STRING),
        simulation_run: schema.add_text_field("simulation_run", STRING),
        source_type: schema.add_text_field("source_type", STRING),
        succeeded: schema.add_text_field("succeeded", STRING),
        exception_message: schema.add_text_field("exception_message", TEXT),
        exception_type: schema.add_text_field("exception_type", TEXT),
        exception_stack_trace: schema.add_text_field("exception_stack_trace", TEXT),
        output: schema.add_text_field("output", TEXT),
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
