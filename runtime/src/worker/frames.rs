//! What goes over a socket in one piece: a head in JSON, and parts of any bytes, such as outputs and secrets. They are
//! written once and read once, and wiped afterwards.
//!
//! A frame is its length without these four bytes, the number of its parts, their lengths, the head's length, the head, and
//! the parts. All numbers are little-endian and have four bytes.

use std::io;
use std::ops::Range;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zeroize::Zeroizing;

/// The bytes of a number.
const NUMBER: usize = 4;

/// The parts of a frame that was read.
#[derive(Default)]
pub(super) struct Parts {
    bytes: Zeroizing<Vec<u8>>,
    places: Vec<Range<usize>>,
}

impl Parts {
    /// A part.
    pub(super) fn bytes(&self, number: usize) -> io::Result<&[u8]> {
        let place = self.places.get(number);
        place.and_then(|place| self.bytes.get(place.clone())).ok_or_else(|| broken("it lacks a part"))
    }

    /// A part that is text.
    pub(super) fn text(&self, number: usize) -> io::Result<&str> {
        std::str::from_utf8(self.bytes(number)?).map_err(|_| broken("a part is not UTF-8"))
    }
}

/// Puts a frame together. It is written into a buffer that never moves: where a buffer grows, what it was before stays.
pub(super) fn frame<T: Serialize>(head: &T, parts: &[&[u8]]) -> io::Result<Zeroizing<Vec<u8>>> {
    let head = serde_json::to_vec(head)?;
    let total = parts.iter().map(|part| part.len() + NUMBER).sum::<usize>() + head.len() + 2 * NUMBER;
    let mut bytes = Vec::with_capacity(NUMBER + total);
    let number = |number: usize| u32::try_from(number).map(u32::to_le_bytes).map_err(io::Error::other);
    bytes.extend(number(total)?);
    bytes.extend(number(parts.len())?);
    for part in parts {
        bytes.extend(number(part.len())?);
    }
    bytes.extend(number(head.len())?);
    bytes.extend(head);
    parts.iter().for_each(|part| bytes.extend(*part));
    Ok(Zeroizing::new(bytes))
}

/// Writes a frame.
pub(super) async fn write<T: Serialize>(
    stream: &mut (impl AsyncWrite + Unpin),
    head: &T,
    parts: &[&[u8]],
) -> io::Result<()> {
    stream.write_all(&frame(head, parts)?).await
}

/// Reads a frame of no more than so many bytes; none where the other side has ended.
pub(super) async fn read<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
    most: usize,
) -> io::Result<Option<(T, Parts)>> {
    let mut length = [0; NUMBER];
    match stream.read_exact(&mut length).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    };
    let length = u32::from_le_bytes(length) as usize;
    if length > most {
        return Err(broken("it is longer than it may be"));
    }
    let mut bytes = Zeroizing::new(vec![0; length]);
    stream.read_exact(&mut bytes).await?;
    let (head, places) = places(&bytes).ok_or_else(|| broken("its lengths are wrong"))?;
    let head = serde_json::from_slice(bytes.get(head).unwrap_or_default())?;
    Ok(Some((head, Parts { bytes, places })))
}

/// Where the head and the parts are. They fill the frame to its end.
fn places(bytes: &[u8]) -> Option<(Range<usize>, Vec<Range<usize>>)> {
    let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + NUMBER)?.try_into().ok()?) as usize);
    let count = number(0)?;
    // Each part has its length before it, so there are no more of them than fit.
    if count > bytes.len() / NUMBER {
        return None;
    }
    let lengths = (1..=count).map(|index| number(index * NUMBER)).collect::<Option<Vec<_>>>()?;
    let mut at = (count + 2) * NUMBER;
    let mut next = |length: usize| {
        let place = at..at.checked_add(length)?;
        at = place.end;
        Some(place)
    };
    let head = next(number((count + 1) * NUMBER)?)?;
    let places = lengths.into_iter().map(next).collect::<Option<Vec<_>>>()?;
    let end = places.last().map_or(head.end, |last| last.end);
    (end == bytes.len()).then_some((head, places))
}

fn broken(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a message between processes is broken: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_all(bytes: &[u8]) -> io::Result<Option<(String, Parts)>> {
        read(&mut &bytes[..], 1 << 10).await
    }

    #[tokio::test]
    async fn what_is_written_is_read() {
        let mut bytes = frame(&"head", &[b"one", b"", "zwölf".as_bytes()]).unwrap();
        let (head, parts) = read_all(&bytes).await.unwrap().unwrap();
        assert_eq!(head, "head");
        assert_eq!([0, 1, 2].map(|number| parts.text(number).unwrap()), ["one", "", "zwölf"]);
        assert!(parts.text(3).is_err());
        assert!(read_all(b"").await.unwrap().is_none());
        // Cut anywhere, or with another length anywhere, it is an error and nothing else.
        for end in 4..bytes.len() {
            assert!(read_all(&bytes[..end]).await.is_err(), "{end}");
        }
        for place in 0..24 {
            let before = bytes[place];
            bytes[place] = before.wrapping_add(1);
            assert!(read_all(&bytes).await.is_err(), "{place}");
            bytes[place] = before;
        }
    }
}
