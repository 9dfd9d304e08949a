//! A backup that is made while requests are carried out is whole, and comes back as a data folder like the one it is of.

use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use serde_json::json;

use crate::author::{Author, files_below};
use crate::client::{Client, succeeded};
use crate::killing::verified;
use crate::programs;
use crate::server::{Installation, Server};

fn run(command: &str, folder: &Path, installation: &Installation) -> Output {
    programs::command("control-plane").arg(command).arg(folder).arg("--data").arg(installation.data()).output().unwrap()
}

#[track_caller]
fn refusal(output: &Output) -> String {
    assert!(!output.status.success(), "it is not refused: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Goes on invoking until nobody answers, and says how many were answered.
async fn invoke_on(client: Client, tool: String) -> u64 {
    for number in 1.. {
        let input = json!({"inputs": [{"input_parameters": {"step": number}, "invocation_mode": "regular"}]});
        let request = client.anonymous(reqwest::Method::POST, &format!("tool/{tool}/version/1.0.0/invoke"));
        if request.bearer_auth(&client.token).json(&input).send().await.is_err() {
            return number - 1;
        }
    }
    unreachable!("somebody stops the server")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_busy_server_comes_back_whole() {
    let (server, tool) = Server::with_tool("counter").await;
    let author = Author::existing(&server.installation.path("work"));
    author.push(&["reads_variables"]);
    let secrets = server.client.create_tool("reads_variables").await;
    let variables = fs_err::read_to_string(programs::tool("reads_variables").join("pyproject.toml")).unwrap();
    let variables: toml::Table = variables.parse().unwrap();
    let names = |list: &str| variables["tool"]["toolplane"][list].as_array().unwrap().clone();
    let insert =
        |name: &toml::Value, is_secret| json!({"name": name.as_str(), "value": "kept", "is_secret": is_secret});
    let inserts: Vec<_> = names("env").iter().map(|name| insert(name, false)).collect();
    let inserts: Vec<_> = inserts.into_iter().chain(names("secrets").iter().map(|name| insert(name, true))).collect();
    server.client.set_envvars(&secrets, json!({"inserts": inserts})).await.expect(204);
    server.client.publish(&secrets, "reads_variables", "major").await.expect(201);
    let read = server.client.result(&secrets, json!({})).await;
    let before = server.client.result(&tool, json!({"step": 1000})).await;

    let installation = Arc::clone(&server.installation);
    let busy = tokio::spawn(invoke_on(server.client.clone(), tool.clone()));
    let (backup, second) = (installation.path("backup"), installation.path("second"));
    let made = run("backup", &backup, &installation);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert!(refusal(&run("backup", &backup, &installation)).contains("there is something in"));
    assert!(refusal(&verified(&installation, &[])).contains("in use by another process"));
    let last_words = server.client.result(&tool, json!({"step": 2000})).await;
    let lost = server.kill();
    busy.await.unwrap();

    // Without a server the command does the work.
    let made = run("backup", &second, &lost);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert!(refusal(&run("restore", &backup, &lost)).contains("there is something in the data folder"));
    fs_err::rename(lost.data(), lost.path("lost")).unwrap();
    let restored = run("restore", &backup, &lost);
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));

    let server = Server::start_on(Arc::clone(&lost)).await;
    let client = &server.client;
    let recorded = client.invocations("sort_by=created_at").await;
    assert!(recorded.iter().any(|found| found["inputs"] == json!({"step": 1000})), "it was answered before the backup");
    assert!(recorded.iter().all(|found| found["inputs"] != json!({"step": 2000})), "it came after the backup");
    assert_eq!((before, last_words), (succeeded("1000"), succeeded("2000")));
    assert_eq!(client.result(&secrets, json!({})).await, read, "secrets open, since their key is in the backup");
    let clone = server.author("clone");
    clone.git(&["pull", "--quiet", "origin", "main"]);
    assert_eq!(files_below(&clone.folder().join("counter")), files_below(&programs::tool("counter")));
    assert_eq!(client.publish(&tool, "counter", "minor").await.expect(201), json!({"new_version": "1.1.0"}));
    let installation = server.kill();
    let found = crate::killing::verify(&installation, &[]);
    assert_eq!(found["problems"], json!([]));

    // The second one knows the last words, too.
    fs_err::remove_dir_all(installation.data()).unwrap();
    assert!(run("restore", &second, &installation).status.success());
    let server = Server::start_on(Arc::clone(&installation)).await;
    let recorded = server.client.invocations("").await;
    assert!(recorded.iter().any(|found| found["inputs"] == json!({"step": 2000})));
    server.kill();

    // What is damaged, or was interrupted, is found before anybody relies on it.
    fs_err::remove_dir_all(installation.data()).unwrap();
    let blob = installation.path("second/blobs");
    let blob = files_below(&blob).into_iter().map(|(path, _)| blob.join(path)).next().unwrap();
    fs_err::remove_file(&blob).unwrap();
    fs_err::write(&blob, "something else").unwrap();
    let damaged = run("restore", &second, &installation);
    assert!(refusal(&damaged).contains("the backup is damaged"));
    assert!(String::from_utf8_lossy(&damaged.stdout).contains("it holds something else"));
    fs_err::remove_dir_all(installation.data()).unwrap();
    fs_err::remove_file(installation.path("backup/backup.json")).unwrap();
    assert!(refusal(&run("restore", &backup, &installation)).contains("is no backup, or one that was interrupted"));
    assert!(!installation.data().exists());
}
