//! Web servers on loopback for tools to talk to: HTTP and HTTPS, with a certificate authority of their own.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What the certificates are for.
const NAMES: [&str; 4] = ["api.test", "*.below.test", "lines.test", "untrusted.test"];

/// Servers that end with the test's executor.
pub struct Web {
    pub http: u16,
    pub https: u16,
    /// Its certificate is of an authority that nobody trusts.
    pub untrusted: u16,
    /// Speaks a line protocol, with STARTTLS.
    pub lines: u16,
    /// How many TLS handshakes the HTTPS server has done.
    pub handshakes: Arc<AtomicUsize>,
    /// How many requests both servers have seen.
    pub requests: Arc<AtomicUsize>,
    ca: PathBuf,
    _folder: tempfile::TempDir,
}

impl Web {
    /// Starts the servers. The certificate is for `api.test`, `*.below.test` and `lines.test`.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (authority, stranger) = (authority("A test"), authority("A stranger"));
        let ca = folder.path().join("ca.pem");
        fs_err::write(&ca, authority.pem()).unwrap();
        let (handshakes, requests) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let acceptor = acceptor(&authority, &NAMES);
        Self {
            http: serve(None, Arc::default(), Arc::clone(&requests)).await,
            https: serve(Some(acceptor.clone()), Arc::clone(&handshakes), Arc::clone(&requests)).await,
            untrusted: serve(Some(self::acceptor(&stranger, &NAMES)), Arc::default(), Arc::default()).await,
            lines: serve_lines(acceptor).await,
            handshakes,
            requests,
            ca,
            _folder: folder,
        }
    }

    /// The file with the certificate authority.
    pub fn ca(&self) -> &Path {
        &self.ca
    }

    /// Writes a copy of a tool whose project names the ports of these servers.
    pub fn write_tool(&self, tool: &Path, target: &Path) {
        fs_err::create_dir_all(target.join("src")).unwrap();
        let manifest = fs_err::read_to_string(tool.join("pyproject.toml")).unwrap();
        let manifest = manifest
            .replace(":7080", &format!(":{}", self.http))
            .replace(":7443", &format!(":{}", self.https))
            .replace(":7444", &format!(":{}", self.untrusted))
            .replace(":7025", &format!(":{}", self.lines));
        fs_err::write(target.join("pyproject.toml"), manifest).unwrap();
        for file in fs_err::read_dir(tool.join("src")).unwrap() {
            let file = file.unwrap();
            if file.file_type().unwrap().is_file() {
                fs_err::copy(file.path(), target.join("src").join(file.file_name())).unwrap();
            }
        }
    }
}

/// A certificate authority of this name.
pub fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    // Two of one name would be taken for one whose signature is wrong.
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Does TLS with a certificate for these names.
pub fn acceptor(authority: &CertifiedIssuer<KeyPair>, names: &[&str]) -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, authority).unwrap();
    let chain = vec![CertificateDer::from(certificate.der().to_vec())];
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(acceptor: Option<TlsAcceptor>, handshakes: Arc<AtomicUsize>, requests: Arc<AtomicUsize>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, handshakes, requests) = (acceptor.clone(), Arc::clone(&handshakes), Arc::clone(&requests));
            tokio::spawn(async move {
                match acceptor {
                    None => answer(stream, requests).await,
                    Some(acceptor) => {
                        if let Ok(stream) = acceptor.accept(stream).await {
                            handshakes.fetch_add(1, Ordering::SeqCst);
                            answer(stream, requests).await;
                        }
                    }
                }
            });
        }
    });
    port
}

async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin, requests: Arc<AtomicUsize>) {
    let service = service_fn(|request: Request<Incoming>| {
        requests.fetch_add(1, Ordering::SeqCst);
        respond(request)
    });
    let _ended = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn respond(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let response = Response::builder();
    let response = match parts.uri.path() {
        "/redirect" => {
            response.status(302).header("Location", "/echo").header("Set-Cookie", "a=b").body(Full::default())
        }
        "/elsewhere" => response.status(302).header("Location", "http://other.test/").body(Full::default()),
        // Never: whoever asks has to stop waiting by himself.
        "/never" => std::future::pending().await,
        path => {
            let headers: serde_json::Map<_, _> = parts
                .headers
                .iter()
                .map(|(name, value)| (name.to_string(), json!(String::from_utf8_lossy(value.as_bytes()))))
                .collect();
            let size = body.collect().await.map_or(0, |body| body.to_bytes().len());
            let text =
                json!({"method": parts.method.as_str(), "path": path, "headers": headers, "size": size}).to_string();
            response.header("Content-Type", "application/json").body(Full::from(text))
        }
    };
    Ok(response.unwrap())
}

/// Answers each line with itself; `STARTTLS` is answered in plain text, and what follows is TLS.
async fn serve_lines(acceptor: TlsAcceptor) -> u16 {
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
        if tokio::io::AsyncReadExt::read(stream, &mut byte).await.unwrap_or(0) == 0 {
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
