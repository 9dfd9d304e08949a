//! The tutorial of README.md: its commands do what it says, as they stand there.

use std::net::TcpListener;
use std::path::Path;

use serde_json::Value;

use crate::programs;

/// The ports that the tutorial names, for which the test has others.
const PORTS: [&str; 2] = ["8080", "8090"];

#[test]
fn every_command_of_the_tutorial_works_as_it_stands_there() {
    let steps = steps();
    assert!(steps.len() <= 12, "{} steps", steps.len());
    // The first one builds what this test has beside it.
    let mut script = steps[1..].join("\n");
    // Held until all are known, so that they differ.
    let free = PORTS.map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    for (named, listener) in PORTS.iter().zip(&free) {
        script = script.replace(named, &listener.local_addr().unwrap().port().to_string());
    }
    drop(free);

    let folder = tempfile::tempdir().unwrap();
    let examples = folder.path().join("examples");
    fs_err::create_dir(&examples).unwrap();
    fs_err::copy(Path::new(programs::workspace()).join("examples/rates_api.py"), examples.join("rates_api.py"))
        .unwrap();
    let mut shell = programs::shell();
    // Nothing that was started stays when a command fails.
    shell.args(["-euo", "pipefail", "-c"]).arg(format!("trap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n{script}"));
    for of in ["AUTHOR", "COMMITTER"] {
        shell.env(format!("GIT_{of}_NAME"), "Ada").env(format!("GIT_{of}_EMAIL"), "ada@example.org");
    }
    shell.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_TERMINAL_PROMPT", "0").env("NO_PROXY", "127.0.0.1");
    let output = shell.current_dir(folder.path()).output().unwrap();
    let [shown, told] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success(), "{script}\n{shown}\n{told}");
    assert!(!shown.contains("open-sesame") && !told.contains("open-sesame"), "the secret was shown");

    let answers: Vec<Value> = shown.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let converted = r#"{"amount":16000.0,"currency":"JPY"}"#;
    let local: Value = serde_json::from_str(converted).unwrap();
    assert!(answers.contains(&local), "not converted on the author's machine:\n{shown}");
    let result = |answer: &Value| answer["invocation_results"][0].to_string().contains(r#""succeeded":true"#);
    assert!(answers.iter().any(result), "not converted by the service:\n{shown}");
    let recorded = |answer: &Value| answer["tool_invocations"].as_array().is_some_and(|recorded| recorded.len() == 1);
    assert!(answers.iter().any(recorded), "not on record:\n{shown}");
}

/// The commands of each step, without the list's indentation.
fn steps() -> Vec<String> {
    let readme = fs_err::read_to_string(Path::new(programs::workspace()).join("README.md")).unwrap();
    let (_, tutorial) = readme.split_once("## From nothing to a published tool\n").expect("the tutorial's heading");
    let tutorial = tutorial.split("\n## ").next().unwrap_or_default();
    let mut steps = Vec::new();
    let mut lines = tutorial.lines();
    while let Some(line) = lines.next() {
        let Some(indentation) = line.strip_suffix("```sh") else { continue };
        let commands = lines.by_ref().take_while(|line| line.trim() != "```");
        let commands: Vec<_> = commands.map(|line| line.strip_prefix(indentation).unwrap_or(line)).collect();
        steps.push(commands.join("\n"));
    }
    steps
}
