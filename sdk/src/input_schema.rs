//! The schema of a tool's input, vetted.
//!
//! A schema comes out of a guest, and whoever wrote the guest may have written the schema, too; but it is the host that
//! holds inputs against it. So the host knows exactly the keywords that `toolplane/schema.py` writes, none of which can
//! fetch anything, and takes only schemas of a bounded size in which no schema stands for itself. Whatever else a guest
//! describes is refused while the tool is built.

mod parse;

use std::collections::{HashMap, HashSet};

use serde_json::{Number, Value};

use crate::artifact::Description;
use crate::error::Problem;

/// The longest schema, in bytes. Model providers take a small part of that.
pub const MAX_BYTES: usize = 1 << 20;
/// The most schemas within a schema.
pub const MAX_NODES: usize = 20_000;
/// How often one schema may stand for another in the same place, as `anyOf` and `$ref` do. It bounds, together with the
/// depth of an input, how deeply a check recurses.
pub const MAX_IN_PLACE: usize = 16;

/// A vetted schema.
#[derive(Debug, Clone)]
pub struct InputSchema {
    nodes: Vec<Vec<Keyword>>,
}

/// A schema within the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeId(u32);

/// One rule of a schema. Those that describe and do not judge, such as `description`, are not kept.
#[derive(Debug, Clone)]
pub enum Keyword {
    /// `type`: the value is of one of these.
    Kinds(Vec<Kind>),
    /// `enum`.
    Options(Options),
    /// `$ref`: the value conforms to another schema.
    Reference(NodeId),
    /// `anyOf`: it conforms to at least one of these.
    AnyOf(Vec<NodeId>),
    /// `minLength` and `maxLength`, in characters.
    Length(Range),
    /// `pattern`.
    Pattern(Pattern),
    /// `minimum`.
    Minimum(Number),
    /// `maximum`.
    Maximum(Number),
    /// `exclusiveMinimum`.
    ExclusiveMinimum(Number),
    /// `exclusiveMaximum`.
    ExclusiveMaximum(Number),
    /// `multipleOf`; it is positive.
    MultipleOf(Number),
    /// `minItems` and `maxItems`.
    ItemCount(Range),
    /// `uniqueItems`.
    UniqueItems,
    /// `prefixItems` and `items`.
    Items {
        /// Of the first items, one each.
        first: Vec<NodeId>,
        /// Of those behind them.
        rest: Rest,
    },
    /// `minProperties` and `maxProperties`.
    PropertyCount(Range),
    /// `required`.
    Required(Vec<String>),
    /// `propertyNames`.
    PropertyNames(NodeId),
    /// `properties` and `additionalProperties`.
    Properties {
        /// Of the properties that have a name here.
        named: HashMap<String, NodeId>,
        /// Of all others.
        rest: Rest,
    },
}

/// What may stand where nothing is said by name or place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Everything.
    Anything,
    /// Nothing.
    Nothing,
    /// What conforms to this.
    Schema(NodeId),
}

/// A type of JSON. A number without a fraction is an integer, however it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are what JSON Schema calls them")]
pub enum Kind {
    Null,
    Boolean,
    Integer,
    Number,
    String,
    Array,
    Object,
}

/// The values of an `enum`.
#[derive(Debug, Clone)]
pub struct Options {
    /// The texts among them, which may be many.
    pub texts: HashSet<String>,
    /// The rest.
    pub others: Vec<Value>,
    /// All, as they are shown: in the order in which they were written, and only the first of many.
    pub shown: String,
}

/// Bounds, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The least.
    pub least: usize,
    /// The most.
    pub most: usize,
}

/// The patterns that `toolplane/schema.py` writes. A pattern of a guest's own would be a program that the host runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// A decimal number.
    Decimal,
    /// An integer, as the key of an object.
    Integer,
}

impl InputSchema {
    /// Vets what a tool says of its input. Parameters that it checks itself may be described in any words: here, whatever
    /// is given for them passes.
    pub fn of(description: &Description) -> Result<Self, Problem> {
        Self::parse(&description.input_schema, &description.checked_inside)
    }

    /// Vets a schema, but for the parts that describe the `unchecked` parameters.
    pub fn parse(schema: &Value, unchecked: &[String]) -> Result<Self, Problem> {
        parse::parse(schema, unchecked).map(|nodes| Self { nodes }).map_err(|parse::Unknown(what)| {
            let message = format!("the tool describes its input by a schema that is not of Toolplane's making: {what}");
            Problem::new(
                message,
                "describe the parameters by their annotations, and leave the package `toolplane` as it is",
            )
        })
    }

    /// The schema as a whole.
    pub fn root(&self) -> NodeId {
        NodeId(0)
    }

    /// The rules of a schema within it, in the order in which they are to be judged.
    pub fn keywords(&self, node: NodeId) -> &[Keyword] {
        self.nodes.get(node.0 as usize).map_or(&[], Vec::as_slice)
    }
}

impl Range {
    /// Whether a size lies within.
    pub fn holds(self, size: usize) -> bool {
        (self.least..=self.most).contains(&size)
    }
}

impl Pattern {
    const ALL: [Self; 2] = [Self::Decimal, Self::Integer];

    /// The pattern as it stands in the schema.
    pub fn text(self) -> &'static str {
        match self {
            Self::Decimal => r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$",
            Self::Integer => "^-?[0-9]+$",
        }
    }

    /// Whether a text matches it.
    pub fn matches(self, text: &str) -> bool {
        match self {
            Self::Integer => is_digits(text.strip_prefix('-').unwrap_or(text)),
            Self::Decimal => {
                let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
                let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
                    Some((mantissa, exponent)) => (mantissa, Some(exponent)),
                    None => (unsigned, None),
                };
                let (whole, fraction) = match mantissa.split_once('.') {
                    Some((whole, fraction)) => (whole, Some(fraction)),
                    None => (mantissa, None),
                };
                let is_mantissa = match (whole, fraction) {
                    ("", fraction) => fraction.is_some_and(is_digits),
                    (whole, None | Some("")) => is_digits(whole),
                    (whole, Some(fraction)) => is_digits(whole) && is_digits(fraction),
                };
                is_mantissa && exponent.is_none_or(|text| is_digits(text.strip_prefix(['+', '-']).unwrap_or(text)))
            }
        }
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl Kind {
    const ALL: [Self; 7] =
        [Self::Null, Self::Boolean, Self::Integer, Self::Number, Self::String, Self::Array, Self::Object];

    /// Its name in a schema.
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn patterns_match_as_their_expressions_do() {
        for (text, decimal, integer) in [
            ("12", true, true),
            ("-12", true, true),
            ("+12", true, false),
            ("1.", true, false),
            (".5e-7", true, false),
            ("1.5E+3", true, false),
            ("", false, false),
            (".", false, false),
            ("-", false, false),
            ("1.5.2", false, false),
            ("1e", false, false),
            ("e5", false, false),
            ("12\n", false, false),
            ("١", false, false),
        ] {
            assert_eq!(
                (Pattern::Decimal.matches(text), Pattern::Integer.matches(text)),
                (decimal, integer),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_schema_of_a_guest_s_own_is_refused_with_what_is_wrong() {
        let mut doubling = json!({"type": "integer"});
        for _ in 0..40 {
            doubling = json!({"anyOf": [doubling, {"type": "null"}]});
        }
        let wide = json!({"prefixItems": vec![json!({}); MAX_NODES + 1]});
        for (schema, told) in [
            (json!({"allOf": [{}, {}]}), "`allOf`"),
            (json!({"properties": {"a": {"not": {}}}}), "`not`"),
            (json!({"items": {"patternProperties": {}}}), "`patternProperties`"),
            (json!({"pattern": "(a+)+$"}), "pattern"),
            (json!({"$ref": "https://example.com/schema"}), "`$ref`"),
            (json!({"$ref": "#/$defs/missing"}), "`$ref`"),
            (json!({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}), "stand for each other"),
            (
                json!({"$ref": "#/$defs/A", "$defs": {"A": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/A"}]}}}),
                "stand for each other",
            ),
            (doubling, "stand for each other"),
            (wide, "schemas within it"),
            (json!({"description": "x".repeat(MAX_BYTES)}), "bytes"),
            (json!({"type": "text"}), "`type`"),
            (json!({"type": []}), "`type`"),
            (json!({"anyOf": []}), "`anyOf`"),
            (json!({"minimum": "1"}), "`minimum`"),
            (json!({"multipleOf": 0}), "`multipleOf`"),
            (json!({"minLength": -1}), "`minLength`"),
            (json!({"required": [1]}), "`required`"),
            (json!({"properties": []}), "`properties`"),
            (json!({"items": true}), "`items`"),
            (json!(true), "object"),
        ] {
            let problem = InputSchema::parse(&schema, &[]).expect_err(&schema.to_string());
            assert!(problem.message.contains(told), "{told} is not in: {problem}");
        }
    }

    #[test]
    fn what_a_tool_checks_itself_may_be_described_in_any_words() {
        let schema = json!({
            "properties": {
                "order": {"$ref": "#/$defs/Order"},
                "count": {"$ref": "#/$defs/Count"},
            },
            "additionalProperties": false,
            "$defs": {
                "Order": {"allOf": [{"$ref": "#/$defs/Item"}], "discriminator": {"propertyName": "kind"}},
                "Item": {"pattern": "(a+)+$"},
                "Count": {"type": "integer"},
            },
        });
        let vetted = InputSchema::parse(&schema, &["order".to_owned()]).unwrap();
        let named = vetted.keywords(vetted.root()).iter().find_map(|keyword| match keyword {
            Keyword::Properties { named, rest: Rest::Nothing } => Some(named),
            _ => None,
        });
        let named = named.expect("its parameters are lost");
        assert!(vetted.keywords(named["order"]).is_empty());
        assert!(matches!(vetted.keywords(named["count"]), [Keyword::Reference(_)]));
        for unchecked in ["count", "other"] {
            let problem = InputSchema::parse(&schema, &[unchecked.to_owned()]).unwrap_err();
            assert!(problem.message.contains("not of Toolplane's making"), "{problem}");
        }
    }

    #[test]
    fn a_type_may_contain_itself() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {"tree": {"$ref": "#/$defs/Tree", "description": "A tree"}},
            "$defs": {"Tree": {"anyOf": [
                {"type": "integer"},
                {"type": "array", "items": {"$ref": "#/$defs/Tree"}},
            ]}},
        });
        assert!(InputSchema::parse(&schema, &[]).is_ok());
    }
}
