//! Web servers on loopback for tools to talk to: HTTP and HTTPS, with a certificate authority of their own.

pub mod answers;
mod lines;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What the certificates are for.
const NAMES: [&str; 8] = [
    "api.test",
    "*.below.test",
    "lines.test",
    "untrusted.test",
    "expired.test",
    "redis.test",
    "postgres.test",
    "mail.test",
];

/// Until when they are valid, unless that is long ago.
pub const LAST_YEAR: i32 = 4096;

/// Servers that end with the test's executor.
pub struct Web {
    pub http: u16,
    pub https: u16,
    /// Its certificate is of an authority that nobody trusts.
    pub untrusted: u16,
    /// Its certificate was valid until long ago.
    pub expired: u16,
    /// Its certificate is for another name.
    pub misnamed: u16,
    /// Speaks a line protocol, with STARTTLS.
    pub lines: u16,
    /// How many TLS handshakes the HTTPS server has done.
    pub handshakes: Arc<AtomicUsize>,
    /// How many requests both servers have seen.
    pub requests: Arc<AtomicUsize>,
    /// The same certificate for servers that are other programs, and its key, as PEM files.
    pub certificate: PathBuf,
    pub key: PathBuf,
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
        let (certificate, key) = (folder.path().join("server.pem"), folder.path().join("server.key"));
        let identity = identity(&authority, &NAMES, LAST_YEAR);
        fs_err::write(&certificate, identity.0.pem()).unwrap();
        fs_err::write(&key, identity.1.serialize_pem()).unwrap();
        let (handshakes, requests) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let acceptor = acceptor(&authority, &NAMES);
        let of = async |acceptor| serve(Some(acceptor), Arc::default(), Arc::default()).await;
        Self {
            http: serve(None, Arc::default(), Arc::clone(&requests)).await,
            https: serve(Some(acceptor.clone()), Arc::clone(&handshakes), Arc::clone(&requests)).await,
            untrusted: of(self::acceptor(&stranger, &NAMES)).await,
            expired: of(acceptor_until(&authority, &NAMES, 2020)).await,
            misnamed: of(self::acceptor(&authority, &["elsewhere.test"])).await,
            lines: lines::serve(acceptor).await,
            handshakes,
            requests,
            certificate,
            key,
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
            .replace(":7445", &format!(":{}", self.expired))
            .replace(":7446", &format!(":{}", self.misnamed))
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
    acceptor_until(authority, names, LAST_YEAR)
}

/// The same, with a certificate that is valid until that year begins.
fn acceptor_until(authority: &CertifiedIssuer<KeyPair>, names: &[&str], year: i32) -> TlsAcceptor {
    let (certificate, key) = identity(authority, names, year);
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

/// A certificate for these names, and its key.
pub fn identity(authority: &CertifiedIssuer<KeyPair>, names: &[&str], year: i32) -> (Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_after = rcgen::date_time_ymd(year, 1, 1);
    (params.signed_by(&key, authority).unwrap(), key)
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
    let own = AtomicUsize::new(0);
    let service = service_fn(|request: Request<Incoming>| {
        requests.fetch_add(1, Ordering::SeqCst);
        let is_first = own.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            // The connection ends without an answer.
            if request.uri().path() == "/once" && !is_first {
                return Err(std::io::Error::other("one request was enough"));
            }
            Ok(answers::respond(request).await)
        }
    });
    let _ended = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
