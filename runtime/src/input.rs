//! Parameters against the tool's schema, before anything runs.
//!
//! Both are strangers': the schema is a guest's and the parameters are a client's. So the schema is vetted when it is
//! read ([`InputSchema`]), each look at a value costs a step, steps are counted, and what is told is bounded in number
//! and length.

mod equality;
mod mismatch;
mod walk;

use sdk::artifact::Description;
use sdk::input_schema::InputSchema;
use serde_json::Value;

pub use mismatch::Mismatch;

use crate::error::Error;

/// What holding one input against a schema may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputLimits {
    /// Looks of one rule at one value. A million takes about a tenth of a second.
    pub steps: u64,
    /// The most mismatches that are told.
    pub mismatches: usize,
}

impl Default for InputLimits {
    fn default() -> Self {
        Self { steps: 5_000_000, mismatches: 20 }
    }
}

pub(crate) fn parse(description: &Description) -> Result<InputSchema, Error> {
    InputSchema::of(description).map_err(|problem| sdk::Error::from(problem).into())
}

pub(crate) fn check(schema: &InputSchema, parameters: &Value, limits: &InputLimits) -> Result<(), Error> {
    match walk::mismatches(schema, parameters, limits) {
        Ok(mismatches) if mismatches.is_empty() => Ok(()),
        Ok(mismatches) => Err(Error::Input(mismatches)),
        Err(walk::TooLong) => Err(Error::InputTooComplex { steps: limits.steps }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(schema: &Value) -> Result<InputSchema, sdk::Problem> {
        InputSchema::parse(schema, &[])
    }

    /// What is told about parameters, each mismatch on a line.
    fn told(schema: &Value, parameters: &Value) -> Vec<String> {
        match check(&parse(schema).unwrap(), parameters, &InputLimits::default()) {
            Ok(()) => Vec::new(),
            Err(Error::Input(mismatches)) => mismatches.iter().map(ToString::to_string).collect(),
            Err(error) => vec![error.to_string()],
        }
    }

    #[test]
    fn a_mismatch_names_its_path() {
        let schema = json!({
            "type": "object",
            "properties": {"cities": {"type": "array", "items": {"type": "string"}}},
            "required": ["days"],
        });
        let expected = ["\"days\" is a required property", "/cities/1: 1 is not of type \"string\""];
        assert_eq!(told(&schema, &json!({"cities": ["a", 1]})), expected);
        assert!(told(&schema, &json!({"days": 1})).is_empty());
    }

    #[test]
    fn every_rule_is_judged_and_told() {
        let anything = json!({"a": 1});
        for (schema, good, bad, message) in [
            (json!({"type": "integer"}), json!(3.0), json!(3.5), "3.5 is not of type \"integer\""),
            (json!({"type": "boolean"}), json!(true), json!(1), "1 is not of type \"boolean\""),
            (
                json!({"type": ["number", "string"]}),
                json!("1"),
                json!(null),
                "null is not of types \"number\", \"string\"",
            ),
            (json!({"enum": ["a", 1, null]}), json!(1.0), json!("b"), "\"b\" is not one of \"a\", 1, null"),
            (json!({"enum": [1]}), json!(1), json!(true), "true is not one of 1"),
            (json!({"minLength": 2}), json!("éé"), json!("é"), "\"é\" is shorter than 2 characters"),
            (json!({"maxLength": 1}), json!("é"), json!("éé"), "\"éé\" is longer than 1 character"),
            (json!({"pattern": "^-?[0-9]+$"}), json!("7"), json!("x"), "\"x\" does not match \"^-?[0-9]+$\""),
            (json!({"minimum": 3}), json!(3), json!(2.5), "2.5 is less than the minimum of 3"),
            (json!({"maximum": 3}), json!(3.0), json!(4), "4 is greater than the maximum of 3"),
            (json!({"exclusiveMinimum": 3}), json!(4), json!(3), "3 is less than or equal to the minimum of 3"),
            (json!({"exclusiveMaximum": 3}), json!(2), json!(3), "3 is greater than or equal to the maximum of 3"),
            (
                json!({"maximum": 9_007_199_254_740_992_u64}),
                json!(9_007_199_254_740_992_u64),
                json!(9_007_199_254_740_993_u64),
                "9007199254740993 is greater than the maximum of 9007199254740992",
            ),
            (json!({"multipleOf": 0.1}), json!(0.3), json!(0.35), "0.35 is not a multiple of 0.1"),
            (json!({"multipleOf": 3}), json!(-9), json!(10), "10 is not a multiple of 3"),
            (json!({"minItems": 1}), json!([1]), json!([]), "[] has less than 1 item"),
            (json!({"maxItems": 1}), json!([1]), json!([1, 2]), "[1,2] has more than 1 item"),
            (json!({"uniqueItems": true}), json!([1, true, "1"]), json!([{"a": 1}, {"a": 1.0}]), "non-unique elements"),
            (
                json!({"prefixItems": [{"type": "null"}], "items": false}),
                json!([null]),
                json!([null, 1]),
                "/1: 1 is not allowed",
            ),
            (json!({"minProperties": 1}), anything.clone(), json!({}), "{} has less than 1 property"),
            (json!({"maxProperties": 0}), json!({}), anything.clone(), "{\"a\":1} has more than 0 properties"),
            (
                json!({"propertyNames": {"pattern": "^-?[0-9]+$"}}),
                json!({"1": 1}),
                anything.clone(),
                "\"a\" does not match",
            ),
            (
                json!({"properties": {"b": {}}, "additionalProperties": false}),
                json!({"b": 1}),
                json!({"c": 1, "d": 1}),
                "Additional properties are not allowed ('c', 'd' were unexpected)",
            ),
            (json!({"additionalProperties": {"type": "null"}}), json!({"a": null}), anything, "/a: 1 is not of type"),
            (
                json!({"anyOf": [{"type": "null"}, {"type": "string"}]}),
                json!(null),
                json!(1),
                "1 is not valid under any of the schemas listed in the 'anyOf' keyword",
            ),
            (
                json!({"$ref": "#/$defs/A", "$defs": {"A": {"type": "array", "items": {"$ref": "#/$defs/A"}}}}),
                json!([[], [[]]]),
                json!([[], [1]]),
                "/1/0: 1 is not of type \"array\"",
            ),
        ] {
            assert!(told(&schema, &good).is_empty(), "{good} by {schema}");
            let others = jsonschema::validator_for(&schema).unwrap();
            assert!(others.is_valid(&good) && !others.is_valid(&bad), "another implementation disagrees: {schema}");
            let told = told(&schema, &bad);
            assert!(told.len() == 1 && told[0].contains(message), "{told:?} for {bad} by {schema}");
        }
    }

    #[test]
    fn a_type_that_could_be_tried_in_exponentially_many_ways_is_checked_at_once() {
        let list = json!({"type": "array", "items": {"$ref": "#/$defs/T"}});
        let set = json!({"type": "array", "items": {"$ref": "#/$defs/T"}, "uniqueItems": true});
        let schema = json!({"$ref": "#/$defs/T", "$defs": {"T": {"anyOf": [{"type": "integer"}, list, set]}}});
        let nested = |leaf: Value| (0..100).fold(leaf, |inner, _| json!([inner]));
        let (schema, limits) = (parse(&schema).unwrap(), InputLimits { steps: 20_000, ..InputLimits::default() });
        check(&schema, &nested(json!(1)), &limits).unwrap();
        let refused = check(&schema, &nested(json!("x")), &limits).unwrap_err();
        assert!(refused.to_string().ends_with("is not valid under any of the schemas listed in the 'anyOf' keyword"));
    }

    #[test]
    fn steps_and_what_is_told_are_bounded() {
        let schema = json!({"type": "array", "items": {"type": "string"}});
        let wrong = json!(vec![1; 100_000]);
        assert_eq!(told(&schema, &wrong).len(), 20);
        let long = told(&json!({"type": "null"}), &json!("x".repeat(1 << 20)));
        assert!(long[0].len() < 400, "{} bytes", long[0].len());
        assert!(long[0].ends_with("… is not of type \"null\""), "{}", long[0]);
        let named = json!({"x".repeat(1 << 20): 1});
        assert!(told(&json!({"additionalProperties": {"type": "null"}}), &named)[0].len() < 400);
        assert!(told(&json!({"additionalProperties": false}), &named)[0].len() < 400);

        let limits = InputLimits { steps: 1000, ..InputLimits::default() };
        let right = json!(vec!["a"; 100_000]);
        let refused = check(&parse(&schema).unwrap(), &right, &limits).unwrap_err();
        assert!(refused.to_string().contains("more than 1000 steps"), "{refused}");
        let unique = json!({"type": "array", "uniqueItems": true});
        assert!(check(&parse(&unique).unwrap(), &right, &limits).is_err());
        assert!(told(&unique, &json!((0..100_000).collect::<Vec<_>>())).is_empty());
    }
}
