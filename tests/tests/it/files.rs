//! The repository's files over HTTP, held against what the real `git` says.

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::author::Author;
use crate::client::{Client, answer};
use crate::server::Server;

const MEBIBYTE: usize = 1 << 20;

/// A raw answer.
struct Raw {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Raw {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

#[tokio::test]
async fn files_are_read_as_json() {
    let server = Server::start().await;
    let client = &server.client;
    let paths = json!({"file_paths": ["a"]});
    asked(client, &paths).await.detail(404);
    let ada = server.author("ada");
    push_files(&ada);
    let commit = ada.git(&["rev-parse", "main"]);
    let object = |path: &str| ada.git(&["rev-parse", &format!("main:{path}")]);
    let file = |path: &str, size: usize, is_binary: bool, content: Value, encoding: Value| {
        json!({
            "path": path, "ref": "main", "commit_sha": commit, "object_sha": object(path), "size": size,
            "is_binary": is_binary, "content": content, "encoding": encoding,
        })
    };
    let small = [
        file("src/main.py", 12, false, json!("print('h\u{e9}')"), json!("utf-8")),
        file("binary.png", 4, true, json!("iVAAAQ=="), json!("base64")),
        file("latin.txt", 5, true, json!("Y2Fm6Qo="), json!("base64")),
        file("empty", 0, false, json!(""), json!("utf-8")),
        file("link", 11, false, json!("src/main.py"), json!("utf-8")),
    ];
    let names: Vec<_> = small.iter().map(|file| file["path"].clone()).collect();
    let expected = json!({"files": small});
    assert_eq!(asked(client, &json!({"file_paths": names})).await.expect(200), expected);
    let query: Vec<_> = names.iter().map(|name| format!("file_paths={}", name.as_str().unwrap())).collect();
    let found = client.get(&format!("tool/repo/file?ref=main&{}", query.join("&"))).await.expect(200);
    assert_eq!(found, expected);

    let large = asked(client, &json!({"ref": "main", "file_paths": ["exact.txt", "large.txt", "large.bin"]})).await;
    let large = large.expect(200);
    assert_eq!(large["files"][0]["content"].as_str().unwrap().len(), MEBIBYTE);
    assert_eq!(large["files"][1], file("large.txt", MEBIBYTE + 1, false, Value::Null, Value::Null));
    assert_eq!(large["files"][2], file("large.bin", 3 * MEBIBYTE, true, Value::Null, Value::Null));

    // What an answer shows of a name can be asked for.
    let odd = asked(client, &json!({"file_paths": ["caf%E9.txt", "with space/a b.txt", "100%.txt"]})).await.expect(200);
    let shown: Vec<_> = odd["files"].as_array().unwrap().iter().map(|file| file["path"].clone()).collect();
    assert_eq!(shown, ["caf%E9.txt", "with space/a b.txt", "100%.txt"]);
    let first = ada.git(&["rev-parse", "main~1"]);
    let older = asked(client, &json!({"ref": first, "file_paths": ["src/main.py"]})).await.expect(200);
    assert_eq!((&older["files"][0]["ref"], &older["files"][0]["content"]), (&json!(first), &json!("print('h')")));

    for missing in ["nowhere", "src", "module", "../src/main.py", "src/../src/main.py", "link/x", ""] {
        asked(client, &json!({"file_paths": ["empty", missing]})).await.detail(404);
    }
    asked(client, &json!({"ref": "nowhere", "file_paths": ["empty"]})).await.detail(404);
    let many: Vec<_> = (0..6).map(|_| "empty").collect();
    for (body, loc) in [
        (json!({"file_paths": []}), json!(["body", "file_paths"])),
        (json!({"file_paths": many}), json!(["body", "file_paths"])),
        (json!({"file_paths": [1]}), json!(["body", "file_paths", 0])),
        (json!({"file_paths": ["empty"], "branch": "main"}), json!(["body", "branch"])),
        (json!({}), json!(["body"])),
    ] {
        let refused = asked(client, &body).await.expect(422);
        assert_eq!(refused["detail"][0]["loc"].as_array().unwrap()[0], loc[0], "{refused}");
    }
    let refused = client.get("tool/repo/file").await.expect(422);
    assert_eq!(refused["detail"][0]["loc"], json!(["query", "file_paths"]));
}

#[tokio::test]
async fn a_file_is_downloaded_whole_or_in_part() {
    let server = Server::start().await;
    let client = &server.client;
    let ada = server.author("ada");
    push_files(&ada);
    let get = |path: &str| client.anonymous(Method::GET, &format!("tool/repo/file/{path}")).bearer_auth(&client.token);

    for (url, path, content_type) in [
        ("src/main.py", "src/main.py", "text/plain; charset=utf-8"),
        ("binary.png", "binary.png", "image/png"),
        ("latin.txt", "latin.txt", "text/plain"),
        ("empty", "empty", "text/plain; charset=utf-8"),
        ("link", "link", "text/plain; charset=utf-8"),
        ("with%20space/a%20b.txt", "with space/a b.txt", "text/plain; charset=utf-8"),
        ("100%25.txt", "100%.txt", "text/plain; charset=utf-8"),
        ("large.txt", "large.txt", "text/plain; charset=utf-8"),
        ("large.bin", "large.bin", "application/octet-stream"),
    ] {
        let expected = ada.git_bytes(&["cat-file", "blob", &format!("main:{path}")]);
        let tag = format!("\"{}\"", ada.git(&["rev-parse", &format!("main:{path}")]));
        let whole = raw(get(url)).await;
        assert_eq!((whole.status, whole.header("content-type"), whole.header("etag")), (200, content_type, &tag[..]));
        assert_eq!(whole.header("content-length"), expected.len().to_string());
        assert_eq!(whole.header("accept-ranges"), "bytes");
        assert!(whole.body == expected, "{path}");

        let head =
            raw(client.anonymous(Method::HEAD, &format!("tool/repo/file/{url}")).bearer_auth(&client.token)).await;
        assert_eq!((head.status, head.header("etag"), head.body.len()), (200, &tag[..], 0));
        assert_eq!(head.header("content-length"), expected.len().to_string());
        let current = raw(get(url).header("if-none-match", &tag)).await;
        assert_eq!((current.status, current.header("etag"), current.body.len()), (304, &tag[..], 0));
    }

    for path in ["src/main.py", "large.bin"] {
        let whole = ada.git_bytes(&["cat-file", "blob", &format!("main:{path}")]);
        let size = whole.len();
        let tag = format!("\"{}\"", ada.git(&["rev-parse", &format!("main:{path}")]));
        for (range, start, end) in [
            ("bytes=0-3".to_owned(), 0, 4),
            ("bytes=5-".to_owned(), 5, size),
            ("bytes=-5".to_owned(), size - 5, size),
            (format!("bytes=-{}", size + 1), 0, size),
            (format!("bytes={}-{}", size - 1, size * 2), size - 1, size),
            (format!("bytes={}-{}", size / 2, size / 2), size / 2, size / 2 + 1),
        ] {
            let part = raw(get(path).header("range", &range).header("if-range", &tag)).await;
            let content_range = format!("bytes {start}-{}/{size}", end - 1);
            assert_eq!((part.status, part.header("content-range")), (206, &content_range[..]), "{range}");
            assert_eq!(part.header("content-length"), (end - start).to_string());
            assert!(part.body == whole[start..end], "{path} {range}");
        }
        for (range, known) in [("bytes=0-1,3-4", &tag[..]), ("bytes=x", &tag), ("bytes=0-1", "\"another\"")] {
            let all = raw(get(path).header("range", range).header("if-range", known)).await;
            assert_eq!((all.status, all.body.len()), (200, size), "{range}");
        }
        let refused = raw(get(path).header("range", format!("bytes={size}-"))).await;
        assert_eq!((refused.status, refused.header("content-range")), (416, &format!("bytes */{size}")[..]));
        let body: Value = serde_json::from_slice(&refused.body).unwrap();
        assert!(body["detail"].is_string());
    }

    // A name that is not UTF-8 is asked for as it is shown.
    assert_eq!(raw(get("caf%25E9.txt")).await.body, b"odd");
    assert_eq!(raw(get("caf%E9.txt")).await.status, 422);
    let older = raw(get(&format!("src/main.py?ref={}", ada.git(&["rev-parse", "main~1"])))).await;
    assert_eq!(older.body, b"print('h')");
    for path in ["nowhere", "src", "module", "link/x", "..%2Fsrc%2Fmain.py", "src/main.py/", "src/main.py?ref=nowhere"]
    {
        let status = raw(get(path)).await.status;
        let expected = if path == "src/main.py/" { 200 } else { 404 };
        assert_eq!(status, expected, "{path}");
    }
}

/// Pushes two commits with files of all kinds.
fn push_files(ada: &Author) {
    let mut stream = Vec::new();
    let commit = |text: &str| format!("commit refs/heads/main\ncommitter Ada <a@b> 1700000000 +0000\ndata 1\n{text}\n");
    let file = |mode: &str, path: &str, content: &[u8]| {
        [format!("M {mode} inline {path}\ndata {}\n", content.len()).as_bytes(), content, b"\n"].concat()
    };
    stream.extend(commit("1").into_bytes());
    stream.extend(file("644", "src/main.py", b"print('h')"));
    stream.extend(commit("2").into_bytes());
    // Nothing that can be compressed well, so that it is made from no other file.
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let large: Vec<_> = (0..3 * MEBIBYTE).map(|_| noise()).collect();
    for (mode, path, content) in [
        ("644", "src/main.py", "print('h\u{e9}')".as_bytes()),
        ("644", "binary.png", b"\x89P\0\x01"),
        ("644", "latin.txt", b"caf\xe9\n"),
        ("644", "empty", b""),
        ("120000", "link", b"src/main.py"),
        ("644", "with space/a b.txt", b"space"),
        ("644", "100%.txt", b"percent"),
        ("644", "\"caf\\351.txt\"", b"odd"),
        ("644", "exact.txt", &b"x".repeat(MEBIBYTE)),
        ("644", "large.txt", &b"line\n".repeat(MEBIBYTE)[..MEBIBYTE + 1]),
        ("644", "large.bin", &large),
    ] {
        stream.extend(file(mode, path, content));
    }
    stream.extend(format!("M 160000 {} module\n", "1".repeat(40)).into_bytes());
    ada.import(&stream);
    ada.git(&["push", "--quiet", "origin", "main"]);
}

async fn asked(client: &Client, body: &Value) -> crate::client::Answer {
    answer(client.anonymous(Method::GET, "tool/repo/file").bearer_auth(&client.token).json(body)).await
}

async fn raw(request: RequestBuilder) -> Raw {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Raw { status, headers, body: response.bytes().await.unwrap().to_vec() }
}
