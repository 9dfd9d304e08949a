//! `wasi:sockets/ip-name-lookup`.

use std::net::IpAddr;
use std::sync::Arc;

use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::{Host, HostResolveAddressStream, ResolveAddressStream};
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddress, Network as NetworkHandle};
use wasmtime_wasi::p2::{DynPollable, Pollable, SocketError, subscribe};
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, spawn};

use super::names::normalized;
use super::{Refusal, Sockets};

/// The longest name that DNS knows.
const LONGEST_NAME_BYTES: usize = 253;

/// A question that is being answered.
struct Lookup {
    name: String,
    answer: Answer,
}

enum Answer {
    Awaited(AbortOnDropJoinHandle<Result<(), Refusal>>),
    Here(Result<(), Refusal>),
    Given,
}

impl Host for Sockets<'_> {
    fn resolve_addresses(
        &mut self,
        _network: Resource<NetworkHandle>,
        name: String,
    ) -> Result<Resource<ResolveAddressStream>, SocketError> {
        let name = normalized(&name);
        if name.is_empty() || name.len() > LONGEST_NAME_BYTES || name.contains(|c: char| c.is_control() || c == ' ') {
            return Err(ErrorCode::InvalidArgument.into());
        }
        if !self.names.begin_lookup() {
            return Err(ErrorCode::OutOfMemory.into());
        }
        let network = Arc::clone(self.network);
        let asked = name.clone();
        let answer = match name.parse::<IpAddr>() {
            Ok(_) => Answer::Here(Ok(())),
            Err(_) => Answer::Awaited(spawn(async move { network.resolve(&asked).await })),
        };
        let lookup = self.table.push(Lookup { name, answer })?;
        Ok(Resource::new_own(lookup.rep()))
    }
}

impl HostResolveAddressStream for Sockets<'_> {
    fn resolve_next_address(
        &mut self,
        stream: Resource<ResolveAddressStream>,
    ) -> Result<Option<IpAddress>, SocketError> {
        let lookup = self.table.get_mut(&ours(&stream))?;
        match std::mem::replace(&mut lookup.answer, Answer::Given) {
            Answer::Awaited(task) => {
                lookup.answer = Answer::Awaited(task);
                Err(ErrorCode::WouldBlock.into())
            }
            Answer::Here(Err(Refusal::NoSuchName)) => Err(ErrorCode::NameUnresolvable.into()),
            Answer::Here(Err(Refusal::TimedOut)) => Err(ErrorCode::TemporaryResolverFailure.into()),
            Answer::Here(Err(_)) => Err(ErrorCode::PermanentResolverFailure.into()),
            Answer::Here(Ok(())) => {
                let address = lookup.name.parse().ok().or_else(|| self.names.address(&lookup.name));
                address.map(|address| Some(address.into())).ok_or_else(|| ErrorCode::OutOfMemory.into())
            }
            Answer::Given => Ok(None),
        }
    }

    fn subscribe(&mut self, stream: Resource<ResolveAddressStream>) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(self.table, ours(&stream))
    }

    fn drop(&mut self, stream: Resource<ResolveAddressStream>) -> wasmtime::Result<()> {
        self.table.delete(Resource::<Lookup>::new_own(stream.rep()))?;
        self.names.end_lookup();
        Ok(())
    }
}

/// The handle's type names wasmtime's own lookups; what the table holds under it is one of ours.
fn ours(stream: &Resource<ResolveAddressStream>) -> Resource<Lookup> {
    Resource::new_borrow(stream.rep())
}

#[async_trait::async_trait]
impl Pollable for Lookup {
    async fn ready(&mut self) {
        if let Answer::Awaited(task) = &mut self.answer {
            self.answer = Answer::Here(task.await);
        }
    }
}
