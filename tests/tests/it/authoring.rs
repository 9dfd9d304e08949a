//! The author's loop: from nothing to a tool that a model can be told of, on the author's own machine.

use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::author::files_below;
use crate::programs;

#[test]
fn a_new_project_checks_runs_and_is_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let made = runtime(folder.path(), &["new", "tools/opening-hours"]);
    assert_eq!((made.status.code(), text(&made.stdout)), (Some(0), "tools/opening-hours\n".to_owned()));
    let project = folder.path().join("tools/opening-hours");
    let paths: Vec<_> = files_below(&project).into_iter().map(|(path, _)| path.display().to_string()).collect();
    assert_eq!(paths, ["README.md", "pyproject.toml", "src/opening_hours.py", "tests/test_opening_hours.py"]);

    let input = ["--input", r#"{"start": "2026-12-21", "end": "2027-01-03"}"#];
    let run = runtime(&project, &["run", input[0], input[1]]);
    assert_eq!(text(&run.stdout), "{\"working_days\":10,\"holidays\":[]}\n", "{}", text(&run.stderr));

    fs_err::write(project.join("src/opening_hours.py"), "# Mine.\n").unwrap();
    let again = runtime(folder.path(), &["new", "tools/opening-hours"]);
    assert_eq!((again.status.code(), text(&again.stdout)), (Some(3), String::new()));
    assert!(text(&again.stderr).contains("`tools/opening-hours` is there already"), "{}", text(&again.stderr));
    assert_eq!(fs_err::read_to_string(project.join("src/opening_hours.py")).unwrap(), "# Mine.\n");

    let no_name = runtime(folder.path(), &["new", "class"]);
    assert_eq!(no_name.status.code(), Some(3));
    assert!(text(&no_name.stderr).contains("in Python `class` is taken"), "{}", text(&no_name.stderr));
    assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_tool_is_told_to_models_in_the_form_of_each_vendor() {
    let greeting = programs::tool("greeting");
    let printed = |format: &[&str]| -> Value {
        let output = runtime(&greeting, &[&["schema"][..], format].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("stdout is JSON alone")
    };
    let schema = printed(&[]);
    assert_eq!((&schema["type"], &schema["required"]), (&json!("object"), &json!(["name"])));
    let description = printed(&["--format", "mcp"])["description"].clone();
    assert!(description.as_str().is_some_and(|text| !text.is_empty()));
    let tool = |key: &str| json!({"name": "greeting", "description": &description, key: &schema});
    assert_eq!(printed(&["--format", "json-schema"]), schema);
    assert_eq!(printed(&["--format", "openai"]), json!({"type": "function", "function": tool("parameters")}));
    assert_eq!(printed(&["--format", "anthropic"]), tool("input_schema"));
    assert_eq!(printed(&["--format", "mcp"]), tool("inputSchema"));
}

#[test]
fn a_problem_is_shown_with_its_line_and_a_caret_under_the_place() {
    for (project, shown) in [
        (
            "broken/reads_variable",
            "  3 | KEY = os.getenv(\"API_KEY\")\n    |                  ^^^^^^^\n  to do: read it inside",
        ),
        ("broken/unknown_key", "  9 | time-out = \"5s\"\n    | ^^^^^^^^\n  to do: did you mean `timeout`?"),
        (
            "broken/leaves_socket_open",
            "  3 | talk = socket.socket()\n    | ^^^^^^^^^^^^^^^^^^^^^^\n  to do: open it inside",
        ),
    ] {
        let refused = runtime(&programs::tool(project), &["check"]);
        assert!(text(&refused.stderr).contains(shown), "{}", text(&refused.stderr));
    }
    let listed = runtime(&programs::tool("broken/unknown_key"), &["check", "--json"]);
    let problem = json!([{
        "file": "pyproject.toml",
        "line": 9,
        "message": "unknown key `time-out` in `[tool.toolplane]`",
        "remedy": "did you mean `timeout`?",
    }]);
    assert_eq!(serde_json::from_slice::<Value>(&listed.stdout).unwrap(), problem);
    assert_eq!(listed.status.code(), Some(3));
    assert_eq!(text(&runtime(&programs::tool("greeting"), &["check", "--json"]).stdout), "[]\n");
}

#[test]
fn variables_come_from_files_and_the_input_from_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("variables.env");
    fs_err::write(&file, "# Of this machine.\nexport PLACE='Ghent'\nPASSWORD=\"hunter2\"\n").unwrap();
    let project = programs::tool("reads_variables");
    let from_file = |more: &[&str]| -> Value {
        let output = runtime(&project, &[&["run", "--env-file", file.to_str().unwrap()][..], more].concat());
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)))
    };
    let output = from_file(&[]);
    assert_eq!((output["place"].as_str(), output["password_length"].as_u64()), (Some("Ghent"), Some(7)));
    assert_eq!(from_file(&["--env", "PLACE=Bruges"])["place"], "Bruges");

    // A line that is no variable may be a secret, so it is not shown.
    fs_err::write(&file, "PLACE=Ghent\nhunter2\n").unwrap();
    let refused = runtime(&project, &["run", "--env-file", file.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(3));
    let told = text(&refused.stderr);
    assert!(told.contains("variables.env:2: this is no variable") && !told.contains("hunter2"), "{told}");

    let mut command = programs::command("runtime");
    command.args(["run", "--input", "-"]).current_dir(programs::tool("greeting"));
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = piped.unwrap();
    child.stdin.take().unwrap().write_all(br#"{"name": "Ada"}"#).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(text(&output.stdout).contains("Hello, Ada!"), "{}", text(&output.stderr));
}

fn runtime(folder: &Path, arguments: &[&str]) -> Output {
    programs::command("runtime").args(arguments).current_dir(folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
