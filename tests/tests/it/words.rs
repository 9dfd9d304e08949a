//! What authors read is in their words: no text of the authors' program tells of what it is made of.

use std::path::Path;

use crate::broken::BROKEN;
use crate::programs;

/// Words of the machinery. Python has `None` and `instance` too, so those are looked for where no Python speaks.
const MACHINERY: [&str; 30] = [
    "wasm",
    "wasi",
    "webassembly",
    "component",
    "trap",
    "epoch",
    "panic",
    "unreachable",
    "linear",
    "snapshot",
    "unwrap",
    "serde",
    "tokio",
    "anyhow",
    " rust",
    "cargo",
    "valid utf-8",
    "os error",
    "option<",
    "some(",
    "err(",
    "ok(",
    "&str",
    "expected struct",
    "invalid type",
    "guest",
    "backtrace",
    "1..=",
    "digit found",
    "sequence",
];

/// The commands, each with arguments that are wrong in a way of their own, in an empty folder.
const WRONG: &[&[&str]] = &[
    &["fly"],
    &["run", "--fast"],
    &["run", "--mode", "sideways"],
    &["run", "--env", "A B=1"],
    &["run", "--env", "NAME_THAT_NOBODY_SETS"],
    &["run", "--secret", "KEY@nowhere"],
    &["run", "--allow-network", "home"],
    &["run", "--resolve", "name"],
    &["run", "--resolve", "name=there"],
    &["run", "--index-url", "nowhere", "."],
    &["run", "nowhere"],
    &["run", "text", "--input", "{}"],
    &["run", "empty", "--input", "{}"],
    &["run", "--ca-file", "nowhere", "greeting", "--input", r#"{"name": "Ada"}"#],
    &["run", "--ca-file", "text", "greeting", "--input", r#"{"name": "Ada"}"#],
    &["run", "greeting", "--input", "{"],
    &["run", "greeting", "--input", "@nowhere"],
    &["run", "greeting", "--input", "@greeting"],
    &["run", "greeting", "--input", "@binary"],
    &["run", "greeting", "--input", "[]"],
    &["run", "greeting", "--input", r#"{"name": 1, "language": "xx", "more": null}"#],
    &["run", "greeting", "--input", r#"{"name": "Ada"}"#, "--env-file", "nowhere"],
    &["run", "greeting", "--input", r#"{"name": "Ada"}"#, "--env-file", "text"],
    &["run", "greeting", "--input", r#"{"name": "Ada"}"#, "--env-file", "binary"],
    &["run", "reads_variables"],
    &["bench", "greeting", "--count", "0"],
    &["bench", "greeting", "--count", "many"],
    &["bench", "greeting"],
    &["build", "greeting", "-o", "nowhere/built"],
    &["build", "text"],
    &["schema", "greeting", "--format", "xml"],
    &["schema", "text"],
    &["new", "class"],
    &["new", "greeting"],
    &["new", "text/below"],
    &["new", ".."],
    &["check", "manifest"],
    &["check", "toml"],
    &["check", "binary_manifest"],
    &["check", "link"],
    &["check", "types"],
    &["lock", "nowhere"],
    &["completions", "tcsh"],
    &["test", "nowhere"],
    &["test", "needs", "--offline"],
    &["check", "needs", "--offline"],
    &["run", "greeting", "--cache", "text", "--input", r#"{"name": "Ada"}"#],
];

/// Tricks that end a tool in as many ways, none of them after a long time.
const TRICKS: [&str; 20] = [
    "deep_json",
    "a_deep_comparison",
    "a_list",
    "bytes_at_once",
    "a_recursion",
    "a_long_output",
    "a_full_tmp",
    "many_files",
    "open_files",
    "a_long_name",
    "an_exit_at_once",
    "an_abort",
    "a_polite_exit",
    "a_signal",
    "a_kill",
    "a_subprocess",
    "a_shell",
    "a_fork",
    "a_null_pointer",
    "no_such_trick",
];

#[test]
fn no_text_that_an_author_reads_tells_of_the_machinery() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let (mut found, mut wrong) = (Vec::new(), Vec::new());
    let mut read = |arguments: &[&str], folder: &Path| {
        let output = programs::command("runtime").args(arguments).current_dir(folder).output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.code().is_some(), "{arguments:?} was ended by a signal: {text}");
        assert_ne!(output.status.code(), Some(101), "{arguments:?}: {text}");
        for line in text.lines() {
            let lower = line.to_lowercase();
            let told = MACHINERY.iter().filter(|word| lower.contains(**word));
            found.extend(told.map(|word| format!("{word}: {:?}: {line}", &arguments[..arguments.len().min(4)])));
        }
        (output.status.code(), text)
    };
    let commands = ["new", "run", "dev", "build", "check", "schema", "test", "lock", "bench", "completions"];
    for arguments in [&["--help"][..], &["-h"], &[]] {
        read(arguments, folder.path());
    }
    for command in commands {
        let (code, _) = read(&[command, "--help"], folder.path());
        assert_eq!(code, Some(0), "{command}");
    }
    for arguments in WRONG {
        let (code, text) = read(arguments, folder.path());
        if !matches!(code, Some(2..=4)) || !text.contains("error: ") {
            wrong.push(format!("{arguments:?} ended with {code:?}: {text}"));
        }
    }
    for broken in &BROKEN {
        read(&["check", programs::tool(broken.project).to_str().unwrap()], folder.path());
    }
    let hostile = programs::tool("hostile");
    let tricks: Vec<_> = TRICKS.iter().map(|trick| format!("{{\"trick\": \"{trick}\"}}")).collect();
    let inputs = tricks.iter().flat_map(|input| ["--input", input.as_str()]);
    let arguments: Vec<_> = ["run", "--json", hostile.to_str().unwrap()].into_iter().chain(inputs).collect();
    let (code, text) = read(&arguments, folder.path());
    assert_eq!(
        (code, text.lines().filter(|line| line.contains("\"result\"")).count()),
        (Some(1), TRICKS.len()),
        "{text}"
    );
    found.append(&mut wrong);
    assert!(found.is_empty(), "{}", found.join("\n\n"));
}

/// Files and projects for the commands above.
fn prepare(folder: &Path) {
    let write = |path: &str, content: &[u8]| {
        let path = folder.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
    };
    for project in ["greeting", "reads_variables"] {
        for (path, content) in crate::author::files_below(&programs::tool(project)) {
            write(&format!("{project}/{}", path.display()), &content);
        }
    }
    let project = |more: &str| format!("[project]\nname = \"a\"\n{more}\n[tool.toolplane]\nentry-point = \"a:f\"\n");
    write("text", b"hunter2\n");
    write("empty", b"");
    write("binary", b"\xff\xfe\0\x80");
    write("binary_manifest/pyproject.toml", b"\xff\xfe\0\x80");
    write("toml/pyproject.toml", b"[project\nname = \nversion = 1.2.3\n[project]\n[project]\n");
    write(
        "manifest/pyproject.toml",
        b"[project]\nname = 1\ndependencies = {a = 1}\n[tool.toolplane]\nenv = 1\nentry-point = [1]\n\
          egress = 5\n[dependency-groups]\ndev = \"pytest\"\n",
    );
    write("link/pyproject.toml", project("").as_bytes());
    std::os::unix::fs::symlink("/etc/passwd", folder.join("link/a.py")).unwrap();
    write("needs/pyproject.toml", project("dependencies = [\"nobody-has-made-this-package\"]").as_bytes());
    write("needs/a.py", b"def f(): ...\n");
    write("types/pyproject.toml", project("").as_bytes());
    let types = "import re, socket\nfrom typing import *\nT = TypeVar('T')\nclass C: ...\n\
                 def f(a, b: complex, c: C, d: list[C], e: open, g: T, h: int = 'x', i: 'Nowhere' = 1, j: [int] = 1,\n\
                 k: Callable[[], int] = f'x', l: dict[C, C] = 1, m: set[dict] = 1, *n, **o): ...\n";
    write("types/a.py", types.as_bytes());
}
