//! Every operation of the contract, met by everybody who must not get in. The operations come from the document that the
//! server answers, so none can be forgotten.

use reqwest::{Method, RequestBuilder};
use serde_json::{Map, Value, json};

use crate::client::{Answer, Client, answer};
use crate::server::{Installation, Key, Server};

/// An operation of an organization that needs a token.
struct Operation {
    name: String,
    method: Method,
    /// Below the organization, with `{tool_id}` still in it.
    path: String,
    /// A body that is valid, and its type.
    body: Option<(String, Value)>,
    /// The permissions, any of which is enough. None where a token is enough.
    permissions: Vec<String>,
    /// The statuses that it may answer.
    statuses: Vec<u16>,
}

#[tokio::test]
async fn whoever_does_not_prove_who_it_is_gets_401_and_other_organizations_get_404() {
    let installation = Installation::new();
    let other = installation.add_organization("umbrella");
    installation.configure("[auth]\ntoken_lifetime_s = -60\n");
    let expired = Server::start_on(installation.clone()).await.client.token.clone();
    installation.configure("");
    let server = Server::start_on(installation).await;
    let tool = server.client.create_tool("matrix").await;
    let theirs = Client::sign_in(&server.client.server, &other).await;

    let Client { token, key: Key { organization_id, user_id, .. }, .. } = &server.client;
    let (rest, signature) = token.rsplit_once('.').unwrap();
    let forged = format!("{rest}.{}", signature.chars().rev().collect::<String>());
    let name = format!("{organization_id}_{user_id}");
    let another_name = format!("{organization_id}_{}", "0".repeat(24));
    for operation in operations(&server.client).await {
        let ours = || operation.request(&server.client, &tool);
        for (case, request, status) in [
            ("no credentials", ours(), 401),
            ("garbage", ours().bearer_auth("garbage"), 401),
            ("garbage as a password", ours().basic_auth(&name, Some("garbage")), 401),
            ("an expired token", ours().bearer_auth(&expired), 401),
            ("a token of another signature", ours().bearer_auth(&forged), 401),
            ("a token of another signature as a password", ours().basic_auth(&name, Some(&forged)), 401),
            ("another user's name", ours().basic_auth(&another_name, Some(token)), 401),
            ("another organization's token", ours().bearer_auth(&theirs.token), 401),
            (
                "a stranger of another organization",
                ours().bearer_auth(&theirs.token).header("x-org-id", "umbrella"),
                404,
            ),
        ] {
            let answer = answer(request).await;
            operation.check(case, &answer, status);
            if status == 401 {
                let challenge = answer.headers["www-authenticate"].to_str().unwrap();
                assert!(challenge.contains("Basic realm=") && challenge.contains("Bearer"), "{challenge}");
            }
        }
        if operation.path.contains("{tool_id}") {
            let request = operation.request(&theirs, &tool).bearer_auth(&theirs.token);
            operation.check("another organization's tool", &answer(request).await, 404);
        }
    }
}

#[tokio::test]
async fn who_lacks_exactly_the_permission_gets_403_and_who_has_only_it_does_not() {
    let server = Server::start().await;
    let operations = operations(&server.client).await;
    for operation in operations.iter().filter(|operation| !operation.permissions.is_empty()) {
        // An operation may delete its tool, so each has its own.
        let tool = server.client.create_tool(&operation.name).await;
        let grant = |action: &str, name: &str| json!({"action": action, "permission_name": name, "conditions": {}});
        let denied = operation.permissions.iter().map(|name| grant("Deny", name));
        let lacking = std::iter::once(grant("Allow", "*")).chain(denied).collect();
        let lacking = user(&server.client, &format!("without_{}", operation.name), lacking).await;
        let request = operation.request(&lacking, &tool).bearer_auth(&lacking.token);
        operation.check("everything but the permission", &answer(request).await, 403);

        for (index, name) in operation.permissions.iter().enumerate() {
            let role = format!("only_{}_{index}", operation.name);
            let only = user(&server.client, &role, vec![grant("Allow", name)]).await;
            let answer = answer(operation.request(&only, &tool).bearer_auth(&only.token)).await;
            // Giving away more rights than one has is 403, too, and names no permission.
            let is_missing = answer.json["detail"].as_str().is_some_and(|detail| detail.contains("` is missing"));
            assert!(answer.status != 401 && !is_missing, "{} with {name} alone: {}", operation.name, answer.json);
        }
    }
}

impl Operation {
    fn request(&self, client: &Client, tool: &str) -> RequestBuilder {
        let request = client.anonymous(self.method.clone(), &self.path.replace("{tool_id}", tool));
        match &self.body {
            None => request,
            Some((kind, Value::Null)) => request.header("content-type", kind),
            Some((kind, body)) => request.header("content-type", kind).body(body.to_string()),
        }
    }

    #[track_caller]
    fn check(&self, case: &str, answer: &Answer, status: u16) {
        assert_eq!(answer.status, status, "{} with {case}: {}", self.name, answer.json);
        assert!(self.statuses.contains(&status), "{}: {status} is not in the document", self.name);
        assert!(answer.json["detail"].is_string(), "{} with {case}: {}", self.name, answer.json);
    }
}

/// Makes a user with a role of its own, and signs it in.
async fn user(administrator: &Client, role: &str, grants: Vec<Value>) -> Client {
    administrator.post("role/", json!({"name": role, "permission_grants": grants})).await.expect(201);
    let made = administrator.post("user/", json!({"role_name": role})).await.expect(201);
    let user_id = made["id"].as_str().unwrap().to_owned();
    Client::sign_in(&administrator.server, &Key { user_id, ..administrator.key.clone() }).await
}

/// Every operation of the served document that asks for a token.
async fn operations(client: &Client) -> Vec<Operation> {
    let (status, text) = client.page("/openapi.json").await;
    assert_eq!(status, 200);
    let document: Value = serde_json::from_str(&text).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let Some(path) = path.strip_prefix("/v1/{organization}/") else { continue };
        for (method, operation) in item.as_object().unwrap().iter().filter(|(key, _)| *key != "parameters") {
            let asks_for_token = operation["security"].as_array().unwrap().iter().all(|way| way != &json!({}));
            if asks_for_token {
                found.push(read(&document, method, path, operation));
            }
        }
    }
    assert!(found.len() > 10, "only {} operations were found", found.len());
    found
}

fn read(document: &Value, method: &str, path: &str, operation: &Value) -> Operation {
    let (mut path, mut query) = (path.to_owned(), Vec::new());
    for parameter in operation["parameters"].as_array().unwrap() {
        let name = parameter["name"].as_str().unwrap();
        let value = parameter.get("example").cloned().unwrap_or_else(|| sample(document, &parameter["schema"]));
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match parameter["in"].as_str().unwrap() {
            "path" if name != "tool_id" => path = path.replace(&format!("{{{name}}}"), &value),
            "query" if parameter["required"] == true => query.push(format!("{name}={value}")),
            _ => {}
        }
    }
    if !query.is_empty() {
        path = format!("{path}?{}", query.join("&"));
    }
    let contents = operation["requestBody"]["content"].as_object();
    let body = contents.and_then(|contents| contents.iter().next()).map(|(kind, content)| {
        let body = if kind == "application/json" { sample(document, &content["schema"]) } else { Value::Null };
        (kind.clone(), body)
    });
    let permissions = match &operation["x-permission"] {
        Value::String(name) => vec![name.clone()],
        Value::Array(names) => names.iter().map(|name| name.as_str().unwrap().to_owned()).collect(),
        _ => Vec::new(),
    };
    let statuses = operation["responses"].as_object().unwrap().keys().map(|status| status.parse().unwrap()).collect();
    Operation {
        name: operation["operationId"].as_str().unwrap().to_owned(),
        method: method.to_uppercase().parse().unwrap(),
        path,
        body,
        permissions,
        statuses,
    }
}

/// The smallest value that a schema lets pass.
fn sample(document: &Value, schema: &Value) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        return sample(document, document.pointer(reference.trim_start_matches('#')).unwrap());
    }
    let given = [&schema["examples"][0], &schema["default"], &schema["enum"][0]];
    if let Some(value) = given.into_iter().find(|value| !value.is_null()) {
        return value.clone();
    }
    if let Some(first) = ["oneOf", "anyOf", "allOf"].iter().find_map(|key| schema[key].get(0)) {
        return sample(document, first);
    }
    let kind = if schema["type"].is_array() { &schema["type"][0] } else { &schema["type"] };
    match kind.as_str() {
        Some("object") => {
            let required = schema["required"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap());
            let field = |name: &str| (name.to_owned(), sample(document, &schema["properties"][name]));
            Value::Object(required.map(field).collect::<Map<_, _>>())
        }
        Some("array") => {
            let length = schema["minItems"].as_u64().unwrap_or(0);
            (0..length).map(|_| sample(document, &schema["items"])).collect()
        }
        Some("string") => json!("a"),
        Some("boolean") => json!(false),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(0)),
        _ => Value::Null,
    }
}
