//! The HTTP contract, as one signed-in user sees it.

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::server::{Key, Server};

/// A user of an organization with a token.
#[derive(Clone)]
pub struct Client {
    /// The server, such as `http://127.0.0.1:4321`.
    pub server: String,
    pub key: Key,
    pub token: String,
    http: reqwest::Client,
}

/// An answer of the server, whatever its status.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// Null when the body is empty.
    pub json: Value,
}

impl Answer {
    /// The body of an answer that has to have this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "the answer was {}", self.json);
        self.json
    }

    /// The sentence of an error that has to have this status.
    #[track_caller]
    pub fn detail(self, status: u16) -> String {
        let body = self.expect(status);
        body["detail"].as_str().unwrap_or_else(|| panic!("no sentence in {body}")).to_owned()
    }
}

/// The library that asks, as all tests use it.
pub fn http() -> reqwest::ClientBuilder {
    // The library asks for one even where nothing speaks TLS. It fails only where there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // No request may go through a proxy of the machine; a lost answer fails the test instead of hanging it.
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(300))
}

impl Client {
    /// Trades a key for a token.
    pub async fn sign_in(server: &str, key: &Key) -> Self {
        Self::sign_in_through(http().build().unwrap(), server, key).await
    }

    /// The same, with a library whose settings differ.
    pub async fn sign_in_through(http: reqwest::Client, server: &str, key: &Key) -> Self {
        let mut client = Self { server: server.to_owned(), key: key.clone(), token: String::new(), http };
        let signed_in = client.try_sign_in(key).await.expect(200);
        client.token = signed_in["id_token"].as_str().unwrap().to_owned();
        client
    }

    /// Asks for a token with any key, good or bad.
    pub async fn try_sign_in(&self, key: &Key) -> Answer {
        let url = self.url("user/signin_with_api_key");
        let request = self.http.post(url).header("x-api-key", &key.api_key);
        answer(request.header("x-api-key-id", &key.api_key_id).header("x-user-id", &key.user_id)).await
    }

    /// A path of the organization as a whole address.
    pub fn url(&self, path: &str) -> String {
        format!("{}/v1/{}/{path}", self.server, self.key.organization_id)
    }

    /// The organization's repository, with the user's credentials.
    pub fn remote(&self) -> String {
        let (scheme, host) = self.server.split_once("://").unwrap();
        let Key { organization_id, user_id, .. } = &self.key;
        format!("{scheme}://{organization_id}_{user_id}:{}@{host}/v1/{organization_id}/tool/git", self.token)
    }

    /// A request that has no credentials yet.
    pub fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(path))
    }

    pub async fn get(&self, path: &str) -> Answer {
        answer(self.anonymous(Method::GET, path).bearer_auth(&self.token)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        answer(self.anonymous(Method::POST, path).bearer_auth(&self.token).json(&body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        answer(self.anonymous(Method::DELETE, path).bearer_auth(&self.token)).await
    }

    /// A page outside of `/v1`: its status and text.
    pub async fn page(&self, path: &str) -> (u16, String) {
        let answer = self.http.get(format!("{}{path}", self.server)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Makes a tool and answers its id.
    pub async fn create_tool(&self, name: &str) -> String {
        let body = json!({"name": name, "description": format!("The tool {name}."), "tags": {}});
        self.post("tool/", body).await.expect(201)["id"].as_str().unwrap().to_owned()
    }

    /// The tools that a query finds, such as `deprecated=true&tag=team:core`.
    pub async fn tools(&self, query: &str) -> Vec<Value> {
        let found = self.get(&format!("tool/?limit=20&{query}")).await.expect(200);
        found["tools"].as_array().unwrap().clone()
    }

    pub async fn set_envvars(&self, tool: &str, changes: Value) -> Answer {
        self.post(&format!("tool/{tool}/envvar"), changes).await
    }

    pub async fn publish(&self, tool: &str, project: &str, bump: &str) -> Answer {
        let body = json!({"project_path": project, "bump_type": bump});
        self.post(&format!("tool/{tool}/version"), body).await
    }

    /// Invokes a version, or what a constraint resolves to, once for each set of parameters.
    pub async fn invoke(&self, tool: &str, version: &str, parameters: &[Value]) -> Answer {
        self.invoke_in("regular", tool, version, parameters).await
    }

    pub async fn invoke_in(&self, mode: &str, tool: &str, version: &str, parameters: &[Value]) -> Answer {
        let input = |parameters: &Value| json!({"input_parameters": parameters, "invocation_mode": mode});
        let inputs: Vec<_> = parameters.iter().map(input).collect();
        let version: String = version.bytes().map(escaped).collect();
        self.post(&format!("tool/{tool}/version/{version}/invoke"), json!({"inputs": inputs})).await
    }

    /// The results of an invocation of version 1.0.0, without their durations.
    pub async fn results(&self, tool: &str, parameters: &[Value]) -> Vec<Value> {
        results(self.invoke(tool, "1.0.0", parameters).await)
    }

    /// The result of one invocation of version 1.0.0, without its duration.
    pub async fn result(&self, tool: &str, parameters: Value) -> Value {
        self.results(tool, &[parameters]).await.remove(0)
    }

    /// The recorded invocations that a query finds, such as `tool_id=…&succeeded=false`, newest first.
    pub async fn invocations(&self, query: &str) -> Vec<Value> {
        let found = self.get(&format!("tool/invocation?sort_by=-created_at&limit=100&{query}")).await.expect(200);
        found["tool_invocations"].as_array().unwrap().clone()
    }

    pub async fn versions(&self, tool: &str) -> Vec<Value> {
        let found = self.get(&format!("tool/{tool}/version?limit=50")).await.expect(200);
        found["tool_versions"].as_array().unwrap().clone()
    }
}

/// Users with fewer rights.
impl Client {
    /// Makes a role with exactly these grants, and a user of it, and signs the user in.
    pub async fn with_grants(&self, role: &str, grants: &[Value]) -> Self {
        self.create_role(role, grants).await.expect(201);
        self.with_role(role).await
    }

    /// Makes a user of a role and signs it in.
    pub async fn with_role(&self, role: &str) -> Self {
        let user = self.create_user(role).await;
        self.as_user(&user).await
    }

    /// Signs in another user of the organization with this user's key.
    pub async fn as_user(&self, user: &str) -> Self {
        Self::sign_in(&self.server, &Key { user_id: user.to_owned(), ..self.key.clone() }).await
    }

    pub async fn create_role(&self, name: &str, grants: &[Value]) -> Answer {
        self.post("role/", json!({"name": name, "permission_grants": grants})).await
    }

    /// Makes a user and answers its id.
    pub async fn create_user(&self, role: &str) -> String {
        self.post("user/", json!({"role_name": role})).await.expect(201)["id"].as_str().unwrap().to_owned()
    }
}

/// A grant that allows a permission, such as `Tool:InvokeTool`.
pub fn allow(permission: &str) -> Value {
    json!({"action": "Allow", "permission_name": permission, "conditions": {}})
}

/// A grant that denies a permission.
pub fn deny(permission: &str) -> Value {
    json!({"action": "Deny", "permission_name": permission, "conditions": {}})
}

/// The same grant under a condition, such as `{"type": "Equals", "value": "weather"}` of `Tool:Name`.
pub fn provided(mut grant: Value, attribute: &str, condition: Value) -> Value {
    grant["conditions"][attribute] = condition;
    grant
}

impl Server {
    /// Starts a server that has one tool, published from the project of the same name as 1.0.0. Answers its id, too.
    pub async fn with_tool(project: &str) -> (Self, String) {
        let server = Self::start().await;
        server.author("work").push(&[project]);
        let tool = server.client.create_tool(project).await;
        let published = server.client.publish(&tool, project, "major").await.expect(201);
        assert_eq!(published, json!({"new_version": "1.0.0"}));
        (server, tool)
    }
}

/// The results in a successful answer to an invocation, without their durations.
#[track_caller]
pub fn results(answer: Answer) -> Vec<Value> {
    let mut body = answer.expect(200);
    let results = body["invocation_results"].as_array_mut().expect("there is a list of results");
    for result in &mut *results {
        let duration = result.as_object_mut().unwrap().remove("duration_ms");
        assert!(duration.and_then(|duration| duration.as_f64()).is_some_and(|duration| duration >= 0.0), "{result}");
    }
    std::mem::take(results)
}

/// A successful result with this output.
pub fn succeeded(output: &str) -> Value {
    json!({"succeeded": true, "output": output})
}

/// A failed result.
pub fn failed(exception_type: &str, message: &str, stack_trace: &[&str]) -> Value {
    json!({
        "succeeded": false,
        "exception_type": exception_type,
        "exception_message": message,
        "exception_stack_trace": stack_trace,
    })
}

/// Sends a request and reads its answer.
pub async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.bytes().await.unwrap();
    let json = match body.is_empty() {
        true => Value::Null,
        false => serde_json::from_slice(&body).unwrap_or_else(|_| String::from_utf8_lossy(&body).into_owned().into()),
    };
    Answer { status, headers, json }
}

/// A byte of a constraint, fit for a path.
fn escaped(byte: u8) -> String {
    match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'.' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    }
}
