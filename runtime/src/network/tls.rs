//! TLS with servers. The guest chooses neither whom to trust nor which ciphers to use.

use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::handshake::{Agreed, Failed, FailedKind};
use super::settings::NetworkSettings;
use crate::error::Error;

/// Trusts the system's authorities and those of the settings. Reading them takes some milliseconds.
pub fn connector(settings: &NetworkSettings) -> Result<TlsConnector, Error> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "Could not read some of the system's certificate authorities");
    }
    roots.add_parsable_certificates(found.certs);
    for file in &settings.ca_files {
        let fault = |source: anyhow::Error| Error::internal("read a certificate authority", source);
        let context = |error: String| fault(anyhow::anyhow!("{}: {error}", file.display()));
        for certificate in CertificateDer::pem_file_iter(file).map_err(|error| context(error.to_string()))? {
            let certificate = certificate.map_err(|error| context(error.to_string()))?;
            roots.add(certificate).map_err(|error| context(error.to_string()))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|source| Error::internal("set up TLS", source))?;
    Ok(TlsConnector::from(Arc::new(builder.with_root_certificates(roots).with_no_client_auth())))
}

/// Shakes hands and checks the certificate against the name.
pub async fn shake_hands(
    connector: &TlsConnector,
    host: &str,
    stream: TcpStream,
    settings: &NetworkSettings,
) -> Result<(TlsStream<TcpStream>, Agreed), Failed> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Failed::new(FailedKind::Protocol, format!("`{host}` is no name that a certificate could have")))?;
    let connected = tokio::time::timeout(settings.connect_timeout, connector.connect(name, stream)).await;
    let stream = connected
        .map_err(|_elapsed| Failed::new(FailedKind::Timeout, "the TLS handshake timed out"))?
        .map_err(|error| failed(&error, host))?;
    let agreed = agreed(&stream);
    Ok((stream, agreed))
}

fn agreed(stream: &TlsStream<TcpStream>) -> Agreed {
    let (_, connection) = stream.get_ref();
    let version = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLSv1.3",
    };
    let suite = connection.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite())).unwrap_or_default();
    // As OpenSSL calls those of TLS 1.3.
    let cipher = suite.replacen("TLS13_", "TLS_", 1);
    let bits = if cipher.contains("AES_128") { 128 } else { 256 };
    let certificates = connection.peer_certificates().unwrap_or_default();
    Agreed { version, cipher, bits, certificates: certificates.iter().map(|der| der.to_vec()).collect() }
}

/// In the words of OpenSSL, which Python's libraries and their users know.
fn failed(error: &io::Error, host: &str) -> Failed {
    let Some(error) = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()) else {
        let kind = match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => FailedKind::Ended,
            _ => FailedKind::Protocol,
        };
        return Failed::new(kind, error.to_string());
    };
    let rustls::Error::InvalidCertificate(reason) = error else {
        return Failed::new(FailedKind::Protocol, error.to_string());
    };
    let (message, code) = match reason {
        CertificateError::UnknownIssuer => ("unable to get local issuer certificate".to_owned(), 20),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            ("certificate has expired".to_owned(), 10)
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            ("certificate is not yet valid".to_owned(), 9)
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            (format!("Hostname mismatch, certificate is not valid for '{host}'."), 62)
        }
        CertificateError::Revoked => ("certificate revoked".to_owned(), 23),
        other => (other.to_string(), 1),
    };
    Failed { kind: FailedKind::Certificate, message, code }
}
