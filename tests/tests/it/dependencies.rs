//! Packages: a tool that depends on some is locked, built, run and published, all from a folder of wheels
//! that the test makes, without a network.

mod choices;
mod index;
mod indexes;
mod pins;
pub mod wheels;

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};

use crate::programs;
use crate::server::{Installation, Server};
use wheels::Wheel;

/// What the tool of [`project`] answers.
const OUTPUT: &str =
    r#"{"greeting":"Hello from data","extra":"paint","version":"1.10","files":true,"left_out":true,"bytecode":true}"#;

const CODE: &str = r#"
import os
from importlib import metadata, resources, util

import palette


def answer() -> dict:
    import colorsys

    import palette.late

    return {
        "greeting": palette.late.greeting(),
        "extra": palette.paint(),
        "version": metadata.version("palette"),
        "files": palette.__file__ == "/packages/palette/__init__.py" and resources.files("palette").is_dir(),
        "left_out": util.find_spec("windows_only") is None,
        "bytecode": all(os.path.isfile(module.__spec__.cached) for module in (palette, palette.late, colorsys)),
    }
"#;

#[test]
fn packages_with_extras_markers_data_and_metadata_are_locked_built_and_run() {
    let folder = tempfile::tempdir().unwrap();
    let (links, project) = (wheels(folder.path()), project(folder.path(), &["palette[paint]>=1.2"]));

    let locked = runtime(&links, &["lock", text_of(&project)]);
    assert_eq!(locked.status.code(), Some(0), "{}", text(&locked.stderr));
    let lock = fs_err::read_to_string(project.join("pylock.toml")).unwrap();
    // The newest version, the extra's package, and nothing of this machine.
    assert!(lock.contains("palette-1.10-py3-none-any.whl") && lock.contains("name = \"paint\""), "{lock}");
    assert!(!lock.contains("file://") && !lock.contains(text_of(&links)), "{lock}");
    runtime(&links, &["lock", text_of(&project)]);
    assert_eq!(fs_err::read_to_string(project.join("pylock.toml")).unwrap(), lock, "a lock is deterministic");

    let run = runtime(&links, &["run", text_of(&project)]);
    assert_eq!(text(&run.stdout), format!("{OUTPUT}\n"), "{}", text(&run.stderr));

    // The lock and the cache are enough from now on, for a changed project too.
    fs_err::remove_dir_all(&links).unwrap();
    fs_err::create_dir(&links).unwrap();
    fs_err::write(project.join("src/unused.py"), "").unwrap();
    let file = folder.path().join("tool.wasm");
    let built = runtime(&links, &["build", text_of(&project), "-o", text_of(&file)]);
    assert_eq!(built.status.code(), Some(0), "{}", text(&built.stderr));
    let run = runtime(&links, &["run", text_of(&file)]);
    assert_eq!(text(&run.stdout), format!("{OUTPUT}\n"), "{}", text(&run.stderr));
}

#[test]
fn what_cannot_be_installed_is_refused_by_name_with_line_requirer_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let links = wheels(folder.path());
    let cases: [(&[&str], &[&str]); 4] = [
        (
            &["palette", "tables"],
            &[
                "pyproject.toml:5: package `numpy` 2.0 (required by `tables`, for `tables`) has compiled code",
                "statistics",
            ],
        ),
        (&["no-such-package"], &["pyproject.toml:4: the dependencies cannot be resolved", "no-such-package"]),
        (&["palette>=99"], &["pyproject.toml:4: the dependencies cannot be resolved", "palette>=99"]),
        (&["escaping"], &["wheel `escaping-1-py3-none-any.whl`: the path `../evil.py` is not allowed"]),
    ];
    for (dependencies, told) in cases {
        let project = project(folder.path(), dependencies);
        let refused = runtime(&links, &["check", text_of(&project)]);
        assert_eq!(refused.status.code(), Some(3), "{}", text(&refused.stderr));
        for part in told {
            assert!(text(&refused.stderr).contains(part), "`{part}` is not in {}", text(&refused.stderr));
        }
    }

    let project = project(folder.path(), &["palette"]);
    assert_eq!(runtime(&links, &["lock", text_of(&project)]).status.code(), Some(0));
    let lock = fs_err::read_to_string(project.join("pylock.toml")).unwrap();
    let hash = lock.split("sha256 = \"").nth(1).unwrap()[..64].to_owned();
    fs_err::write(project.join("pylock.toml"), lock.replace(&hash, &"0".repeat(64))).unwrap();
    let broken = runtime(&links, &["check", text_of(&project)]);
    assert_eq!(broken.status.code(), Some(3));
    assert!(text(&broken.stderr).contains(&format!("its SHA-256 is {hash}")), "{}", text(&broken.stderr));
}

#[test]
fn what_a_package_does_while_it_is_imported_is_told_with_its_name_line_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let links = folder.path().join("links");
    fs_err::create_dir_all(&links).unwrap();
    Wheel::new("leaky_client", "1")
        .file("leaky/__init__.py", "")
        .file("leaky/probe.py", "import socket\nprobe = socket.socket()\n")
        .write(&links);
    Wheel::new("old_client", "1").file("old.py", "\nraise RuntimeError('not on this Python')\n").write(&links);
    // One that is known to work without its compiled part, and a version that does not.
    Wheel::new("pyyaml", "99")
        .tags("cp314-cp314-manylinux_2_17_x86_64")
        .file("yaml/__init__.py", "from yaml import _yaml\n")
        .file("yaml/_yaml.cpython-314-x86_64-linux-gnu.so", "ELF")
        .write(&links);
    Wheel::new("greedy_client", "1").file("greedy.py", "import os\nKEY = os.getenv('API_KEY')\n").write(&links);
    let cases = [
        (
            "leaky-client",
            "leaky.probe",
            "src/tool.py:1: `leaky_client` leaves a socket open when it is imported (leaky/probe.py, line 2)",
            "import it inside the function",
        ),
        (
            "old-client",
            "old",
            "src/tool.py:1: RuntimeError while importing `old_client` (old.py, line 2): not on this Python",
            "use another version of `old_client`",
        ),
        (
            "pyyaml",
            "yaml",
            "src/tool.py:1: `pyyaml` needs its module `yaml._yaml`, which is compiled code and does not run in the sandbox",
            "use a version of `pyyaml` that is Python alone",
        ),
        (
            "greedy-client",
            "greedy",
            "src/tool.py:1: the variable `API_KEY` is read by `greedy_client` while it is imported (greedy.py, line 2)",
            "import it inside the function, where the variables are set",
        ),
    ];
    for (package, module, problem, remedy) in cases {
        let project = folder.path().join("painted");
        write_project(&project, &[package], &format!("import {module}\n\ndef answer() -> str:\n    return 'it'\n"));
        let manifest = fs_err::read_to_string(project.join("pyproject.toml")).unwrap();
        fs_err::write(project.join("pyproject.toml"), format!("{manifest}secrets = [\"API_KEY\"]\n")).unwrap();
        let refused = runtime(&links, &["check", text_of(&project)]);
        assert_eq!(refused.status.code(), Some(3), "{}", text(&refused.stderr));
        for part in [problem, remedy] {
            assert!(text(&refused.stderr).contains(part), "`{part}` is not in {}", text(&refused.stderr));
        }
    }
}

#[tokio::test]
async fn a_tool_with_packages_is_published_and_an_unchanged_tree_is_not_built_again() {
    let installation = Installation::new();
    let links = wheels(&installation.path(""));
    installation.configure(&format!("[packages]\noffline = true\nfind_links = {:?}\n", text_of(&links)));
    let server = Server::start_on(installation).await;
    let author = server.author("work");
    project(&server.installation.path("work"), &["palette[paint]"]);
    author.push(&[]);
    let tool = server.client.create_tool("painted").await;

    server.client.publish(&tool, "painted", "major").await.expect(201);
    let result = server.client.result(&tool, json!({})).await;
    assert_eq!(result, json!({"succeeded": true, "output": OUTPUT}));

    // The wheels are gone, so a second build of the tree would fail.
    fs_err::remove_dir_all(&links).unwrap();
    author.push(&[]);
    let published: Value = server.client.publish(&tool, "painted", "minor").await.expect(201);
    assert_eq!(published, json!({"new_version": "1.1.0"}));
}

/// A folder with every wheel that these tests know.
fn wheels(folder: &Path) -> PathBuf {
    let links = folder.join("links");
    fs_err::create_dir_all(&links).unwrap();
    let palette = |version| {
        Wheel::new("palette", version)
            .requires("paint; extra == 'paint'")
            .requires("windows-only; sys_platform == 'win32'")
            .file("palette/__init__.py", "def paint():\n    import paint\n    return paint.__name__\n")
            .file("palette/late.py", "from importlib import resources\ndef greeting():\n    return resources.files('palette').joinpath('greeting.txt').read_text()\n")
            .file("palette/greeting.txt", "Hello from data")
    };
    palette("1.2").write(&links);
    palette("1.10").write(&links);
    Wheel::new("paint", "3").file("paint.py", "").write(&links);
    Wheel::new("windows_only", "1").file("windows_only.py", "").write(&links);
    Wheel::new("tables", "1").requires("numpy").file("tables.py", "").write(&links);
    Wheel::new("numpy", "2.0").tags("cp314-cp314-manylinux_2_17_x86_64").file("numpy.py", "").write(&links);
    // An older version that happens to be pure is not what was asked for.
    Wheel::new("numpy", "0.0.1").file("numpy.py", "").write(&links);
    Wheel::new("escaping", "1").file("../evil.py", "").write(&links);
    links
}

fn project(folder: &Path, dependencies: &[&str]) -> PathBuf {
    let project = folder.join("painted");
    write_project(&project, dependencies, CODE);
    project
}

/// Writes a project whose first dependency is in line 4, and whose entry point is `answer`.
pub fn write_project(project: &Path, dependencies: &[&str], code: &str) {
    fs_err::create_dir_all(project.join("src")).unwrap();
    let dependencies: String = dependencies.iter().map(|dependency| format!("    {dependency:?},\n")).collect();
    let manifest = format!(
        "[project]\nname = \"tool\"\ndependencies = [\n{dependencies}]\n[tool.toolplane]\nentry-point = \"tool:answer\"\n"
    );
    fs_err::write(project.join("pyproject.toml"), manifest).unwrap();
    fs_err::write(project.join("src/tool.py"), code).unwrap();
}

fn runtime(links: &Path, arguments: &[&str]) -> Output {
    programs::command("runtime").args(arguments).arg("--offline").arg("--find-links").arg(links).output().unwrap()
}

fn text_of(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
