//! Ordinary Python runs unchanged: what CPython does on Linux without native code, it does in the sandbox.

use std::process::Output;

use serde_json::{Map, Value, json};

use crate::programs;

#[test]
fn threads_run_and_wait_for_each_other() {
    assert_all_ok("threads");
}

#[test]
fn executors_run_what_is_submitted() {
    assert_all_ok("executors");
}

#[test]
fn event_loops_have_timeouts_threads_and_each_other() {
    assert_all_ok("loops");
}

#[test]
fn what_was_made_at_import_goes_and_changes_as_anywhere() {
    assert_all_ok("objects");
}

#[test]
fn what_packages_import_can_be_imported_and_says_what_it_cannot_do() {
    assert_all_ok("imports");
}

#[test]
fn a_process_finds_a_home_a_user_a_host_and_time_zones() {
    let report = assert_all_ok("system");

    let logs = report["logs"].as_str().unwrap();
    assert!(logs.contains("a line for the log"), "{logs}");
    assert!(!logs.contains("printed while the tool was imported"), "it was printed by the build: {logs}");
}

#[test]
fn nothing_random_repeats_but_what_was_given_a_seed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ordinary.wasm");
    let file = file.to_str().unwrap();
    let built = runtime(&["build", programs::tool("ordinary").to_str().unwrap(), "-o", file]);
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));

    let [mut first, mut second] = [(); 2].map(|()| output(&run(file, &json!({"group": "draws"}))));

    assert_eq!(first.remove("seeded").unwrap(), second.remove("seeded").unwrap());
    assert_eq!(first.len(), 10);
    for (name, drawn) in first {
        assert_ne!(drawn, second[&name], "{name} repeats");
    }
}

#[test]
fn threads_end_before_the_result_is_taken_and_what_can_never_end_is_an_error() {
    let project = programs::tool("threads_at_end");
    let project = project.to_str().unwrap();

    let report = run(project, &json!({"stuck": false}));
    assert_eq!(report["result"], json!({"succeeded": true, "output": r#"["thread","task","daemon"]"#}));
    assert_eq!(report["logs"], "at exit: ['daemon', 'task', 'thread']\n");

    let report = run(project, &json!({"stuck": true}));
    assert_eq!(report["result"]["exception_type"], "Deadlock");
    let message = report["result"]["exception_message"].as_str().unwrap();
    assert!(message.starts_with("the thread `stuck` waits for Event.wait()"), "{message}");
}

/// Runs a group of checks of the tool `ordinary`, which all have to pass.
#[track_caller]
fn assert_all_ok(group: &str) -> Value {
    let report = run(programs::tool("ordinary").to_str().unwrap(), &json!({"group": group}));
    let results = output(&report);
    assert!(!results.is_empty());
    let failed: Vec<_> = results.iter().filter(|(_, result)| *result != "ok").collect();
    assert!(failed.is_empty(), "{failed:#?}\n{}", report["logs"]);
    report
}

fn output(report: &Value) -> Map<String, Value> {
    let output = report["result"]["output"].as_str().unwrap_or_else(|| panic!("it failed: {report}"));
    serde_json::from_str(output).unwrap()
}

fn run(tool: &str, input: &Value) -> Value {
    let output = runtime(&["run", tool, "--json", "--input", &input.to_string()]);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

fn runtime(arguments: &[&str]) -> Output {
    programs::command("runtime").args(arguments).output().unwrap()
}
