//! The repository's folders over HTTP, held against what the real `git` says.

use std::collections::HashMap;
use std::fmt::Write;

use serde_json::{Value, json};

use crate::author::Author;
use crate::server::Server;

const FIRST: i64 = 1_700_000_000;

#[tokio::test]
async fn folders_are_what_git_ls_tree_says() {
    let server = Server::start().await;
    let client = &server.client;
    for path in ["tool/repo/directory/", "tool/repo/directory"] {
        let root = client.get(path).await.expect(200);
        let expected = json!({"ref": "main", "commit_sha": "0".repeat(40), "directory_path": "", "entries": []});
        assert_eq!(root, expected, "an empty repository is no error");
    }
    client.get("tool/repo/directory/src").await.detail(404);

    let ada = server.author("ada");
    ada.import(odd_names().as_bytes());
    ada.git(&["push", "--quiet", "origin", "main", "main:refs/heads/feature/one", "main:refs/tags/v1"]);
    let commit = ada.git(&["rev-parse", "main"]);

    for (url, path) in [
        ("", ""),
        ("src", "src"),
        ("src/", "src"),
        ("/src//deeper/.", "src/deeper"),
        ("with%20space", "with space"),
        ("100%25", "100%"),
        ("new%0Aline", "new\nline"),
        ("%F0%9F%90%8D", "\u{1f40d}"),
        ("odd%25FF", "odd%FF"),
        (&deep()[..], &deep()[..]),
    ] {
        for reference in ["main", "feature/one", "v1", &commit] {
            let found = client.get(&format!("tool/repo/directory/{url}?ref={reference}")).await.expect(200);
            assert_eq!(found["ref"], reference);
            assert_eq!((&found["commit_sha"], &found["directory_path"]), (&json!(commit), &json!(path)));
            let expected = listed_by_git(&ada, if path == "odd%FF" { b"odd\xff" } else { path.as_bytes() });
            assert!(!expected.is_empty(), "{path:?}");
            assert_eq!(found["entries"], json!(expected), "{path:?}");
        }
    }
    for path in ["nowhere", "src/nowhere", "src/main.py", "link", "module", "module/x", "link/x", "SRC", "src%00"] {
        client.get(&format!("tool/repo/directory/{path}")).await.detail(404);
    }
    client.get("tool/repo/directory/src?ref=nowhere").await.detail(404);
    // A URL is text. What is none is asked for as it is shown.
    client.get("tool/repo/directory/odd%FF").await.expect(422);
    client.get("tool/repo/directory/src?include_last_commit_info=perhaps").await.expect(422);
}

#[tokio::test]
async fn the_last_commit_of_each_of_ten_thousand_entries_is_what_git_log_says() {
    let server = Server::start().await;
    let client = &server.client;
    let ada = server.author("ada");
    ada.import(many_files().as_bytes());
    ada.git(&["push", "--quiet", "origin", "main"]);

    let last = |found: Value| -> HashMap<String, Value> {
        let entries = found["entries"].as_array().unwrap().iter();
        entries.map(|entry| (entry["path"].as_str().unwrap().to_owned(), entry["last_commit"].clone())).collect()
    };
    let found = client.get("tool/repo/directory/many?include_last_commit_info=true").await.expect(200);
    let found = last(found);
    assert_eq!(found.len(), 10_000);
    let expected = last_by_git(&ada);
    for (path, commit) in &found {
        assert_eq!(&commit["commit_sha"], &expected[path], "{path}");
    }
    let plain = client.get("tool/repo/directory/many").await.expect(200);
    assert_eq!(last(plain)["many/00000"], Value::Null);

    // Merges: each entry is followed for itself.
    let root = last(client.get("tool/repo/directory/?include_last_commit_info=true").await.expect(200));
    for path in ["many", "side", "both.txt", "taken.txt"] {
        let commit = ada.git(&["log", "-1", "--format=%H", "main", "--", path]);
        let show = |format: &str| ada.git(&["show", "--no-patch", &format!("--format={format}"), &commit]);
        let time = jiff::Timestamp::from_second(show("%ct").parse().unwrap()).unwrap();
        let expected = json!({
            "commit_sha": commit,
            "commit_message": show("%B"),
            "commit_timestamp": time.to_string(),
            "committer": {"org_id": "acme", "user_id": client.key.user_id},
        });
        assert_eq!(root[path], expected, "{path}");
    }
}

/// What git says is in a folder, in the form of the contract.
fn listed_by_git(author: &Author, folder: &[u8]) -> Vec<Value> {
    use std::os::unix::ffi::OsStrExt;
    let folder = std::ffi::OsStr::from_bytes(folder);
    // The tree is named by its path; an argument that is not UTF-8 goes through `git ls-tree` of the parent's entry.
    let tree = match folder.to_str() {
        Some(folder) => format!("main:{folder}"),
        None => entry_of(author, folder.as_bytes()),
    };
    let output = author.git_bytes(&["ls-tree", "-z", "-l", &tree]);
    let prefix = shown(folder.as_bytes());
    let lines = output.split(|byte| *byte == 0).filter(|line| !line.is_empty());
    let entry = |line: &[u8]| {
        let tab = line.iter().position(|byte| *byte == b'\t').unwrap();
        let (fields, name) = (std::str::from_utf8(&line[..tab]).unwrap(), shown(&line[tab + 1..]));
        let [mode, _, object, size] = fields.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{fields}") };
        let entry_type = match mode {
            "040000" => "directory",
            "120000" => "symlink",
            "160000" => "submodule",
            _ => "file",
        };
        json!({
            "path": if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") },
            "name": name,
            "type": entry_type,
            "size": size.parse::<u64>().map_or(Value::Null, Value::from),
            "object_sha": object,
            "last_commit": null,
        })
    };
    lines.map(entry).collect()
}

/// The object at a name of the root that is not UTF-8.
fn entry_of(author: &Author, name: &[u8]) -> String {
    let output = author.git_bytes(&["ls-tree", "-z", "main"]);
    let mut lines = output.split(|byte| *byte == 0);
    let line = lines.find(|line| line.ends_with(name) && line[line.len() - name.len() - 1] == b'\t').unwrap();
    String::from_utf8_lossy(&line[12..52]).into_owned()
}

/// For each path the commit that is named first with it.
fn last_by_git(author: &Author) -> HashMap<String, String> {
    let log = author.git(&["log", "--format=commit %H", "--name-only", "main", "--", "many"]);
    let mut last = HashMap::new();
    let mut commit = "";
    for line in log.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix("commit ") {
            Some(id) => commit = id,
            None => {
                last.entry(line.to_owned()).or_insert_with(|| commit.to_owned());
            }
        }
    }
    last
}

fn shown(name: &[u8]) -> String {
    name.utf8_chunks().fold(String::new(), |mut text, chunk| {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| write!(text, "%{byte:02X}").unwrap());
        text
    })
}

/// A folder five hundred levels down.
fn deep() -> String {
    vec!["d"; 500].join("/")
}

fn odd_names() -> String {
    let mut stream = format!("commit refs/heads/main\ncommitter Ada <ada@example.com> {FIRST} +0000\ndata 3\nodd\n");
    let paths = [
        "src/main.py",
        "src/deeper/x",
        "src-other/x",
        "src.txt",
        "with space/a b.txt",
        "100%/x",
        "\"new\\nline/x\\ty\"",
        "\u{1f40d}/x",
        "\"odd\\377/\\376\"",
        "\"caf\\351.txt\"",
    ];
    for path in paths.map(str::to_owned).into_iter().chain([format!("{}/x", deep())]) {
        write!(stream, "M 644 inline {path}\ndata 5\nhello\n").unwrap();
    }
    stream.push_str("M 755 inline run.sh\ndata 0\n\n");
    stream.push_str("M 120000 inline link\ndata 11\nsrc/main.py\n");
    writeln!(stream, "M 160000 {} module", "1".repeat(40)).unwrap();
    stream
}

/// Ten thousand files in one folder, and commits that change some of them; then a side branch and its merge.
fn many_files() -> String {
    let mut stream = String::new();
    let mut commit = |branch: &str, mark: i64, parents: &str, files: &[(String, i64)]| {
        let message = format!("commit {mark}");
        write!(stream, "commit refs/heads/{branch}\nmark :{mark}\n").unwrap();
        let time = FIRST + mark;
        write!(stream, "committer Ada <ada@example.com> {time} +0000\ndata {}\n{message}\n", message.len()).unwrap();
        stream.push_str(parents);
        for (path, content) in files {
            let content = content.to_string();
            write!(stream, "M 644 inline {path}\ndata {}\n{content}\n", content.len()).unwrap();
        }
    };
    let many = |number: i64| (format!("many/{:05}", number % 10_000), number);
    let text = |path: &str, content: i64| (path.to_owned(), content);
    commit("main", 1, "", &(0..10_000).map(many).collect::<Vec<_>>());
    for mark in 2..200 {
        let changed: Vec<_> = (0..5).map(|step| many(10_000 * mark + (mark * 37 + step * 1009) % 10_000)).collect();
        commit("main", mark, "", &changed);
    }
    commit("side", 300, "from :150\n", &[text("side/x", 1), text("taken.txt", 1), text("both.txt", 1)]);
    commit("main", 301, "", &[text("both.txt", 2)]);
    commit("main", 302, "merge :300\n", &[text("side/x", 1), text("taken.txt", 1), text("both.txt", 3)]);
    commit("main", 303, "", &[text("unrelated", 1)]);
    stream
}
