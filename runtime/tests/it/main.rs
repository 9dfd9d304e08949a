//! The program as a newcomer meets it. What it does with tools is tested end to end, in the crate `tests`; that this
//! file is here is also what makes `cargo test --workspace` build the program.

mod costs;

use std::process::{Command, Output};

fn runtime(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_runtime")).args(arguments).output().expect("the program starts")
}

#[test]
fn help_names_every_command_and_shows_examples() {
    let help = runtime(&["--help"]);
    let text = String::from_utf8_lossy(&help.stdout);
    for command in ["run", "build", "check"] {
        assert!(text.contains(command), "{text}");
        let help = runtime(&[command, "--help"]);
        assert!(String::from_utf8_lossy(&help.stdout).contains("Examples:"), "{help:?}");
    }
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    assert_eq!(runtime(&["run", "--no-such-flag"]).status.code(), Some(2));
}

#[test]
fn a_folder_without_a_manifest_ends_with_3_and_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused =
        runtime(&["--cache", folder.path().to_str().expect("UTF-8"), "check", folder.path().to_str().expect("UTF-8")]);
    assert_eq!(refused.status.code(), Some(3));
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(text.contains("there is no pyproject.toml") && text.contains("to do:"), "{text}");
    assert!(refused.stdout.is_empty());
}
