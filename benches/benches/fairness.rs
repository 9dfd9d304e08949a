//! What one organization notices of another that runs 32 endless loops: the same calls over HTTP, without and with them.
//!
//! `cargo bench --workspace --bench fairness --profile release`

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use benches::Distribution;
use control_plane::app::App;
use control_plane::config::Config;
use control_plane::model::OrgId;
use serde_json::{Value, json};
use tokio::net::TcpListener;

const CALLS: usize = 1_000;
const LOOPS: usize = 32;
/// Of one request.
const INPUTS: usize = 8;

fn main() -> Result<()> {
    let executor = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let measured = executor.block_on(measure());
    executor.shutdown_background();
    measured
}

async fn measure() -> Result<()> {
    // The library asks for one even where nothing speaks TLS. It fails only where there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir()?;
    let mut config = Config::for_folder(&folder.path().join("data"))?;
    config.cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("toolplane-cache");
    config.invoke.wall_clock_s = 600;
    config.rate_limits.writes_per_minute = 0;
    let app = tokio::task::spawn_blocking(|| App::open(config)).await??;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?.to_string();
    let [calm, busy] = [organization(&app, "calm").await?, organization(&app, "busy").await?];
    tokio::spawn(control_plane::serve(Arc::clone(&app), listener, std::future::pending()));

    let calm = Client::sign_in(&address, "calm", &calm).await?;
    let tool = calm.publish(&folder.path().join("calm"), "small").await?;
    let busy = Arc::new(Client::sign_in(&address, "busy", &busy).await?);
    let looping = busy.publish(&folder.path().join("busy"), "loops").await?;

    let call = json!({"document": "[1, 2, 3]"});
    calm.calls(&tool, &call, CALLS / 10).await?;
    let undisturbed = calm.calls(&tool, &call, CALLS).await?;
    println!("{}", undisturbed.line("alone"));

    let looping: Arc<str> = Arc::from(looping);
    for _ in 0..LOOPS / INPUTS {
        let (busy, looping) = (Arc::clone(&busy), Arc::clone(&looping));
        tokio::spawn(async move { busy.invoke(&looping, &vec![json!({}); INPUTS]).await });
    }
    while app.metrics.invocations_running.get() < LOOPS as i64 {
        tokio::task::yield_now().await;
    }
    let disturbed = calm.calls(&tool, &call, CALLS).await?;
    println!("{}", disturbed.line(&format!("beside {LOOPS} loops of another organization")));
    for percent in [50, 90, 99] {
        let [before, after] = [&undisturbed, &disturbed].map(|times| times.percentile(percent).as_secs_f64());
        println!("p{percent}: {:.2} times as long", after / before);
    }
    // Dropping the service ends the loops with it.
    Ok(())
}

async fn organization(app: &Arc<App>, name: &str) -> Result<Value> {
    let made = app.init_organization(&OrgId::parse(name)?).await?;
    Ok(json!({"x-api-key": made.api_key.expose(), "x-api-key-id": made.api_key_id, "x-user-id": made.user_id}))
}

struct Client {
    http: reqwest::Client,
    address: String,
    org: &'static str,
    user: String,
    token: String,
}

impl Client {
    async fn sign_in(address: &str, org: &'static str, key: &Value) -> Result<Self> {
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

    async fn post(&self, path: &str, body: Value) -> Result<Value> {
        let url = format!("http://{}/v1/{}/tool/{path}", self.address, self.org);
        let answer = self.http.post(url).bearer_auth(&self.token).json(&body).send().await?;
        let status = answer.status();
        let body: Value = answer.json().await?;
        ensure!(status.is_success(), "{path} was answered {status}: {body}");
        Ok(body)
    }

    /// Pushes and publishes one of the benches' tools, and answers its id.
    async fn publish(&self, folder: &Path, project: &str) -> Result<String> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools").join(project);
        fs_err::create_dir_all(folder.join(project).join("src"))?;
        for file in ["pyproject.toml".to_owned(), format!("src/{project}.py")] {
            fs_err::copy(source.join(&file), folder.join(project).join(&file))?;
        }
        let remote =
            format!("http://{org}_{}:{}@{}/v1/{org}/tool/git", self.user, self.token, self.address, org = self.org);
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
        let tool = self.post("", json!({"name": project, "description": "A tool.", "tags": {}})).await?;
        let id = tool["id"].as_str().context("no id")?.to_owned();
        self.post(&format!("{id}/version"), json!({"project_path": project, "bump_type": "major"})).await?;
        Ok(id)
    }

    async fn invoke(&self, tool: &str, parameters: &[Value]) -> Result<Value> {
        let input = |parameters: &Value| json!({"input_parameters": parameters, "invocation_mode": "regular"});
        let inputs: Vec<_> = parameters.iter().map(input).collect();
        self.post(&format!("{tool}/version/1.0.0/invoke"), json!({"inputs": inputs})).await
    }

    async fn calls(&self, tool: &str, call: &Value, count: usize) -> Result<Distribution> {
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
