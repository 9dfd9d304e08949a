//! `runtime dev`: what is saved runs; and `runtime bench`: how long it takes.

use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::author::files_below;
use crate::programs;

/// How often the file is saved to see how long a result takes.
const SAVES: usize = 20;

/// A test that takes longer has failed.
const LONGEST: Duration = Duration::from_secs(120);

#[test]
fn a_saved_file_runs_at_once_and_a_mistake_is_shown_until_it_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let project = copy("greeting", folder.path());
    let source = project.join("src/greeting.py");
    let text = fs_err::read_to_string(&source).unwrap();
    let save = |greeting: &str| fs_err::write(&source, text.replace("\"Hello\"", greeting)).unwrap();
    let inputs = ["--input", r#"{"name": "Ada"}"#, "--input", r#"{"name": "Bo"}"#];
    let mut dev = Dev::start(&project, &[&["--json"][..], &inputs].concat());
    assert_eq!([dev.greeting(), dev.greeting()], ["Hello, Ada!", "Hello, Bo!"]);

    let mut times = Vec::new();
    for number in 0..SAVES {
        save(&format!("\"Hello {number}\""));
        let report = dev.report();
        times.push(report["since_save_ms"].as_f64().unwrap());
        assert_eq!(greeting(&report), format!("Hello {number}, Ada!"));
        assert_eq!(dev.greeting(), format!("Hello {number}, Bo!"));
    }
    times.sort_by(f64::total_cmp);
    println!("from a save to its result: {:.0} ms, at the most {:.0} ms", times[SAVES / 2], times[SAVES - 1]);

    // Each mistake as `check` shows it, and the next save runs.
    save("\"Hello");
    dev.wait_for("src/greeting.py:10: SyntaxError");
    save("\"Again\"");
    assert_eq!([dev.greeting(), dev.greeting()], ["Again, Ada!", "Again, Bo!"]);
    let manifest = fs_err::read_to_string(project.join("pyproject.toml")).unwrap();
    fs_err::write(project.join("pyproject.toml"), format!("{manifest}time-out = \"1s\"\n")).unwrap();
    dev.wait_for("did you mean `timeout`?");
    fs_err::write(project.join("pyproject.toml"), manifest).unwrap();
    assert_eq!(dev.greeting(), "Again, Ada!");

    assert_eq!(dev.interrupt(), Some(0));
}

#[test]
fn a_project_without_what_it_needs_is_told_so_and_nothing_of_one_run_is_seen_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let project = copy("counter", folder.path());
    let input = folder.path().join("input.json");
    fs_err::write(&input, "{\"no\": 1}").unwrap();
    let at_input = format!("@{}", input.display());
    let mut dev = Dev::start(&project, &["--json", "--input", &at_input, "--input", "{}"]);
    dev.wait_for("error: ");
    let second = dev.report()["result"]["output"].clone();
    // The input is watched, too; its run and the one after it begin at the same count.
    fs_err::write(&input, "{}").unwrap();
    assert_eq!([&dev.report()["result"]["output"], &dev.report()["result"]["output"]], [&second, &second]);
    assert_eq!(dev.interrupt(), Some(0));

    let mut dev = Dev::start(&copy("reads_variables", folder.path()), &["--env", "PLACE=Ghent"]);
    dev.wait_for("--secret PASSWORD=");
    assert_eq!(dev.interrupt(), Some(0));
}

#[test]
fn a_bench_says_how_long_a_tool_takes_and_where_the_time_goes() {
    let bench = |arguments: &[&str]| {
        let mut command = programs::command("runtime");
        command.arg("bench").arg(programs::tool("greeting")).args(["--count", "20"]).args(arguments).output().unwrap()
    };
    let figures = bench(&["--input", r#"{"name": "Ada"}"#, "--json"]);
    assert_eq!(figures.status.code(), Some(0), "{}", String::from_utf8_lossy(&figures.stderr));
    let figures: Value = serde_json::from_slice(&figures.stdout).unwrap();
    assert_eq!(figures["count"], 20);
    let part = |name: &str, percentile: &str| figures["parts"][name][percentile].as_f64().unwrap();
    assert!(part("total", "p50_ms") >= part("run", "p50_ms") && part("total", "p99_ms") >= part("total", "p50_ms"));
    assert!(part("start", "p50_ms") > 0.0 && part("clean_up", "p50_ms") >= 0.0);

    let shown = bench(&["--input", r#"{"name": "Ada"}"#]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.starts_with("20 calls") && shown.contains("p99") && shown.contains("\nclean up "), "{shown}");
    assert_eq!(bench(&["--input", "{}"]).status.code(), Some(4));
}

fn copy(tool: &str, folder: &Path) -> PathBuf {
    let project = folder.join(tool);
    for (path, content) in files_below(&programs::tool(tool)) {
        let target = project.join(path);
        fs_err::create_dir_all(target.parent().unwrap()).unwrap();
        fs_err::write(target, content).unwrap();
    }
    project
}

/// The text that `greeting` returned.
fn greeting(report: &Value) -> String {
    let output: Value =
        serde_json::from_str(report["result"]["output"].as_str().unwrap_or_default()).unwrap_or(json!(0));
    output["text"].as_str().unwrap_or_else(|| panic!("{report}")).to_owned()
}

/// A `runtime dev` that runs.
struct Dev {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: Lines<BufReader<ChildStderr>>,
    _running: Sender<()>,
}

impl Dev {
    fn start(project: &Path, arguments: &[&str]) -> Self {
        let mut command = programs::command("runtime");
        command.arg("dev").arg(project).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        let (running, ended) = mpsc::channel::<()>();
        let id = Pid::from_raw(child.id().cast_signed()).unwrap();
        // Whoever waits for a line that never comes sees the end of the program instead.
        std::thread::spawn(move || {
            if ended.recv_timeout(LONGEST) == Err(RecvTimeoutError::Timeout) {
                let _gone = kill_process(id, Signal::KILL);
            }
        });
        Self { child, stdout, stderr, _running: running }
    }

    fn report(&mut self) -> Value {
        let line = self.stdout.next().expect("it goes on").unwrap();
        serde_json::from_str(&line).expect("each line of stdout is JSON")
    }

    fn greeting(&mut self) -> String {
        greeting(&self.report())
    }

    fn wait_for(&mut self, text: &str) {
        let found = self.stderr.find(|line| line.as_ref().unwrap().contains(text));
        assert!(found.is_some(), "it ended without saying {text}");
    }

    /// What Ctrl-C does. Answers the exit code.
    fn interrupt(&mut self) -> Option<i32> {
        let id = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        kill_process(id, Signal::INT).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}
