//! What a tool author and an engine do with the service, in order.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::client::{Client, array, text};
use super::history::{self, Ran};
use super::push::WorkingCopy;
use super::server::Site;
use super::step::{detail, spinner, step};
use super::timings::{self, INVOKE_GOAL, PUBLISH_GOAL, REPUBLISH_GOAL, Row, Timings};

/// The tool, the folder of its project, and what the tool raises.
const TOOL: &str = "working_days";
const EXCEPTION: &str = "ValueError";
/// It stands in the exception's message and in nothing else that the tool says.
const EXCEPTION_WORD: &str = "earlier";

/// The first is part of what the tool answers, so a right answer shows that variables arrive.
const VARIABLE: (&str, &str) = ("HOLIDAYS", "2026-12-25,2027-01-01");
const SECRET: (&str, &str) = ("CALENDAR_KEY", "correct-horse-battery-staple");

/// The ten days from Monday to Friday, without the two holidays.
const PERIOD: (&str, &str) = ("2026-12-21", "2027-01-03");
const ANSWER: &str = r#"{"working_days":8,"holidays":["2026-12-25","2027-01-01"]}"#;

/// Enough that two lie beyond the 99th percentile, and done within a second or two.
const CALLS: usize = 200;

/// Does all of it. Answers the tool's id.
pub async fn visit(site: &Site, folder: &Path) -> anyhow::Result<String> {
    let client = step("sign in with the API key", Client::sign_in(site)).await?;
    let tool_id = step("create the tool", create_tool(&client)).await?;
    step("set the tool's variables", set_variables(&client, &tool_id)).await?;

    let copy = step("push the starter project", push_project(folder, &client)).await?;
    let published = step("publish", publish(&client, &tool_id, "major", "1.0.0")).await?;
    step("push a commit that changes no file", push_nothing(&copy)).await?;
    let republished = step("publish the same tree", publish(&client, &tool_id, "patch", "1.0.1")).await?;

    let mut ran = Ran::default();
    step("invoke the tool", invoke_once(&client, &tool_id)).await?;
    detail(ANSWER);
    let timings = step("invoke the tool again and again", invoke_often(&client, &tool_id)).await?;
    ran.succeeded += 1 + CALLS;
    let row = |figure, measured, goal| Row { figure, measured, goal };
    timings::print(&[
        row("publish", published, Some(PUBLISH_GOAL)),
        row("publish, same tree", republished, Some(REPUBLISH_GOAL)),
        row("invoke, p50", timings.percentile(50), Some(INVOKE_GOAL)),
        row("invoke, p90", timings.percentile(90), None),
        row("invoke, p99", timings.percentile(99), None),
        row("invoke, max", timings.percentile(100), None),
    ]);

    detail(&step("have wrong input refused", invoke_with_wrong_input(&client, &tool_id)).await?);
    detail(&step("have an exception reported", invoke_and_raise(&client, &tool_id)).await?);
    ran.failed += 1;

    step("list the invocations", history::list_all(&client, &ran)).await?;
    step("list the failed invocations", history::list_failed(&client, &ran, EXCEPTION)).await?;
    step("search the invocations", history::search(&client, EXCEPTION_WORD)).await?;
    step("scrape the metrics", history::scrape(&client, &ran)).await?;
    Ok(tool_id)
}

/// The input of the invocation that works.
pub fn input() -> Value {
    json!({"start": PERIOD.0, "end": PERIOD.1})
}

/// The body that invokes once.
pub fn invocation(parameters: &Value) -> Value {
    json!({"inputs": [{"input_parameters": parameters, "invocation_mode": "regular"}]})
}

async fn create_tool(client: &Client) -> anyhow::Result<(String, String)> {
    let body = json!({
        "name": TOOL,
        "description": "Counts the working days between two dates",
        "tags": {"team": "demo"},
    });
    let made = client.post("/tool/", &body, StatusCode::CREATED).await?;
    let id = text(&made, "/id")?.to_owned();
    let told = format!("created the tool `{TOOL}`, {id}");
    Ok((id, told))
}

async fn set_variables(client: &Client, tool_id: &str) -> anyhow::Result<((), String)> {
    let insert = |(name, value), is_secret| json!({"name": name, "value": value, "is_secret": is_secret});
    let body = json!({"inserts": [insert(VARIABLE, false), insert(SECRET, true)], "updates": [], "deletes": []});
    client.post(&format!("/tool/{tool_id}/envvar"), &body, StatusCode::NO_CONTENT).await?;
    let listed = client.get("/tool/", &[("id", tool_id)]).await?;
    let names = (&listed["tools"][0]["envvars"], &listed["tools"][0]["secret_envvars"]);
    ensure!(names == (&json!([VARIABLE.0]), &json!([SECRET.0])), "the variables are not on the tool: {listed}");
    ensure!(!listed.to_string().contains(SECRET.1), "the tool's record shows the secret");
    Ok(((), format!("set the variable {} and the secret {}", VARIABLE.0, SECRET.0)))
}

async fn push_project(folder: &Path, client: &Client) -> anyhow::Result<(WorkingCopy, String)> {
    let copy = WorkingCopy::init(folder, client).await?;
    let files = copy.add_starter_project(TOOL, VARIABLE.0, SECRET.0)?;
    copy.push("Add the starter project").await?;
    Ok((copy, format!("pushed the starter project with git over HTTP, {files} files")))
}

async fn push_nothing(copy: &WorkingCopy) -> anyhow::Result<((), String)> {
    copy.push("Change nothing").await?;
    Ok(((), "pushed a commit that changes no file".to_owned()))
}

/// Answers how long the request for the version took.
async fn publish(client: &Client, tool_id: &str, bump: &str, expected: &str) -> anyhow::Result<(Duration, String)> {
    let _spinner = spinner("publishing");
    let started = Instant::now();
    let body = json!({"project_path": TOOL, "bump_type": bump});
    let made = client.post(&format!("/tool/{tool_id}/version"), &body, StatusCode::CREATED).await?;
    let took = started.elapsed();
    let version = text(&made, "/new_version")?;
    ensure!(version == expected, "the new version is {version} instead of {expected}");
    Ok((took, format!("published version {version}")))
}

async fn invoke_once(client: &Client, tool_id: &str) -> anyhow::Result<((), String)> {
    let result = invoke(client, tool_id, &input()).await?;
    ensure_right(&result)?;
    Ok(((), format!("invoked {TOOL} with {}", input())))
}

async fn invoke_often(client: &Client, tool_id: &str) -> anyhow::Result<(Timings, String)> {
    let _spinner = spinner("invoking");
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let started = Instant::now();
        let result = invoke(client, tool_id, &input()).await?;
        times.push(started.elapsed());
        ensure_right(&result)?;
    }
    let told = format!("invoked it {CALLS} times more, one at a time, each in a fresh sandbox");
    Ok((Timings::new(times), told))
}

/// Answers what the server says about the input.
async fn invoke_with_wrong_input(client: &Client, tool_id: &str) -> anyhow::Result<(String, String)> {
    let body = invocation(&json!({"start": PERIOD.0, "end": PERIOD.1, "weekend": "monday"}));
    let refused = client.post(&invoke_path(tool_id), &body, StatusCode::BAD_REQUEST).await?;
    let reason = text(&refused, "/detail")?.to_owned();
    Ok((reason, "had wrong input refused with 400, before anything ran".to_owned()))
}

/// Answers the exception as the server reports it.
async fn invoke_and_raise(client: &Client, tool_id: &str) -> anyhow::Result<(String, String)> {
    let result = invoke(client, tool_id, &json!({"start": PERIOD.1, "end": PERIOD.0})).await?;
    ensure!(result["succeeded"] == false, "the tool was to raise, and it did not: {result}");
    let (kind, message) = (text(&result, "/exception_type")?, text(&result, "/exception_message")?);
    ensure!(kind == EXCEPTION && message.contains(EXCEPTION_WORD), "the tool raised something else: {result}");
    Ok((format!("{kind}: {message}"), "had an exception of the tool's reported".to_owned()))
}

/// One invocation and its result.
async fn invoke(client: &Client, tool_id: &str, parameters: &Value) -> anyhow::Result<Value> {
    let answer = client.post(&invoke_path(tool_id), &invocation(parameters), StatusCode::OK).await?;
    let results = array(&answer, "/invocation_results")?;
    ensure!(results.len() == 1, "one input has {} results: {answer}", results.len());
    Ok(results[0].clone())
}

fn invoke_path(tool_id: &str) -> String {
    format!("/tool/{tool_id}/version/1.0.1/invoke")
}

fn ensure_right(result: &Value) -> anyhow::Result<()> {
    ensure!(result["succeeded"] == true, "the tool was to succeed, and it did not: {result}");
    ensure!(result["output"] == ANSWER, "the tool was to answer {ANSWER}: {result}");
    Ok(())
}
