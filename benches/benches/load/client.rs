//! Who makes the load.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::server::Server;

/// The first administrator of the server's organization.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    address: String,
    user: String,
    token: String,
}

/// What was answered to an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// It ran.
    Done,
    /// There is no room, try again later.
    Shed,
    /// Something else, or nothing.
    Failed,
}

impl Client {
    pub async fn sign_in(server: &Server) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build()?;
        let text = |field: &str| server.key[field].as_str().map(str::to_owned).context("the key is not whole");
        let user = text("user_id")?;
        let request = http
            .post(format!("http://{}/v1/acme/user/signin_with_api_key", server.address))
            .header("x-api-key", text("api_key")?)
            .header("x-api-key-id", text("api_key_id")?)
            .header("x-user-id", &user);
        let signed_in: Value = request.send().await?.error_for_status()?.json().await?;
        let token = signed_in["id_token"].as_str().context("no token")?.to_owned();
        Ok(Self { http, address: server.address.clone(), user, token })
    }

    pub async fn get(&self, path: &str) -> Result<Value> {
        let url = format!("http://{}/v1/acme/tool/{path}", self.address);
        Ok(self.http.get(url).bearer_auth(&self.token).send().await?.error_for_status()?.json().await?)
    }

    async fn post(&self, path: &str, body: Value) -> Result<Value> {
        let url = format!("http://{}/v1/acme/tool/{path}", self.address);
        let answer = self.http.post(url).bearer_auth(&self.token).json(&body).send().await?;
        let status = answer.status();
        let body: Value = answer.json().await?;
        ensure!(status.is_success(), "{path} was answered {status}: {body}");
        Ok(body)
    }

    /// The repository with credentials.
    pub fn remote(&self) -> String {
        format!("http://acme_{}:{}@{}/v1/acme/tool/git", self.user, self.token, self.address)
    }

    /// Pushes and publishes one of the benches' tools, and answers its id.
    pub async fn publish(&self, folder: &Path, project: &str) -> Result<String> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools").join(project);
        fs_err::create_dir_all(folder.join(project).join("src"))?;
        for file in ["pyproject.toml".to_owned(), format!("src/{project}.py")] {
            fs_err::copy(source.join(&file), folder.join(project).join(&file))?;
        }
        let reference = format!("HEAD:refs/heads/{project}");
        for arguments in [
            &["init", "--quiet", "--initial-branch=main"][..],
            &["add", "--all"],
            &["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "--quiet", "--message", "tool"],
            &["push", "--quiet", "--force", &self.remote(), &reference],
        ] {
            git(folder, arguments).await?;
        }
        let tool = self.post("", json!({"name": project, "description": "A tool.", "tags": {}})).await?;
        let id = tool["id"].as_str().context("no id")?.to_owned();
        self.publish_again(&id, project, "major").await?;
        Ok(id)
    }

    pub async fn publish_again(&self, tool: &str, project: &str, bump: &str) -> Result<()> {
        let body = json!({"project_path": project, "bump_type": bump, "commit_branch": project});
        self.post(&format!("{tool}/version"), body).await.map(drop)
    }

    pub async fn invoke(&self, tool: &str, parameters: &Value) -> Said {
        let inputs = json!({"inputs": [{"input_parameters": parameters, "invocation_mode": "regular"}]});
        let url = format!("http://{}/v1/acme/tool/{tool}/version/1.0.0/invoke", self.address);
        let Ok(answer) = self.http.post(url).bearer_auth(&self.token).json(&inputs).send().await else {
            return Said::Failed;
        };
        let (status, says_when) = (answer.status().as_u16(), answer.headers().contains_key("retry-after"));
        match (status, answer.json::<Value>().await) {
            (200, Ok(body)) if body["invocation_results"][0]["succeeded"] == true => Said::Done,
            (429 | 503, Ok(_)) if says_when => Said::Shed,
            _ => Said::Failed,
        }
    }
}

/// Runs git in a folder.
pub async fn git(folder: &Path, arguments: &[&str]) -> Result<()> {
    let arguments: Vec<_> = arguments.iter().map(|text| (*text).to_owned()).collect();
    let folder = folder.to_owned();
    let run = move || Command::new("git").args(arguments).current_dir(folder).output();
    let output = tokio::task::spawn_blocking(run).await??;
    ensure!(output.status.success(), "git failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
