//! The organization's repository, with the real `git` on the other end.

use reqwest::Method;

use crate::author::{files_below, run};
use crate::client::answer;
use crate::programs;
use crate::server::Server;

#[tokio::test]
async fn what_is_pushed_can_be_cloned_by_another_author() {
    let server = Server::start().await;
    let ada = server.author("ada");
    ada.push(&["greeting", "late_import"]);
    let commit = ada.push(&["counter"]);

    let clone = server.installation.path("clone");
    let remote = server.client.remote();
    ada.git(&["clone", "--quiet", &remote, clone.to_str().unwrap()]);

    let head = String::from_utf8(run(&clone, &["rev-parse", "HEAD"]).stdout).unwrap();
    assert_eq!(head.trim(), commit);
    for project in ["greeting", "late_import", "counter"] {
        assert_eq!(files_below(&clone.join(project)), files_below(&programs::tool(project)), "{project}");
    }

    let shallow = server.installation.path("shallow");
    ada.git(&["clone", "--quiet", "--depth=1", "--branch=main", &remote, shallow.to_str().unwrap()]);
    let count = String::from_utf8(run(&shallow, &["rev-list", "--count", "HEAD"]).stdout).unwrap();
    assert_eq!(count.trim(), "1");

    ada.git(&["push", "--quiet", "origin", "main:refs/heads/feature/one", "main:refs/tags/first"]);
    let listed = ada.git(&["ls-remote", "origin"]);
    for reference in ["refs/heads/main", "refs/heads/feature/one", "refs/tags/first"] {
        assert!(listed.contains(&format!("{commit}\t{reference}")), "{listed}");
    }
    ada.git(&["push", "--quiet", "origin", "--delete", "feature/one"]);
    assert!(!ada.git(&["ls-remote", "origin"]).contains("feature/one"));
}

#[tokio::test]
async fn git_without_credentials_is_asked_for_them() {
    let server = Server::start().await;
    for service in ["git-upload-pack", "git-receive-pack"] {
        let path = format!("tool/git/info/refs?service={service}");
        let refused = answer(server.client.anonymous(Method::GET, &path)).await;
        let challenge = refused.headers["www-authenticate"].to_str().unwrap().to_owned();
        refused.detail(401);
        assert!(challenge.starts_with("Basic realm="), "git answers a challenge that it knows: {challenge}");
    }

    let folder = server.installation.path("stranger");
    fs_err::create_dir(&folder).unwrap();
    let refused = run(&folder, &["ls-remote", &server.client.url("tool/git")]);
    assert!(!refused.status.success());
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert!(stderr.contains("could not read Username"), "{stderr}");
}

#[tokio::test]
async fn git_may_also_send_the_token_as_a_bearer() {
    let server = Server::start().await;
    let commit = server.author("ada").push(&["counter"]);

    let header = format!("http.extraHeader=Authorization: Bearer {}", server.client.token);
    let listed = run(&server.installation.path("ada"), &["-c", &header, "ls-remote", &server.client.url("tool/git")]);

    let stdout = String::from_utf8_lossy(&listed.stdout);
    assert!(stdout.contains(&format!("{commit}\trefs/heads/main")), "{}", String::from_utf8_lossy(&listed.stderr));
}
