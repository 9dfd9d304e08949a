//! Secrets that are bound to hosts: the guest holds a placeholder, and the host puts the value into what it sends there.
//!
//! The value stands for the placeholder in headers, within the credentials of `Basic`, and in the path and the query. It
//! goes over TLS and to its own hosts alone: a placeholder in a request to any other is an error that says so, and the
//! request stays here. Bodies are passed on as they are. What such a host answers is masked (`mask.rs`), since it may
//! repeat what it was sent.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::Uri;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use sdk::egress::Pattern;

use super::mask::{self, Mask};
use crate::invoke::Hidden;
use crate::secret_forms;

/// The bound secrets of one invocation.
#[derive(Debug, Default)]
pub struct BoundSecrets(Vec<Bound>);

#[derive(Debug)]
struct Bound {
    name: String,
    /// What the guest has. Nobody can guess it, or an input could ask for the value by its name.
    placeholder: String,
    value: Hidden,
    hosts: Vec<Pattern>,
}

/// Why a request is not sent, in words for the author.
pub type Refused = String;

impl BoundSecrets {
    /// Takes the values of bound secrets out of the variables, and leaves placeholders there.
    pub fn take(bound: &BTreeMap<String, Vec<Pattern>>, env: &mut BTreeMap<String, Hidden>) -> Self {
        let take = |(name, hosts): (&String, &Vec<Pattern>)| {
            let place = env.get_mut(name)?;
            let placeholder = format!("bound_{name}_{:032x}", rand::random::<u128>());
            let value = std::mem::replace(place, Hidden::from(placeholder.clone()));
            Some(Bound { name: name.clone(), placeholder, value, hosts: hosts.clone() })
        };
        Self(bound.iter().filter_map(take).collect())
    }

    /// Puts values into a request to a host.
    pub fn put(&self, request: &mut Parts, host: &str, port: u16, is_tls: bool) -> Result<(), Refused> {
        for bound in &self.0 {
            let target = request.uri.path_and_query().map_or("", |target| target.as_str());
            let is_in_target = target.contains(&bound.placeholder);
            if !is_in_target && !bound.is_in(&request.headers) {
                continue;
            }
            let name = &bound.name;
            if !bound.is_for(host, port) {
                return Err(format!("the secret {name} is bound to other hosts than {host}:{port} (`bound-secrets`)"));
            }
            if !is_tls {
                return Err(format!("the secret {name} is bound, and goes over https only"));
            }
            if is_in_target {
                let target = target.replace(&bound.placeholder, &secret_forms::escaped(bound.value.expose()));
                let uri = Uri::builder().path_and_query(target).build();
                request.uri = uri.map_err(|_| format!("the secret {name} makes the request's path too long"))?;
            }
            for value in request.headers.values_mut() {
                if let Some(replaced) = bound.replaced(value) {
                    *value = replaced?;
                }
            }
        }
        if self.is_for(host, port) {
            // What is packed cannot be masked.
            request.headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        Ok(())
    }

    /// What has to be masked in the answers of a host; nothing where no secret goes there.
    pub fn mask(&self, host: &str, port: u16) -> Option<Mask> {
        let own = self.0.iter().filter(|bound| bound.is_for(host, port));
        Mask::new(own.flat_map(|bound| secret_forms::of(bound.value.expose())))
    }

    fn is_for(&self, host: &str, port: u16) -> bool {
        self.0.iter().any(|bound| bound.is_for(host, port))
    }
}

impl Bound {
    fn is_for(&self, host: &str, port: u16) -> bool {
        self.hosts.iter().any(|pattern| pattern.allows_http(host, port))
    }

    fn is_in(&self, headers: &HeaderMap) -> bool {
        headers.values().any(|value| {
            mask::find(value.as_bytes(), self.placeholder.as_bytes()).is_some()
                || credentials(value).is_some_and(|text| text.contains(&self.placeholder))
        })
    }

    /// A header's value with the secret in the placeholder's place, where that is.
    fn replaced(&self, value: &HeaderValue) -> Option<Result<HeaderValue, Refused>> {
        let replaced = match credentials(value).filter(|text| text.contains(&self.placeholder)) {
            Some(text) => {
                let text = text.replace(&self.placeholder, self.value.expose());
                format!("Basic {}", BASE64_STANDARD.encode(text))
            }
            None => {
                let text = std::str::from_utf8(value.as_bytes()).ok()?;
                text.contains(&self.placeholder).then(|| text.replace(&self.placeholder, self.value.expose()))?
            }
        };
        let header = HeaderValue::from_str(&replaced).map(|mut header| {
            header.set_sensitive(true);
            header
        });
        Some(header.map_err(|_| format!("the secret {} has characters that no header may have", self.name)))
    }
}

/// What `Basic` credentials say.
fn credentials(value: &HeaderValue) -> Option<String> {
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    let decoded = scheme.eq_ignore_ascii_case("basic").then(|| BASE64_STANDARD.decode(encoded.trim()).ok())??;
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    const SECRET: &str = "s3cret/värdet";

    /// The secrets, and the placeholder.
    fn bound(value: &str) -> (BoundSecrets, String) {
        let hosts = vec![Pattern::parse("api.test").unwrap()];
        let mut env = BTreeMap::from([("KEY".to_owned(), Hidden::from(value.to_owned()))]);
        let bound = BoundSecrets::take(&BTreeMap::from([("KEY".to_owned(), hosts)]), &mut env);
        let placeholder = env["KEY"].expose().to_owned();
        assert_ne!(placeholder, value);
        (bound, placeholder)
    }

    fn request(target: &str, header: &str) -> Parts {
        Request::builder().uri(target).header("authorization", header).body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_value_stands_for_the_placeholder_wherever_a_request_has_it() {
        let (bound, placeholder) = bound(SECRET);
        let mut parts = request(&format!("/v1/{placeholder}?key={placeholder}&q=1"), "x");
        bound.put(&mut parts, "api.test", 443, true).unwrap();
        assert_eq!(parts.uri, "/v1/s3cret%2Fv%C3%A4rdet?key=s3cret%2Fv%C3%A4rdet&q=1");
        assert_eq!(parts.headers["accept-encoding"], "identity");

        let (bound, placeholder) = self::bound("s3cret");
        let mut parts = request("/", &format!("Bearer {placeholder}"));
        bound.put(&mut parts, "api.test", 443, true).unwrap();
        assert_eq!(parts.headers["authorization"], "Bearer s3cret");
        let basic = |password: &str| format!("Basic {}", BASE64_STANDARD.encode(format!("ada:{password}")));
        let mut parts = request("/", &basic(&placeholder));
        bound.put(&mut parts, "api.test", 443, true).unwrap();
        assert_eq!(parts.headers["authorization"], basic("s3cret"));
    }

    #[test]
    fn it_goes_nowhere_else_and_never_in_the_clear() {
        let (bound, placeholder) = bound("s3cret");
        for (host, port, is_tls, told) in [
            ("other.test", 443, true, "other hosts"),
            ("api.test", 8443, true, "other hosts"),
            ("api.test", 80, false, "https only"),
        ] {
            let mut parts = request("/", &format!("Bearer {placeholder}"));
            let refused = bound.put(&mut parts, host, port, is_tls).unwrap_err();
            assert!(refused.contains(told) && refused.contains("KEY") && !refused.contains("s3cret"), "{refused}");
        }
        let mut parts = request("/", "none");
        assert!(bound.put(&mut parts, "other.test", 80, false).is_ok());
        assert!(bound.mask("other.test", 443).is_none() && bound.mask("api.test", 443).is_some());
        assert!(!format!("{bound:?}").contains("s3cret"));
    }

    #[test]
    fn what_the_host_answers_is_masked_in_every_form() {
        let (bound, _) = bound(SECRET);
        let mask = bound.mask("api.test", 443).unwrap();
        let base64 = BASE64_STANDARD.encode(format!("ada:{SECRET}"));
        for text in [
            SECRET,
            r"s3cret\/v\u00e4rdet",
            "s3cret%2fv%c3%a4rdet",
            "7333637265742f76c3a472646574",
            "7333637265742F76C3A472646574",
            "tedräv/terc3s",
            &base64[6..],
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("x-echo", HeaderValue::from_bytes(format!("<{text}>").as_bytes()).unwrap());
            mask.hide_in(&mut headers);
            assert_eq!(headers["x-echo"], format!("<{}>", "*".repeat(text.len())), "{text}");
        }
    }

    #[test]
    fn a_value_that_would_make_another_request_is_refused() {
        let (bound, placeholder) = bound("x\r\nHost: other.test");
        let refused = bound.put(&mut request("/", &placeholder), "api.test", 443, true).unwrap_err();
        assert!(refused.contains("no header may have"), "{refused}");
        let mut parts = request(&format!("/{placeholder}"), "none");
        bound.put(&mut parts, "api.test", 443, true).unwrap();
        assert_eq!(parts.uri, "/x%0D%0AHost%3A%20other.test");
    }
}
