//! What a tool may connect to: the table `[tool.toolplane.egress]`.
//!
//! A pattern is a host name or an address, `*.` before a name for everything below it, and `:port` behind it. Under
//! `allow` a pattern without a port means 80 and 443, under `tcp` it has to have one. The guest knows the same rules for
//! the sake of its messages (`sdk/python/src/toolplane/egress.py`); what counts is this file.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The ports of HTTP.
const HTTP_PORTS: [u16; 2] = [80, 443];

/// The most patterns that a project may have.
pub const MOST_PATTERNS: usize = 256;

/// What a project may connect to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Egress {
    /// Hosts that it may send HTTP requests to.
    #[serde(default)]
    pub allow: Vec<Pattern>,
    /// Hosts that it may connect to with any other protocol.
    #[serde(default)]
    pub tcp: Vec<Pattern>,
}

impl Egress {
    /// Whether nothing is allowed.
    pub fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.tcp.is_empty()
    }

    /// Whether any pattern names this host, whatever the port.
    pub fn names(&self, host: &str) -> bool {
        self.allow.iter().chain(&self.tcp).any(|pattern| pattern.is_host(host))
    }

    /// Whether HTTP requests may go there.
    pub fn allows_http(&self, host: &str, port: u16) -> bool {
        self.allow.iter().any(|pattern| pattern.allows_http(host, port))
    }

    /// Whether HTTP requests may go to all that a pattern names.
    pub fn covers(&self, other: &Pattern) -> bool {
        let covers_port = |own: Option<u16>| match (own, other.port) {
            (Some(own), Some(port)) => own == port,
            (None, Some(port)) => HTTP_PORTS.contains(&port),
            (own, None) => own.is_none(),
        };
        self.allow.iter().any(|pattern| {
            covers_port(pattern.port)
                && (*pattern.host == other.host && pattern.below == other.below || pattern.is_host(&other.host))
        })
    }

    /// Whether any bytes may go there.
    pub fn allows_tcp(&self, host: &str, port: u16) -> bool {
        self.tcp.iter().any(|pattern| pattern.is_host(host) && pattern.port == Some(port))
    }
}

/// Hosts, and perhaps a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    /// In lower case; an address as Rust writes it.
    host: String,
    /// Whether everything below the name is meant, and not the name itself.
    below: bool,
    port: Option<u16>,
}

impl Pattern {
    /// Reads a pattern. The error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.contains('/') {
            return Err("it is a host and not a URL: leave out the scheme and the path");
        }
        let (below, rest) = text.strip_prefix("*.").map_or((false, text), |rest| (true, rest));
        let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, port)) => (address, port),
            None => rest.find(':').map_or((rest, ""), |colon| rest.split_at(colon)),
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            Some(digits) => {
                Some(digits.parse().ok().filter(|port| *port != 0).ok_or("the port is no number from 1 to 65535")?)
            }
            None => return Err("there is something between the host and the port"),
        };
        if let Ok(address) = host.parse::<IpAddr>() {
            let host = address.to_canonical().to_string();
            return if below { Err("`*.` stands before names only") } else { Ok(Self { host, below, port }) };
        }
        if host.contains('*') {
            return Err("`*` stands for whole names, and only at the beginning, as in `*.example.com`");
        }
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        // A name whose last part is a number would be read as an address by somebody (WHATWG URL, section 3.5).
        let is_numeric = |label: &str| label.bytes().all(|c| c.is_ascii_digit()) || label.starts_with("0x");
        let last = host.rsplit('.').next().unwrap_or_default();
        if host.len() > 253 || !host.split('.').all(is_label) || is_numeric(last) {
            return Err("it is no host name; names with other letters are written in their xn-- form");
        }
        if below && !host.contains('.') {
            return Err("`*.` before a whole top-level domain would allow nearly everything");
        }
        Ok(Self { host: host.to_ascii_lowercase(), below, port })
    }

    /// Whether HTTP requests to this host and port are meant. The host is in lower case, without a dot at its end.
    pub fn allows_http(&self, host: &str, port: u16) -> bool {
        self.is_host(host) && self.port.map_or(HTTP_PORTS.contains(&port), |own| own == port)
    }

    /// Whether it has a port.
    pub fn has_port(&self) -> bool {
        self.port.is_some()
    }

    /// The host is in lower case, without a dot at its end.
    fn is_host(&self, host: &str) -> bool {
        if self.below {
            host.strip_suffix(&self.host).is_some_and(|left| left.len() > 1 && left.ends_with('.'))
        } else {
            host == self.host
        }
    }
}

impl TryFrom<String> for Pattern {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        let Pattern { host, below, port } = pattern;
        let below = if below { "*." } else { "" };
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        port.map_or_else(|| format!("{below}{host}"), |port| format!("{below}{host}:{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn egress(allow: &[&str], tcp: &[&str]) -> Egress {
        let parse = |texts: &[&str]| texts.iter().map(|text| Pattern::parse(text).unwrap()).collect();
        Egress { allow: parse(allow), tcp: parse(tcp) }
    }

    #[test]
    fn one_pattern_covers_another_where_all_of_it_is_allowed() {
        let egress = egress(&["api.example.test", "*.below.test", "*.ports.test:8443"], &["raw.test:25"]);
        for text in [
            "api.example.test",
            "API.example.test:443",
            "*.below.test",
            "x.below.test",
            "*.x.below.test:80",
            "a.ports.test:8443",
        ] {
            assert!(egress.covers(&Pattern::parse(text).unwrap()), "{text}");
        }
        for text in ["example.test", "*.example.test", "below.test", "x.below.test:8080", "a.ports.test", "raw.test:25"]
        {
            assert!(!egress.covers(&Pattern::parse(text).unwrap()), "{text}");
        }
    }

    #[test]
    fn a_name_is_itself_and_nothing_below_or_beside_it() {
        let egress = egress(&["API.example.test"], &[]);
        assert!(egress.allows_http("api.example.test", 443));
        assert!(egress.allows_http("api.example.test", 80));
        for (host, port) in
            [("api.example.test", 8443), ("x.api.example.test", 443), ("xapi.example.test", 443), ("example.test", 443)]
        {
            assert!(!egress.allows_http(host, port), "{host}:{port}");
        }
        assert!(!egress.allows_tcp("api.example.test", 443));
    }

    #[test]
    fn a_star_is_everything_below_and_not_the_name() {
        let egress = egress(&["*.tiles.test:8443"], &["mail.test:587"]);
        assert!(egress.allows_http("a.tiles.test", 8443));
        assert!(egress.allows_http("a.b.tiles.test", 8443));
        for (host, port) in [("tiles.test", 8443), ("a.tiles.test", 443), ("atiles.test", 8443), (".tiles.test", 8443)]
        {
            assert!(!egress.allows_http(host, port), "{host}:{port}");
        }
        assert!(egress.allows_tcp("mail.test", 587));
        assert!(!egress.allows_tcp("mail.test", 25));
        assert!(egress.names("mail.test") && !egress.names("other.test"));
    }

    #[test]
    fn addresses_are_compared_as_addresses() {
        let egress = egress(&["192.0.2.1:8080", "[2001:DB8::1]"], &[]);
        assert!(egress.allows_http("192.0.2.1", 8080));
        assert!(egress.allows_http("2001:db8::1", 443));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in [
            "",
            "*",
            "*.",
            "*.test",
            "a.*.test",
            "https://a.test",
            "a.test/path",
            "a.test:",
            "a.test:0",
            "a.test:65536",
            "a.test:x",
            "-a.test",
            "a..test",
            "a b.test",
            "ä.test",
            "1.2.3",
            "0x7f.1",
            "2130706433",
            "*.10.0.0.1",
            "[::1]x",
            "a.test:80:80",
        ] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn it_is_written_as_it_is_read() {
        for text in ["a.test", "*.a.test:8443", "192.0.2.1:80", "[2001:db8::1]:443"] {
            assert_eq!(String::from(Pattern::parse(text).unwrap()), text);
        }
    }
}
