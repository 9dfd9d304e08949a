//! `wasi:sockets/tcp`: sockets that can connect, and nothing else.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::io::DuplexStream;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::sockets::network::{
    ErrorCode, IpAddressFamily, IpSocketAddress, Network as NetworkHandle,
};
use wasmtime_wasi::p2::bindings::sockets::tcp::{self, ShutdownType, TcpSocket};
use wasmtime_wasi::p2::bindings::sockets::udp::UdpSocket;
use wasmtime_wasi::p2::bindings::sockets::{tcp_create_socket, udp_create_socket};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, Pollable, SocketResult, subscribe};
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, spawn};

use super::stream::{Input, Output};
use super::{Refusal, Sockets, Target};

/// Sockets that were opened and not closed. A connection counts against the tool's own limit besides.
const MOST_SOCKETS: usize = 256;

/// What is answered for settings that only matter to a real socket.
const BUFFER_BYTES: u64 = 64 << 10;

/// A guest's socket.
struct Socket {
    family: IpAddressFamily,
    local: Option<SocketAddr>,
    remote: Option<SocketAddr>,
    state: State,
}

enum State {
    Unconnected,
    Binding,
    Connecting(AbortOnDropJoinHandle<Result<DuplexStream, Refusal>>),
    Connectable(Result<DuplexStream, Refusal>),
    Connected,
    Broken,
}

impl tcp_create_socket::Host for Sockets<'_> {
    fn create_tcp_socket(&mut self, family: IpAddressFamily) -> SocketResult<Resource<TcpSocket>> {
        if self.names.sockets >= MOST_SOCKETS {
            return Err(ErrorCode::NewSocketLimit.into());
        }
        let socket = self.table.push(Socket { family, local: None, remote: None, state: State::Unconnected })?;
        self.names.sockets += 1;
        Ok(Resource::new_own(socket.rep()))
    }
}

impl udp_create_socket::Host for Sockets<'_> {
    async fn create_udp_socket(&mut self, _family: IpAddressFamily) -> SocketResult<Resource<UdpSocket>> {
        Err(ErrorCode::NotSupported.into())
    }
}

impl tcp::Host for Sockets<'_> {}

impl tcp::HostTcpSocket for Sockets<'_> {
    async fn start_bind(
        &mut self,
        socket: Resource<TcpSocket>,
        _network: Resource<NetworkHandle>,
        local_address: IpSocketAddress,
    ) -> SocketResult<()> {
        let socket = self.table.get_mut(&ours(&socket))?;
        if !matches!(socket.state, State::Unconnected) {
            return Err(ErrorCode::InvalidState.into());
        }
        // Some libraries bind before they connect, to any address; which one it is means nothing here.
        socket.local = Some(local_address.into());
        socket.state = State::Binding;
        Ok(())
    }

    fn finish_bind(&mut self, socket: Resource<TcpSocket>) -> SocketResult<()> {
        let socket = self.table.get_mut(&ours(&socket))?;
        if !matches!(socket.state, State::Binding) {
            return Err(ErrorCode::NotInProgress.into());
        }
        socket.state = State::Unconnected;
        Ok(())
    }

    fn start_connect(
        &mut self,
        socket: Resource<TcpSocket>,
        _network: Resource<NetworkHandle>,
        remote_address: IpSocketAddress,
    ) -> SocketResult<()> {
        let remote: SocketAddr = remote_address.into();
        let target = Target { host: self.names.host(remote.ip()), port: remote.port() };
        let socket = self.table.get_mut(&ours(&socket))?;
        if !matches!(socket.state, State::Unconnected) {
            return Err(ErrorCode::InvalidState.into());
        }
        if remote.port() == 0 {
            return Err(ErrorCode::InvalidArgument.into());
        }
        let network = Arc::clone(self.network);
        socket.remote = Some(remote);
        socket.state = State::Connecting(spawn(async move { network.connect(target).await }));
        Ok(())
    }

    fn finish_connect(
        &mut self,
        socket: Resource<TcpSocket>,
    ) -> SocketResult<(Resource<DynInputStream>, Resource<DynOutputStream>)> {
        let handle = ours(&socket);
        let socket = self.table.get_mut(&handle)?;
        let stream = match std::mem::replace(&mut socket.state, State::Broken) {
            State::Connectable(Ok(stream)) => stream,
            State::Connectable(Err(refusal)) => return Err(code(refusal).into()),
            state => {
                let waits = matches!(state, State::Connecting(_));
                socket.state = state;
                return Err(if waits { ErrorCode::WouldBlock } else { ErrorCode::NotInProgress }.into());
            }
        };
        socket.state = State::Connected;
        let (read, write) = tokio::io::split(stream);
        let input: DynInputStream = Box::new(Input::new(read));
        let output: DynOutputStream = Box::new(Output::new(write));
        Ok((self.table.push_child(input, &handle)?, self.table.push_child(output, &handle)?))
    }

    async fn start_listen(&mut self, _socket: Resource<TcpSocket>) -> SocketResult<()> {
        Err(ErrorCode::AccessDenied.into())
    }

    fn finish_listen(&mut self, _socket: Resource<TcpSocket>) -> SocketResult<()> {
        Err(ErrorCode::NotInProgress.into())
    }

    fn accept(
        &mut self,
        _socket: Resource<TcpSocket>,
    ) -> SocketResult<(Resource<TcpSocket>, Resource<DynInputStream>, Resource<DynOutputStream>)> {
        Err(ErrorCode::InvalidState.into())
    }

    fn local_address(&mut self, socket: Resource<TcpSocket>) -> SocketResult<IpSocketAddress> {
        let socket = self.table.get(&ours(&socket))?;
        let local =
            socket.local.or_else(|| socket.remote.map(|_| SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0)));
        local.map(Into::into).ok_or_else(|| ErrorCode::InvalidState.into())
    }

    fn remote_address(&mut self, socket: Resource<TcpSocket>) -> SocketResult<IpSocketAddress> {
        let socket = self.table.get(&ours(&socket))?;
        match (&socket.state, socket.remote) {
            (State::Connected, Some(remote)) => Ok(remote.into()),
            _ => Err(ErrorCode::InvalidState.into()),
        }
    }

    fn is_listening(&mut self, _socket: Resource<TcpSocket>) -> wasmtime::Result<bool> {
        Ok(false)
    }

    fn address_family(&mut self, socket: Resource<TcpSocket>) -> wasmtime::Result<IpAddressFamily> {
        Ok(self.table.get(&ours(&socket))?.family)
    }

    fn set_listen_backlog_size(&mut self, _socket: Resource<TcpSocket>, _value: u64) -> SocketResult<()> {
        Ok(())
    }

    fn keep_alive_enabled(&mut self, _socket: Resource<TcpSocket>) -> SocketResult<bool> {
        Ok(true)
    }

    fn set_keep_alive_enabled(&mut self, _socket: Resource<TcpSocket>, _value: bool) -> SocketResult<()> {
        Ok(())
    }

    fn keep_alive_idle_time(&mut self, _socket: Resource<TcpSocket>) -> SocketResult<u64> {
        Ok(0)
    }

    fn set_keep_alive_idle_time(&mut self, _socket: Resource<TcpSocket>, _value: u64) -> SocketResult<()> {
        Ok(())
    }

    fn keep_alive_interval(&mut self, _socket: Resource<TcpSocket>) -> SocketResult<u64> {
        Ok(0)
    }

    fn set_keep_alive_interval(&mut self, _socket: Resource<TcpSocket>, _value: u64) -> SocketResult<()> {
        Ok(())
    }

    fn keep_alive_count(&mut self, _socket: Resource<TcpSocket>) -> SocketResult<u32> {
        Ok(0)
    }

    fn set_keep_alive_count(&mut self, _socket: Resource<TcpSocket>, _value: u32) -> SocketResult<()> {
        Ok(())
    }

    fn hop_limit(&mut self, _socket: Resource<TcpSocket>) -> SocketResult<u8> {
        Ok(64)
    }

    fn set_hop_limit(&mut self, _socket: Resource<TcpSocket>, _value: u8) -> SocketResult<()> {
        Ok(())
    }

    fn receive_buffer_size(&mut self, _socket: Resource<TcpSocket>) -> SocketResult<u64> {
        Ok(BUFFER_BYTES)
    }

    fn set_receive_buffer_size(&mut self, _socket: Resource<TcpSocket>, _value: u64) -> SocketResult<()> {
        Ok(())
    }

    fn send_buffer_size(&mut self, _socket: Resource<TcpSocket>) -> SocketResult<u64> {
        Ok(BUFFER_BYTES)
    }

    fn set_send_buffer_size(&mut self, _socket: Resource<TcpSocket>, _value: u64) -> SocketResult<()> {
        Ok(())
    }

    fn subscribe(&mut self, socket: Resource<TcpSocket>) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(self.table, ours(&socket))
    }

    fn shutdown(&mut self, socket: Resource<TcpSocket>, _kind: ShutdownType) -> SocketResult<()> {
        // The streams end when the guest drops them, which its C library does at once.
        match self.table.get(&ours(&socket))?.state {
            State::Connected => Ok(()),
            _ => Err(ErrorCode::InvalidState.into()),
        }
    }

    fn drop(&mut self, socket: Resource<TcpSocket>) -> wasmtime::Result<()> {
        self.table.delete(Resource::<Socket>::new_own(socket.rep()))?;
        self.names.sockets = self.names.sockets.saturating_sub(1);
        Ok(())
    }
}

/// The handle's type names wasmtime's own sockets; what the table holds under it is one of ours.
fn ours(socket: &Resource<TcpSocket>) -> Resource<Socket> {
    Resource::new_borrow(socket.rep())
}

fn code(refusal: Refusal) -> ErrorCode {
    match refusal {
        Refusal::Denied => ErrorCode::AccessDenied,
        Refusal::NoSuchName | Refusal::Unreachable => ErrorCode::RemoteUnreachable,
        Refusal::Refused => ErrorCode::ConnectionRefused,
        Refusal::TimedOut => ErrorCode::Timeout,
        Refusal::TooMany => ErrorCode::NewSocketLimit,
        Refusal::Failed => ErrorCode::Unknown,
    }
}

#[async_trait::async_trait]
impl Pollable for Socket {
    async fn ready(&mut self) {
        if let State::Connecting(task) = &mut self.state {
            self.state = State::Connectable(task.await);
        }
    }
}
