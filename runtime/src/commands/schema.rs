//! `runtime schema`: what a language model is told of a tool.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use runtime::Error;
use sdk::artifact::Artifact;
use sdk::dependencies::Settings;
use sdk::project::Project;
use serde_json::{Map, Value, json};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  runtime schema
  runtime schema weather --format openai
  runtime schema weather.tool --format mcp > tool.json")]
pub struct Arguments {
    /// The project's folder, or a built file.
    #[arg(default_value = ".", value_name = "PROJECT")]
    tool: PathBuf,
    /// Whose form of a tool's definition it is to have.
    #[arg(long, default_value = "json-schema", value_enum)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// The schema of the input alone (JSON Schema 2020-12).
    JsonSchema,
    /// An entry of `tools` of OpenAI's chat completions.
    #[value(name = "openai")]
    OpenAi,
    /// An entry of `tools` of Anthropic's messages.
    Anthropic,
    /// A tool of the Model Context Protocol, as `tools/list` has it.
    Mcp,
}

impl Arguments {
    pub fn tool(&self) -> &Path {
        &self.tool
    }
}

pub fn execute(arguments: Arguments, cache: &Path, settings: &Settings) -> Result<ExitCode, Error> {
    let built = super::built_file(&arguments.tool, cache, settings)?;
    let bytes = fs_err::read(built).map_err(|source| Error::internal("read the built tool", source))?;
    let mut description = Artifact::parse(bytes)?.label.description;
    // A docstring may be empty.
    description.description.take_if(|text| text.is_empty());
    if description.description.is_none() && arguments.tool.is_dir() {
        description.description = Project::read(&arguments.tool)?.manifest.description;
    }
    let (name, text) = (description.name.as_str(), description.description.as_deref());
    println!("{:#}", definition(arguments.format, name, text, description.input_schema));
    Ok(ExitCode::SUCCESS)
}

/// The definition as a vendor's interface takes it.
fn definition(format: Format, name: &str, description: Option<&str>, schema: Value) -> Value {
    let with_schema = |key: &str, schema: Value| {
        let mut tool = Map::from_iter([("name".to_owned(), json!(callable(name)))]);
        tool.extend(description.map(|text| ("description".to_owned(), json!(text))));
        tool.insert(key.to_owned(), schema);
        Value::Object(tool)
    };
    match format {
        Format::JsonSchema => schema,
        Format::OpenAi => json!({"type": "function", "function": with_schema("parameters", schema)}),
        Format::Anthropic => with_schema("input_schema", schema),
        Format::Mcp => with_schema("inputSchema", schema),
    }
}

/// A name that all of them take: `^[a-zA-Z0-9_-]{1,64}$`. A project's name has dots at the most beside those.
fn callable(name: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    name.chars().map(fit).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_definition_is_the_vendor_s_own() {
        let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
        let of = |format| definition(format, "weather.v2", Some("Forecasts"), schema.clone());
        let (name, description) = ("weather_v2", "Forecasts");
        assert_eq!(of(Format::JsonSchema), schema);
        assert_eq!(
            of(Format::OpenAi),
            json!({"type": "function", "function": {"name": name, "description": description, "parameters": schema}})
        );
        assert_eq!(of(Format::Anthropic), json!({"name": name, "description": description, "input_schema": schema}));
        assert_eq!(of(Format::Mcp), json!({"name": name, "description": description, "inputSchema": schema}));
        assert_eq!(definition(Format::Mcp, "a", None, json!({})), json!({"name": "a", "inputSchema": {}}));
        assert_eq!(callable(&"ä".repeat(70)), "_".repeat(64));
    }
}
