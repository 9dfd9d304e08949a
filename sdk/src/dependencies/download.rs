//! Files from the network. Tenants write their URLs, and what answers some of them is in the service's own network: with
//! [`Network::PublicOnly`] only https, and only addresses that are everybody's.
//!
//! A name is looked up once, and its connections go to the addresses that were checked then: who owns the name may let
//! it mean another machine a moment later. Each redirection is judged like the URL before it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use reqwest::blocking::{Client, Response};
use reqwest::header::LOCATION;
use reqwest::redirect::Policy;
use url::{Host, Url};

use super::settings::{IndexUrl, Network, Settings};

/// The most redirections of one file.
const REDIRECTIONS: usize = 5;

/// Downloads that share a deadline and their connections.
pub struct Downloads<'a> {
    settings: &'a Settings,
    deadline: Instant,
    /// By host.
    clients: Mutex<BTreeMap<String, Client>>,
}

impl<'a> Downloads<'a> {
    /// From now on there is as much time as the limits say for all of them together.
    pub fn new(settings: &'a Settings) -> Self {
        Self { settings, deadline: Instant::now() + settings.limits.fetch_time, clients: Mutex::default() }
    }

    /// Begins one. The error says why it cannot be, without credentials.
    pub fn get(&self, url: &Url) -> Result<Response, String> {
        self.follow(url)?.error_for_status().map_err(|error| self.told(&error))
    }

    /// The same, where nothing may be there.
    pub fn find(&self, url: &Url) -> Result<Option<Response>, String> {
        let response = self.follow(url)?;
        if matches!(response.status(), StatusCode::NOT_FOUND | StatusCode::GONE) {
            return Ok(None);
        }
        response.error_for_status().map(Some).map_err(|error| self.told(&error))
    }

    fn follow(&self, url: &Url) -> Result<Response, String> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTIONS {
            let response = self.get_one(&url)?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let next = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
            url = next.and_then(|next| url.join(next).ok()).ok_or("it redirects to nowhere")?;
        }
        Err("there are too many redirections".to_owned())
    }

    fn get_one(&self, url: &Url) -> Result<Response, String> {
        if self.settings.network == Network::Off {
            return Err("the network is not to be used, and the cache does not have it".to_owned());
        }
        let mut request = self.client(url)?.get(url.clone());
        let mut serving = self.settings.indexes().filter(|index| index.serves(url));
        if let Some((user, password)) = serving.find_map(IndexUrl::credentials) {
            request = request.basic_auth(user, Some(password));
        }
        let left = self.deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        request.timeout(left).send().map_err(|error| self.told(&error))
    }

    /// The client for a URL's host, which goes to no address but those that were checked.
    fn client(&self, url: &Url) -> Result<Client, String> {
        let allowed = check(url, self.settings)?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&host) {
            return Ok(client.clone());
        }
        // Somebody else in the process may have chosen already, and then that one is used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder().redirect(Policy::none()).connect_timeout(Duration::from_secs(30));
        if let Allowed::Only(addresses) = allowed {
            builder = builder.resolve_to_addrs(&host, &addresses);
        }
        let client = builder.build().map_err(|error| self.told(&error))?;
        clients.insert(host, client.clone());
        Ok(client)
    }

    /// What reqwest says may hold the URL, and that is the author's own; credentials are never part of it here.
    fn told(&self, error: &dyn std::error::Error) -> String {
        let mut told = error.to_string();
        let mut source = error.source();
        while let Some(reason) = source {
            told = format!("{told}: {reason}");
            source = reason.source();
        }
        self.settings.scrubbed(&told)
    }
}

/// Where a connection may go.
#[derive(Debug, PartialEq, Eq)]
enum Allowed {
    /// Wherever its name leads.
    Anywhere,
    /// To these. Behind a proxy, names may be unknown here: then there are none, and the proxy decides.
    Only(Vec<SocketAddr>),
}

/// Holds a URL against what may be reached.
fn check(url: &Url, settings: &Settings) -> Result<Allowed, String> {
    if settings.indexes().any(|index| index.serves(url)) {
        return Ok(Allowed::Anywhere);
    }
    let is_secure = url.scheme() == "https" || settings.network == Network::Anywhere && url.scheme() == "http";
    if !is_secure {
        return Err(format!("`{}://` is not allowed", url.scheme()));
    }
    if settings.network == Network::Anywhere {
        return Ok(Allowed::Anywhere);
    }
    let port = url.port_or_known_default().unwrap_or(443);
    let addresses: Vec<SocketAddr> = match url.host() {
        Some(Host::Ipv4(address)) => vec![(address, port).into()],
        Some(Host::Ipv6(address)) => vec![(address, port).into()],
        Some(Host::Domain(name)) => (name, port).to_socket_addrs().map(Iterator::collect).unwrap_or_default(),
        None => return Err("it has no host".to_owned()),
    };
    match addresses.iter().all(|address| is_public(address.ip())) {
        true => Ok(Allowed::Only(addresses)),
        false => Err("its host is not a public one; an index of the organization has to be configured".to_owned()),
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            let is_shared = first == 100 && (64..128).contains(&second);
            !(address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_multicast()
                || address.is_broadcast()
                || first == 0
                || is_shared)
        }
        IpAddr::V6(address) => {
            let carried = address.to_ipv4_mapped().or_else(|| match address.segments() {
                // NAT64 and 6to4 carry an IPv4 address that is reached in the end.
                [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
                    Some(std::net::Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
                }
                _ => None,
            });
            carried.is_none_or(|address| is_public(address.into()))
                && !(address.is_loopback()
                    || address.is_unspecified()
                    || address.is_multicast()
                    || address.is_unique_local()
                    || address.is_unicast_link_local())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_redirection_is_judged_like_the_url_before_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let index = IndexUrl::parse(&format!("http://{}/simple", listener.local_addr().unwrap())).unwrap();
        let url = index.expose().clone();
        let settings = Settings { index_url: Some(index), network: Network::PublicOnly, ..Settings::default() };
        std::thread::spawn(move || {
            for target in ["http://192.0.2.1/a.whl", "https://127.0.0.1/a.whl", "https://[::1]/a.whl"] {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 4096]).unwrap();
                let answer = format!(
                    "HTTP/1.1 302 Found\r\nLocation: {target}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
                );
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        let downloads = Downloads::new(&settings);
        for told in ["`http://` is not allowed", "not a public one", "not a public one"] {
            assert!(downloads.get(&url).unwrap_err().contains(told));
        }
    }

    #[test]
    fn a_service_reaches_only_public_addresses_and_its_indexes() {
        let index = IndexUrl::parse("http://10.0.0.1/simple").unwrap();
        let settings = Settings { index_url: Some(index), network: Network::PublicOnly, ..Settings::default() };
        let check = |url: &str| check(&Url::parse(url).unwrap(), &settings);
        for url in ["https://192.0.2.1/a.whl", "http://10.0.0.1/a.whl", "https://[2001:db8::1]/a.whl"] {
            check(url).expect(url);
        }
        for url in [
            "http://192.0.2.1/a.whl",
            "https://127.0.0.1/a.whl",
            "https://10.0.0.1/a.whl",
            "https://169.254.169.254/a.whl",
            "https://100.64.0.1/a.whl",
            "https://0.0.0.0/a.whl",
            "https://[::1]/a.whl",
            "https://[fd00::1]/a.whl",
            "https://[::ffff:127.0.0.1]/a.whl",
            "https://[64:ff9b::7f00:1]/a.whl",
            "file:///etc/passwd",
        ] {
            check(url).expect_err(url);
        }
    }
}
