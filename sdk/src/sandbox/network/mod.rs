//! The guest's network: sockets whose other end is the host.
//!
//! The C library of a guest's Python speaks `wasi:sockets`. Here its TCP sockets are joined to a [`Network`], which sees
//! the name that was asked for and decides what stands behind it; no socket of the operating system is ever the guest's.
//! A name gets an address of 198.18.0.0/15, which means nothing outside of its instance, so that a connection to that
//! address is known to be one to that name. There is no UDP, and nobody can connect to a guest.

mod lookup;
mod names;
mod socket;
mod stream;

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::io::DuplexStream;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::p2::SocketError;
use wasmtime_wasi::p2::bindings::sockets;
use wasmtime_wasi::p2::bindings::sockets::network::ErrorCode;

use super::Host;
pub(super) use names::Names;

/// What stands behind a guest's sockets.
#[async_trait]
pub trait Network: Send + Sync {
    /// Whether a name may be asked for and is there.
    async fn resolve(&self, name: &str) -> Result<(), Refusal>;

    /// Connects, and answers the guest's end.
    async fn connect(&self, target: Target) -> Result<DuplexStream, Refusal>;
}

/// What a guest connects to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// The host as the guest named it.
    pub host: TargetHost,
    /// The port.
    pub port: u16,
}

/// A host as a guest names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TargetHost {
    /// In lower case and without a dot at its end.
    Name(String),
    /// Written as an address.
    Address(IpAddr),
}

/// Why a guest is not connected. It becomes an error number, for which its Python has words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is not allowed to.
    Denied,
    /// There is no such name.
    NoSuchName,
    /// Nobody listens there.
    Refused,
    /// There is no way there.
    Unreachable,
    /// It took too long.
    TimedOut,
    /// The guest has as many connections as it may have.
    TooMany,
    /// Anything else.
    Failed,
}

/// No network at all: what a tool has while it is built.
#[derive(Debug, Clone, Copy)]
pub struct NoNetwork;

#[async_trait]
impl Network for NoNetwork {
    async fn resolve(&self, _name: &str) -> Result<(), Refusal> {
        Err(Refusal::Denied)
    }

    async fn connect(&self, _target: Target) -> Result<DuplexStream, Refusal> {
        Err(Refusal::Denied)
    }
}

/// What the implementations below work on.
pub(super) struct Sockets<'a> {
    table: &'a mut ResourceTable,
    names: &'a mut Names,
    network: &'a Arc<dyn Network>,
}

impl sockets::network::Host for Sockets<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        error.downcast()
    }

    fn network_error_code(&mut self, _error: Resource<wasmtime::Error>) -> wasmtime::Result<Option<ErrorCode>> {
        Ok(None)
    }
}

impl sockets::network::HostNetwork for Sockets<'_> {
    fn drop(&mut self, network: Resource<sockets::network::Network>) -> wasmtime::Result<()> {
        self.table.delete(Resource::<Asked>::new_own(network.rep()))?;
        Ok(())
    }
}

/// What stands in the table for the network, of which there is one.
struct Asked;

impl sockets::instance_network::Host for Sockets<'_> {
    fn instance_network(&mut self) -> wasmtime::Result<Resource<sockets::network::Network>> {
        self.names.asked = true;
        Ok(Resource::new_own(self.table.push(Asked)?.rep()))
    }
}

struct HasSockets;

impl HasData for HasSockets {
    type Data<'a> = Sockets<'a>;
}

/// Puts these sockets in the place of wasmtime's, which would be the operating system's.
pub(super) fn add_to_linker(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    fn view(host: &mut Host) -> Sockets<'_> {
        Sockets { table: &mut host.table, names: &mut host.names, network: &host.network }
    }
    linker.allow_shadowing(true);
    sockets::network::add_to_linker::<_, HasSockets>(linker, &sockets::network::LinkOptions::default(), view)?;
    sockets::instance_network::add_to_linker::<_, HasSockets>(linker, view)?;
    sockets::ip_name_lookup::add_to_linker::<_, HasSockets>(linker, view)?;
    sockets::tcp_create_socket::add_to_linker::<_, HasSockets>(linker, view)?;
    sockets::tcp::add_to_linker::<_, HasSockets>(linker, view)?;
    sockets::udp_create_socket::add_to_linker::<_, HasSockets>(linker, view)?;
    linker.allow_shadowing(false);
    Ok(())
}
