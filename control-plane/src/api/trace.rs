//! What a request is called in logs and traces: `X-Request-Id` and W3C's `traceparent`, its caller's or ours.

use axum::http::{HeaderMap, HeaderValue};

/// The header that names a request.
pub const REQUEST_ID: &str = "x-request-id";

/// The longest name that a caller may give.
const LONGEST_ID: usize = 128;

/// A request's names.
#[derive(Debug, Clone)]
pub struct Trace {
    /// The request's own, which its answer carries.
    pub request_id: HeaderValue,
    /// That of all that happens for the same reason, here and elsewhere.
    pub trace_id: [u8; 16],
    /// What this service does for it.
    pub span_id: [u8; 8],
    /// What the caller does for it.
    pub parent_id: Option<[u8; 8]>,
    /// Whether the caller, where it said, wants it recorded.
    pub is_sampled: bool,
}

impl Trace {
    /// The names of a request, made where its headers have none that can be used.
    pub fn of(headers: &HeaderMap) -> Self {
        let span_id = rand::random();
        let parent = headers.get("traceparent").and_then(|text| parse(text.to_str().ok()?));
        let (trace_id, parent_id, is_sampled) = match parent {
            Some((trace_id, parent_id, flags)) => (trace_id, Some(parent_id), flags & 1 == 1),
            None => (rand::random(), None, true),
        };
        let given = headers.get(REQUEST_ID).filter(|id| is_id(id.as_bytes())).cloned();
        // Without a name of the caller's, the trace's is as good as any.
        let made =
            || HeaderValue::from_str(&hex::encode(trace_id)).unwrap_or_else(|_| HeaderValue::from_static("none"));
        Self { request_id: given.unwrap_or_else(made), trace_id, span_id, parent_id, is_sampled }
    }

    /// The request's own name as text.
    pub fn request_id(&self) -> &str {
        self.request_id.to_str().unwrap_or_default()
    }
}

/// It goes into logs, so it is short and holds nothing that a log could take for anything else.
fn is_id(id: &[u8]) -> bool {
    let is_plain = |c: &u8| c.is_ascii_alphanumeric() || b"-_.:+/=".contains(c);
    (1..=LONGEST_ID).contains(&id.len()) && id.iter().all(is_plain)
}

/// `version-trace-parent-flags` in small hexadecimal digits. Later versions may have more behind that.
fn parse(text: &str) -> Option<([u8; 16], [u8; 8], u8)> {
    let mut parts = text.trim().split('-');
    let version = number::<1>(parts.next()?)?[0];
    let (trace, parent, flags) = (number(parts.next()?)?, number(parts.next()?)?, number::<1>(parts.next()?)?[0]);
    let is_known = match version {
        0 => parts.next().is_none(),
        u8::MAX => false,
        _ => true,
    };
    (is_known && trace != [0; 16] && parent != [0; 8]).then_some((trace, parent, flags))
}

fn number<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let is_small = text.bytes().all(|c| !c.is_ascii_uppercase());
    (is_small && hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[(&'static str, &'static str)]) -> Trace {
        Trace::of(
            &headers.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect(),
        )
    }

    #[test]
    fn a_caller_s_names_are_kept() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let trace = of(&[("x-request-id", "order:17"), ("traceparent", parent)]);
        assert_eq!(trace.request_id(), "order:17");
        assert_eq!(hex::encode(trace.trace_id), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(trace.parent_id.map(hex::encode).as_deref(), Some("b7ad6b7169203331"));
        assert!(trace.is_sampled);
        assert!(!of(&[("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")]).is_sampled);
        assert!(
            of(&[("traceparent", "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-more")]).parent_id.is_some()
        );
    }

    #[test]
    fn what_cannot_be_a_name_is_replaced() {
        for id in ["", "two words", "a\"b", "new\tline"] {
            let trace = of(&[("x-request-id", id)]);
            assert_eq!(trace.request_id(), hex::encode(trace.trace_id), "{id}");
        }
        for parent in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
        ] {
            assert!(of(&[("traceparent", parent)]).parent_id.is_none(), "{parent}");
        }
    }
}
