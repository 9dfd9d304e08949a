//! What operators watch: metrics that Prometheus' own program finds nothing wrong with, logs that name requests, and spans.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::client::answer;
use crate::programs;
use crate::server::Server;

/// Runs `promtool`, which has to find nothing wrong. None where it is not installed.
fn promtool(arguments: &[&str], input: &str) -> Option<()> {
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        let is_needed = std::env::var_os("CI").is_some();
        assert!(!is_needed, "there is no promtool: install Debian's package `prometheus`");
        eprintln!("left out: there is no promtool (Debian's package `prometheus`) to judge the metrics");
        return None;
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    Some(())
}

#[tokio::test]
async fn prometheus_finds_nothing_wrong_with_metrics_and_alerts() {
    let server = Server::start_with("[metrics]\nmax_tools = 1\n").await;
    let client = &server.client;
    server.author("work").push(&["counter", "raises"]);
    let mut tools = Vec::new();
    for project in ["counter", "raises"] {
        let tool = client.create_tool(project).await;
        client.publish(&tool, project, "major").await.expect(201);
        let input = if project == "counter" { json!({"step": 1}) } else { json!({"article": "cup", "amount": 7}) };
        client.invoke(&tool, "1.0.0", std::slice::from_ref(&input)).await.expect(200);
        client.invoke_in("conversation-simulation", &tool, "1.0.0", &[input]).await.expect(200);
        tools.push(tool);
    }
    client.publish(&tools[0], "counter", "minor").await.expect(201);

    let (status, metrics) = client.page("/metrics").await;
    assert_eq!(status, 200);
    let expected = [
        format!("toolplane_invocations_total{{mode=\"regular\",outcome=\"succeeded\",tool=\"{}\"}} 1", tools[0]),
        // The first tool has used up the limit.
        "toolplane_invocations_total{mode=\"regular\",outcome=\"failed\",tool=\"other\"} 1".to_owned(),
        "toolplane_invocations_total{mode=\"simulation\",outcome=\"failed\",tool=\"other\"} 1".to_owned(),
        "toolplane_invocation_phase_duration_seconds_count{phase=\"queue\"} 4".to_owned(),
        "toolplane_invocation_phase_duration_seconds_count{phase=\"start\"} 4".to_owned(),
        "toolplane_invocation_phase_duration_seconds_count{phase=\"run\"} 4".to_owned(),
        "toolplane_invocation_phase_duration_seconds_count{phase=\"record\"} 4".to_owned(),
        "toolplane_build_step_duration_seconds_count{outcome=\"succeeded\",step=\"import\"} 2".to_owned(),
        "toolplane_build_cache_total{outcome=\"hit\"} 1".to_owned(),
        "toolplane_records 4".to_owned(),
        "toolplane_tools_loaded 2".to_owned(),
        "toolplane_store_writable 1".to_owned(),
        "toolplane_build_info{version=\"".to_owned(),
        "toolplane_git_operations_total{operation=\"push\",outcome=\"begun\"} 1".to_owned(),
    ];
    for line in expected {
        assert!(metrics.lines().any(|found| found.starts_with(&line)), "{line} is not in\n{metrics}");
    }
    assert!(!metrics.contains(&tools[1]), "there is a series for each tool: {metrics}");

    promtool(&["check", "metrics"], &metrics);
    let rules = programs::workspace().join("deploy/alerts.yml");
    promtool(&["check", "rules", rules.to_str().unwrap()], "");
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let folder = tempfile::tempdir().unwrap();
    let unit = fs_err::read_to_string(programs::workspace().join("deploy/toolplane.service")).unwrap();
    // The programs that it starts are not installed here.
    let file = folder.path().join("toolplane.service");
    fs_err::write(&file, unit.replace("/usr/local/bin/control-plane", "/bin/true")).unwrap();
    match Command::new("systemd-analyze").arg("verify").arg(&file).output() {
        Err(error) => eprintln!("left out: systemd-analyze, which would judge the unit, does not run: {error}"),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success() && !said.contains("toolplane.service"), "{said}");
        }
    }
}

#[tokio::test]
async fn every_alert_is_explained_to_who_is_woken_by_it() {
    let read = |name: &str| fs_err::read_to_string(programs::workspace().join(name)).unwrap();
    let (alerts, manual) = (read("deploy/alerts.yml"), read("OPERATIONS.md"));
    let names: Vec<_> = alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(names.len() > 5);
    for name in names {
        assert!(manual.contains(&format!("`{name}`")), "OPERATIONS.md does not explain {name}");
    }
}

#[tokio::test]
async fn a_request_has_a_name_in_its_answer_and_in_the_log() {
    let server = Server::start_with("[log]\nformat = \"json\"\nrequests = \"all\"\n").await;
    let client = &server.client;
    let get = |headers: &[(&str, &str)]| {
        let request = client.anonymous(reqwest::Method::GET, "tool/").bearer_auth(&client.token);
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
    };
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let parent = format!("00-{trace}-b7ad6b7169203331-01");
    let named = answer(get(&[("x-request-id", "order-17"), ("traceparent", &parent)])).await;
    assert_eq!(named.headers["x-request-id"], "order-17");
    assert_eq!(answer(get(&[("traceparent", &parent)])).await.headers["x-request-id"], trace);
    let made = answer(get(&[("x-request-id", "two words")])).await.headers["x-request-id"].clone();
    assert_eq!(made.len(), 32);
    // Also what is refused before anybody looks at it.
    let refused = answer(client.anonymous(reqwest::Method::GET, "tool/").header("x-request-id", "stranger")).await;
    assert_eq!((refused.status, &refused.headers["x-request-id"]), (401, &"stranger".parse().unwrap()));

    let log = fs_err::read_to_string(server.installation.path("server.log")).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let line = lines.iter().find(|line| line["span"]["id"] == "order-17").expect("the request is in the log");
    assert_eq!(line["fields"]["message"], "Answered a request");
    assert_eq!((&line["span"]["trace_id"], &line["fields"]["status"]), (&json!(trace), &json!("200")));
    assert!(!log.contains(&client.token), "no token is ever logged");
}

#[tokio::test]
async fn spans_go_to_the_collector_that_the_settings_name() {
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", collector.local_addr().unwrap());
    // It takes one message.
    let received = std::thread::spawn(move || {
        let (mut stream, _) = collector.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let (mut head, mut length) = (String::new(), 0);
        while head.is_empty() || !head.ends_with("\r\n\r\n") {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").unwrap();
        (head, serde_json::from_slice::<Value>(&body).unwrap())
    });
    let server = Server::start_with(&format!("[tracing]\notlp_endpoint = \"{endpoint}\"\n")).await;
    let (head, message) = tokio::task::spawn_blocking(|| received.join().unwrap()).await.unwrap();
    assert!(head.starts_with("POST /v1/traces "), "{head}");
    let resource = &message["resourceSpans"][0];
    assert_eq!(resource["resource"]["attributes"][0]["value"]["stringValue"], "toolplane");
    let span = &resource["scopeSpans"][0]["spans"][0];
    assert_eq!(span["name"], "POST /v1/{organization}/user/signin_with_api_key");
    assert_eq!((span["traceId"].as_str().unwrap().len(), span["spanId"].as_str().unwrap().len()), (32, 16));
    drop(server);
}

#[test]
fn the_settings_in_force_are_printed_without_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("toolplane.toml");
    let own = "[invoke]\nwall_clock_s = 5\n[[auth.keys]]\nid = \"a\"\nalgorithm = \"HS256\"\nvalue = \"hunter2hunter2hunter2hunter2hunter2\"\n";
    fs_err::write(&file, own).unwrap();
    let serve = |arguments: &[&str], file: &Path| {
        let mut command = programs::command("control-plane");
        command.args(["serve", "--print-config", "--config"]).arg(file).args(arguments);
        command.env("TOOLPLANE_INVOKE__MEMORY_MIB", "64").env("TOOLPLANE_LISTEN", "127.0.0.1:7").output().unwrap()
    };
    let printed = serve(&["--data", "/there"], &file);
    let text = String::from_utf8(printed.stdout).unwrap();
    assert!(printed.status.success() && !text.contains("hunter2"), "{text}");
    let settings: toml::Table = text.parse().unwrap();
    assert_eq!(settings["invoke"]["wall_clock_s"].as_integer(), Some(5), "from the file");
    assert_eq!(settings["invoke"]["memory_mib"].as_integer(), Some(64), "from the environment");
    assert_eq!((settings["listen"].as_str(), settings["data"].as_str()), (Some("127.0.0.1:7"), Some("/there")));

    fs_err::write(&file, "[invoke]\nwall_clock_s = \"long\"\n[htp]\n").unwrap();
    let refused = String::from_utf8(serve(&[], &file).stderr).unwrap();
    assert!(refused.contains("toolplane.toml:2: invoke.wall_clock_s"), "{refused}");
    assert!(refused.contains("toolplane.toml:3: htp: unknown field"), "{refused}");
}
