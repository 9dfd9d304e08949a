//! The program as a newcomer meets it. What it does once it serves is tested end to end, in the crate `tests`; that
//! this file is here is also what makes `cargo test --workspace` build the program.

mod git_access;

use std::process::{Command, Output};

fn control_plane(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_control-plane")).args(arguments).output().expect("the program starts")
}

#[test]
fn help_names_every_command_and_shows_examples() {
    let help = control_plane(&["--help"]);
    let text = String::from_utf8_lossy(&help.stdout);
    for command in ["serve", "init-org", "demo"] {
        assert!(text.contains(command), "{text}");
        let help = control_plane(&[command, "--help"]);
        assert!(help.status.success());
    }
    assert!(String::from_utf8_lossy(&control_plane(&["serve", "--help"]).stdout).contains("Examples:"));
}

#[test]
fn an_organization_that_is_no_slug_is_refused_and_nothing_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let refused = control_plane(&["init-org", "Acme!", "--data", data.to_str().expect("UTF-8")]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("organization id `Acme!` must be"), "{refused:?}");
    assert!(!data.exists());
}

#[test]
fn an_unknown_setting_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("toolplane.toml");
    std::fs::write(&file, "lisen = \"127.0.0.1:0\"\n").expect("the file is written");
    let refused = control_plane(&["serve", "--config", file.to_str().expect("UTF-8")]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("lisen"), "{refused:?}");
}
