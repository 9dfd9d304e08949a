//! The tools of `examples/`: each is a project that checks, and whose own tests pass in the sandbox.

use std::path::PathBuf;

use crate::{fetched, programs};

#[test]
fn every_example_checks_and_its_own_tests_pass() {
    let examples = examples();
    assert_eq!(examples.len(), 6);
    // What the examples and their tests depend on.
    let requirements = ["pytest==8.4.2", "colorama>=0.4", "pypdf>=6,<8"];
    let Some(wheels) = fetched::wheels("examples", &requirements) else { return };
    for example in &examples {
        for arguments in [&["check"][..], &["test", "--", "-q"]] {
            let mut command = programs::command("runtime");
            command.arg("--offline").arg("--find-links").arg(&wheels).args(arguments).current_dir(example);
            let done = command.output().unwrap();
            let told = [done.stdout, done.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
            assert_eq!(done.status.code(), Some(0), "{}: {told}", example.display());
            assert!(!told.contains("warning"), "{}: {told}", example.display());
        }
    }
}

fn examples() -> Vec<PathBuf> {
    let folder = programs::workspace().join("examples");
    let mut examples: Vec<_> = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    examples.retain(|path| path.join("pyproject.toml").is_file());
    examples.sort();
    examples
}
