//! From JSON to a vetted schema.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Number, Value};

use super::{Keyword, Kind, MAX_BYTES, MAX_IN_PLACE, MAX_NODES, NodeId, Options, Pattern, Range, Rest};

/// Where the schemas that have a name stand.
const DEFINITIONS: &str = "#/$defs/";
/// How many bytes of an `enum` are shown to whoever gave another value.
const SHOWN_BYTES: usize = 200;

/// What is not known here, fit to stand behind a colon.
pub struct Unknown(pub String);

type Result<T> = std::result::Result<T, Unknown>;

/// The schemas within a schema, itself first.
pub fn parse(schema: &Value, unchecked: &[String]) -> Result<Vec<Vec<Keyword>>> {
    let bytes = serde_json::to_string(schema).map_or(usize::MAX, |text| text.len());
    if bytes > MAX_BYTES {
        return Err(Unknown(format!("it has {bytes} bytes, and may have {MAX_BYTES}")));
    }
    let checked = without(schema, unchecked);
    let (schema, mut parser) = (&checked, Parser::default());
    let root = parser.reserve()?;
    if let Some(definitions) = schema.get("$defs") {
        let definitions = definitions.as_object().ok_or_else(|| wrong("$defs", definitions))?;
        for name in definitions.keys() {
            let node = parser.reserve()?;
            parser.definitions.insert(name.clone(), node);
        }
        for (name, definition) in definitions {
            let node = parser.definitions[name];
            parser.nodes[node.0 as usize] = parser.keywords(definition)?;
        }
    }
    parser.nodes[root.0 as usize] = parser.keywords(schema)?;
    let mut heights = vec![None; parser.nodes.len()];
    for index in 0..parser.nodes.len() {
        in_place(&parser.nodes, index, 0, &mut heights)?;
    }
    Ok(parser.nodes)
}

/// The schema without what describes some of its parameters, and without the definitions that only those refer to.
fn without(schema: &Value, parameters: &[String]) -> Value {
    let mut checked = schema.clone();
    if parameters.is_empty() {
        return checked;
    }
    if let Some(properties) = checked.get_mut("properties").and_then(Value::as_object_mut) {
        for (_, described) in properties.iter_mut().filter(|(name, _)| parameters.contains(name)) {
            *described = Value::Object(Map::new());
        }
    }
    let Some(Value::Object(definitions)) = checked.as_object_mut().and_then(|object| object.remove("$defs")) else {
        return checked;
    };
    let (mut kept, mut waiting) = (Map::new(), vec![&checked]);
    while let Some(value) = waiting.pop() {
        match value {
            Value::Array(items) => waiting.extend(items),
            Value::Object(object) => {
                waiting.extend(object.values());
                let reference =
                    object.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix(DEFINITIONS));
                if let Some((name, definition)) = reference.and_then(|name| definitions.get_key_value(name))
                    && kept.insert(name.clone(), definition.clone()).is_none()
                {
                    waiting.push(definition);
                }
            }
            _ => {}
        }
    }
    if let Some(object) = checked.as_object_mut() {
        object.insert("$defs".to_owned(), Value::Object(kept));
    }
    checked
}

#[derive(Default)]
struct Parser {
    nodes: Vec<Vec<Keyword>>,
    definitions: HashMap<String, NodeId>,
}

impl Parser {
    fn reserve(&mut self) -> Result<NodeId> {
        if self.nodes.len() >= MAX_NODES {
            return Err(Unknown(format!("it has more than {MAX_NODES} schemas within it")));
        }
        self.nodes.push(Vec::new());
        Ok(NodeId(self.nodes.len() as u32 - 1))
    }

    fn node(&mut self, schema: &Value) -> Result<NodeId> {
        let node = self.reserve()?;
        self.nodes[node.0 as usize] = self.keywords(schema)?;
        Ok(node)
    }

    fn nodes(&mut self, name: &str, schemas: &Value) -> Result<Vec<NodeId>> {
        let list = schemas.as_array().filter(|list| !list.is_empty()).ok_or_else(|| wrong(name, schemas))?;
        list.iter().map(|schema| self.node(schema)).collect()
    }

    /// A schema, or `false`.
    fn rest(&mut self, schema: Option<&Value>) -> Result<Rest> {
        match schema {
            None => Ok(Rest::Anything),
            Some(Value::Bool(false)) => Ok(Rest::Nothing),
            Some(schema) => self.node(schema).map(Rest::Schema),
        }
    }

    /// The rules of one schema, the cheap ones and those that say most about a wrong value first.
    fn keywords(&mut self, schema: &Value) -> Result<Vec<Keyword>> {
        let Some(schema) = schema.as_object() else {
            return Err(Unknown(format!("{} stands where an object has to stand", shown(schema))));
        };
        known(schema)?;
        let mut found = Vec::new();
        if let Some(kinds) = schema.get("type") {
            found.push(Keyword::Kinds(parse_kinds(kinds)?));
        }
        if let Some(values) = schema.get("enum") {
            found.push(Keyword::Options(options(values)?));
        }
        if let Some(reference) = schema.get("$ref") {
            let name = reference.as_str().and_then(|text| text.strip_prefix(DEFINITIONS));
            let node = name.and_then(|name| self.definitions.get(name)).ok_or_else(|| wrong("$ref", reference))?;
            found.push(Keyword::Reference(*node));
        }
        if let Some(members) = schema.get("anyOf") {
            found.push(Keyword::AnyOf(self.nodes("anyOf", members)?));
        }
        if let Some(pattern) = schema.get("pattern") {
            let known = Pattern::ALL.into_iter().find(|known| pattern.as_str() == Some(known.text()));
            found.push(Keyword::Pattern(known.ok_or_else(|| wrong("pattern", pattern))?));
        }
        found.extend(range(schema, "minLength", "maxLength")?.map(Keyword::Length));
        found.extend(number(schema, "minimum")?.map(Keyword::Minimum));
        found.extend(number(schema, "maximum")?.map(Keyword::Maximum));
        found.extend(number(schema, "exclusiveMinimum")?.map(Keyword::ExclusiveMinimum));
        found.extend(number(schema, "exclusiveMaximum")?.map(Keyword::ExclusiveMaximum));
        if let Some(factor) = number(schema, "multipleOf")? {
            if factor.as_f64().is_none_or(|factor| factor <= 0.0) {
                return Err(wrong("multipleOf", &Value::Number(factor)));
            }
            found.push(Keyword::MultipleOf(factor));
        }
        self.of_arrays(schema, &mut found)?;
        self.of_objects(schema, &mut found)?;
        Ok(found)
    }

    fn of_arrays(&mut self, schema: &Map<String, Value>, found: &mut Vec<Keyword>) -> Result<()> {
        found.extend(range(schema, "minItems", "maxItems")?.map(Keyword::ItemCount));
        match schema.get("uniqueItems") {
            None | Some(Value::Bool(false)) => {}
            Some(Value::Bool(true)) => found.push(Keyword::UniqueItems),
            Some(value) => return Err(wrong("uniqueItems", value)),
        }
        let first = match schema.get("prefixItems") {
            None => Vec::new(),
            Some(items) => self.nodes("prefixItems", items)?,
        };
        match schema.get("items") {
            Some(items @ Value::Bool(true)) => return Err(wrong("items", items)),
            None if first.is_empty() => {}
            items => found.push(Keyword::Items { first, rest: self.rest(items)? }),
        }
        Ok(())
    }

    fn of_objects(&mut self, schema: &Map<String, Value>, found: &mut Vec<Keyword>) -> Result<()> {
        found.extend(range(schema, "minProperties", "maxProperties")?.map(Keyword::PropertyCount));
        if let Some(required) = schema.get("required") {
            let names = required.as_array().ok_or_else(|| wrong("required", required))?;
            let names = names.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
            found.push(Keyword::Required(names.ok_or_else(|| wrong("required", required))?));
        }
        if let Some(names) = schema.get("propertyNames") {
            found.push(Keyword::PropertyNames(self.node(names)?));
        }
        let mut named = HashMap::new();
        if let Some(properties) = schema.get("properties") {
            let properties = properties.as_object().ok_or_else(|| wrong("properties", properties))?;
            for (name, property) in properties {
                named.insert(name.clone(), self.node(property)?);
            }
        }
        let rest = self.rest(schema.get("additionalProperties"))?;
        if !named.is_empty() || rest != Rest::Anything {
            found.push(Keyword::Properties { named, rest });
        }
        Ok(())
    }
}

/// Every keyword that `toolplane/schema.py` writes.
fn known(schema: &Map<String, Value>) -> Result<()> {
    const KNOWN: [&str; 29] = [
        "$defs",
        "$ref",
        "$schema",
        "additionalProperties",
        "anyOf",
        "contentEncoding",
        "default",
        "description",
        "enum",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "items",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "multipleOf",
        "pattern",
        "prefixItems",
        "properties",
        "propertyNames",
        "required",
        "type",
        "uniqueItems",
    ];
    match schema.keys().find(|keyword| !KNOWN.contains(&keyword.as_str())) {
        None => Ok(()),
        Some(keyword) => Err(Unknown(format!("it has the keyword `{}`", shortened(keyword)))),
    }
}

fn parse_kinds(value: &Value) -> Result<Vec<Kind>> {
    let kind = |value: &Value| Kind::ALL.into_iter().find(|kind| value.as_str() == Some(kind.name()));
    let kinds: Option<Vec<_>> = match value {
        Value::Array(kinds) => kinds.iter().map(kind).collect(),
        one => kind(one).map(|kind| vec![kind]),
    };
    kinds.filter(|kinds| !kinds.is_empty()).ok_or_else(|| wrong("type", value))
}

fn options(value: &Value) -> Result<Options> {
    let values = value.as_array().ok_or_else(|| wrong("enum", value))?;
    let (mut texts, mut others, mut shown) = (HashSet::new(), Vec::new(), String::new());
    let mut left_out = 0;
    for value in values {
        let text = value.to_string();
        if shown.len() + text.len() > SHOWN_BYTES {
            left_out += 1;
        } else {
            shown.push_str(if shown.is_empty() { "" } else { ", " });
            shown.push_str(&text);
        }
        match value {
            Value::String(text) => drop(texts.insert(text.clone())),
            other => others.push(other.clone()),
        }
    }
    if left_out > 0 {
        shown.push_str(&format!(" or {left_out} other values"));
    }
    Ok(Options { texts, others, shown })
}

fn range(schema: &Map<String, Value>, least: &str, most: &str) -> Result<Option<Range>> {
    let bound = |name: &str| match schema.get(name) {
        None => Ok(None),
        Some(value) => value.as_u64().map(|bound| Some(bound as usize)).ok_or_else(|| wrong(name, value)),
    };
    let (least, most) = (bound(least)?, bound(most)?);
    let range = Range { least: least.unwrap_or(0), most: most.unwrap_or(usize::MAX) };
    Ok((least.is_some() || most.is_some()).then_some(range))
}

fn number(schema: &Map<String, Value>, name: &str) -> Result<Option<Number>> {
    match schema.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => Ok(Some(number.clone())),
        Some(value) => Err(wrong(name, value)),
    }
}

/// How many schemas stand for each other from this one on. A circle of them would never come to an end.
fn in_place(nodes: &[Vec<Keyword>], index: usize, depth: usize, heights: &mut [Option<usize>]) -> Result<usize> {
    let height = match heights[index] {
        Some(height) => height,
        None if depth > MAX_IN_PLACE => depth,
        None => {
            let mut height = 0;
            for keyword in &nodes[index] {
                let next = match keyword {
                    Keyword::Reference(node) => std::slice::from_ref(node),
                    Keyword::AnyOf(members) => members,
                    _ => continue,
                };
                for node in next {
                    height = height.max(1 + in_place(nodes, node.0 as usize, depth + 1, heights)?);
                }
            }
            heights[index] = Some(height);
            height
        }
    };
    if depth + height > MAX_IN_PLACE {
        let message = format!("more than {MAX_IN_PLACE} schemas within it stand for each other by `anyOf` and `$ref`");
        return Err(Unknown(message));
    }
    Ok(height)
}

fn wrong(keyword: &str, value: &Value) -> Unknown {
    Unknown(format!("its `{keyword}` is {}", shown(value)))
}

fn shown(value: &Value) -> String {
    shortened(&value.to_string())
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
