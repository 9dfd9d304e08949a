//! The tool's `/tmp`: of each invocation alone, bounded, and gone with it.

use serde_json::{Value, json};

use crate::client::Client;
use crate::server::Server;

/// What one function of the tool `scratch` returned.
async fn seen(client: &Client, tool: &str, what: &str) -> Value {
    let result = client.result(tool, json!({"what": what})).await;
    let output = result["output"].as_str().unwrap_or_else(|| panic!("{what}: {result}"));
    serde_json::from_str(output).unwrap_or_else(|_| Value::from(output))
}

#[tokio::test]
async fn programs_find_what_they_expect_of_a_temporary_folder() {
    let (server, tool) = Server::with_tool("scratch").await;
    let returned = async |what| seen(&server.client, &tool, what).await;

    assert_eq!(returned("from_the_build").await, json!(["while it was built", false, []]));
    let files = json!(["/tmp", "hello", "hello", "hello", 1, "than four", ".txt", 1]);
    assert_eq!(returned("temporary_files").await, files);
    let content = "heLLo World\0\0!\0";
    assert_eq!(returned("positions").await, json!(["he", "o ", content, "JeLLo", "\u{0}123", 18]));
    let walked = json!([
        ["/tmp", ["a", "copy", "moved"], []],
        ["/tmp/a", ["b"], ["f"]],
        ["/tmp/a/b", [], ["g"]],
        ["/tmp/copy", [], ["f"]],
        ["/tmp/moved", [], []],
    ]);
    assert_eq!(returned("in_one_call").await, json!([8 << 20, 9, 8 << 20]));
    assert_eq!(returned("trees").await, json!([walked, [["f", false, 1]], "g", []]));
    assert_eq!(
        returned("metadata").await,
        json!([4, 1.0, 2.5, true, false, true, false, ["dev", "python", "tmp", "tool"], "/tmp/f"])
    );
    let unpacked = ["untarred", "untarred/in", "untarred/in/f", "unzipped", "unzipped/f", "unzipped/g", "content"];
    assert_eq!(returned("archives").await, json!(unpacked));
    let databases = returned("databases").await;
    let last = json!(["numbers.db", "shelf"]);
    assert_eq!(
        databases,
        json!([false, 1000, true, 1000, "database is locked", 999, "a", "list", "dbm.sqlite3", last])
    );
    assert_eq!(
        returned("refused").await,
        json!({
            "read what is not there": "ENOENT",
            "make what is there": "EEXIST",
            "open a folder": "EISDIR",
            "remove a full folder": "ENOTEMPTY",
            "list a file": "ENOTDIR",
            "move a folder into itself": "EINVAL",
            "move a file over a folder": "EISDIR",
            "link": "ENOTSUP",
            "link by name": "ENOTSUP",
            "read a link": "EINVAL",
            "climb out": "EPERM",
            "write to the root": "EROFS",
            "write to the current folder": "EROFS",
            "make a folder in the root": "EROFS",
            "write to the project": "EPERM",
            "overwrite the project": "EPERM",
            "remove from the project": "EPERM",
            "move out of the project": "EXDEV",
            "remove the folder itself": "EBUSY",
            "write to the library": "EPERM",
        })
    );
}

#[tokio::test]
async fn it_is_bounded_and_nothing_of_it_outlives_or_leaves_its_invocation() {
    let server = Server::start_with("[invoke]\ntmp_mib = 1\ntmp_files = 20\n").await;
    server.author("work").push(&["scratch"]);
    let tool = server.client.create_tool("scratch").await;
    server.client.publish(&tool, "scratch", "major").await.expect(201);
    let returned = async |what| seen(&server.client, &tool, what).await;

    let full = "database or disk is full";
    let bytes = json!([true, "No space left on device", 1 << 20, "ENOSPC", "ENOSPC", "ENOSPC", full, "it goes on"]);
    assert_eq!(returned("too_many_bytes").await, bytes);
    assert_eq!(returned("too_many_files").await, json!([20, "ENOSPC", "ENOSPC", 20]));
    assert_eq!(returned("too_many_open").await, json!([true, "ENOMEM", true, "ENOMEM", ""]));

    let ten = vec![json!({"what": "mine"}); 10];
    let (some, others) = tokio::join!(server.client.results(&tool, &ten), server.client.results(&tool, &ten));
    for result in some.into_iter().chain(others) {
        assert_eq!(result["output"], "[[\"mine\"],true]", "{result}");
    }
    assert_eq!(returned("listed").await, json!([]));
    let record = server.client.invocations("").await.len();
    assert_eq!(record, 24);
    assert_eq!(server.installation.file_with("left-behind").map(|file| file.display().to_string()), None);
}
