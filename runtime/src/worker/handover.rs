//! The socket between a worker and its starter: settings first, then further sockets. When the starter goes, it ends.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest text, in bytes. Settings hold lists that an operator writes.
const LONGEST: u32 = 16 << 20;

/// Says something, once, before any socket is sent.
pub(super) fn say<T: Serialize>(mut stream: &UnixStream, what: &T) -> io::Result<()> {
    let text = serde_json::to_vec(what)?;
    let length = u32::try_from(text.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_le_bytes()[..], &text].concat())
}

/// Hears what the other side says.
pub(super) fn hear<T: DeserializeOwned>(mut stream: &UnixStream) -> io::Result<T> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "what another process says is longer than it may be"));
    }
    let mut text = vec![0; length as usize];
    stream.read_exact(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

/// Sends a socket.
pub(super) fn send(stream: &UnixStream, socket: impl AsFd) -> io::Result<()> {
    let sockets = [socket.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&sockets)) {
        return Err(io::Error::other("there is no room for a socket"));
    }
    sendmsg(stream, &[IoSlice::new(&[1])], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Waits for a socket; none when the other side has ended.
pub(super) fn receive(stream: &UnixStream) -> io::Result<Option<OwnedFd>> {
    loop {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        let received = recvmsg(stream, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC);
        let received = match received {
            Err(rustix::io::Errno::INTR) => continue,
            received => received?,
        };
        if received.bytes == 0 {
            return Ok(None);
        }
        let socket = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut sockets) => sockets.next(),
            _ => None,
        });
        return socket.map(Some).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a socket did not arrive"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_pass_and_the_end_is_noticed() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        say(&ours, &["settings"]).unwrap();
        assert_eq!(hear::<Vec<String>>(&theirs).unwrap(), ["settings"]);
        let (mut near, far) = UnixStream::pair().unwrap();
        send(&ours, &far).unwrap();
        drop(far);
        let mut far = UnixStream::from(receive(&theirs).unwrap().unwrap());
        near.write_all(b"hello").unwrap();
        drop(near);
        let mut heard = String::new();
        far.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "hello");
        drop(ours);
        assert!(receive(&theirs).unwrap().is_none());
    }
}
