//! The authors' own program, `runtime`: data on stdout, everything else on stderr, and an exit code for each end.

use std::process::Output;

use serde_json::{Value, json};

use crate::broken::BROKEN;
use crate::client::failed;
use crate::programs;

const GREETING: &str = "{\"text\":\"Hello, Ada!\",\"language\":\"en\",\"length\":11}\n";

#[test]
fn a_project_and_its_built_file_answer_the_same_on_stdout_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("greeting.wasm");
    let (project, file) = (path("greeting"), file.to_str().unwrap());
    let input = ["--input", r#"{"name": "Ada"}"#];

    let from_project = runtime(&["run", &project, input[0], input[1]]);
    assert_eq!(text(&from_project.stdout), GREETING);
    assert_eq!(from_project.status.code(), Some(0));
    assert!(!text(&from_project.stderr).contains("Hello"));

    let built = runtime(&["build", &project, "-o", file]);
    assert_eq!(built.status.code(), Some(0), "{}", text(&built.stderr));
    assert_eq!(text(&built.stdout), format!("{file}\n"));
    let from_file = runtime(&["run", file, input[0], input[1]]);
    assert_eq!(text(&from_file.stdout), GREETING);
    assert_eq!(from_file.status.code(), Some(0));

    let checked = runtime(&["check", &project]);
    assert_eq!((checked.status.code(), text(&checked.stdout)), (Some(0), String::new()));
}

#[test]
fn a_tool_that_raises_ends_with_1_and_its_frames_on_stderr() {
    let input = r#"{"article": "cup", "amount": 5}"#;

    let raised = runtime(&["run", &path("raises"), "--input", input]);

    assert_eq!((raised.status.code(), text(&raised.stdout)), (Some(1), String::new()));
    let stderr = text(&raised.stderr);
    assert!(stderr.contains("File \"src/stock.py\", line 12, in check"), "{stderr}");
    assert!(stderr.contains("stock.OutOfStock: 3 of cup left, 5 wanted"), "{stderr}");

    let report = runtime(&["run", &path("raises"), "--json", "--input", input]);
    assert_eq!(report.status.code(), Some(1));
    let mut report: Value = serde_json::from_slice(&report.stdout).expect("stdout is JSON alone");
    let frames = report["result"]["exception_stack_trace"].take();
    assert_eq!(frames.as_array().unwrap().len(), 3);
    report["result"]["exception_stack_trace"] = json!([]);
    assert_eq!(report["result"], failed("stock.OutOfStock", "3 of cup left, 5 wanted", &[]));
    assert_eq!(report["logs"], "");
}

#[test]
fn a_broken_project_ends_with_3_and_file_line_and_remedy_on_stderr() {
    for broken in &BROKEN {
        for command in ["run", "check"] {
            let refused = runtime(&[command, &path(broken.project)]);
            assert_eq!((refused.status.code(), text(&refused.stdout)), (Some(3), String::new()), "{}", broken.project);
            broken.assert_told_in(&text(&refused.stderr));
        }
    }
}

#[test]
fn an_input_that_does_not_conform_ends_with_4_and_its_path() {
    let greeting = path("greeting");
    for (input, told) in [
        (r#"{"name": 1}"#, "/name: 1 is not of type \"string\""),
        (r#"{"name": "Ada", "language": "fr"}"#, "/language: \"fr\" is not one of"),
        ("{}", "\"name\" is a required property"),
        ("{", "the input is no JSON"),
    ] {
        let refused = runtime(&["run", &greeting, "--input", input]);
        assert_eq!((refused.status.code(), text(&refused.stdout)), (Some(4), String::new()), "{input}");
        assert!(text(&refused.stderr).contains(told), "{}", text(&refused.stderr));
    }
}

#[test]
fn variables_are_given_on_the_command_line_and_a_missing_one_is_named() {
    let project = path("reads_variables");

    let missing = runtime(&["run", &project, "--env", "PLACE=Ghent"]);
    assert_eq!((missing.status.code(), text(&missing.stdout)), (Some(3), String::new()));
    let stderr = text(&missing.stderr);
    assert!(stderr.contains("pyproject.toml:10: the tool requires the variable PASSWORD"), "{stderr}");
    assert!(stderr.contains("--secret PASSWORD="), "{stderr}");

    let given = runtime(&["run", &project, "--env", "PLACE=Ghent", "--secret", "PASSWORD=hunter2"]);
    let output: Value = serde_json::from_slice(&given.stdout).unwrap();
    assert_eq!((output["place"].as_str(), output["password_length"].as_u64()), (Some("Ghent"), Some(7)));
}

#[test]
fn what_a_tool_prints_goes_to_stderr_and_a_simulation_can_be_asked_for() {
    let spoken = runtime(&["run", &path("prints")]);
    assert_eq!(text(&spoken.stdout), "spoken\n");
    assert!(text(&spoken.stderr).contains("stdout 1\nstderr 1\nlogging 1\nINFO context.log 1\n"));

    let mode = ["--mode", "conversation-simulation"];
    let simulated = runtime(&["run", &path("simulation"), "--input", r#"{"seats": 2}"#, mode[0], mode[1]]);
    let expected = "{\"booked\":2,\"by\":\"the simulation\",\"mode\":\"conversation-simulation\"}\n";
    assert_eq!(text(&simulated.stdout), expected);
}

#[test]
fn a_command_line_that_cannot_be_used_ends_with_2() {
    for arguments in [&["fly"][..], &["run", "--fast"], &["run", "--env", "PLACE"]] {
        assert_eq!(runtime(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

fn runtime(arguments: &[&str]) -> Output {
    programs::command("runtime").args(arguments).output().unwrap()
}

fn path(project: &str) -> String {
    programs::tool(project).to_str().unwrap().to_owned()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
