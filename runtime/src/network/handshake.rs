//! The two messages with which a guest's connection becomes a TLS connection.
//!
//! The guest's side, with the shapes of both, is `sdk/python/src/toolplane/tls/handshake.py`. A guest can write anything
//! here: it says what name it wants, and the host decides.

use std::io;

use base64::Engine as _;
use bytes::{Buf, BytesMut};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt};

/// What both messages begin with.
pub const MAGIC: &[u8; 16] = b"\x00toolplane-tls\x00\x01";

/// A name and a list of protocols.
const LONGEST_QUESTION_BYTES: usize = 16 << 10;

/// What the guest asks for.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Question {
    pub server_name: Option<String>,
    #[serde(default)]
    pub alpn: Vec<String>,
}

/// What the host answers when it has shaken hands with the server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Agreed {
    pub version: &'static str,
    pub cipher: String,
    pub bits: u16,
    #[serde(serialize_with = "base64_texts")]
    pub certificates: Vec<Vec<u8>>,
}

/// What the host answers when it has not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// What kind of exception it becomes.
    #[serde(rename = "error")]
    pub kind: FailedKind,
    pub message: String,
    /// OpenSSL's number of what is wrong with a certificate.
    pub code: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FailedKind {
    Certificate,
    Denied,
    Refused,
    Unreachable,
    Timeout,
    Ended,
    Protocol,
}

impl Failed {
    pub fn new(kind: FailedKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), code: 1 }
    }
}

/// What the beginning of a connection is.
#[derive(Debug, PartialEq, Eq)]
pub enum Beginning {
    /// TLS is asked for. What was read behind the question stays in the buffer.
    Tls(Question),
    /// Anything else, which stays in the buffer.
    Plain,
}

/// Whether what was read so far may be the beginning of a question.
pub fn may_be_question(read: &[u8]) -> bool {
    let length = read.len().min(MAGIC.len());
    length > 0 && read[..length] == MAGIC[..length]
}

/// Reads until it is clear how a connection begins. An error when it ends before, or when the question is none.
pub async fn beginning(stream: &mut (impl AsyncRead + Unpin), read: &mut BytesMut) -> io::Result<Beginning> {
    let header = MAGIC.len() + 4;
    loop {
        if !read.is_empty() && !may_be_question(read) {
            return Ok(Beginning::Plain);
        }
        if read.len() >= header {
            let length = (&read[MAGIC.len()..header]).get_u32() as usize;
            if length > LONGEST_QUESTION_BYTES {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the question is too long"));
            }
            if read.len() >= header + length {
                read.advance(header);
                let body = read.split_to(length);
                return Ok(Beginning::Tls(serde_json::from_slice(&body)?));
            }
        }
        if stream.read_buf(read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// The message for an answer. `alpn` is what this connection speaks, as far as the guest offered it.
pub fn answer(agreed: Result<&Agreed, &Failed>, alpn: Option<&str>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Full<'a> {
        #[serde(flatten)]
        agreed: &'a Agreed,
        alpn: Option<&'a str>,
    }
    let body = match agreed {
        Ok(agreed) => serde_json::to_vec(&Full { agreed, alpn }),
        Err(failed) => serde_json::to_vec(failed),
    };
    let body = body.unwrap_or_default();
    let length = u32::try_from(body.len()).unwrap_or_default();
    [MAGIC.as_slice(), &length.to_be_bytes(), &body].concat()
}

fn base64_texts<S: serde::Serializer>(certificates: &[Vec<u8>], serializer: S) -> Result<S::Ok, S::Error> {
    let encoded = certificates.iter().map(|der| base64::engine::general_purpose::STANDARD.encode(der));
    serializer.collect_seq(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> (io::Result<Beginning>, BytesMut) {
        let mut buffer = BytesMut::new();
        let mut stream = bytes;
        let beginning = beginning(&mut stream, &mut buffer).await;
        buffer.extend_from_slice(stream);
        (beginning, buffer)
    }

    #[tokio::test]
    async fn a_question_is_told_from_a_request() {
        let body = br#"{"server_name":"a.test","alpn":["http/1.1"]}"#;
        let question = [MAGIC.as_slice(), &(body.len() as u32).to_be_bytes(), body, b"GET /"].concat();
        let (beginning, rest) = read(&question).await;
        let expected = Question { server_name: Some("a.test".to_owned()), alpn: vec!["http/1.1".to_owned()] };
        assert_eq!(beginning.unwrap(), Beginning::Tls(expected));
        assert_eq!(rest, "GET /");
        let (beginning, rest) = read(b"GET / HTTP/1.1\r\n").await;
        assert_eq!(beginning.unwrap(), Beginning::Plain);
        assert_eq!(rest, "GET / HTTP/1.1\r\n");
    }

    #[tokio::test]
    async fn what_ends_or_lies_is_an_error() {
        assert!(read(b"").await.0.is_err());
        assert!(read(&MAGIC[..7]).await.0.is_err());
        assert!(read(&[MAGIC.as_slice(), &[0xff; 4]].concat()).await.0.is_err());
        assert!(read(&[MAGIC.as_slice(), &[0, 0, 0, 3], b"xyz"].concat()).await.0.is_err());
    }

    #[test]
    fn an_answer_has_the_shape_that_the_guest_reads() {
        let failed = Failed { code: 20, ..Failed::new(FailedKind::Certificate, "no") };
        let message = answer(Err(&failed), None);
        assert_eq!(&message[..16], MAGIC);
        assert_eq!(&message[20..], br#"{"error":"certificate","message":"no","code":20}"#);
        let agreed =
            Agreed { version: "TLSv1.3", cipher: "X".to_owned(), bits: 128, certificates: vec![vec![0, 1, 2]] };
        let message = answer(Ok(&agreed), Some("http/1.1"));
        assert_eq!(
            std::str::from_utf8(&message[20..]).unwrap(),
            r#"{"version":"TLSv1.3","cipher":"X","bits":128,"certificates":["AAEC"],"alpn":"http/1.1"}"#
        );
    }
}
