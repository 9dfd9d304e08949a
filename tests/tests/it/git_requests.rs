//! Requests to the repository's path that a client of Git does not send, or not with success.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::Method;

use crate::author::run;
use crate::client::answer;
use crate::server::Server;
use crate::wire::{self, Upload, pack_of, push_command};

#[tokio::test]
async fn no_file_of_the_repository_is_served() {
    let server = Server::start().await;
    server.author("ada").push(&["counter"]);
    let paths = [
        "HEAD",
        "config",
        "packed-refs",
        "refs/heads/main",
        "objects/info/packs",
        "objects/pack/",
        "hooks/update",
        "info/refs",
        "info/refs?service=",
        "info/refs?service=git-upload-archive",
        "info/refs?service=upload-pack",
        "info/refs/",
        "/info/refs?service=git-upload-pack",
        "info%2Frefs?service=git-upload-pack",
        "info%2frefs?service=git-upload-pack",
        "x/../info/refs?service=git-upload-pack",
        "../../config",
        "..%2f..%2fconfig",
        "%2e%2e/config",
        "%00",
        "git-upload-archive",
        "git-upload-pack",
    ];
    for path in paths {
        for (method, headers) in [("GET", ""), ("POST", "Content-Length: 0\r\n")] {
            if (method, path) == ("POST", "git-upload-pack") {
                continue;
            }
            let answer = wire::request(&server.client, method, path, headers);
            assert!(answer.starts_with("HTTP/1.1 404 "), "{method} {path}: {answer}");
            assert!(!answer.contains("[core]") && !answer.contains("ref: refs/"), "{method} {path}: {answer}");
        }
    }
    for method in ["PUT", "DELETE", "PATCH"] {
        let answer = wire::request(&server.client, method, "info/refs", "Content-Length: 0\r\n");
        assert!(answer.starts_with("HTTP/1.1 405 "), "{method}: {answer}");
    }
    let dumb = server.client.get("tool/git/info/refs").await.detail(404);
    assert!(dumb.contains("only Git's smart HTTP protocol is spoken here"), "{dumb}");
}

#[tokio::test]
async fn what_is_not_in_gits_protocol_is_refused_in_words() {
    let server = Server::start().await;
    let commit = server.author("ada").push(&["counter"]);
    let post = |service: &str, kind: &str, body: Vec<u8>| {
        let request = server.client.anonymous(Method::POST, &format!("tool/git/{service}"));
        request.bearer_auth(&server.client.token).header("content-type", format!("application/x-{kind}")).body(body)
    };
    let wrong = answer(post("git-upload-pack", "git-receive-pack-request", Vec::new())).await.detail(400);
    assert_eq!(wrong, "the content type must be application/x-git-upload-pack-request");
    for (service, body) in [
        ("git-receive-pack", &b"garbage"[..]),
        ("git-receive-pack", b""),
        ("git-receive-pack", b"0000000000000000 x"),
        ("git-upload-pack", b"garbage"),
        ("git-upload-pack", b"0005"),
    ] {
        let status = answer(post(service, &format!("{service}-request"), body.to_vec())).await.status;
        let expected = if body.starts_with(b"0000") { 200 } else { 400 };
        assert_eq!(status, expected, "{service} {}", String::from_utf8_lossy(body));
    }

    let mut compressed = GzEncoder::new(Vec::new(), Compression::default());
    compressed.write_all(b"0014command=ls-refs\n0000").unwrap();
    let request = post("git-upload-pack", "git-upload-pack-request", compressed.finish().unwrap());
    let listed = answer(request.header("content-encoding", "gzip").header("git-protocol", "version=2")).await;
    assert!(listed.expect(200).as_str().unwrap().contains(&format!("{commit} refs/heads/main")));

    for encoding in ["lz4", "gzip, gzip"] {
        let request = post("git-upload-pack", "git-upload-pack-request", b"0000".to_vec());
        let refused = answer(request.header("content-encoding", encoding)).await;
        assert!(refused.detail(400).contains("send it as it is, or with gzip"));
    }

    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    bomb.write_all(b"0012command=fetch\n0001").unwrap();
    bomb.write_all(format!("0032have {commit}\n").repeat(250_000).as_bytes()).unwrap();
    let request = post("git-upload-pack", "git-upload-pack-request", bomb.finish().unwrap());
    let refused = answer(request.header("content-encoding", "gzip").header("git-protocol", "version=2")).await;
    assert!(refused.detail(400).contains("the request of a fetch has at most"));
}

#[tokio::test]
async fn bad_credentials_are_told_to_the_user_of_git() {
    let server = Server::start().await;
    let home = server.installation.path("home");
    fs_err::create_dir(&home).unwrap();
    let (token, url) = (&server.client.token, server.client.url("tool/git"));
    let user = format!("acme_{}", server.client.key.user_id);
    let attempts = [
        (format!("{user}:garbage"), "the token is not valid or has expired: sign in again"),
        (format!("{user}:{}", &token[..token.len() - 1]), "the token is not valid or has expired"),
        (format!("acme_somebody:{token}"), "the username does not agree with the token"),
        (format!("other_{}:{token}", server.client.key.user_id), "the username does not agree with the token"),
    ];
    for (credentials, why) in attempts {
        let remote = url.replacen("://", &format!("://{credentials}@"), 1);
        let refused = run(&home, &["ls-remote", &remote]);
        let stderr = String::from_utf8_lossy(&refused.stderr);
        assert!(stderr.contains(&format!("remote: error: {why}")), "{stderr}");
        assert!(stderr.contains("Authentication failed"), "{stderr}");
    }
    let nowhere = server.client.remote().replace("/v1/acme/", "/v1/nowhere/");
    let stderr = String::from_utf8(run(&home, &["ls-remote", &nowhere]).stderr).unwrap();
    assert!(stderr.contains("remote: error: organization `nowhere` does not exist"), "{stderr}");
}

#[tokio::test]
async fn a_token_may_expire_while_a_push_arrives() {
    let server = Server::start_with("[auth]\ntoken_lifetime_s = 6\n").await;
    let ada = server.author("ada");
    let commit = ada.commit();
    let pack = pack_of(&server.installation.path("ada"), &commit);
    let client = crate::client::Client::sign_in(&server.client.server, &server.client.key).await;
    let mut upload = Upload::begin(&client);
    upload.send(&push_command(None, Some(&commit), "refs/heads/main"));
    upload.send(&pack[..20]);

    while client.get("tool/git/info/refs?service=git-upload-pack").await.status != 401 {}

    upload.send(&pack[20..]);
    let answer = upload.finish();
    assert!(answer.contains("ok refs/heads/main"), "{answer}");
}

#[tokio::test]
async fn more_operations_than_may_run_are_sent_away() {
    let server = Server::start_with("[git]\nconcurrent_per_organization = 1\n").await;
    let ada = server.author("ada");
    ada.commit();
    let upload = Upload::begin(&server.client);

    let refused = server.client.get("tool/git/info/refs?service=git-upload-pack").await;
    assert!(refused.headers.contains_key("retry-after"));
    assert!(refused.detail(503).starts_with("the organization runs as many Git operations at once as are allowed"));
    let stderr = ada.refused(&["ls-remote", "origin"]);
    assert!(stderr.contains("remote: error: the organization runs as many Git operations"), "{stderr}");

    drop(upload);
    while server.client.get("tool/git/info/refs?service=git-upload-pack").await.status == 503 {}
    // One at a time is enough for a push.
    ada.git(&["push", "--quiet", "origin", "main"]);
}
