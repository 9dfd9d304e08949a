//! The service in this process, and a client that signs in, pushes, publishes and invokes over HTTP.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use benches::Distribution;
use control_plane::app::App;
use control_plane::config::Config;
use control_plane::model::OrgId;
use reqwest::Method;
use serde_json::{Value, json};

/// The service's settings for a data folder: the benches' cache, and no limit on how often one may ask.
pub fn config(data: &Path) -> Result<Config> {
    let mut config = Config::for_folder(data)?;
    config.cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("toolplane-cache");
    config.sandbox.worker = Some(program()?);
    config.rate_limits.reads_per_minute = 0;
    config.rate_limits.writes_per_minute = 0;
    config.rate_limits.publishes_per_minute = 0;
    Ok(config)
}

/// The service's program, of which the benches start the process that tools run in.
fn program() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let profile = own.parent().and_then(Path::parent).context("the bench is in the folder `deps` of a profile")?;
    let program = profile.join("control-plane");
    ensure!(program.is_file(), "there is no {}: run `cargo build --release --workspace` first", program.display());
    Ok(program)
}

/// Opens the service.
pub async fn open(config: Config) -> Result<Arc<App>> {
    // The library asks for one even where nothing speaks TLS. It fails only where there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::task::spawn_blocking(|| App::open(config)).await?
}

/// Makes an organization, and answers what its administrator signs in with.
pub async fn organization(app: &Arc<App>, name: &str) -> Result<Value> {
    let made = app.init_organization(&OrgId::parse(name)?).await?;
    Ok(json!({"x-api-key": made.api_key.expose(), "x-api-key-id": made.api_key_id, "x-user-id": made.user_id}))
}

/// Speaks for one user, over connections that are kept alive.
pub struct Client {
    http: reqwest::Client,
    /// Where the service listens, such as `127.0.0.1:41003`.
    pub address: String,
    org: &'static str,
    user: String,
    token: String,
}

impl Client {
    /// Signs in with an API key.
    pub async fn sign_in(address: &str, org: &'static str, key: &Value) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(900)).build()?;
        let mut request = http.post(format!("http://{address}/v1/{org}/user/signin_with_api_key"));
        for (name, value) in key.as_object().context("no key")? {
            request = request.header(name, value.as_str().context("a key is no text")?);
        }
        let signed_in: Value = request.send().await?.error_for_status()?.json().await?;
        let token = signed_in["id_token"].as_str().context("no token")?.to_owned();
        let user = key["x-user-id"].as_str().context("no user")?.to_owned();
        Ok(Self { http, address: address.to_owned(), org, user, token })
    }

    /// Posts to a path below the organization's tools.
    pub async fn post(&self, path: &str, body: Value) -> Result<Value> {
        self.send(Method::POST, path, Some(body)).await
    }

    /// Sends any request there.
    pub async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let url = format!("http://{}/v1/{}/tool/{path}", self.address, self.org);
        let request = self.http.request(method, url).bearer_auth(&self.token);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let answer = request.send().await?;
        let status = answer.status();
        let body: Value = answer.json().await?;
        ensure!(status.is_success(), "{path} was answered {status}: {body}");
        Ok(body)
    }

    /// The organization's repository, with the user's credentials.
    pub fn remote(&self) -> String {
        let (org, address) = (self.org, &self.address);
        format!("http://{org}_{}:{}@{address}/v1/{org}/tool/git", self.user, self.token)
    }

    /// Pushes and publishes one of the benches' tools, and answers its id.
    pub async fn publish(&self, folder: &Path, project: &str) -> Result<String> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools").join(project);
        fs_err::create_dir_all(folder.join(project).join("src"))?;
        for file in ["pyproject.toml".to_owned(), format!("src/{project}.py")] {
            fs_err::copy(source.join(&file), folder.join(project).join(&file))?;
        }
        self.push(folder).await?;
        self.publish_pushed(project, project).await
    }

    /// Commits all that is in a folder, and pushes it.
    pub async fn push(&self, folder: &Path) -> Result<()> {
        let remote = self.remote();
        for arguments in [
            &["init", "--quiet", "--initial-branch=main"][..],
            &["add", "--all"],
            &["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "--quiet", "--message", "tool"],
            &["push", "--quiet", &remote, "main"],
        ] {
            let (folder, arguments) =
                (folder.to_owned(), arguments.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
            let run = move || Command::new("git").args(arguments).current_dir(folder).status();
            ensure!(tokio::task::spawn_blocking(run).await??.success(), "git failed");
        }
        Ok(())
    }

    /// Makes a tool and publishes its first version from a folder of what was pushed. Answers the tool's id.
    pub async fn publish_pushed(&self, name: &str, path: &str) -> Result<String> {
        let tool = self.post("", json!({"name": name, "description": "A tool.", "tags": {}})).await?;
        let id = tool["id"].as_str().context("no id")?.to_owned();
        self.post(&format!("{id}/version"), json!({"project_path": path, "bump_type": "major"})).await?;
        Ok(id)
    }

    /// Invokes the first version, with an input for each set of parameters.
    pub async fn invoke(&self, tool: &str, parameters: &[Value]) -> Result<Value> {
        let input = |parameters: &Value| json!({"input_parameters": parameters, "invocation_mode": "regular"});
        let inputs: Vec<_> = parameters.iter().map(input).collect();
        self.post(&format!("{tool}/version/1.0.0/invoke"), json!({"inputs": inputs})).await
    }

    /// Invokes one after another, and answers how long each took.
    pub async fn calls(&self, tool: &str, call: &Value, count: usize) -> Result<Distribution> {
        let mut durations = Vec::with_capacity(count);
        for _ in 0..count {
            let started = Instant::now();
            let answer = self.invoke(tool, std::slice::from_ref(call)).await?;
            durations.push(started.elapsed());
            ensure!(answer["invocation_results"][0]["succeeded"] == true, "it failed: {answer}");
        }
        Ok(Distribution::new(durations))
    }
}
