//! The starter project: what is downloaded is a tool as it is.

use std::path::Path;

use flate2::read::GzDecoder;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Digest;

use crate::author::files_below;
use crate::client::succeeded;
use crate::programs;
use crate::server::Server;

const FOLDER: &str = "amigo_tool_scaffold";

#[tokio::test]
async fn the_scaffold_is_a_tool_that_checks_publishes_and_runs() {
    let server = Server::start().await;
    let client = &server.client;
    let download = async || {
        let request = client.anonymous(Method::GET, "tool/amigo_tool_scaffold.tar.gz").bearer_auth(&client.token);
        let response = request.send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (200, &"application/gzip".parse().unwrap())
        );
        response.bytes().await.unwrap()
    };
    let archive = download().await;
    assert_eq!(download().await, archive);
    let stranger = client.anonymous(Method::GET, "tool/amigo_tool_scaffold.tar.gz").send().await.unwrap();
    assert_eq!(stranger.status().as_u16(), 401);

    let ada = server.author("ada");
    tar::Archive::new(GzDecoder::new(&archive[..])).unpack(ada.folder()).unwrap();
    let project = ada.folder().join(FOLDER);
    assert_eq!(files_below(&project), files_below(&programs::workspace().join("sdk/scaffold")));
    let in_root: Vec<_> = fs_err::read_dir(ada.folder()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(in_root.len(), 2, "one folder beside Git's own: {in_root:?}");
    run_commands_of(&project.join("README.md"), &project);

    ada.push(&[]);
    let tool = client.create_tool("working_days").await;
    assert_eq!(client.publish(&tool, FOLDER, "major").await.expect(201), json!({"new_version": "1.0.0"}));
    let version = &client.versions(&tool).await[0];
    let hash = hex::encode(sha2::Sha256::digest(&archive));
    assert_eq!(version["amigo_scaffold_commit_hash"], hash[..40], "it says which scaffold there was");
    let input = json!({"start": "2026-12-21", "end": "2027-01-03"});
    let result = client.result(&tool, input).await;
    let output: Value = serde_json::from_str(result["output"].as_str().unwrap()).unwrap();
    assert_eq!(result, succeeded(result["output"].as_str().unwrap()));
    assert_eq!(output, json!({"working_days": 10, "holidays": []}));
}

/// Runs every command of the README that is one of ours, but its tests, which need packages: see `own_tests`.
fn run_commands_of(readme: &Path, project: &Path) {
    let readme = fs_err::read_to_string(readme).unwrap();
    let commands: Vec<_> = readme.lines().filter(|line| line.starts_with("runtime ")).collect();
    assert!(commands.iter().any(|command| command.starts_with("runtime check")), "{commands:?}");
    for command in commands.into_iter().filter(|command| !command.starts_with("runtime test")) {
        // A shell splits them, as it does for authors; the program is found by its path.
        let arguments = command.strip_prefix("runtime").unwrap();
        let runtime = programs::command("runtime");
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &format!("\"$0\" {arguments}")]).arg(runtime.get_program()).current_dir(project);
        for (name, value) in runtime.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        let output = shell.output().unwrap();
        assert!(output.status.success(), "{command}:\n{}", String::from_utf8_lossy(&output.stderr));
    }
}
