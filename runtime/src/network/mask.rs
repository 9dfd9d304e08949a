//! Hides values in what a server answers, piece by piece as it comes, without changing its length.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{HeaderMap, HeaderValue};
use zeroize::Zeroizing;

/// What takes the place of each byte.
const STAR: u8 = b'*';

/// A shorter value may be part of anything, and is no secret to speak of.
const SHORTEST: usize = 4;

/// Values to hide.
pub struct Mask(Vec<Zeroizing<String>>);

impl Mask {
    /// Of these values; none where there is nothing to hide.
    pub fn new(values: impl Iterator<Item = Zeroizing<String>>) -> Option<Self> {
        let values: Vec<_> = values.filter(|value| value.len() >= SHORTEST).collect();
        (!values.is_empty()).then_some(Self(values))
    }

    /// Hides them in headers.
    pub fn hide_in(&self, headers: &mut HeaderMap) {
        for header in headers.values_mut() {
            let mut bytes = header.as_bytes().to_vec();
            if self.hide(&mut bytes) {
                *header = HeaderValue::from_bytes(&bytes).unwrap_or(HeaderValue::from_static("*"));
            }
        }
    }

    fn hide(&self, bytes: &mut [u8]) -> bool {
        let mut found = false;
        for value in &self.0 {
            let mut from = 0;
            while let Some(place) = find(&bytes[from..], value.as_bytes()) {
                bytes[from + place..][..value.len()].fill(STAR);
                from += place + value.len();
                found = true;
            }
        }
        found
    }

    /// How many bytes at the end may be the beginning of a value.
    fn open_end(&self, bytes: &[u8]) -> usize {
        let begun = |value: &[u8]| {
            let longest = (value.len() - 1).min(bytes.len());
            (1..=longest).rev().find(|length| value.starts_with(&bytes[bytes.len() - length..])).unwrap_or(0)
        };
        self.0.iter().map(|value| begun(value.as_bytes())).max().unwrap_or(0)
    }
}

/// Where some bytes are in others.
pub fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// A body in which values are hidden. Trailers are left out.
pub struct Masked<B> {
    body: B,
    mask: Mask,
    /// What may be the beginning of a value.
    held: Vec<u8>,
    is_over: bool,
}

impl<B> Masked<B> {
    pub fn new(body: B, mask: Mask) -> Self {
        Self { body, mask, held: Vec::new(), is_over: false }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Masked<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        while !this.is_over {
            match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    let mut bytes = std::mem::take(&mut this.held);
                    bytes.extend_from_slice(&data);
                    this.mask.hide(&mut bytes);
                    this.held = bytes.split_off(bytes.len() - this.mask.open_end(&bytes));
                    if !bytes.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(bytes.into()))));
                    }
                }
                None => this.is_over = true,
            }
        }
        let last = std::mem::take(&mut this.held);
        Poll::Ready((!last.is_empty()).then(|| Ok(Frame::data(last.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_empty() && (self.is_over || self.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let inner = self.body.size_hint();
        let held = self.held.len() as u64;
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower() + held);
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + held);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::stream;
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    fn mask(values: &[&str]) -> Option<Mask> {
        Mask::new(values.iter().map(|value| Zeroizing::new((*value).to_owned())))
    }

    async fn masked(pieces: &[&str], values: &[&str]) -> String {
        let frames: Vec<_> =
            pieces.iter().map(|piece| Ok::<_, Infallible>(Frame::data(Bytes::from((*piece).to_owned())))).collect();
        let body = Masked::new(StreamBody::new(stream::iter(frames)), mask(values).unwrap());
        String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_value_is_hidden_wherever_it_is_cut() {
        let whole = "say s3cret, and s3cs3cret";
        for first in 0..=whole.len() {
            for second in first..=whole.len() {
                let pieces = [&whole[..first], &whole[first..second], &whole[second..]];
                assert_eq!(masked(&pieces, &["s3cret", "elsewhere"]).await, "say ******, and s3c******", "{pieces:?}");
            }
        }
    }

    #[tokio::test]
    async fn what_only_begins_like_one_comes_through() {
        assert_eq!(masked(&["s3cre", "am s3c"], &["s3cret"]).await, "s3cream s3c");
        assert_eq!(masked(&[], &["s3cret"]).await, "");
        assert!(mask(&["abc"]).is_none());
    }

    #[test]
    fn headers_are_masked_too() {
        let mut headers = HeaderMap::new();
        headers.insert("x-echo", HeaderValue::from_static("Bearer s3cret"));
        mask(&["s3cret"]).unwrap().hide_in(&mut headers);
        assert_eq!(headers["x-echo"], "Bearer ******");
    }
}
