//! A server that is killed: what it answered is there, and what it did not finish is in nobody's way.

use crate::author::git;
use crate::git_protocol::random;
use crate::git_pushes::{has_quarantine, processes_in};
use crate::server::Server;
use crate::wire::{Upload, pack_of, push_command};

#[tokio::test]
async fn a_push_that_was_answered_survives_a_kill() {
    let mut installation = Server::start().await.kill();
    let mut expected = Vec::new();
    for number in 0..3 {
        let server = Server::start_on(installation).await;
        let author = server.author(&format!("author-{number}"));
        author.write("random", random(100_000));
        let commit = author.commit();
        author.git(&["push", "--quiet", "--force", "origin", "main", &format!("main:refs/tags/{number}")]);
        installation = server.kill();
        expected.push(format!("{commit}\trefs/tags/{number}"));
    }

    let server = Server::start_on(installation).await;
    let author = server.author("after");
    let listed = author.git(&["ls-remote", "origin"]);
    for reference in expected {
        assert!(listed.contains(&reference), "{listed}");
    }
    author.git(&["fetch", "--quiet", "--tags", "origin"]);
    author.git(&["fsck", "--strict"]);
    git(&server.installation.repository(), &["fsck", "--strict"]);
}

#[tokio::test]
async fn a_kill_in_the_middle_of_a_push_leaves_nothing_half_done() {
    let server = Server::start().await;
    let ada = server.author("ada");
    let first = ada.push(&["counter"]);
    ada.write("random", random(1 << 20));
    let commit = ada.commit();
    let pack = pack_of(&server.installation.path("ada"), &commit);
    let mut upload = Upload::begin(&server.client);
    upload.send(&push_command(Some(&first), Some(&commit), "refs/heads/main"));
    upload.send(&pack[..pack.len() / 2]);
    while !has_quarantine(&server.installation) {}
    let installation = server.kill();
    drop(upload);

    let server = Server::start_on(installation).await;
    let repository = server.installation.repository();
    assert_eq!(processes_in(&repository), 0);
    assert!(!has_quarantine(&server.installation));
    assert_eq!(git(&repository, &["rev-parse", "main"]), first);
    assert_eq!(
        git(&repository, &["count-objects", "-v"]).lines().find(|line| line.starts_with("garbage:")),
        Some("garbage: 0")
    );
    let remote = server.client.remote();
    ada.git(&["push", "--quiet", &remote, "main"]);
    assert_eq!(git(&repository, &["rev-parse", "main"]), commit);
}

#[tokio::test]
async fn locks_and_unfinished_packs_of_a_killed_server_are_cleared() {
    let server = Server::start().await;
    let ada = server.author("ada");
    ada.push(&["counter"]);
    let installation = server.kill();
    let repository = installation.repository();
    let remains = [
        "refs/heads/main.lock",
        "packed-refs.lock",
        "packed-refs.new",
        "HEAD.lock",
        "objects/pack/tmp_pack_123456",
        "objects/pack/.tmp-1-pack-0123.pack",
        "objects/pack/pack-0123.keep",
        "objects/pack/multi-pack-index.lock",
    ];
    for name in remains {
        fs_err::write(repository.join(name), "").unwrap();
    }
    fs_err::create_dir_all(repository.join("objects/tmp_objdir-incoming-123456/pack")).unwrap();

    let server = Server::start_on(installation).await;
    for name in remains {
        assert!(!repository.join(name).exists(), "{name}");
    }
    assert!(!has_quarantine(&server.installation));
    let remote = server.client.remote();
    ada.commit();
    ada.git(&["push", "--quiet", &remote, "main", "main:refs/heads/other"]);
    ada.git(&["push", "--quiet", &remote, "--delete", "other"]);
}
