//! `runtime test`: a project's own tests, by the real pytest, in the sandbox.

use std::path::Path;
use std::process::Output;

use crate::author::files_below;
use crate::{fetched, programs};

/// The version that the wheels are of. What it needs comes along.
const PYTEST: &str = "pytest==8.4.2";
/// What pytest requires on other systems: a lock is for all of them.
const COLORAMA: &str = "colorama>=0.4";

const OF_THE_SANDBOX: &str = "
import os
import socket

import pytest


def test_there_is_no_network():
    with pytest.raises(OSError):
        socket.create_connection((\"127.0.0.1\", 80), timeout=5)


def test_there_is_a_folder_for_each_test(tmp_path):
    (tmp_path / \"file\").write_text(\"text\")
    assert os.listdir(tmp_path) == [\"file\"]


def test_the_project_cannot_be_changed():
    with pytest.raises(OSError):
        open(\"/tool/pyproject.toml\", \"w\")
";

#[test]
fn the_scaffold_passes_its_tests_and_a_failing_one_is_shown_as_pytest_shows_it() {
    let Some(wheels) = fetched::wheels("pytest", &[PYTEST, COLORAMA]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("project");
    for (path, content) in files_below(&programs::workspace().join("sdk/scaffold")) {
        let place = project.join(path);
        fs_err::create_dir_all(place.parent().unwrap()).unwrap();
        fs_err::write(place, content).unwrap();
    }

    let passed = test(&wheels, &project, &[]);
    assert_eq!(passed.status.code(), Some(0), "{}{}", text(&passed.stdout), text(&passed.stderr));
    assert!(text(&passed.stdout).contains("6 passed"), "{}", text(&passed.stdout));

    fs_err::write(project.join("tests/test_sandbox.py"), OF_THE_SANDBOX).unwrap();
    let wrong = "from working_days import count\n\ndef test_wrong():\n    assert count.__name__ == 'other'\n";
    fs_err::write(project.join("tests/test_wrong.py"), wrong).unwrap();
    let failed = test(&wheels, &project, &[]);
    let stdout = text(&failed.stdout);
    assert_eq!(failed.status.code(), Some(1), "{stdout}{}", text(&failed.stderr));
    assert!(stdout.contains("1 failed, 9 passed"), "{stdout}");
    assert!(stdout.contains("assert 'count' == 'other'") && stdout.contains("tests/test_wrong.py:4"), "{stdout}");
    assert_eq!(files_below(&project).len(), files_below(&programs::workspace().join("sdk/scaffold")).len() + 2);

    let chosen = test(&wheels, &project, &["--", "-k", "network", "-q"]);
    assert!(text(&chosen.stdout).contains("1 passed, 9 deselected"), "{}", text(&chosen.stdout));
    let none = test(&wheels, &project, &["--", "-k", "nothing_is_called_so"]);
    assert_eq!(none.status.code(), Some(5), "{}", text(&none.stdout));
}

fn test(wheels: &Path, project: &Path, arguments: &[&str]) -> Output {
    let mut command = programs::command("runtime");
    command.arg("--offline").arg("--find-links").arg(wheels).arg("test").arg(project).args(arguments);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
