//! What a guest writes into a connection.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use runtime::network::fuzzing::{self, HOST};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::requests::{self, Request};

/// A secret that is bound to the host. It stands in a path only escaped.
const SECRET: &str = "s3cret/7731+horse";

/// Stands for the secret's placeholder in the bytes, and for `Basic` credentials with it.
const PLACEHOLDER: &[u8] = b"{KEY}";
const CREDENTIALS: &[u8] = b"{BASIC}";

/// Nothing here waits for anything but what is there already.
const TIME: Duration = Duration::from_secs(10);

/// The first byte says whether the connection is over TLS and in which pieces the rest is written. A server that repeats
/// what it gets sees requests that can be understood in one way only, all for its own host; and of a secret that is bound
/// to it, the guest sees nothing again.
pub fn http(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let (is_tls, piece) = (first & 1 == 1, usize::from(first >> 1).max(1));
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    executor.block_on(async {
        let (near, far) = tokio::io::duplex(16 << 10);
        let mut guest = fuzzing::connect(is_tls, SECRET, far).await.unwrap();
        let credentials = STANDARD.encode(format!("ada:{}", guest.placeholder));
        let bytes = replaced(bytes, PLACEHOLDER, guest.placeholder.as_bytes());
        let bytes = replaced(&bytes, CREDENTIALS, credentials.as_bytes());
        let server = tokio::spawn(serve(near));
        let (mut answers, mut questions) = tokio::io::split(&mut guest.stream);
        let write = async {
            for piece in bytes.chunks(if piece == 1 { bytes.len().max(1) } else { piece }) {
                // The other side may have ended.
                if questions.write_all(piece).await.is_err() {
                    return;
                }
            }
            let _ended = questions.shutdown().await;
        };
        let read = async {
            let mut read = Vec::new();
            let _ended = answers.read_to_end(&mut read).await;
            read
        };
        let ((), read) = tokio::time::timeout(TIME, async { tokio::join!(write, read) }).await.expect("it ends");
        drop(guest);
        // What the guest itself has written may come back to it.
        let has = |text: &[u8], form: &str| text.windows(form.len()).any(|window| window == form.as_bytes());
        for form in forms().iter().filter(|form| !has(&bytes, form)) {
            let shown = String::from_utf8_lossy(&read);
            assert!(!has(&read, form), "{form} is in {shown}");
        }
        // A connection that waits for another guest is closed by now: nobody holds its other end.
        server.abort();
        if let Err(error) = server.await
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    });
}

/// Takes requests to the end, and answers each with what it was.
async fn serve(mut guest: DuplexStream) {
    let mut read = Vec::new();
    loop {
        let (answer, length) = match requests::first(&read)
            .unwrap_or_else(|why| panic!("{why}: {}", String::from_utf8_lossy(&read)))
        {
            Some(request) => {
                let hosts: Vec<_> =
                    request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("host")).collect();
                assert_eq!(hosts.len(), 1, "{:?}", request.headers);
                assert!(hosts[0].1.to_ascii_lowercase().starts_with(HOST), "{hosts:?}");
                for name in ["connection", "upgrade", "te", "proxy-authorization", "proxy-connection", "keep-alive"] {
                    assert!(!request.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)), "{name}");
                }
                assert_ne!(request.method, "CONNECT");
                (answer(&request, &read[..request.length]), request.length)
            }
            None => match guest.read_buf(&mut read).await {
                Ok(0) | Err(_) => return,
                Ok(_) => continue,
            },
        };
        read.drain(..length);
        if guest.write_all(&answer).await.is_err() {
            return;
        }
    }
}

fn answer(request: &Request, whole: &[u8]) -> Vec<u8> {
    let mut answer = b"HTTP/1.1 200 OK\r\n".to_vec();
    for (_, value) in request.headers.iter().take(20) {
        let value = value.chars().map(|c| u8::try_from(c).unwrap());
        answer.extend(b"X-Echo: ".iter().copied().chain(value).chain(*b"\r\n"));
    }
    answer.extend(format!("Content-Length: {}\r\n\r\n", whole.len()).as_bytes());
    if request.method != "HEAD" {
        answer.extend(whole);
    }
    answer
}

fn forms() -> [String; 4] {
    let shifted = |engine: &base64::engine::GeneralPurpose| {
        let encoded = engine.encode(format!("ada:{SECRET}"));
        // The characters that hold nothing but the secret's own bits.
        encoded[6..(4 + SECRET.len()) * 8 / 6].to_owned()
    };
    [SECRET.to_owned(), SECRET.replace('/', "%2F").replace('+', "%2B"), shifted(&STANDARD), shifted(&URL_SAFE)]
}

fn replaced(bytes: &[u8], name: &[u8], value: &[u8]) -> Vec<u8> {
    let (mut replaced, mut rest) = (Vec::new(), bytes);
    while let Some(place) = rest.windows(name.len()).position(|window| window == name) {
        replaced.extend([&rest[..place], value].concat());
        rest = &rest[place + name.len()..];
    }
    replaced.extend(rest);
    replaced
}
