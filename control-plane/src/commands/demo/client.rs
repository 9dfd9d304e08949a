//! A client of the HTTP API, signed in. It accepts no status but the one that the contract promises.

use std::time::Duration;

use anyhow::{Context, ensure};
use control_plane::vault::SecretString;
use reqwest::{RequestBuilder, StatusCode, Url};
use serde_json::Value;

use super::server::Site;

/// The first publish on a slow machine takes some tens of seconds. Nothing that works takes longer than this.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Speaks for one user of one organization, over connections that are kept alive.
pub struct Client {
    http: reqwest::Client,
    origin: String,
    organization: String,
    user_id: String,
    token: SecretString,
}

impl Client {
    /// Signs in with the API key.
    pub async fn sign_in(site: &Site) -> anyhow::Result<(Self, String)> {
        // A proxy of the machine's is for other addresses than this one.
        let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()?;
        let request = http
            .post(format!("{}/v1/{}/user/signin_with_api_key", site.origin, site.organization))
            .header("x-api-key", site.api_key.expose())
            .header("x-api-key-id", &site.api_key_id)
            .header("x-user-id", &site.user_id);
        let answer = json(&send(&http, request, StatusCode::OK).await?)?;
        let client = Self {
            http,
            origin: site.origin.clone(),
            organization: site.organization.clone(),
            user_id: site.user_id.clone(),
            token: text(&answer, "/id_token")?.to_owned().into(),
        };
        let told = format!("signed in at {} with the API key", site.origin);
        Ok((client, told))
    }

    /// `GET` of a path below `/v1/{organization}`, answered with 200.
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Value> {
        let url = Url::parse_with_params(&self.url(path), query)?;
        let request = self.http.get(url).bearer_auth(self.token.expose());
        json(&send(&self.http, request, StatusCode::OK).await?)
    }

    /// `POST` of a JSON body, answered with the expected status. An empty answer is null.
    pub async fn post(&self, path: &str, body: &Value, expected: StatusCode) -> anyhow::Result<Value> {
        let request = self.http.post(self.url(path)).bearer_auth(self.token.expose()).json(body);
        json(&send(&self.http, request, expected).await?)
    }

    /// What Prometheus scrapes.
    pub async fn metrics(&self) -> anyhow::Result<String> {
        send(&self.http, self.http.get(format!("{}/metrics", self.origin)), StatusCode::OK).await
    }

    /// The organization's repository, as Git knows it.
    pub fn remote(&self) -> String {
        self.url("/tool/git")
    }

    /// The user name and password that Git sends.
    pub fn git_credentials(&self) -> SecretString {
        format!("{}_{}:{}", self.organization, self.user_id, self.token.expose()).into()
    }

    fn url(&self, path: &str) -> String {
        format!("{}/v1/{}{path}", self.origin, self.organization)
    }
}

async fn send(http: &reqwest::Client, request: RequestBuilder, expected: StatusCode) -> anyhow::Result<String> {
    let request = request.build()?;
    let what = format!("{} {}", request.method(), request.url().path());
    let response = http.execute(request).await.with_context(|| format!("{what} got no answer"))?;
    let status = response.status();
    let body = response.text().await.with_context(|| format!("{what} answered {status} and broke off"))?;
    ensure!(status == expected, "{what} answered {status} instead of {expected}: {body}");
    Ok(body)
}

fn json(body: &str) -> anyhow::Result<Value> {
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(body).with_context(|| format!("the server answered what is no JSON: {body}"))
}

/// The string at a JSON Pointer of an answer.
pub fn text<'a>(answer: &'a Value, pointer: &str) -> anyhow::Result<&'a str> {
    let found = answer.pointer(pointer).and_then(Value::as_str);
    found.with_context(|| format!("the server's answer has no text at {pointer}: {answer}"))
}

/// The array at a JSON Pointer of an answer.
pub fn array<'a>(answer: &'a Value, pointer: &str) -> anyhow::Result<&'a [Value]> {
    let found = answer.pointer(pointer).and_then(Value::as_array);
    found.map(Vec::as_slice).with_context(|| format!("the server's answer has no array at {pointer}: {answer}"))
}
