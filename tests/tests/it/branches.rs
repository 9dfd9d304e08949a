//! The repository's branches over HTTP, held against what the real `git` says.

use reqwest::Method;
use serde_json::{Value, json};

use crate::author::Author;
use crate::client::{Client, answer};
use crate::server::{Installation, Server};

#[tokio::test]
async fn branches_are_listed_by_name_and_page_by_page() {
    let server = Server::start().await;
    let client = &server.client;
    let nothing = json!({"branches": [], "has_more": false, "continuation_token": null});
    assert_eq!(client.get("tool/repo/branch").await.expect(200), nothing);
    client.get("tool/repo/branch/main").await.detail(404);

    let ada = server.author("ada");
    let first = ada.push(&["counter"]);
    let second = ada.push(&[]);
    let names: Vec<_> = (0..18).map(|number| format!("topic/{number:02}")).collect();
    let names = names.iter().map(String::as_str).chain(["topic-a", "topic.b", "a/b/c", "caf\u{e9}", "x+y"]);
    for (number, name) in names.enumerate() {
        let commit = if number % 2 == 0 { &first } else { &second };
        ada.git(&["update-ref", &format!("refs/heads/{name}"), commit]);
    }
    ada.git(&["push", "--quiet", "origin", "--all"]);
    ada.git(&["push", "--quiet", "origin", "main:refs/tags/topic-tag"]);

    let expected = listed_by_git(&ada);
    assert_eq!(expected.len(), 24);
    for (limit, sizes) in [("", vec![20, 4]), ("&limit=10", vec![10, 10, 4]), ("&limit=12", vec![12, 12])] {
        let mut found = Vec::new();
        let mut token = json!(1);
        for size in sizes {
            let page = client.get(&format!("tool/repo/branch?continuation_token={token}{limit}")).await.expect(200);
            assert_eq!(page["branches"].as_array().unwrap().len(), size);
            assert_eq!(page["has_more"], !page["continuation_token"].is_null());
            found.extend(page["branches"].as_array().unwrap().iter().map(name_and_commit));
            token = page["continuation_token"].clone();
        }
        assert_eq!(found, expected);
        assert_eq!(token, Value::Null, "the last page has no token");
    }
    let beyond = client.get("tool/repo/branch?continuation_token=99").await.expect(200);
    assert_eq!(beyond, nothing);

    for (path, name) in [("main", "main"), ("a/b/c", "a/b/c"), ("caf%C3%A9", "caf\u{e9}"), ("x+y", "x+y")] {
        let branch = client.get(&format!("tool/repo/branch/{path}")).await.expect(200);
        assert_eq!(branch["branch_name"], name);
        let commit = ada.git(&["rev-parse", &format!("refs/heads/{name}")]);
        assert_eq!(branch["commit_sha"], commit);
        assert_eq!(branch["commit_message"], ada.git(&["log", "-1", "--format=%B", &commit]));
        let seconds: i64 = ada.git(&["log", "-1", "--format=%ct", &commit]).parse().unwrap();
        assert_eq!(branch["commit_timestamp"], jiff::Timestamp::from_second(seconds).unwrap().to_string());
        assert_eq!(branch["committer"], json!({"org_id": "acme", "user_id": client.key.user_id}));
        assert_eq!(branch.as_object().unwrap().len(), 5);
    }
    for name in ["topic", "topic-tag", "a", "a/b/c/d", "..%2Fmain", "main.lock", "%00", "refs/heads/main"] {
        client.get(&format!("tool/repo/branch/{name}")).await.detail(404);
    }
    client.get("tool/repo/branch/%FF").await.expect(422);
    for query in ["limit=0", "limit=21", "limit=all", "continuation_token=0", "continuation_token=x"] {
        let refused = client.get(&format!("tool/repo/branch?{query}")).await.expect(422);
        assert_eq!(refused["detail"][0]["loc"], json!(["query", query.split('=').next().unwrap()]));
    }
}

#[tokio::test]
async fn a_commit_comes_from_who_pushed_it_first_whatever_it_says_itself() {
    let server = Server::start().await;
    let ada = server.author("ada");
    let user = json!({"org_id": "acme", "user_id": server.client.key.user_id});
    let committers = async || {
        let page = server.client.get("tool/repo/commit?ref=outside").await.expect(200);
        let commits = page["commits"].as_array().unwrap().clone();
        commits.into_iter().map(|commit| commit["committer"].clone()).collect::<Vec<_>>()
    };

    // It claims to be a user's, and came past the service.
    let identity = format!("{0} <{0}@acme>", server.client.key.user_id);
    let commit = |text: &str| {
        format!("commit refs/heads/outside\ncommitter {identity} 1700000000 +0000\ndata {}\n{text}\n", text.len())
    };
    ada.import(format!("{}M 644 inline a\ndata 1\na\n", commit("claims much")).as_bytes());
    let repository = server.installation.data().join("repositories/acme.git");
    ada.git(&["push", "--quiet", repository.to_str().unwrap(), "outside"]);
    assert_eq!(committers().await, [Value::Null]);

    // Whoever pushes something on top of it did not push it.
    ada.git(&["switch", "--quiet", "outside"]);
    ada.git(&["commit", "--quiet", "--allow-empty", "--message=on top"]);
    ada.git(&["push", "--quiet", "origin", "outside", "outside~1:refs/heads/again"]);
    assert_eq!(committers().await, [user.clone(), Value::Null]);

    // What was pushed as a tag, or in a push that deletes something else, is somebody's as well.
    ada.git(&["commit", "--quiet", "--allow-empty", "--message=tagged"]);
    ada.git(&["tag", "--annotate", "--message=a tag", "v1"]);
    ada.git(&["push", "--quiet", "origin", "v1", ":again"]);
    ada.git(&["push", "--quiet", "origin", "outside"]);
    assert_eq!(committers().await, [user.clone(), user.clone(), Value::Null]);

    let installation = server.kill();
    let server = Server::start_on(installation).await;
    let branch = server.client.get("tool/repo/branch/outside").await.expect(200);
    assert_eq!(branch["committer"], user, "it outlives the process");
}

#[tokio::test]
async fn strangers_and_other_organizations_see_nothing_of_a_repository() {
    let installation = Installation::new();
    let umbrella = installation.add_organization("umbrella");
    let server = Server::start_on(installation).await;
    let commit = server.author("ada").push(&["counter"]);
    let theirs = Client::sign_in(&server.client.server, &umbrella).await;

    for path in ["branch", "branch/main", "commit", "directory/", "directory/counter", "file", "file/counter/x"] {
        let stranger = server.client.anonymous(Method::GET, &format!("tool/repo/{path}?limit=none"));
        answer(stranger).await.detail(401);
    }
    assert_eq!(theirs.get("tool/repo/branch").await.expect(200)["branches"], json!([]));
    theirs.get("tool/repo/branch/main").await.detail(404);
    theirs.get("tool/repo/file/counter/pyproject.toml").await.detail(404);
    // The commit is not in their repository, by whatever name; the empty one lists nothing.
    let listed = theirs.get(&format!("tool/repo/commit?ref={commit}")).await.expect(200);
    assert_eq!(listed["commits"], json!([]));
}

fn listed_by_git(author: &Author) -> Vec<(String, String)> {
    let listed = author.git(&["ls-remote", "--heads", "origin"]);
    let pair = |line: &str| {
        let (commit, name) = line.split_once("\trefs/heads/").unwrap();
        (name.to_owned(), commit.to_owned())
    };
    listed.lines().map(pair).collect()
}

fn name_and_commit(branch: &Value) -> (String, String) {
    let text = |field: &str| branch[field].as_str().unwrap().to_owned();
    (text("branch_name"), text("commit_sha"))
}
