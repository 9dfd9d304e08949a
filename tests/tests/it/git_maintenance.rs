//! Packs do not pile up, and what is needed stays.

use std::sync::Arc;

use serde_json::json;

use crate::author::{git, git_with_input, run};
use crate::client::Client;
use crate::git_protocol::random;
use crate::programs;
use crate::server::Server;

#[tokio::test]
async fn packs_are_combined_and_what_nothing_refers_to_goes_while_published_commits_stay() {
    let settings = "[git]\nmaintenance_packs = 4\nprune_after_h = 0\nprune_every_h = 0\nstall_timeout_s = 600\n";
    let server = Server::start_with(settings).await;
    let ada = server.author("ada");
    let published = ada.push(&["counter"]);
    let tool = server.client.create_tool("counter").await;
    server.client.publish(&tool, "counter", "major").await.expect(201);
    let (folder, repository) = (server.installation.path("ada"), server.installation.repository());
    ada.write("large", random(24 << 20));
    let large = ada.commit();
    ada.git(&["push", "--quiet", "origin", "main"]);

    // Somebody is in the middle of a fetch of all that while it is repacked and then forgotten.
    let fetching = tokio::task::spawn_blocking({
        let (client, large) = (server.client.clone(), large.clone());
        move || fetch_slowly(&client, &large)
    });
    let (mut reading, pause) = fetching.await.unwrap();

    // A new history without any of it.
    ada.git(&["checkout", "--quiet", "--orphan", "new"]);
    ada.git(&["rm", "--quiet", "--cached", "large"]);
    fs_err::remove_file(folder.join("large")).unwrap();
    ada.git(&["commit", "--quiet", "--message=new"]);
    ada.git(&["push", "--quiet", "--force", "origin", "new:main"]);
    while !metrics(&server.client).await.contains("toolplane_git_maintenance_total{outcome=\"pruned\"}") {
        ada.git(&["commit", "--quiet", "--allow-empty", "--message=more"]);
        ada.git(&["push", "--quiet", "origin", "new:main"]);
    }
    let pack = tokio::task::spawn_blocking(move || {
        let mut bytes = pause;
        std::io::Read::read_to_end(&mut reading, &mut bytes).unwrap();
        bytes
    });
    let pack = pack.await.unwrap();

    let other = server.author("other");
    other.git(&["fetch", "--quiet", "origin", "main"]);
    other.git(&["fsck", "--strict"]);
    git_with_input(&server.installation.path("other"), &["index-pack", "--stdin"], &pack[8..]);
    other.git(&["cat-file", "-e", &large]);
    git(&repository, &["fsck", "--strict"]);
    assert!(!run(&repository, &["cat-file", "-e", &large]).status.success(), "nothing refers to it");
    git(&repository, &["cat-file", "-e", &published]);
    let files = fs_err::read_dir(repository.join("objects/pack")).unwrap();
    let packs =
        files.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|name| name == "pack")).count();
    assert!(packs < 8, "{packs} packs");

    // What is read with the library sees the new packs.
    for file in fs_err::read_dir(programs::tool("counter")).unwrap() {
        assert!(folder.join("counter").join(file.unwrap().file_name()).exists());
    }
    let again = server.client.publish(&tool, "counter", "patch").await.expect(201);
    assert_eq!(again, json!({"new_version": "1.0.1"}));
}

#[tokio::test]
async fn combined_packs_serve_and_a_stop_ends_maintenance() {
    let server = Server::start_with("[git]\nmaintenance_packs = 3\nprune_every_h = 1000000\n").await;
    let ada = server.author("ada");
    let repository = server.installation.repository();
    fs_err::write(repository.join("toolplane-pruned"), "").unwrap();
    while !metrics(&server.client).await.contains("toolplane_git_maintenance_total{outcome=\"combined\"}") {
        ada.write("file", random(1000));
        ada.commit();
        ada.git(&["push", "--quiet", "origin", "main", "main:refs/tags/latest", "--force"]);
    }
    let clone = server.installation.path("clone");
    ada.git(&["clone", "--quiet", &server.client.remote(), clone.to_str().unwrap()]);
    git(&clone, &["fsck", "--strict"]);
    assert_eq!(git(&clone, &["rev-parse", "HEAD"]), ada.git(&["rev-parse", "HEAD"]));

    // One push after the other, and then at once the end: it is clean, whatever runs.
    for _ in 0..3 {
        ada.commit();
        ada.git(&["push", "--quiet", "origin", "main"]);
    }
    // The folder goes with the last who holds it.
    let _installation = Arc::clone(&server.installation);
    assert_eq!(server.stop().code(), Some(0));
    git(&repository, &["fsck", "--strict"]);
    assert_eq!(git(&repository, &["rev-parse", "main"]), ada.git(&["rev-parse", "HEAD"]));
}

async fn metrics(client: &Client) -> String {
    client.page("/metrics").await.1
}

/// Begins to fetch all of a commit, and stops reading soon: what comes later, and what was read so far.
fn fetch_slowly(client: &Client, commit: &str) -> (reqwest::blocking::Response, Vec<u8>) {
    let want = format!("want {commit}\n");
    let body = format!("{:04x}{want}00000009done\n", want.len() + 4);
    let http = reqwest::blocking::Client::builder().no_proxy().timeout(None).build().unwrap();
    let request = http.post(client.url("tool/git/git-upload-pack")).bearer_auth(&client.token);
    let request = request.header("content-type", "application/x-git-upload-pack-request").body(body);
    let mut answer = request.send().unwrap().error_for_status().unwrap();
    let mut begun = vec![0; 1000];
    std::io::Read::read_exact(&mut answer, &mut begun).unwrap();
    assert!(begun.starts_with(b"0008NAK\nPACK"), "{}", String::from_utf8_lossy(&begun));
    (answer, begun)
}
