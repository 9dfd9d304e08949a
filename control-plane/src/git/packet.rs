//! Packets (`pkt-line`): four hexadecimal digits that count themselves, then the content.

use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The largest packet, its digits included.
const MAX_PACKET_BYTES: usize = 65520;

/// What one message to the client may have, so that its packet is within what every side band takes.
const MAX_MESSAGE_BYTES: usize = 900;

/// The side band of what the client's program reads.
pub(super) const DATA: u8 = 1;

/// The side band of what the client's user reads, after `remote: `.
const PROGRESS: u8 = 2;

/// The packet that ends a section.
pub(super) const FLUSH: &[u8] = b"0000";

/// A packet as it was read.
#[derive(Debug)]
pub(super) enum Packet {
    /// Digits and content.
    Line(Bytes),
    /// The end of a section, or one of the other packets without content.
    Mark(Bytes),
}

/// Reads a packet. None at the end of the input.
pub(super) async fn read(input: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Packet>> {
    let mut digits = [0; 4];
    if input.read(&mut digits[..1]).await? == 0 {
        return Ok(None);
    }
    input.read_exact(&mut digits[1..]).await?;
    match length(digits) {
        Some(0..=3) => Ok(Some(Packet::Mark(Bytes::copy_from_slice(&digits)))),
        Some(length @ 4..=MAX_PACKET_BYTES) => {
            let mut packet = BytesMut::zeroed(length);
            packet[..4].copy_from_slice(&digits);
            input.read_exact(&mut packet[4..]).await?;
            Ok(Some(Packet::Line(packet.freeze())))
        }
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// The contents of packets that are in memory, up to the first that is not whole.
pub(super) fn contents(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while let Some((digits, rest)) = bytes.split_first_chunk::<4>() {
        match length(*digits) {
            Some(0..=3) => bytes = rest,
            Some(length) if length - 4 <= rest.len() => {
                let (content, after) = rest.split_at(length - 4);
                found.push(content.strip_suffix(b"\n").unwrap_or(content));
                bytes = after;
            }
            _ => break,
        }
    }
    found
}

/// A packet with this content.
pub(super) fn line(content: &[u8]) -> Vec<u8> {
    [format!("{:04x}", content.len() + 4).as_bytes(), content].concat()
}

/// Packets that git shows to its user as `remote: …`. Each line of the text is shown as one.
pub(super) fn message(text: &str) -> Bytes {
    let mut packets = BytesMut::new();
    for text in text.lines() {
        let mut end = text.len().min(MAX_MESSAGE_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        packets.put(&line(&[&[PROGRESS], &text.as_bytes()[..end], b"\n"].concat())[..]);
    }
    packets.freeze()
}

fn length(digits: [u8; 4]) -> Option<usize> {
    // Not `from_str_radix`, which takes a sign.
    digits.iter().try_fold(0, |length, digit| Some(length * 16 + char::from(*digit).to_digit(16)? as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn packets_are_read_one_by_one() {
        let mut input: &[u8] = b"0006a\n00000004000bfoo bar";
        assert!(matches!(read(&mut input).await.unwrap(), Some(Packet::Line(line)) if line == "0006a\n"));
        assert!(matches!(read(&mut input).await.unwrap(), Some(Packet::Mark(mark)) if mark == FLUSH));
        assert!(matches!(read(&mut input).await.unwrap(), Some(Packet::Line(line)) if line == "0004"));
        assert!(matches!(read(&mut input).await.unwrap(), Some(Packet::Line(line)) if line == "000bfoo bar"));
        assert!(read(&mut input).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_is_no_packet_is_an_error() {
        for mut input in [&b"000"[..], b"0009abc", b"ffff", b"+00a", b"PACK", b"zzzz"] {
            assert!(read(&mut input).await.is_err(), "{input:?}");
        }
    }

    #[test]
    fn a_message_is_shown_line_by_line_and_cut_between_characters() {
        assert_eq!(message("a\nb"), &b"0007\x02a\n0007\x02b\n"[..]);
        let long = message(&"ä".repeat(1000));
        assert!(contents(&long)[0].len() <= MAX_MESSAGE_BYTES + 1);
        assert!(std::str::from_utf8(&long[5..]).is_ok());
    }
}
