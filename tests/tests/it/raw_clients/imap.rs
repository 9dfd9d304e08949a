//! An IMAP server with one mailbox in memory, which wants TLS before a password (RFC 3501, as far as a client asks it).

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What each connection finds.
const FIRST_MESSAGE: &[u8] = b"Subject: welcome\r\n\r\nHello.\r\n";

/// Serves until the test's executor ends, and answers the port.
pub async fn serve(acceptor: TlsAcceptor) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut plain = BufStream::new(stream);
                plain.write_all(b"* OK IMAP4rev1 ready\r\n").await.unwrap();
                if let Some(Next::Tls) = talk(&mut plain, Protected::No).await {
                    let stream = acceptor.accept(plain.into_inner()).await.unwrap();
                    talk(&mut BufStream::new(stream), Protected::Yes).await;
                }
            });
        }
    });
    port
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Protected {
    No,
    Yes,
}

enum Next {
    Tls,
    Closed,
}

/// Answers commands. None when the client is gone without a word.
async fn talk(stream: &mut (impl AsyncBufRead + AsyncWrite + Unpin), protected: Protected) -> Option<Next> {
    let mut messages = vec![FIRST_MESSAGE.to_vec()];
    loop {
        stream.flush().await.ok()?;
        let line = line(stream).await?;
        let (tag, command) = line.split_once(' ').unwrap();
        let (name, arguments) = command.split_once(' ').unwrap_or((command, ""));
        let mut answer = Vec::new();
        let mut say = |bytes: &[u8]| answer.extend_from_slice(bytes);
        let done = match (name, protected) {
            ("CAPABILITY", Protected::No) => {
                say(b"* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\n");
                "OK done"
            }
            ("CAPABILITY", Protected::Yes) => {
                say(b"* CAPABILITY IMAP4rev1\r\n");
                "OK done"
            }
            ("STARTTLS", Protected::No) => "OK begin TLS now",
            ("LOGIN", Protected::Yes) if arguments == "tool \"secret\"" => "OK welcome",
            ("LOGIN", _) => "NO wrong, or in plain text",
            ("SELECT", Protected::Yes) => {
                say(format!("* {} EXISTS\r\n", messages.len()).as_bytes());
                "OK [READ-WRITE] selected"
            }
            ("APPEND", Protected::Yes) => {
                let size = arguments.rsplit_once('{').unwrap().1.trim_end_matches('}').parse().unwrap();
                stream.write_all(b"+ go on\r\n").await.ok()?;
                stream.flush().await.ok()?;
                let mut message = vec![0; size];
                stream.read_exact(&mut message).await.ok()?;
                self::line(stream).await?;
                messages.push(message);
                "OK appended"
            }
            ("SEARCH", Protected::Yes) => {
                let numbers: String = (1..=messages.len()).map(|number| format!(" {number}")).collect();
                say(format!("* SEARCH{numbers}\r\n").as_bytes());
                "OK done"
            }
            ("FETCH", Protected::Yes) => {
                let number: usize = arguments.split(' ').next().unwrap().parse().unwrap();
                let message = &messages[number - 1];
                say(format!("* {number} FETCH (RFC822 {{{}}}\r\n", message.len()).as_bytes());
                say(message);
                say(b")\r\n");
                "OK done"
            }
            ("LOGOUT", _) => {
                say(b"* BYE\r\n");
                "OK done"
            }
            _ => "BAD unknown here",
        };
        say(format!("{tag} {done}\r\n").as_bytes());
        stream.write_all(&answer).await.ok()?;
        stream.flush().await.ok()?;
        match name {
            "STARTTLS" => return Some(Next::Tls),
            "LOGOUT" => return Some(Next::Closed),
            _ => {}
        }
    }
}

async fn line(stream: &mut (impl AsyncBufRead + Unpin)) -> Option<String> {
    let mut line = String::new();
    let size = stream.read_line(&mut line).await.ok()?;
    (size > 0).then(|| line.trim_end().to_owned())
}
