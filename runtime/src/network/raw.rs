//! Bytes as they are, for hosts under `tcp`. A guest may ask for TLS at any turn, as STARTTLS does.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;

use super::handshake::{self, Beginning, Failed, FailedKind, Question};
use super::session::Shared;
use super::tls;

const PIECE_BYTES: usize = 16 << 10;

/// Passes bytes on until both sides have ended.
pub async fn serve(shared: Arc<Shared>, host: String, mut guest: DuplexStream, mut server: TcpStream) {
    let asked = match pass(&shared, &mut guest, &mut server, Watch::ForTls).await {
        Ok(Some(asked)) => asked,
        Ok(None) => return,
        Err(error) => return tracing::debug!(%error, "A tool's connection ended early"),
    };
    let secured = secure(&shared, &host, &asked, server).await;
    let answer = match &secured {
        Ok((_, agreed)) => handshake::answer(Ok(agreed), None),
        Err(failed) => handshake::answer(Err(failed), None),
    };
    let sent = guest.write_all(&answer).await;
    if let (Ok((mut server, _)), Ok(())) = (secured, sent)
        && let Err(error) = pass(&shared, &mut guest, &mut server, Watch::ForNothing).await
    {
        tracing::debug!(%error, "A tool's connection ended early");
    }
}

type Secured = (tokio_rustls::client::TlsStream<TcpStream>, handshake::Agreed);

async fn secure(shared: &Shared, host: &str, asked: &Question, server: TcpStream) -> Result<Secured, Failed> {
    // Databases are often asked for without a name; the certificate has to be the host's either way.
    if asked.server_name.as_ref().is_some_and(|name| !name.trim_end_matches('.').eq_ignore_ascii_case(host)) {
        let message = format!("TLS for another name was asked for on a connection to {host}");
        return Err(Failed::new(FailedKind::Denied, message));
    }
    let gateway = &shared.gateway;
    let connector = gateway.connector().map_err(|error| Failed::new(FailedKind::Protocol, error.to_string()))?;
    tls::shake_hands(connector, host, server, &gateway.settings).await
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Watch {
    ForTls,
    ForNothing,
}

/// Answers a question for TLS, or nothing when both sides have ended.
async fn pass<S: AsyncRead + AsyncWrite + Unpin>(
    shared: &Shared,
    guest: &mut DuplexStream,
    server: &mut S,
    watch: Watch,
) -> io::Result<Option<Question>> {
    let mut sent = BytesMut::with_capacity(PIECE_BYTES);
    let mut received = BytesMut::with_capacity(PIECE_BYTES);
    let (mut guest_ended, mut server_ended) = (false, false);
    while !(guest_ended && server_ended) {
        tokio::select! {
            read = guest.read_buf(&mut sent), if !guest_ended => {
                let size = read?;
                if size == 0 {
                    guest_ended = true;
                    server.shutdown().await?;
                } else if watch == Watch::ForTls && handshake::may_be_question(&sent) {
                    match handshake::beginning(guest, &mut sent).await? {
                        Beginning::Tls(question) => return Ok(Some(question)),
                        Beginning::Plain => {}
                    }
                }
                shared.meter.sent(sent.len()).map_err(io::Error::other)?;
                server.write_all(&sent).await?;
                server.flush().await?;
                sent.clear();
            }
            read = server.read_buf(&mut received), if !server_ended => {
                let size = read?;
                if size == 0 {
                    server_ended = true;
                    guest.shutdown().await?;
                }
                shared.meter.received(size).map_err(io::Error::other)?;
                guest.write_all(&received).await?;
                received.clear();
            }
        }
    }
    Ok(None)
}
