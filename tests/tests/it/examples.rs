//! The tools of `examples/`: each is a project that checks, and whose own tests pass in the sandbox.

use std::path::PathBuf;

use crate::{fetched, programs};

#[test]
fn every_example_checks_and_its_own_tests_pass() {
    let examples = examples();
    assert_eq!(examples.len(), 5);
    for example in &examples {
        let checked = programs::command("runtime").arg("check").arg(example).output().unwrap();
        let stderr = String::from_utf8_lossy(&checked.stderr);
        assert_eq!(checked.status.code(), Some(0), "{}: {stderr}", example.display());
    }
    // The same wheels as for the scaffold's tests.
    let Some(wheels) = fetched::wheels("pytest", &["pytest==8.4.2", "colorama>=0.4"]) else { return };
    for example in &examples {
        let mut command = programs::command("runtime");
        command.arg("--offline").arg("--find-links").arg(&wheels).arg("test").arg(example).args(["--", "-q"]);
        let tested = command.output().unwrap();
        let told = [tested.stdout, tested.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        assert_eq!(tested.status.code(), Some(0), "{}: {told}", example.display());
    }
}

fn examples() -> Vec<PathBuf> {
    let folder = programs::workspace().join("examples");
    let mut examples: Vec<_> = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    examples.retain(|path| path.join("pyproject.toml").is_file());
    examples.sort();
    examples
}
