//! The repository's history over HTTP, held against what the real `git` says.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use crate::author::Author;
use crate::client::Client;
use crate::server::Server;

/// The date of the first commit of a long history; each later one is a minute younger.
const FIRST: i64 = 1_700_000_000;
const COMMITS: i64 = 5000;

#[tokio::test]
async fn a_long_history_is_paged_and_filtered_as_git_log_does_it() {
    let server = Server::start().await;
    let client = &server.client;
    let nothing = json!({"commits": [], "has_more": false, "next_continuation_token": null});
    assert_eq!(client.get("tool/repo/commit").await.expect(200), nothing);

    let ada = server.author("ada");
    ada.import(long_history().as_bytes());
    ada.git(&["push", "--quiet", "origin", "main"]);
    let log = |arguments: &[&str]| -> Vec<String> {
        let arguments = [&["log", "--format=%H"], arguments].concat();
        ada.git(&arguments).lines().map(str::to_owned).collect()
    };

    let all = log(&["main"]);
    assert!(all.len() > 5000);
    for page in [1, 2, all.len() / 20 + 1] {
        let expected: Vec<_> = all.iter().skip((page - 1) * 20).take(20).cloned().collect();
        let found = client.get(&format!("tool/repo/commit?continuation_token={page}")).await.expect(200);
        assert_eq!(ids(&found), expected, "page {page}");
        let next = if page * 20 < all.len() { json!(page + 1) } else { Value::Null };
        assert_eq!((&found["next_continuation_token"], &found["has_more"]), (&next, &json!(!next.is_null())));
        assert!(found.get("continuation_token").is_none());
    }

    for path in ["src/file3.txt", "side", "side/2500.txt"] {
        assert_eq!(everything(client, &format!("path={path}")).await, log(&["main", "--", path]), "{path}");
    }
    let first_page = client.get("tool/repo/commit?path=/src/&limit=7").await.expect(200);
    assert_eq!(ids(&first_page), log(&["-7", "main", "--", "src"]));
    let at = |number: i64| jiff::Timestamp::from_second(FIRST + number * 60).unwrap().to_string();
    for (since, until, path) in [(4900, 4950, None), (0, 30, None), (2490, 2510, Some("side")), (4995, 9999, None)] {
        let (since, until) = (at(since), at(until));
        let (since_option, until_option) = (format!("--since={since}"), format!("--until={until}"));
        let mut arguments = vec!["main", &since_option, &until_option];
        let mut query = format!("committed_on_or_after={since}&committed_on_or_before={until}");
        if let Some(path) = path {
            arguments.extend(["--", path]);
            write!(query, "&path={path}").unwrap();
        }
        let expected = log(&arguments);
        assert!(!expected.is_empty());
        assert_eq!(everything(client, &query).await, expected, "{query}");
    }
    // A path with a history of which nothing lies in the time is no error.
    let none = client.get(&format!("tool/repo/commit?path=src&committed_on_or_before={}", at(-1))).await.expect(200);
    assert_eq!(none, nothing);
    client.get("tool/repo/commit?path=nowhere").await.detail(404);
    client.get("tool/repo/commit?path=../src").await.detail(404);

    // All 10,000 files of one commit at once are more than is told.
    ada.import(many_files().as_bytes());
    ada.git(&["push", "--quiet", "origin", "many"]);
    let query = "tool/repo/commit?ref=many&show_changed_files=true&show_change_stats=true";
    let found = client.get(query).await.expect(200)["commits"][0].take();
    assert_eq!((&found["changed_files"], &found["change_stats"]), (&Value::Null, &Value::Null));
    for query in ["committed_on_or_after=soon", "show_changed_files=maybe", "limit=21", "continuation_token=0"] {
        client.get(&format!("tool/repo/commit?{query}")).await.expect(422);
    }
}

#[tokio::test]
async fn changes_are_what_git_diff_says() {
    let server = Server::start().await;
    let client = &server.client;
    let ada = server.author("ada");
    let tips = odd_history(&ada);
    ada.git(&["push", "--quiet", "origin", "main", "--tags"]);

    let query = "tool/repo/commit?show_changed_files=true&show_change_stats=true";
    let found = client.get(query).await.expect(200);
    assert_eq!(ids(&found), ada.git(&["log", "--format=%H"]).lines().collect::<Vec<_>>());
    for commit in found["commits"].as_array().unwrap() {
        let id = commit["commit_sha"].as_str().unwrap();
        let show = |format: &str| ada.git(&["show", "--no-patch", &format!("--format={format}"), id]);
        assert_eq!(commit["commit_message"], show("%B"));
        assert_eq!(commit["author"], json!({"name": show("%an"), "email": show("%ae")}));
        let parents: Vec<_> = commit["parent_shas"].as_array().unwrap().iter().map(text).collect();
        assert_eq!(parents.join(" "), show("%P"));
        let expected = changed_by_git(&ada, parents.first().map(String::as_str), id);
        let changes: Vec<_> = commit["changed_files"].as_array().unwrap().clone();
        assert_eq!(changes, expected, "{}", show("%s"));
        let sum = |field: &str| changes.iter().filter_map(|change| change[field].as_u64()).sum::<u64>();
        assert_eq!(commit["change_stats"], json!({"additions": sum("additions"), "deletions": sum("deletions")}));
        assert_eq!(commit["committer"], json!({"org_id": "acme", "user_id": client.key.user_id}));
    }
    let changes: BTreeMap<_, _> = found["commits"].as_array().unwrap().iter().map(subject_and_types).collect();
    assert_eq!(changes["rename"], ["renamed", "renamed"]);
    assert_eq!(changes["delete"], ["deleted", "deleted"]);

    let asked = async |query: &str| client.get(&format!("tool/repo/commit?limit=1&{query}")).await;
    let plain = asked("").await.expect(200);
    assert_eq!(plain["commits"][0]["changed_files"], Value::Null);
    assert_eq!(plain["commits"][0]["change_stats"], Value::Null);
    let stats = asked("show_change_stats=true").await.expect(200);
    assert_eq!(stats["commits"][0]["changed_files"], Value::Null);
    assert_eq!(stats["commits"][0]["change_stats"], found["commits"][0]["change_stats"]);
    let files = asked("show_changed_files=true").await.expect(200);
    assert_eq!(files["commits"][0]["changed_files"], found["commits"][0]["changed_files"]);
    assert_eq!(files["commits"][0]["change_stats"], Value::Null);

    let first = ada.git(&["rev-list", "--max-parents=0", "main"]);
    for reference in [first.as_str(), "lightweight", "annotated", "refs/tags/annotated"] {
        assert_eq!(ids(&asked(&format!("ref={reference}")).await.expect(200)), [first.as_str()], "{reference}");
    }
    // Of a branch and a tag of one name, the branch is meant.
    assert_eq!(ids(&asked("ref=both").await.expect(200)), [tips.branch.as_str()]);
    assert_eq!(ids(&asked("ref=refs/tags/both").await.expect(200)), [first.as_str()]);
    let tree = ada.git(&["rev-parse", "main^{tree}"]);
    for reference in ["nowhere", &first[..39], &tree, &"0".repeat(40), "HEAD", "main~1", "a-tree", "", "-x", ".."] {
        asked(&format!("ref={reference}")).await.detail(404);
    }
}

struct Tips {
    branch: String,
}

/// Renames, merges, binary files, links, a submodule, modes, and names that are not UTF-8.
fn odd_history(ada: &Author) -> Tips {
    let write = |path: &str, content: &[u8]| {
        let path = ada.folder().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
    };
    let commit = |message: &str| {
        ada.git(&["add", "--all"]);
        ada.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
    };
    let tip = |name: &str| ada.git(&["rev-parse", name]);
    let lines = |from: u32, to: u32| (from..to).map(|line| format!("line {line}\n")).collect::<String>();

    write("a.txt", lines(0, 100).as_bytes());
    write("with space/b c.txt", lines(0, 50).as_bytes());
    write("binary.dat", b"\x00\x01\x02");
    write("latin.txt", b"caf\xe9\n");
    write("empty", b"");
    commit("first\n\nwith a body\nof two lines");
    let first = ada.git(&["rev-parse", "HEAD"]);
    ada.git(&["tag", "lightweight"]);
    ada.git(&["tag", "--annotate", "--message=first", "annotated"]);
    ada.git(&["tag", "both"]);
    ada.git(&["tag", "a-tree", "main^{tree}"]);

    write("a.txt", (lines(0, 40) + "new\n" + &lines(45, 100)).as_bytes());
    write("binary.dat", b"\x00\x03");
    write("latin.txt", b"caf\xe9s\nno end");
    commit("modify");
    fs_err::rename(ada.folder().join("with space"), ada.folder().join("renamed")).unwrap();
    write("renamed/b c.txt", (lines(0, 50) + "one more\n").as_bytes());
    fs_err::rename(ada.folder().join("binary.dat"), ada.folder().join("renamed/binary.dat")).unwrap();
    commit("rename");

    ada.git(&["switch", "--quiet", "--create", "side", &first]);
    write("side.txt", b"side\n");
    commit("side");
    ada.git(&["switch", "--quiet", "main"]);
    ada.git(&["merge", "--quiet", "--message=merge", "side"]);

    std::os::unix::fs::symlink("a.txt", ada.folder().join("link")).unwrap();
    let name: std::ffi::OsString = std::os::unix::ffi::OsStringExt::from_vec(b"odd \xff name".to_vec());
    fs_err::write(ada.folder().join(name), "odd\n").unwrap();
    write("new\nline", b"x\n");
    ada.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{first},module")]);
    ada.git(&["add", "--all", "--", ":!module"]);
    ada.git(&["commit", "--quiet", "--message=odd"]);
    ada.git(&["update-index", "--cacheinfo", &format!("160000,{},module", tip("HEAD"))]);
    ada.git(&["update-index", "--chmod=+x", "a.txt"]);
    ada.git(&["commit", "--quiet", "--message=mode"]);
    ada.git(&["rm", "--quiet", "-r", "link", "latin.txt"]);
    ada.git(&["commit", "--quiet", "--message=delete"]);

    ada.git(&["branch", "both", "main~1"]);
    ada.git(&["push", "--quiet", "origin", "refs/heads/both"]);
    Tips { branch: ada.git(&["rev-parse", "main~1"]) }
}

/// What git says a commit changes, in the form of the contract.
fn changed_by_git(author: &Author, parent: Option<&str>, commit: &str) -> Vec<Value> {
    let empty = author.git(&["hash-object", "-t", "tree", "/dev/null"]);
    let parent = parent.unwrap_or(&empty);
    let fields = |option: &str| -> Vec<String> {
        let output = author.git_bytes(&["diff", option, "-M", "-z", parent, commit]);
        output.split(|byte| *byte == 0).map(shown).collect()
    };
    let statuses = fields("--name-status");
    let mut statuses = statuses.iter();
    let mut changes = BTreeMap::new();
    while let Some(status) = statuses.next().filter(|status| !status.is_empty()) {
        let first = statuses.next().unwrap();
        let (path, previous_path, change_type) = match &status[..1] {
            "R" => (statuses.next().unwrap(), Some(first), "renamed"),
            "A" => (first, None, "added"),
            "D" => (first, None, "deleted"),
            _ => (first, None, "modified"),
        };
        changes.insert(path, json!({"path": path, "previous_path": previous_path, "change_type": change_type}));
    }
    let counts = fields("--numstat");
    let mut counts = counts.iter();
    while let Some(line) = counts.next().filter(|line| !line.is_empty()) {
        let [additions, deletions, path] = line.splitn(3, '\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let path = if path.is_empty() { counts.nth(1).unwrap().as_str() } else { path };
        let change = changes.get_mut(&path.to_owned()).unwrap();
        change["additions"] = additions.parse::<u64>().map_or(Value::Null, Value::from);
        change["deletions"] = deletions.parse::<u64>().map_or(Value::Null, Value::from);
    }
    changes.into_values().collect()
}

/// Bytes that are not UTF-8 as the service shows them.
fn shown(name: &[u8]) -> String {
    name.utf8_chunks().fold(String::new(), |mut text, chunk| {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| write!(text, "%{byte:02X}").unwrap());
        text
    })
}

fn subject_and_types(commit: &Value) -> (String, Vec<String>) {
    let types = commit["changed_files"].as_array().unwrap().iter().map(|change| text(&change["change_type"]));
    (text(&commit["commit_message"]), types.collect())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn ids(page: &Value) -> Vec<String> {
    page["commits"].as_array().unwrap().iter().map(|commit| text(&commit["commit_sha"])).collect()
}

/// All pages of a query.
async fn everything(client: &Client, query: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut token = json!(1);
    while !token.is_null() {
        let page = client.get(&format!("tool/repo/commit?continuation_token={token}&{query}")).await.expect(200);
        found.extend(ids(&page));
        token = page["next_continuation_token"].clone();
    }
    found
}

/// Thousands of commits, a minute apart, and a merge every hundred.
fn long_history() -> String {
    let mut stream = String::new();
    let mut commit =
        |branch: &str, mark: i64, time: i64, from: Option<i64>, merge: Option<i64>, files: &[(String, i64)]| {
            let message = format!("commit {mark}");
            write!(stream, "commit refs/heads/{branch}\nmark :{mark}\n").unwrap();
            write!(stream, "committer Ada <ada@example.com> {time} +0000\ndata {}\n{message}\n", message.len())
                .unwrap();
            for (word, parent) in [("from", from), ("merge", merge)] {
                if let Some(parent) = parent {
                    writeln!(stream, "{word} :{parent}").unwrap();
                }
            }
            for (path, content) in files {
                let content = content.to_string();
                write!(stream, "M 644 inline {path}\ndata {}\n{content}\n", content.len()).unwrap();
            }
        };
    for number in 1..=COMMITS {
        let time = FIRST + number * 60;
        let mut files = vec![(format!("src/file{}.txt", number % 7), number)];
        let is_merge = number % 100 == 0;
        if is_merge {
            let side = (format!("side/{number}.txt"), number);
            commit("side", COMMITS + number, time - 90, Some(number - 3), None, std::slice::from_ref(&side));
            files.push(side);
        }
        let merge = is_merge.then_some(COMMITS + number);
        commit("main", number, time, None, merge, &files);
    }
    stream
}

fn many_files() -> String {
    let mut stream = format!("commit refs/heads/many\ncommitter Ada <ada@example.com> {FIRST} +0000\ndata 4\nmany\n");
    for number in 0..10_000 {
        write!(stream, "M 644 inline many/{number}\ndata 1\nx\n").unwrap();
    }
    stream
}
