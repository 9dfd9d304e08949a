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
    let mut pieces = Pieces::default();
    let asked = match pass(&shared, &mut guest, &mut server, &mut pieces, Watch::ForTls).await {
        Err(Ended::Asked(asked)) => asked,
        ended => return log(ended),
    };
    let secured = secure(&shared, &host, &asked, server).await;
    let answer = match &secured {
        Ok((_, agreed)) => handshake::answer(Ok(agreed), None),
        Err(failed) => handshake::answer(Err(failed), None),
    };
    // What the server said before comes before the answer.
    pieces.received.extend_from_slice(&answer);
    let sent = guest.write_all_buf(&mut pieces.received).await;
    if let (Ok((mut server, _)), Ok(())) = (secured, sent) {
        log(pass(&shared, &mut guest, &mut server, &mut pieces, Watch::ForNothing).await);
    }
}

fn log(ended: Result<(), Ended>) {
    if let Err(Ended::Early(error)) = ended {
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

/// Why bytes pass no longer, before both sides have ended.
enum Ended {
    /// The guest asks for TLS.
    Asked(Question),
    Early(io::Error),
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Self::Early(error)
    }
}

/// What was read from one side and is not with the other yet. It outlives a direction that is stopped.
#[derive(Default)]
struct Pieces {
    sent: BytesMut,
    received: BytesMut,
}

/// Passes bytes on, in each direction whatever the other one waits for: a guest may send for long before it reads.
async fn pass<S: AsyncRead + AsyncWrite + Unpin>(
    shared: &Shared,
    guest: &mut DuplexStream,
    server: &mut S,
    pieces: &mut Pieces,
    watch: Watch,
) -> Result<(), Ended> {
    let (mut from_guest, mut to_guest) = tokio::io::split(guest);
    let (mut from_server, mut to_server) = tokio::io::split(server);
    let Pieces { sent, received } = pieces;
    let to_the_server = async {
        loop {
            shared.meter.sent(sent.len()).map_err(io::Error::other)?;
            to_server.write_all_buf(sent).await?;
            to_server.flush().await?;
            sent.reserve(PIECE_BYTES);
            if from_guest.read_buf(sent).await? == 0 {
                return Ok(to_server.shutdown().await?);
            }
            if watch == Watch::ForTls
                && handshake::may_be_question(sent)
                && let Beginning::Tls(question) = handshake::beginning(&mut from_guest, sent).await?
            {
                return Err(Ended::Asked(question));
            }
        }
    };
    let to_the_guest = async {
        loop {
            to_guest.write_all_buf(received).await?;
            received.reserve(PIECE_BYTES);
            let size = from_server.read_buf(received).await?;
            if size == 0 {
                return Ok::<_, Ended>(to_guest.shutdown().await?);
            }
            shared.meter.received(size).map_err(io::Error::other)?;
        }
    };
    tokio::try_join!(to_the_server, to_the_guest).map(|((), ())| ())
}
