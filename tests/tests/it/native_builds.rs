//! Packages in C: wheels of them are built from their source archives, the same each time, and a tool uses them.

use std::path::Path;

use serde_json::{Value, json};

use crate::fetched;
use crate::programs;
use crate::server::{Installation, Server};

/// C by setuptools, and C++, which needs its own libraries; each a second or two.
const PACKAGES: [&str; 2] = ["markupsafe==3.0.4", "ujson==6.1.0"];

/// Builds packages into an index. Without the toolchain, or without a network, a test says so and is left out.
fn build(packages: &[&str], index: &Path) -> bool {
    let command =
        programs::command("runtime").args(["wheels", "build", "--wheel-index"]).arg(index).args(packages).output();
    let built = command.unwrap();
    let told = String::from_utf8(built.stderr).unwrap();
    match built.status.success() {
        true => return true,
        false if told.contains("needs Debian's packages") => eprintln!("left out: {told}"),
        false => fetched::missing(&format!("wheels of packages in C: {told}")),
    }
    false
}

/// The files of an index with their contents.
fn wheels(index: &Path) -> Vec<(String, Vec<u8>)> {
    let folder = fs_err::read_dir(index).unwrap().next().unwrap().unwrap().path();
    let files = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut read: Vec<_> = files
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs_err::read(path).unwrap()))
        .collect();
    read.sort();
    read
}

async fn output(server: &Server, tool: &str) -> Value {
    let result = server.client.result(tool, json!({"text": "<b>", "numbers": [0.1, 1e300]})).await;
    serde_json::from_str(result["output"].as_str().unwrap_or_else(|| panic!("{result}"))).unwrap()
}

#[tokio::test]
async fn packages_in_c_are_built_the_same_twice_and_a_tool_uses_them() {
    let installation = Installation::new();
    let (index, again) = (installation.path("index"), installation.path("again"));
    if !build(&PACKAGES, &index) || !build(&PACKAGES[..1], &again) {
        return;
    }
    let [(one, _), (other, _)] = &wheels(&index)[..] else { panic!("there are two wheels") };
    assert_eq!(one, "markupsafe-3.0.4-cp314-cp314-wasi_0_0_0_wasm32.whl");
    assert_eq!(other, "ujson-6.1.0-cp314-cp314-wasi_0_0_0_wasm32.whl");
    assert!(wheels(&index)[..1] == wheels(&again), "the same source gives the same wheel");
    let verified =
        programs::command("runtime").args(["wheels", "verify", "--wheel-index"]).arg(&index).output().unwrap();
    let verified = String::from_utf8(verified.stdout).unwrap();
    assert_eq!(verified, format!("{one}: markupsafe._speedups\n{other}: ujson\n"));

    installation
        .configure(&format!("[packages]\noffline = true\nwheel_indexes = [{:?}]\n", index.display().to_string()));
    let server = Server::start_on(installation).await;
    server.author("work").push(&["escaping"]);
    let tool = server.client.create_tool("escaping").await;
    server.client.publish(&tool, "escaping", "major").await.expect(201);
    let expected = json!({
        "escaped": "&lt;b&gt;",
        "numbers": [0.1, 1e300],
        "by": [
            "/packages/markupsafe/_speedups.cpython-314-wasm32-wasi.so",
            "/packages/ujson.cpython-314-wasm32-wasi.so",
        ],
    });
    assert_eq!(output(&server, &tool).await, expected);
}
