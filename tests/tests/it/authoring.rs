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
        "severity": "error",
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

#[test]
fn all_that_is_wrong_with_a_project_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    };
    let manifest = "[project]
name = 7
dependencies = [\"httpx >> 1\", 3]
[tool.toolplane]
entry-point = \"rates:convert\"
time-out = \"5s\"
memory = 128
env = \"UNITS\"
[tool.toolplane.egress]
allow = [\"https://api.test\"]
";
    let code = "import httpx
import tables
from os import nothing_of_the_kind
def convert(
    amount,
    *rest: int,
): ...
";
    write("pyproject.toml", manifest);
    write("src/rates.py", code);
    write("src/tables.py", "def f(:\n");
    let listed = runtime(folder.path(), &["check", "--json"]);
    let problems: Value = serde_json::from_slice(&listed.stdout).unwrap_or_else(|_| panic!("{}", text(&listed.stderr)));
    let told: Vec<_> = problems
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| {
            let line = |key: &str| problem[key].as_str().unwrap().lines().next().unwrap().to_owned();
            assert!(problem["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()), "{problem}");
            (format!("{}:{}", line("file"), problem["line"]), line("message"))
        })
        .collect();
    for (place, message) in [
        ("pyproject.toml:2", "`name` is a number, and takes a text in quotes"),
        ("pyproject.toml:3", "dependency `httpx >> 1`: "),
        ("pyproject.toml:3", "`dependencies` lists a number, and takes texts in quotes"),
        ("pyproject.toml:6", "unknown key `time-out` in `[tool.toolplane]`"),
        ("pyproject.toml:7", "`memory` is a number, and takes a text in quotes"),
        ("pyproject.toml:8", "`env` is one text, and takes a list of texts"),
        ("pyproject.toml:10", "`https://api.test` names no host"),
        ("src/tables.py:1", "SyntaxError: invalid syntax"),
        ("src/rates.py:5", "the parameter `amount` of `convert` has no type"),
        ("src/rates.py:6", "the parameter `rest` of `convert` is `*rest`"),
    ] {
        assert!(told.iter().any(|(at, what)| at == place && what.starts_with(message)), "{place} {message}\n{told:#?}");
    }
    // Nobody knows whether `httpx` would be there.
    assert_eq!(told.len(), 10, "{told:#?}");
    let shown = text(&runtime(folder.path(), &["check"]).stderr);
    assert_eq!((shown.matches("to do: ").count(), shown.matches("^\n").count()), (10, 10), "{shown}");

    // Once the manifest is right, what is missing is.
    write("pyproject.toml", "[project]\nname = \"rates\"\n[tool.toolplane]\nentry-point = \"rates:convert\"\n");
    let shown = text(&runtime(folder.path(), &["check"]).stderr);
    assert!(
        shown.contains("src/rates.py:1: the module `httpx` was not found\n  1 | import httpx\n    |        ^^^^^"),
        "{shown}"
    );
    write("src/rates.py", "def convert(): ...\n");
    let warned = runtime(folder.path(), &["check"]);
    assert_eq!(warned.status.code(), Some(0));
    assert!(text(&warned.stderr).contains("warning: pyproject.toml: nothing says what the tool does"), "{shown}");
}

#[test]
fn each_input_of_a_run_is_a_call() {
    let greeting = programs::tool("greeting");
    let inputs = ["run", "--json", "--input", r#"{"name": "Ada"}"#, "--input", r#"{"name": "Grace"}"#];
    let output = runtime(&greeting, &inputs);
    let reports: Vec<Value> = text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let greeted: Vec<_> = reports.iter().map(|report| report["result"]["output"].as_str().unwrap()).collect();
    assert!(greeted.len() == 2 && greeted[0].contains("Ada") && greeted[1].contains("Grace"), "{greeted:?}");
    let refused = runtime(&greeting, &["run", "--input", r#"{"name": "Ada"}"#, "--input", "{}"]);
    assert_eq!((refused.status.code(), text(&refused.stdout)), (Some(4), String::new()));
}

#[test]
fn a_shell_completes_command_lines() {
    let script = r#"set -e
source <(runtime completions bash)
complete -p runtime > /dev/null
complete_line() {
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
    _runtime runtime "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    echo "${COMPREPLY[@]}"
}
complete_line runtime sch
complete_line runtime schema --format a
complete_line runtime run --allow"#;
    let completed = programs::shell().args(["-c", script]).output().unwrap();
    assert_eq!(text(&completed.stdout), "schema\nanthropic\n--allow-network\n", "{}", text(&completed.stderr));
    for shell in ["elvish", "fish", "powershell", "zsh"] {
        let printed = runtime(&programs::tool("greeting"), &["completions", shell]);
        assert!(text(&printed.stdout).contains("allow-network"), "{shell}");
    }
}

fn runtime(folder: &Path, arguments: &[&str]) -> Output {
    programs::command("runtime").args(arguments).current_dir(folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
