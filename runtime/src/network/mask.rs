//! Hides values in what a server answers, piece by piece as it comes, without changing its length.
//!
//! All values are looked for in one pass, each by the method of Knuth, Morris and Pratt: a server chooses what it answers, and
//! no answer may cost more than its length.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{HeaderMap, HeaderValue};
use zeroize::Zeroizing;

use crate::secret_forms::SHORTEST_BYTES;

/// What takes the place of each byte.
const STAR: u8 = b'*';

/// Values to hide.
pub struct Mask {
    values: Vec<Value>,
    /// Whether any value begins with this byte, which is all that most bytes are asked.
    first: [bool; 256],
}

struct Value {
    bytes: Zeroizing<Vec<u8>>,
    /// How much of the value's beginning is still there where the next byte does not fit, by how much was there.
    fallback: Vec<u32>,
}

impl Mask {
    /// Of these values; none where there is nothing to hide.
    pub fn new(values: impl Iterator<Item = Zeroizing<Vec<u8>>>) -> Option<Self> {
        let values: Vec<_> = values.filter(|value| value.len() >= SHORTEST_BYTES).map(Value::new).collect();
        let mut first = [false; 256];
        for start in values.iter().filter_map(|value| value.bytes.first()) {
            first[usize::from(*start)] = true;
        }
        (!values.is_empty()).then_some(Self { values, first })
    }

    /// Hides them in headers.
    pub fn hide_in(&self, headers: &mut HeaderMap) {
        for header in headers.values_mut() {
            let mut hiding = Hiding::new(self);
            let mut bytes = hiding.take(self, header.as_bytes());
            bytes.extend(hiding.held);
            if bytes != header.as_bytes() {
                *header = HeaderValue::from_bytes(&bytes).unwrap_or(HeaderValue::from_static("*"));
            }
        }
    }
}

impl Value {
    fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        let mut value = Self { bytes, fallback: vec![0] };
        let mut matched = 0;
        for place in 1..value.bytes.len() {
            matched = value.next(matched, value.bytes[place]);
            value.fallback.push(matched as u32);
        }
        value
    }

    /// How much of the value's beginning is there after a byte, from how much was there before it.
    fn next(&self, mut matched: usize, byte: u8) -> usize {
        loop {
            if self.bytes.get(matched) == Some(&byte) {
                return matched + 1;
            }
            if matched == 0 {
                return 0;
            }
            matched = self.fallback[matched - 1] as usize;
        }
    }
}

/// How far a text has come.
struct Hiding {
    /// How much of each value's beginning is there.
    matched: Vec<usize>,
    /// The end of the text, which may be the beginning of a value.
    held: Vec<u8>,
}

impl Hiding {
    fn new(mask: &Mask) -> Self {
        Self { matched: vec![0; mask.values.len()], held: Vec::new() }
    }

    /// Takes the next piece, and gives what is known to hold no value any more.
    fn take(&mut self, mask: &Mask, piece: &[u8]) -> Vec<u8> {
        let mut is_begun = self.matched.iter().any(|matched| *matched > 0);
        self.held.reserve(piece.len());
        for byte in piece {
            self.held.push(*byte);
            if !is_begun && !mask.first[usize::from(*byte)] {
                continue;
            }
            is_begun = false;
            for (matched, value) in self.matched.iter_mut().zip(&mask.values) {
                *matched = value.next(*matched, *byte);
                if *matched == value.bytes.len() {
                    let begin = self.held.len() - *matched;
                    self.held[begin..].fill(STAR);
                    *matched = value.fallback[*matched - 1] as usize;
                }
                is_begun |= *matched > 0;
            }
        }
        let open = self.matched.iter().copied().max().unwrap_or_default();
        let rest = self.held.split_off(self.held.len() - open);
        std::mem::replace(&mut self.held, rest)
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
    hiding: Hiding,
    is_over: bool,
}

impl<B> Masked<B> {
    pub fn new(body: B, mask: Mask) -> Self {
        Self { body, hiding: Hiding::new(&mask), mask, is_over: false }
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
                    let bytes = this.hiding.take(&this.mask, &data);
                    if !bytes.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(bytes.into()))));
                    }
                }
                None => this.is_over = true,
            }
        }
        let last = std::mem::take(&mut this.hiding.held);
        Poll::Ready((!last.is_empty()).then(|| Ok(Frame::data(last.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.hiding.held.is_empty() && (self.is_over || self.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let inner = self.body.size_hint();
        let held = self.hiding.held.len() as u64;
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
        Mask::new(values.iter().map(|value| Zeroizing::new(value.as_bytes().to_vec())))
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

    #[tokio::test]
    async fn values_that_overlap_are_hidden_whole() {
        for (text, values, expected) in [
            ("xababab.abaabab", ["abab", "babx"], "x******.aba****"),
            ("aaaaaab", ["aaaab", "aaaa"], "*******"),
            ("s3cres3cret", ["s3cret", "t..."], "s3cre******"),
        ] {
            for cut in 0..=text.len() {
                assert_eq!(masked(&[&text[..cut], &text[cut..]], &values).await, expected, "{text} {cut}");
            }
        }
    }

    #[tokio::test]
    async fn an_answer_that_is_like_a_value_everywhere_costs_its_length() {
        let value = format!("{}b", "a".repeat(20_000));
        let text = "a".repeat(1 << 20);
        let begun = std::time::Instant::now();
        assert_eq!(masked(&[&text, &text], &[&value]).await.len(), 2 << 20);
        // Comparing the value at every place would be 40,000,000,000 steps.
        assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
    }

    #[test]
    fn headers_are_masked_too() {
        let mut headers = HeaderMap::new();
        headers.insert("x-echo", HeaderValue::from_static("Bearer s3cret"));
        mask(&["s3cret"]).unwrap().hide_in(&mut headers);
        assert_eq!(headers["x-echo"], "Bearer ******");
    }
}
