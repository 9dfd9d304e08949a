//! The table `[tool.toolplane.bound-secrets]`: secrets that never enter the sandbox, each with the hosts that get them.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::egress::{Egress, MOST_PATTERNS, Pattern};

/// The table as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Table(BTreeMap<String, Spanned<toml::Value>>);

/// What is wrong with an entry: where, what, and what to do.
pub(crate) type Wrong = (usize, String, &'static str);

impl Table {
    /// The hosts of each secret. Whatever is wrong is told, and left out.
    pub(crate) fn read(&self, secrets: &[String], egress: &Egress) -> (BTreeMap<String, Vec<Pattern>>, Vec<Wrong>) {
        let (mut bound, mut wrong) = (BTreeMap::new(), Vec::new());
        for (name, hosts) in &self.0 {
            let mut report = |message: String, remedy: &'static str| wrong.push((hosts.span().start, message, remedy));
            if !secrets.contains(name) {
                report(format!("`{name}` is bound to hosts, and is no secret of the tool"), "name it under `secrets`");
            }
            let Some(texts) = texts(hosts.get_ref()) else {
                let message = format!("`{name}` under `bound-secrets` does not list hosts");
                report(message, "write it like `WEATHER_API_KEY = [\"api.example.com\"]`");
                continue;
            };
            if texts.is_empty() || texts.len() > MOST_PATTERNS {
                report(
                    format!("`{name}` is bound to {} hosts, and may be to 1 to {MOST_PATTERNS}", texts.len()),
                    "name the hosts that get it, or leave it out of `bound-secrets`",
                );
            }
            for text in texts {
                match Pattern::parse(text) {
                    Ok(pattern) if !egress.covers(&pattern) => report(
                        format!("`{name}` is bound to `{text}`, and the tool may send no requests there"),
                        "add the host under `[tool.toolplane.egress]` as `allow`",
                    ),
                    Ok(pattern) => bound.entry(name.clone()).or_insert_with(Vec::new).push(pattern),
                    Err(reason) => report(
                        format!("`{text}` names no host: {reason}"),
                        "write it like \"api.example.com\" or \"api.example.com:8443\"",
                    ),
                }
            }
        }
        (bound, wrong)
    }
}

fn texts(value: &toml::Value) -> Option<Vec<&str>> {
    value.as_array()?.iter().map(toml::Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (BTreeMap<String, Vec<Pattern>>, Vec<String>) {
        let allow = ["api.test", "*.below.test"].map(|host| Pattern::parse(host).unwrap()).to_vec();
        let table: Table = toml::from_str(text).unwrap();
        let (bound, wrong) = table.read(&["KEY".to_owned()], &Egress { allow, tcp: Vec::new() });
        (bound, wrong.into_iter().map(|(_, message, _)| message).collect())
    }

    #[test]
    fn a_secret_is_bound_to_hosts_that_the_tool_may_reach() {
        let (bound, wrong) = read("KEY = [\"api.test\", \"x.below.test:443\"]");
        assert_eq!((bound["KEY"].len(), wrong), (2, Vec::new()));
    }

    #[test]
    fn whatever_else_is_told() {
        for (text, told) in [
            ("OTHER = [\"api.test\"]", "`OTHER` is bound to hosts, and is no secret"),
            ("KEY = \"api.test\"", "does not list hosts"),
            ("KEY = [7]", "does not list hosts"),
            ("KEY = []", "bound to 0 hosts"),
            ("KEY = [\"other.test\"]", "may send no requests there"),
            ("KEY = [\"https://api.test\"]", "names no host"),
        ] {
            let (_, wrong) = read(text);
            assert!(matches!(&wrong[..], [one] if one.contains(told)), "{text}: {wrong:?}");
        }
    }
}
