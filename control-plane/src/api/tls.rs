//! TLS on the listener: HTTP/2 or HTTP/1.1, as the client prefers. The certificate can be exchanged while it is served.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context, Result, bail};
use rustls::ServerConfig;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config;

/// What is offered by ALPN, the best first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// A certificate and its key.
#[derive(Clone)]
pub struct Tls {
    files: Arc<Files>,
    acceptor: Arc<RwLock<TlsAcceptor>>,
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Tls {
    /// Reads the files that the settings name, if they name any.
    pub fn open(settings: &config::Tls) -> Result<Option<Self>> {
        let files = match (&settings.certificate, &settings.key) {
            (None, None) => return Ok(None),
            (Some(certificate), Some(key)) => Files { certificate: certificate.clone(), key: key.clone() },
            (Some(_), None) => bail!("[tls] names a certificate and no key: set `tls.key`, too"),
            (None, Some(_)) => bail!("[tls] names a key and no certificate: set `tls.certificate`, too"),
        };
        let acceptor = Arc::new(RwLock::new(files.read()?));
        Ok(Some(Self { files: Arc::new(files), acceptor }))
    }

    /// Reads the files again. Connections that there are keep the certificate that they began with; where the files are
    /// not right, further ones do, too.
    pub fn reload(&self) -> Result<()> {
        let acceptor = self.files.read()?;
        *self.acceptor.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
        Ok(())
    }

    /// What shakes hands now.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Files {
    fn read(&self) -> Result<TlsAcceptor> {
        let (certificate, key) = (self.certificate.display(), self.key.display());
        let chain = certificates(&self.certificate).with_context(|| format!("tls.certificate: {certificate}"))?;
        let private = private_key(&self.key).with_context(|| format!("tls.key: {key}"))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("failed to set up TLS")?
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => anyhow::anyhow!(
                    "tls.key: {key} is not the key of the first certificate in {certificate}: the service's own \
                     certificate comes first there, and those that vouch for it after it"
                ),
                error => anyhow::Error::new(error).context(format!("{certificate} and {key} cannot be used for TLS")),
            })?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_slice_iter(&fs_err::read(file)?).collect::<Result<Vec<_>, _>>()?;
    if found.is_empty() {
        bail!("there is no certificate in it: it has to be PEM, with `-----BEGIN CERTIFICATE-----`");
    }
    Ok(found)
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(&fs_err::read(file)?).map_err(|error| match error {
        PemError::NoItemsFound => anyhow::anyhow!(
            "there is no private key in it: it has to be PEM, with `-----BEGIN PRIVATE KEY-----`, and without a passphrase"
        ),
        error => error.into(),
    })
}
