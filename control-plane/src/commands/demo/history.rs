//! What the service has on record of the invocations: lists, search, metrics. All of it has to agree with what ran.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::client::{Client, array, text};

/// How long a search may take to know what was recorded.
const SEARCH_PATIENCE: Duration = Duration::from_secs(5);
const SEARCH_INTERVAL: Duration = Duration::from_millis(50);

/// What was invoked. An input that was refused ran nothing, so it is in neither number.
#[derive(Default)]
pub struct Ran {
    /// Invocations whose tool returned.
    pub succeeded: usize,
    /// Invocations whose tool raised.
    pub failed: usize,
}

/// Lists every invocation, the newest first. The newest is the one that failed.
pub async fn list_all(client: &Client, ran: &Ran) -> anyhow::Result<((), String)> {
    let entries = list(client, &[("sort_by", "-created_at")]).await?;
    let expected = ran.succeeded + ran.failed;
    ensure!(entries.len() == expected, "{} invocations are listed, and {expected} ran", entries.len());
    let ids = entries.iter().map(|entry| text(entry, "/id")).collect::<anyhow::Result<HashSet<_>>>()?;
    ensure!(ids.len() == expected, "an invocation is listed twice");
    // Without the `Z`, times whose fractions differ in length sort as texts, too.
    let time_of = |entry| text(entry, "/created_at").map(|time| time.trim_end_matches('Z'));
    let times = entries.iter().map(time_of).collect::<anyhow::Result<Vec<_>>>()?;
    ensure!(times.is_sorted_by(|newer, older| newer >= older), "the list is not sorted by time, the newest first");
    let failed = entries.iter().filter(|entry| !has_succeeded(entry)).count();
    ensure!(failed == ran.failed, "{failed} invocations are listed as failed, and {} did fail", ran.failed);
    ensure!(
        entries.first().is_some_and(|newest| !has_succeeded(newest)),
        "the invocation that failed is not the newest"
    );
    Ok(((), format!("listed the invocations, newest first: {} succeeded, {failed} failed", ran.succeeded)))
}

/// Lists the invocations that failed.
pub async fn list_failed(client: &Client, ran: &Ran, exception_type: &str) -> anyhow::Result<((), String)> {
    let entries = list(client, &[("succeeded", "false")]).await?;
    ensure!(entries.len() == ran.failed, "{} invocations are listed, and {} did fail", entries.len(), ran.failed);
    for entry in &entries {
        let found = text(entry, "/invocation_status/exception_type")?;
        ensure!(found == exception_type, "it failed with {exception_type}, and {found} is on record");
    }
    Ok(((), format!("listed those that failed: {} {exception_type}", entries.len())))
}

/// Searches for a word that the failed invocation's message has.
pub async fn search(client: &Client, word: &str) -> anyhow::Result<((), String)> {
    let started = Instant::now();
    loop {
        let answer = client.get("/tool/invocation/search", &[("query", word)]).await?;
        let found = array(&answer, "/tool_invocations")?;
        if let Some(best) = found.first() {
            let status = best["invocation_status"].to_string();
            ensure!(status.contains(word), "a search for `{word}` found first what does not contain it: {status}");
            return Ok(((), format!("searched for `{word}`: {} found", found.len())));
        }
        ensure!(started.elapsed() < SEARCH_PATIENCE, "a search for `{word}` found nothing");
        tokio::time::sleep(SEARCH_INTERVAL).await;
    }
}

/// Scrapes the metrics.
pub async fn scrape(client: &Client, ran: &Ran) -> anyhow::Result<((), String)> {
    let metrics = client.metrics().await?;
    for (outcome, expected) in [("succeeded", ran.succeeded), ("failed", ran.failed)] {
        let counted = invocations(&metrics, outcome)?;
        ensure!(counted == expected as f64, "the metrics count {counted} invocations that {outcome}, not {expected}");
    }
    Ok(((), format!("scraped /metrics: {} succeeded and {} failed there, too", ran.succeeded, ran.failed)))
}

/// Every page of a list.
async fn list(client: &Client, query: &[(&str, &str)]) -> anyhow::Result<Vec<Value>> {
    let mut entries = Vec::new();
    let mut continuation = 0;
    loop {
        let token = continuation.to_string();
        let page_query = [query, &[("limit", "100"), ("continuation_token", &token)]].concat();
        let page = client.get("/tool/invocation", &page_query).await?;
        entries.extend_from_slice(array(&page, "/tool_invocations")?);
        if page["has_more"] != true {
            return Ok(entries);
        }
        let next = page["continuation_token"].as_u64().filter(|next| *next != continuation);
        continuation = next.context("the list has more, and does not say how to go on")?;
    }
}

fn has_succeeded(entry: &Value) -> bool {
    entry["invocation_status"]["succeeded"] == true
}

/// The value of `toolplane_invocations_total` with an outcome, whatever other labels there are.
fn invocations(metrics: &str, outcome: &str) -> anyhow::Result<f64> {
    let label = format!("outcome=\"{outcome}\"");
    let mut sum = 0.0;
    for line in metrics.lines().filter_map(|line| line.strip_prefix("toolplane_invocations_total{")) {
        let (labels, value) = line.rsplit_once("} ").with_context(|| format!("no metric has the form of `{line}`"))?;
        if labels.split(',').any(|found| found == label) {
            sum += value.parse::<f64>().with_context(|| format!("`{value}` is no number"))?;
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_is_found_by_its_outcome() {
        let metrics = "# TYPE toolplane_invocations_total counter\n\
            toolplane_invocations_total{outcome=\"failed\"} 1\n\
            toolplane_invocations_total{mode=\"regular\",outcome=\"succeeded\"} 200\n\
            toolplane_invocations_total{mode=\"simulation\",outcome=\"succeeded\"} 2\n\
            toolplane_invocations_running 0\n";
        assert_eq!(invocations(metrics, "succeeded").unwrap(), 202.0);
        assert_eq!(invocations(metrics, "failed").unwrap(), 1.0);
    }
}
