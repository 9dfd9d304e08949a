//! JSON bodies. One that is refused is refused with all of its problems that can be told at once.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use super::error::ApiError;
use crate::app::App;
use crate::config;
use crate::error::{Error, InvalidField, Step};

/// The most problems that one answer names.
const MAX_PROBLEMS: usize = 20;

/// A JSON body.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request<Body>, app: &Arc<App>) -> Result<Self, ApiError> {
        check_content_type(request.headers())?;
        let body = collect(request.into_body(), &app.config.http).await?;
        Ok(Self(parse(&body, app.config.http.max_json_depth)?))
    }
}

/// A body that names no type is taken for JSON, since some clients name none.
fn check_content_type(headers: &HeaderMap) -> Result<(), Error> {
    let Some(content_type) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let essence = content_type.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    let is_json = essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    if is_json {
        return Ok(());
    }
    Err(Error::invalid(["header", "content-type"], "content_type", "the body must be JSON: send `application/json`"))
}

async fn collect(body: Body, settings: &config::Http) -> Result<Bytes, Error> {
    let limit = settings.max_body_kib << 10;
    let too_large = || Error::TooLarge(format!("the body is longer than {limit} bytes, which no request may be"));
    // Where the length is said ahead, nothing needs to be read to know.
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    let seconds = settings.body_timeout_s;
    let collected = tokio::time::timeout(Duration::from_secs(seconds), Limited::new(body, limit).collect()).await;
    match collected {
        Err(_elapsed) => Err(Error::TooSlow(format!("the body did not arrive within {seconds} s: send it faster"))),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Error::invalid(["body"], "incomplete", "the body ended early")),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
    }
}

fn parse<T: DeserializeOwned>(text: &[u8], max_depth: usize) -> Result<T, Error> {
    if let Some(offset) = deeper_than(text, max_depth) {
        let message = format!("arrays and objects lie more than {max_depth} deep within each other");
        return Err(Error::Invalid(vec![InvalidField::new(vec!["body".into(), offset.into()], "json_depth", message)]));
    }
    if text.trim_ascii_start().starts_with(b"[") {
        // serde would take an array for the fields of an object, in their order.
        return Err(Error::invalid(["body"], "type_error", "the body must be a JSON object"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let parsed = serde_path_to_error::deserialize(&mut deserializer);
    match parsed {
        Ok(parsed) => {
            deserializer.end().map_err(|error| no_json(text, &error))?;
            Ok(parsed)
        }
        Err(error) if !error.inner().is_data() => Err(no_json(text, error.inner())),
        Err(error) => match problems::<T>(text)? {
            // What only the text has, such as a field that stands twice.
            found if found.is_empty() => Err(Error::Invalid(vec![problem(&error)])),
            found => Err(Error::Invalid(found)),
        },
    }
}

/// Where arrays and objects first lie deeper than that, in bytes from 0.
pub fn deeper_than(text: &[u8], max_depth: usize) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    text.iter().position(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > max_depth
    })
}

fn no_json(text: &[u8], error: &serde_json::Error) -> Error {
    let lines_before: usize =
        text.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
    let offset = lines_before + error.column().saturating_sub(1);
    let message = format!("the body is no JSON: {error}");
    Error::Invalid(vec![InvalidField::new(vec!["body".into(), offset.into()], "json_invalid", message)])
}

/// Everything that is wrong with a body. What is wrong is taken out and the rest is tried again; it ends where taking
/// out leaves something missing.
fn problems<T: DeserializeOwned>(text: &[u8]) -> Result<Vec<InvalidField>, Error> {
    let mut body: Value = serde_json::from_slice(text).map_err(|error| no_json(text, &error))?;
    let mut found: Vec<InvalidField> = Vec::new();
    while found.len() < MAX_PROBLEMS {
        let Err(error) = serde_path_to_error::deserialize::<_, T>(&body) else { break };
        let problem = problem(&error);
        let is_new = found.iter().all(|known| known.loc != problem.loc);
        let is_removed = remove(&mut body, problem.loc.get(1..).unwrap_or_default());
        if is_new {
            found.push(problem);
        }
        if !is_removed {
            break;
        }
    }
    Ok(found)
}

/// Takes a field out of the object that has it.
fn remove(body: &mut Value, loc: &[Step]) -> bool {
    let Some((Step::Field(name), parents)) = loc.split_last() else { return false };
    let parent = parents.iter().try_fold(body, |value, step| match step {
        Step::Field(name) => value.get_mut(name),
        Step::Index(index) => value.get_mut(index),
    });
    parent.and_then(Value::as_object_mut).and_then(|object| object.remove(name)).is_some()
}

fn problem(error: &serde_path_to_error::Error<serde_json::Error>) -> InvalidField {
    let path = error.path().iter().filter_map(|segment| match segment {
        Segment::Seq { index } => Some(Step::Index(*index)),
        Segment::Map { key } => Some(Step::Field(key.clone())),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    let mut loc: Vec<Step> = std::iter::once(Step::from("body")).chain(path).collect();
    let message = error.inner().to_string();
    // The place belongs to `loc`, and where the body was read as a whole there is none.
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    let (kind, field) = kind(message);
    // Who misses a field stands at the object that should have it.
    if let Some(field) = field.map(Step::from)
        && (kind == "missing" || loc.last() != Some(&field))
    {
        loc.push(field);
    }
    InvalidField::new(loc, kind, message)
}

/// The short name of a rule by what serde says, and the field that it names.
fn kind(message: &str) -> (&'static str, Option<&str>) {
    let named = message.split('`').nth(1);
    let kinds = [
        ("missing field", "missing"),
        ("unknown field", "extra_forbidden"),
        ("duplicate field", "duplicate"),
        ("unknown variant", "enum"),
        ("invalid type", "type_error"),
        ("invalid length", "length"),
    ];
    let kind = kinds.iter().find(|(prefix, _)| message.starts_with(prefix)).map_or("value_error", |(_, kind)| kind);
    (kind, named.filter(|_| matches!(kind, "missing" | "extra_forbidden" | "duplicate")))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::model::InvocationSource;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only what is refused is looked at")]
    struct Order {
        name: String,
        #[serde(default)]
        amount: Option<u32>,
        #[serde(default)]
        parts: Vec<Part>,
        #[serde(default)]
        source: Option<InvocationSource>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only what is refused is looked at")]
    struct Part {
        size: u32,
    }

    fn refused(text: &str) -> Value {
        match parse::<Order>(text.as_bytes(), 10) {
            Err(Error::Invalid(fields)) => {
                fields.iter().map(|field| json!([field.loc, field.kind])).collect::<Vec<_>>().into()
            }
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn every_problem_is_told_with_its_place() {
        let cases = [
            ("{}", json!([[["body", "name"], "missing"]])),
            ("[]", json!([[["body"], "type_error"]])),
            ("null", json!([[["body"], "type_error"]])),
            (r#"{"name": 1}"#, json!([[["body", "name"], "type_error"]])),
            (
                r#"{"name": "a", "b": 1, "amount": -1, "c": {}}"#,
                json!([
                    [["body", "amount"], "value_error"],
                    [["body", "b"], "extra_forbidden"],
                    [["body", "c"], "extra_forbidden"],
                ]),
            ),
            (
                r#"{"name": "a", "parts": [{"size": 1}, {"size": "x", "d": 2}]}"#,
                json!([[["body", "parts", 1, "d"], "extra_forbidden"], [["body", "parts", 1, "size"], "type_error"]]),
            ),
            (r#"{"name": "a", "name": "b"}"#, json!([[["body", "name"], "duplicate"]])),
            (
                r#"{"name": "a", "source": {"type": "regular-conversation"}}"#,
                json!([[["body", "source", "user_id"], "missing"]]),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(refused(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_told_with_its_position() {
        let cases = [
            ("", json!([[["body", 0], "json_invalid"]])),
            ("{\n  \"name\": nope}", json!([[["body", 13], "json_invalid"]])),
            (r#"{"name": "a"} {}"#, json!([[["body", 14], "json_invalid"]])),
            ("[[[[[[[[[[[", json!([[["body", 10], "json_depth"]])),
        ];
        for (text, expected) in cases {
            assert_eq!(refused(text), expected, "{text}");
        }
        assert_eq!(deeper_than(br#"{"a": "[[[[\"[[[", "b": [[]]}"#, 3), None);
        assert!(parse::<Order>(b"{\"name\": \"\xff\"}", 10).is_err());
    }
}
