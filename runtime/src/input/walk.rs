//! The walk through an input, beside its schema.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::RandomState;

use sdk::input_schema::{InputSchema, Keyword, Kind, NodeId, Options, Range, Rest};
use serde_json::{Map, Number, Value};

use super::InputLimits;
use super::equality::{compare, equal, hash, is_multiple, is_whole};
use super::mismatch::{Mismatch, Place, counted, quoted, unexpected};

/// How many verdicts about members of a union are remembered. Beyond that, steps are what bounds the walk.
const MAX_REMEMBERED: usize = 100_000;

/// The steps were used up.
#[derive(Debug)]
pub struct TooLong;

type Result<T> = std::result::Result<T, TooLong>;

/// Everything that does not conform, up to the limit.
pub fn mismatches(schema: &InputSchema, parameters: &Value, limits: &InputLimits) -> Result<Vec<Mismatch>> {
    let mut walk = Walk { schema, steps: limits.steps, verdicts: HashMap::new() };
    let mut found = Found { mismatches: Vec::new(), limit: limits.mismatches.max(1) };
    walk.conforms(schema.root(), parameters, &Place::Root, Some(&mut found))?;
    Ok(found.mismatches)
}

struct Walk<'a> {
    schema: &'a InputSchema,
    steps: u64,
    /// Whether a value, by its place in memory, conforms to a union. A value that is wrong deep inside would otherwise be
    /// looked at again for every member on every level: in exponentially many ways.
    verdicts: HashMap<(NodeId, usize), bool>,
}

struct Found {
    mismatches: Vec<Mismatch>,
    limit: usize,
}

impl Walk<'_> {
    /// Whether a value conforms. Says why not where somebody wants to know, and stops at the first reason elsewhere.
    fn conforms(
        &mut self,
        node: NodeId,
        value: &Value,
        place: &Place<'_>,
        mut found: Option<&mut Found>,
    ) -> Result<bool> {
        let schema = self.schema;
        let mut conforms = true;
        for keyword in schema.keywords(node) {
            self.take(1)?;
            let holds = match (keyword, value) {
                (Keyword::Reference(node), _) => self.conforms(*node, value, place, found.as_deref_mut())?,
                (Keyword::Items { first, rest }, Value::Array(items)) => {
                    self.items(first, *rest, items, place, found.as_deref_mut())?
                }
                (Keyword::Properties { named, rest }, Value::Object(properties)) => {
                    self.properties(named, *rest, properties, place, found.as_deref_mut())?
                }
                (Keyword::PropertyNames(node), Value::Object(properties)) => {
                    self.names(*node, properties, place, found.as_deref_mut())?
                }
                (Keyword::Required(names), Value::Object(properties)) => {
                    self.required(names, properties, place, found.as_deref_mut())?
                }
                _ => match self.wrong(node, keyword, value)? {
                    None => true,
                    Some(rule) => {
                        if let Some(found) = found.as_deref_mut() {
                            found.add(place, format!("{} {}", quoted(value), rule.told()));
                        }
                        false
                    }
                },
            };
            conforms &= holds;
            if !holds && found.as_deref().is_none_or(Found::is_full) {
                return Ok(false);
            }
            // Of a value of another type, nothing else is worth saying.
            if !holds && matches!(keyword, Keyword::Kinds(_)) {
                return Ok(false);
            }
        }
        Ok(conforms)
    }

    /// The rule that a value breaks by itself, whatever lies within it.
    fn wrong<'k>(&mut self, node: NodeId, keyword: &'k Keyword, value: &Value) -> Result<Option<Broken<'k>>> {
        let holds = match (keyword, value) {
            (Keyword::Kinds(kinds), _) => kinds.iter().any(|kind| is_of(*kind, value)),
            (Keyword::Options(options), _) => self.is_one_of(options, value)?,
            (Keyword::AnyOf(members), _) => self.any_of(node, members, value)?,
            (Keyword::Length(range), Value::String(text)) => {
                self.take(text.len() / 64)?;
                range.holds(text.chars().count())
            }
            (Keyword::Pattern(pattern), Value::String(text)) => {
                self.take(text.len() / 64)?;
                pattern.matches(text)
            }
            (Keyword::Minimum(bound), Value::Number(number)) => is(number, bound, Ordering::is_ge),
            (Keyword::Maximum(bound), Value::Number(number)) => is(number, bound, Ordering::is_le),
            (Keyword::ExclusiveMinimum(bound), Value::Number(number)) => is(number, bound, Ordering::is_gt),
            (Keyword::ExclusiveMaximum(bound), Value::Number(number)) => is(number, bound, Ordering::is_lt),
            (Keyword::MultipleOf(factor), Value::Number(number)) => is_multiple(number, factor),
            (Keyword::ItemCount(range), Value::Array(items)) => range.holds(items.len()),
            (Keyword::UniqueItems, Value::Array(items)) => self.are_unique(items)?,
            (Keyword::PropertyCount(range), Value::Object(properties)) => range.holds(properties.len()),
            _ => true,
        };
        Ok((!holds).then(|| Broken { keyword, size: size(value) }))
    }

    fn any_of(&mut self, node: NodeId, members: &[NodeId], value: &Value) -> Result<bool> {
        let key = (node, std::ptr::from_ref(value).addr());
        // Other values cost little, and names of properties have no place that lasts.
        let is_nested = matches!(value, Value::Array(_) | Value::Object(_));
        if is_nested && let Some(verdict) = self.verdicts.get(&key) {
            return Ok(*verdict);
        }
        let mut verdict = false;
        for member in members {
            verdict = self.conforms(*member, value, &Place::Root, None)?;
            if verdict {
                break;
            }
        }
        if is_nested && self.verdicts.len() < MAX_REMEMBERED {
            self.verdicts.insert(key, verdict);
        }
        Ok(verdict)
    }

    fn items(
        &mut self,
        first: &[NodeId],
        rest: Rest,
        items: &[Value],
        place: &Place<'_>,
        mut found: Option<&mut Found>,
    ) -> Result<bool> {
        if rest == Rest::Anything && first.is_empty() {
            return Ok(true);
        }
        let mut conforms = true;
        for (index, item) in items.iter().enumerate() {
            self.take(1)?;
            let place = Place::Item(place, index);
            let holds = match (first.get(index).copied(), rest) {
                (Some(node), _) | (None, Rest::Schema(node)) => {
                    self.conforms(node, item, &place, found.as_deref_mut())?
                }
                (None, Rest::Anything) => break,
                (None, Rest::Nothing) => {
                    if let Some(found) = found.as_deref_mut() {
                        found.add(&place, format!("{} is not allowed: there are too many items", quoted(item)));
                    }
                    false
                }
            };
            conforms &= holds;
            if !holds && found.as_deref().is_none_or(Found::is_full) {
                return Ok(false);
            }
        }
        Ok(conforms)
    }

    fn properties(
        &mut self,
        named: &HashMap<String, NodeId>,
        rest: Rest,
        properties: &Map<String, Value>,
        place: &Place<'_>,
        mut found: Option<&mut Found>,
    ) -> Result<bool> {
        let mut conforms = true;
        let mut surplus = Vec::new();
        for (name, property) in properties {
            self.take(1 + name.len() / 64)?;
            let holds = match (named.get(name).copied(), rest) {
                (Some(node), _) | (None, Rest::Schema(node)) => {
                    self.conforms(node, property, &Place::Property(place, name), found.as_deref_mut())?
                }
                (None, Rest::Anything) => true,
                (None, Rest::Nothing) => {
                    surplus.push(name.as_str());
                    found.is_some()
                }
            };
            conforms &= holds;
            if !holds && found.as_deref().is_none_or(Found::is_full) {
                return Ok(false);
            }
        }
        if !surplus.is_empty()
            && let Some(found) = found
        {
            found.add(place, format!("Additional properties are not allowed ({})", unexpected(&surplus)));
        }
        Ok(conforms && surplus.is_empty())
    }

    fn names(
        &mut self,
        node: NodeId,
        properties: &Map<String, Value>,
        place: &Place<'_>,
        mut found: Option<&mut Found>,
    ) -> Result<bool> {
        let mut conforms = true;
        for name in properties.keys() {
            self.take(1 + name.len() / 64)?;
            // A name is judged as the text that it is.
            let name = Value::String(name.clone());
            let holds = self.conforms(node, &name, place, found.as_deref_mut())?;
            conforms &= holds;
            if !holds && found.as_deref().is_none_or(Found::is_full) {
                return Ok(false);
            }
        }
        Ok(conforms)
    }

    fn required(
        &mut self,
        names: &[String],
        properties: &Map<String, Value>,
        place: &Place<'_>,
        mut found: Option<&mut Found>,
    ) -> Result<bool> {
        self.take(names.len())?;
        let mut conforms = true;
        for name in names.iter().filter(|name| !properties.contains_key(*name)) {
            conforms = false;
            match found.as_deref_mut() {
                Some(found) if !found.is_full() => found.add(place, format!("{} is a required property", quoted(name))),
                _ => return Ok(false),
            }
        }
        Ok(conforms)
    }

    fn is_one_of(&mut self, options: &Options, value: &Value) -> Result<bool> {
        if let Value::String(text) = value {
            self.take(text.len() / 64)?;
            return Ok(options.texts.contains(text));
        }
        for option in &options.others {
            if equal(option, value, &mut |steps| self.take(steps))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn are_unique(&mut self, items: &[Value]) -> Result<bool> {
        let keys = RandomState::new();
        let mut seen: HashMap<u64, Vec<&Value>> = HashMap::new();
        for item in items {
            let alike = seen.entry(hash(item, &keys, &mut |steps| self.take(steps))?).or_default();
            for other in &*alike {
                if equal(item, other, &mut |steps| self.take(steps))? {
                    return Ok(false);
                }
            }
            alike.push(item);
        }
        Ok(true)
    }

    fn take(&mut self, steps: usize) -> Result<()> {
        self.steps = self.steps.checked_sub(steps as u64).ok_or(TooLong)?;
        Ok(())
    }
}

impl Found {
    fn is_full(&self) -> bool {
        self.mismatches.len() >= self.limit
    }

    fn add(&mut self, place: &Place<'_>, message: String) {
        if !self.is_full() {
            self.mismatches.push(Mismatch { path: place.pointer(), message });
        }
    }
}

/// A rule that a value breaks.
struct Broken<'a> {
    keyword: &'a Keyword,
    /// The value's length, or how many values it holds.
    size: usize,
}

impl Broken<'_> {
    /// What is to be said behind the value.
    fn told(&self) -> String {
        match self.keyword {
            Keyword::Kinds(kinds) => {
                let names = kinds.iter().map(|kind| format!("\"{}\"", kind.name())).collect::<Vec<_>>().join(", ");
                format!("is not of type{} {names}", if kinds.len() == 1 { "" } else { "s" })
            }
            Keyword::Options(options) => format!("is not one of {}", options.shown),
            Keyword::Length(range) if self.size < range.least => {
                format!("is shorter than {}", counted(range.least, "character", "characters"))
            }
            Keyword::Length(range) => format!("is longer than {}", counted(range.most, "character", "characters")),
            Keyword::Pattern(pattern) => format!("does not match \"{}\"", pattern.text()),
            Keyword::Minimum(bound) => format!("is less than the minimum of {bound}"),
            Keyword::Maximum(bound) => format!("is greater than the maximum of {bound}"),
            Keyword::ExclusiveMinimum(bound) => format!("is less than or equal to the minimum of {bound}"),
            Keyword::ExclusiveMaximum(bound) => format!("is greater than or equal to the maximum of {bound}"),
            Keyword::MultipleOf(factor) => format!("is not a multiple of {factor}"),
            Keyword::ItemCount(range) => self.count(range, "item", "items"),
            Keyword::PropertyCount(range) => self.count(range, "property", "properties"),
            Keyword::UniqueItems => "has non-unique elements".to_owned(),
            _ => "is not valid under any of the schemas listed in the 'anyOf' keyword".to_owned(),
        }
    }

    fn count(&self, range: &Range, one: &str, many: &str) -> String {
        if self.size < range.least {
            format!("has less than {}", counted(range.least, one, many))
        } else {
            format!("has more than {}", counted(range.most, one, many))
        }
    }
}

fn is_of(kind: Kind, value: &Value) -> bool {
    match kind {
        Kind::Null => value.is_null(),
        Kind::Boolean => value.is_boolean(),
        Kind::Integer => value.as_number().is_some_and(is_whole),
        Kind::Number => value.is_number(),
        Kind::String => value.is_string(),
        Kind::Array => value.is_array(),
        Kind::Object => value.is_object(),
    }
}

fn is(number: &Number, bound: &Number, wanted: fn(Ordering) -> bool) -> bool {
    compare(number, bound).is_some_and(wanted)
}

fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.chars().count(),
        Value::Array(items) => items.len(),
        Value::Object(properties) => properties.len(),
        _ => 0,
    }
}
