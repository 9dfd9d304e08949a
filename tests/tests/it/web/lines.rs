//! A server that answers each line with itself; `STARTTLS` is answered in plain text, and what follows is TLS.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

pub async fn serve(acceptor: TlsAcceptor) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                stream.write_all(b"welcome\n").await.unwrap();
                if echo(&mut stream).await == Ended::WithStartTls {
                    let stream: TcpStream = stream;
                    if let Ok(mut stream) = acceptor.accept(stream).await {
                        echo(&mut stream).await;
                    }
                }
            });
        }
    });
    port
}

#[derive(PartialEq, Eq)]
enum Ended {
    WithStartTls,
    Closed,
}

async fn echo(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Ended {
    let mut line = Vec::new();
    loop {
        let mut byte = [0];
        if stream.read(&mut byte).await.unwrap_or(0) == 0 {
            return Ended::Closed;
        }
        line.push(byte[0]);
        if byte == *b"\n" {
            if stream.write_all(&line).await.is_err() || stream.flush().await.is_err() {
                return Ended::Closed;
            }
            if line == b"STARTTLS\n" {
                return Ended::WithStartTls;
            }
            line.clear();
        }
    }
}
