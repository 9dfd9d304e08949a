//! Parameters against the tool's schema, before anything runs.

use std::fmt;

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use crate::error::Error;

/// The most mismatches that one answer names. A hostile input could have millions.
const MAX_MISMATCHES: usize = 20;

/// One place where the parameters do not conform.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Mismatch {
    /// The place as a JSON pointer; empty for the parameters as a whole.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.message),
            path => write!(f, "{path}: {}", self.message),
        }
    }
}

/// Compiles a schema.
pub(crate) fn validator(schema: &Value) -> Result<Validator, Error> {
    jsonschema::draft202012::options()
        // A pattern comes from a tool and runs on the host, so it must be of the kind that takes linear time.
        .with_pattern_options(PatternOptions::regex())
        .build(schema)
        .map_err(|error| {
            let message = format!("the input schema cannot be used: {error}");
            sdk::Error::from(sdk::Problem::new(message, "simplify the constraints of the entry point's parameters"))
        })
        .map_err(Error::from)
}

pub(crate) fn check(validator: &Validator, parameters: &Value) -> Result<(), Error> {
    let mismatches: Vec<_> = validator
        .iter_errors(parameters)
        .take(MAX_MISMATCHES)
        .map(|error| Mismatch { path: error.instance_path().to_string(), message: error.to_string() })
        .collect();
    if mismatches.is_empty() { Ok(()) } else { Err(Error::Input(mismatches)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_mismatch_names_its_path() {
        let schema = json!({
            "type": "object",
            "properties": {"cities": {"type": "array", "items": {"type": "string"}}},
            "required": ["days"],
        });
        let validator = validator(&schema).unwrap();
        let Err(Error::Input(mismatches)) = check(&validator, &json!({"cities": ["a", 1]})) else {
            panic!("the input was accepted")
        };
        assert_eq!(mismatches[0].to_string(), "\"days\" is a required property");
        assert_eq!(mismatches[1].to_string(), "/cities/1: 1 is not of type \"string\"");
        assert!(check(&validator, &json!({"days": 1})).is_ok());
    }
}
