//! Variables and secrets: a version gets what it requires, and a secret's value never comes back.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::{Value, json};

use crate::client::{Answer, Client, failed};
use crate::server::Server;

const PASSWORD: &str = "correct-horse-7731";

#[tokio::test]
async fn a_version_is_refused_until_its_variables_are_there_with_the_right_secrecy() {
    let server = Server::start().await;
    let client = &server.client;
    server.author("work").push(&["reads_variables"]);
    let tool = client.create_tool("reads_variables").await;
    let publish = || client.publish(&tool, "reads_variables", "major");

    let detail = publish().await.detail(400);
    assert!(detail.contains("PLACE"), "{detail}");
    insert(client, &tool, "PLACE", "Ghent", false).await.expect(204);
    let detail = publish().await.detail(400);
    assert!(detail.contains("PASSWORD"), "{detail}");
    insert(client, &tool, "PASSWORD", PASSWORD, false).await.expect(204);
    let detail = publish().await.detail(400);
    assert!(detail.contains("PASSWORD") && detail.contains("secret"), "{detail}");
    assert!(client.versions(&tool).await.is_empty());

    // All or nothing: the second change cannot be made, so the first one is not made either.
    let half = json!({"deletes": [{"name": "PASSWORD"}], "updates": [{"name": "NOWHERE", "value": "x"}]});
    client.set_envvars(&tool, half).await.detail(400);
    insert(client, &tool, "PASSWORD", PASSWORD, true).await.detail(409);
    insert(client, &tool, "password", PASSWORD, true).await.expect(422);
}

#[tokio::test]
async fn a_secret_reaches_the_tool_and_never_comes_back() {
    let server = Server::start().await;
    let client = &server.client;
    let tool = published(&server).await;

    let output = output(&client.result(&tool, json!({})).await);
    let expected = json!({
        "place": "Ghent",
        "place_in_environ": "Ghent",
        "password_length": PASSWORD.len(),
        "password_in_environ": true,
        "text": "",
    });
    assert_eq!(output, expected);

    let leaked = client.result(&tool, json!({"leak": true})).await;
    let text = self::output(&leaked)["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with("the password is ") && !text.contains(PASSWORD), "{text}");
    let raised = client.result(&tool, json!({"leak": true, "fail": true})).await;
    let frame = "File \"src/reads_variables.py\", line 14, in read\n    raise ValueError(f\"the password {password} was not accepted\")";
    let message = raised["exception_message"].as_str().unwrap();
    assert!(message.starts_with("the password ") && message.ends_with(" was not accepted"), "{message}");
    assert!(!message.contains(PASSWORD), "{message}");
    assert_eq!(raised, failed("ValueError", message, &[frame]));

    let shown = client.get(&format!("tool/?id={tool}")).await.expect(200);
    assert_eq!(shown["tools"][0]["envvars"], json!(["PLACE"]));
    assert_eq!(shown["tools"][0]["secret_envvars"], json!(["PASSWORD"]));
    assert!(!shown.to_string().contains("Ghent"), "no value of a variable comes back, secret or not");
    for invocation in client.invocations("").await {
        let id = invocation["id"].as_str().unwrap();
        let record = client.get(&format!("tool/invocation/{id}")).await.expect(200);
        let leaked = record["inputs"]["leak"] == true;
        assert_eq!(record["logs"].as_str().unwrap().starts_with("leaked to the log: "), leaked, "{record}");
        assert!(!record.to_string().contains(PASSWORD), "{record}");
    }
    let version = client.versions(&tool).await.remove(0);
    assert_eq!(version["required_envvars"], json!(["PLACE"]));
    assert_eq!(version["required_secret_envvars"], json!(["PASSWORD"]));
    client.set_envvars(&tool, json!({"deletes": [{"name": "PASSWORD"}]})).await.detail(400);

    assert_eq!(server.installation.file_with(PASSWORD), None, "a secret lies in the clear");

    // JSON writes a quotation mark in two characters, and the value must be found all the same.
    let update = json!({"updates": [{"name": "PASSWORD", "value": "correct\"horse\n7731"}]});
    client.set_envvars(&tool, update).await.expect(204);
    let escaped = client.result(&tool, json!({"leak": true})).await.to_string();
    assert!(!escaped.contains("7731"), "{escaped}");
}

/// Publishes the tool that reads its variables, and answers its id.
async fn published(server: &Server) -> String {
    let client = &server.client;
    server.author("work").push(&["reads_variables"]);
    let tool = client.create_tool("reads_variables").await;
    insert(client, &tool, "PLACE", "Ghent", false).await.expect(204);
    insert(client, &tool, "PASSWORD", PASSWORD, true).await.expect(204);
    client.publish(&tool, "reads_variables", "major").await.expect(201);
    tool
}

async fn insert(client: &Client, tool: &str, name: &str, value: &str, is_secret: bool) -> Answer {
    let insert = json!({"name": name, "value": value, "is_secret": is_secret});
    client.set_envvars(tool, json!({"inserts": [insert]})).await
}

/// The output of a tool that answers JSON.
#[track_caller]
fn output(result: &Value) -> Value {
    let output = result["output"].as_str().unwrap_or_else(|| panic!("the tool failed: {result}"));
    serde_json::from_str(output).unwrap()
}

#[tokio::test]
async fn a_secret_is_taken_out_in_every_form_in_which_tools_write_values_down() {
    let server = Server::start().await;
    let client = &server.client;
    server.author("work").push(&["leaks_secrets"]);
    let tool = client.create_tool("leaks_secrets").await;
    let password = "correct/horse \"7731\" ñ";
    insert(client, &tool, "PASSWORD", password, true).await.expect(204);
    client.publish(&tool, "leaks_secrets", "major").await.expect(201);

    let hexadecimal = hex::encode(password);
    let [header, token] = [STANDARD.encode(format!("user:{password}")), URL_SAFE.encode(format!("ab{password}"))];
    let uppercase = hexadecimal.to_uppercase();
    let backwards: String = password.chars().rev().collect();
    let needles = [
        password,
        "horse",
        "esroh",
        &header[8..24],
        &token[4..20],
        &hexadecimal[8..24],
        &uppercase[8..24],
        backwards.as_str(),
    ];
    let forms = ["lines", "dump", "repr", "header", "token", "url", "digits", "backwards"];
    let parameters: Vec<_> = forms.iter().map(|form| json!({"form": form})).collect();
    for (form, result) in forms.iter().zip(client.results(&tool, &parameters).await) {
        let text = result.to_string();
        assert!(text.contains("[secret]") || *form == "lines", "{form}: {text}");
        assert_none(&needles, &text);
    }
    let recorded = client.invocations("").await;
    assert_eq!(recorded.len(), forms.len());
    for invocation in recorded {
        let id = invocation["id"].as_str().unwrap();
        let record = client.get(&format!("tool/invocation/{id}")).await.expect(200);
        assert!(record["logs"].as_str().unwrap().contains("[secret]"), "{record}");
        assert_none(&needles, &record.to_string());
    }
}

#[track_caller]
fn assert_none(needles: &[&str], text: &str) {
    for needle in needles {
        assert!(!text.contains(needle), "{needle} is in {text}");
    }
}

#[tokio::test]
async fn the_vault_s_key_is_changed_while_everything_works() {
    let server = Server::start().await;
    let tool = published(&server).await;

    let installation = server.kill();
    let [old, new] = [installation.data().join("keys/vault.key"), installation.path("new.key")];
    let key_file = format!("[vault]\nkey_file = {new:?}\n");
    installation.configure(&format!("{key_file}former_key_files = [{old:?}]\n"));
    let server = Server::start_on(installation).await;
    assert_eq!(server.client.result(&tool, json!({})).await["succeeded"], true, "at once");
    // It ends by itself; both variables are one tool's, and sealed anew together.
    while !server.client.page("/metrics").await.1.contains("toolplane_vault_resealed_total 2") {
        tokio::task::yield_now().await;
    }

    let installation = server.kill();
    fs_err::remove_file(&old).unwrap();
    installation.configure(&key_file);
    let server = Server::start_on(installation).await;
    let after = output(&server.client.result(&tool, json!({})).await);
    assert_eq!(
        (after["place"].as_str(), after["password_length"].as_u64()),
        (Some("Ghent"), Some(PASSWORD.len() as u64))
    );
}
