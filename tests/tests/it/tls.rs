//! HTTPS by the service itself, with the certificate of an authority that only its clients know.

use std::io::Read;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertifiedIssuer, KeyPair};
use reqwest::tls::TlsInfo;
use reqwest::{Certificate, ClientBuilder, Response, Version};
use rustix::process::Signal;

use crate::author::{self, Author};
use crate::client;
use crate::programs;
use crate::server::{Installation, Server};
use crate::web::{LAST_YEAR, authority, identity};

/// What the certificate is for: the address that tests listen on.
const NAME: &str = "127.0.0.1";

/// Writes a certificate and its key where the settings name them.
fn certify(authority: &CertifiedIssuer<KeyPair>, installation: &Installation) -> Vec<u8> {
    let (certificate, key) = identity(authority, &[NAME], LAST_YEAR);
    fs_err::write(installation.path("server.pem"), certificate.pem() + &authority.pem()).unwrap();
    fs_err::write(installation.path("server.key"), key.serialize_pem()).unwrap();
    certificate.der().to_vec()
}

fn settings(installation: &Installation) -> String {
    let path = |name: &str| installation.path(name).to_str().unwrap().to_owned();
    let (certificate, key) = (path("server.pem"), path("server.key"));
    format!("[http]\nhead_timeout_s = 1\n[tls]\ncertificate = {certificate:?}\nkey = {key:?}\n")
}

/// Which certificate an answer came with.
fn certificate_of(response: &Response) -> &[u8] {
    response.extensions().get::<TlsInfo>().and_then(TlsInfo::peer_certificate).expect("it came over TLS")
}

#[tokio::test]
async fn https_is_spoken_to_those_who_know_the_authority_and_the_certificate_can_be_exchanged() {
    let installation = Installation::new();
    let authority = authority("An authority");
    let first = certify(&authority, &installation);
    installation.configure(&settings(&installation));
    let trusting = || -> ClientBuilder {
        let root = Certificate::from_pem(authority.pem().as_bytes()).unwrap();
        client::http().tls_certs_only([root]).tls_info(true)
    };
    let server = Server::start_through(trusting().build().unwrap(), Arc::clone(&installation)).await;
    let url = format!("{}/readyz", server.client.server);
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");

    let modern = trusting().build().unwrap();
    let response = modern.get(&url).send().await.unwrap();
    assert_eq!((response.version(), response.status().as_u16()), (Version::HTTP_2, 200));
    assert_eq!(certificate_of(&response), first);
    let plain = trusting().http1_only().build().unwrap();
    assert_eq!(plain.get(&url).send().await.unwrap().version(), Version::HTTP_11);
    assert!(client::http().build().unwrap().get(&url).send().await.is_err(), "nobody else knows the authority");
    assert!(modern.get(url.replace("https", "http")).send().await.is_err(), "nothing is answered in the clear");

    // Git, whose TLS is another program's.
    let root = installation.path("authority.pem");
    fs_err::write(&root, authority.pem()).unwrap();
    let author = Author::new(&installation.path("work"), &server.client.remote());
    let stranger = author.refused(&["ls-remote", "origin"]);
    assert!(stranger.contains("certificate"), "{stranger}");
    author.git(&["config", "http.sslCAInfo", root.to_str().unwrap()]);
    let pushed = author.push(&["counter"]);
    assert!(author::git(author.folder(), &["ls-remote", "origin", "main"]).starts_with(&pushed));

    // Whoever connects and says nothing is not waited for longer than for a head.
    let mut silent = TcpStream::connect(server.client.server.trim_start_matches("https://")).unwrap();
    assert_eq!(silent.read(&mut [0; 1]).unwrap(), 0);

    // A new certificate holds for connections from then on, and those that there are go on.
    let held = trusting().build().unwrap();
    assert_eq!(certificate_of(&held.get(&url).send().await.unwrap()), first);
    let second = certify(&authority, &installation);
    server.signal(Signal::HUP);
    loop {
        let response = trusting().build().unwrap().get(&url).send().await.unwrap();
        if certificate_of(&response) == second {
            break;
        }
        assert_eq!(certificate_of(&response), first);
    }
    assert_eq!(certificate_of(&held.get(&url).send().await.unwrap()), first);

    // One that is not right changes nothing.
    fs_err::write(installation.path("server.key"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    server.signal(Signal::HUP);
    let log = || fs_err::read_to_string(installation.path("server.log")).unwrap();
    while !log().contains("the certificate stays as it was") {}
    assert!(log().contains("is not the key of the first certificate"), "{}", log());
    let response = trusting().build().unwrap().get(&url).send().await.unwrap();
    assert_eq!(certificate_of(&response), second);
}

#[test]
fn a_certificate_or_key_that_is_not_right_is_refused_at_the_start_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let authority = authority("An authority");
    let (certificate, key) = identity(&authority, &[NAME], LAST_YEAR);
    let write = |name: &str, text: &str| fs_err::write(folder.path().join(name), text).unwrap();
    write("good.pem", &certificate.pem());
    write("good.key", &key.serialize_pem());
    write("other.key", &KeyPair::generate().unwrap().serialize_pem());
    write("empty", "");
    write("locked.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
    write("cut.pem", &certificate.pem()[..200]);
    for (certificate, key, expected) in [
        (Some("good.pem"), None, "names a certificate and no key: set `tls.key`"),
        (None, Some("good.key"), "names a key and no certificate: set `tls.certificate`"),
        (Some("good.pem"), Some("nowhere.key"), "No such file"),
        (Some("good.pem"), Some("other.key"), "other.key is not the key of the first certificate in"),
        (Some("empty"), Some("good.key"), "there is no certificate in it: it has to be PEM"),
        (Some("good.pem"), Some("empty"), "there is no private key in it: it has to be PEM"),
        (Some("good.pem"), Some("locked.key"), "without a passphrase"),
        (Some("cut.pem"), Some("good.key"), "tls.certificate: "),
        (Some("good.key"), Some("good.pem"), "there is no certificate in it"),
    ] {
        let said = refusal(folder.path(), certificate, key);
        assert!(said.contains(expected), "{expected}\nis not in\n{said}");
    }
    assert!(!folder.path().join("data").exists(), "nothing was opened");
}

/// What `serve` says of such settings.
fn refusal(folder: &Path, certificate: Option<&str>, key: Option<&str>) -> String {
    let mut command = programs::command("control-plane");
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(folder.join("data"));
    for (variable, file) in [("TOOLPLANE_TLS__CERTIFICATE", certificate), ("TOOLPLANE_TLS__KEY", key)] {
        command.envs(file.map(|file| (variable, folder.join(file))));
    }
    let output = command.output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}
