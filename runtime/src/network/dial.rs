//! From a name to a connection: the address that was checked is the one that is connected to.

use std::io;
use std::net::{IpAddr, SocketAddr};

use sdk::sandbox::{Refusal, TargetHost};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::address;
use super::settings::NetworkSettings;

/// The addresses of a host that may be connected to. Denied when it has addresses and none of them may be.
pub async fn addresses(host: &TargetHost, settings: &NetworkSettings) -> Result<Vec<IpAddr>, Refusal> {
    let found = match host {
        TargetHost::Address(address) => vec![*address],
        TargetHost::Name(name) => match settings.hosts.get(name) {
            Some(address) => vec![*address],
            None => look_up(name, settings).await?,
        },
    };
    let allowed: Vec<_> =
        found.into_iter().filter(|address| address::is_allowed(*address, &settings.allow_networks)).collect();
    if allowed.is_empty() { Err(Refusal::Denied) } else { Ok(allowed) }
}

async fn look_up(name: &str, settings: &NetworkSettings) -> Result<Vec<IpAddr>, Refusal> {
    let asked = timeout(settings.connect_timeout, settings.resolver.look_up(name)).await;
    let found = asked.map_err(|_elapsed| Refusal::TimedOut)?.map_err(|_| Refusal::NoSuchName)?;
    if found.is_empty() { Err(Refusal::NoSuchName) } else { Ok(found) }
}

/// Connects to the first of the addresses that answers.
pub async fn connect(addresses: &[IpAddr], port: u16, settings: &NetworkSettings) -> Result<TcpStream, Refusal> {
    let mut refusal = Refusal::Unreachable;
    for address in addresses {
        match timeout(settings.connect_timeout, TcpStream::connect(SocketAddr::new(*address, port))).await {
            Ok(Ok(stream)) => {
                // A request is written in one piece and must not wait for more to send along.
                let _best_effort = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => refusal = refusal_of(&error),
            Err(_elapsed) => refusal = Refusal::TimedOut,
        }
    }
    Err(refusal)
}

fn refusal_of(error: &io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Refusal::Refused,
        io::ErrorKind::TimedOut => Refusal::TimedOut,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown => {
            Refusal::Unreachable
        }
        _ => Refusal::Failed,
    }
}
