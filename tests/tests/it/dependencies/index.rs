//! A package index on loopback that asks for a password, and the same files over TLS for everybody.

use std::convert::Infallible;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use crate::web;

/// A password as no URL can hold it unescaped.
pub const PASSWORD: &str = "p@ss w0rd";

/// It is gone when this is dropped.
pub struct Index {
    /// How many requests it has answered.
    pub answered: Arc<AtomicUsize>,
    /// The file with the certificate authority of the files over TLS.
    pub ca: PathBuf,
    http: u16,
    https: u16,
    // The tests wait for programs, so the servers run on threads of their own.
    executor: Option<Runtime>,
}

impl Index {
    /// Serves the wheels in a folder.
    pub fn start(folder: &Path) -> Self {
        let executor = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let authority = web::authority("An index");
        let ca = folder.join("ca.pem");
        fs_err::write(&ca, authority.pem()).unwrap();
        let answered = Arc::<AtomicUsize>::default();
        let serve = |acceptor| {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_nonblocking(true).unwrap();
            let port = listener.local_addr().unwrap().port();
            executor.spawn(serve(listener, acceptor, folder.to_owned(), Arc::clone(&answered)));
            port
        };
        let (http, https) = (serve(None), serve(Some(web::acceptor(&authority, &["localhost"]))));
        Self { answered, ca, http, https, executor: Some(executor) }
    }

    /// The index with a user's name and password.
    pub fn url(&self) -> String {
        format!("http://ada:{}@127.0.0.1:{}/simple", PASSWORD.replace('@', "%40").replace(' ', "%20"), self.http)
    }

    /// A file over TLS, for which no password is needed.
    pub fn file_url(&self, file: &str) -> String {
        format!("https://localhost:{}/files/{file}", self.https)
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        // The test may be a task of an executor itself, where nothing may wait for another one's end.
        self.executor.take().unwrap().shutdown_background();
    }
}

/// The SHA-256 of a file as an index and a URL's fragment tell it.
pub fn sha256(file: &Path) -> String {
    hex::encode(Sha256::digest(fs_err::read(file).unwrap()))
}

async fn serve(
    listener: std::net::TcpListener,
    acceptor: Option<TlsAcceptor>,
    folder: PathBuf,
    answered: Arc<AtomicUsize>,
) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (acceptor, folder, answered) = (acceptor.clone(), folder.clone(), Arc::clone(&answered));
        tokio::spawn(async move {
            match acceptor {
                None => answer(stream, folder, answered, Access::WithPassword).await,
                Some(acceptor) => {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        answer(stream, folder, answered, Access::Open).await;
                    }
                }
            }
        });
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Open,
    WithPassword,
}

async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    folder: PathBuf,
    answered: Arc<AtomicUsize>,
    access: Access,
) {
    let service = service_fn(|request: Request<Incoming>| {
        answered.fetch_add(1, Ordering::SeqCst);
        let response = respond(&request, &folder, access);
        async { Ok::<_, Infallible>(response) }
    });
    let _ended = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

fn respond(request: &Request<Incoming>, folder: &Path, access: Access) -> Response<Full<Bytes>> {
    let credentials = format!("Basic {}", BASE64.encode(format!("ada:{PASSWORD}")));
    let given = request.headers().get("authorization").map(|value| value.as_bytes());
    if access == Access::WithPassword && given != Some(credentials.as_bytes()) {
        let refused = Response::builder().status(401).header("WWW-Authenticate", "Basic realm=\"index\"");
        return refused.body(Full::default()).unwrap();
    }
    let found = match request.uri().path().trim_matches('/').split('/').collect::<Vec<_>>()[..] {
        ["simple", package] => page(folder, package).map(|page| ("text/html", page.into_bytes())),
        ["files", file] => fs_err::read(folder.join(file)).ok().map(|content| ("application/octet-stream", content)),
        _ => None,
    };
    match found {
        Some((kind, content)) => {
            Response::builder().header("Content-Type", kind).body(Full::from(Bytes::from(content))).unwrap()
        }
        None => Response::builder().status(404).body(Full::default()).unwrap(),
    }
}

/// The page of PEP 503 that names all wheels of a package, none where the index does not know it.
fn page(folder: &Path, package: &str) -> Option<String> {
    let mut page = String::new();
    for file in fs_err::read_dir(folder).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        if name.ends_with(".whl") && name.split('-').next().unwrap().replace('_', "-") == package {
            let hash = sha256(&file.path());
            writeln!(page, "<a href=\"../../files/{name}#sha256={hash}\">{name}</a>").unwrap();
        }
    }
    (!page.is_empty()).then_some(page)
}
