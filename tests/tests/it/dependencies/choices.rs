//! What an author may ask for, and what is said of the rest.

use serde_json::json;

use super::wheels::Wheel;
use super::{runtime, text, text_of, wheels, write_project};
use crate::programs;
use crate::server::{Installation, Server};

#[test]
fn markers_and_extras_choose_for_the_sandbox_and_not_for_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let links = wheels(folder.path());
    Wheel::new("colours", "1")
        .requires("paint; extra == 'all'")
        .requires("only_wasi; sys_platform == 'wasi' and extra == 'all'")
        .requires("windows_only; sys_platform == 'win32' and extra == 'all'")
        .file("colours.py", "")
        .write(&links);
    Wheel::new("only_wasi", "1").file("only_wasi.py", "").write(&links);
    Wheel::new("old_python", "1").file("old_python.py", "").write(&links);
    let project = folder.path().join("marked");
    let dependencies = [
        "colours[all]",
        "old-python; python_version < '3.14'",
        "tables; platform_machine == 'x86_64' or sys_platform == 'linux'",
        "palette>=1.2,!=1.10; platform_system == 'wasi' and implementation_name == 'cpython'",
    ];
    let code = "from importlib import metadata\n\n\ndef answer() -> list[str]:\n    found = metadata.distributions(path=['/packages'])\n    return sorted(f'{one.name} {one.version}' for one in found)\n";
    write_project(&project, &dependencies, code);

    let run = runtime(&links, &["run", text_of(&project)]);

    let installed = "[\"colours 1\",\"only_wasi 1\",\"paint 3\",\"palette 1.2\"]\n";
    assert_eq!(text(&run.stdout), installed, "{}", text(&run.stderr));
}

#[tokio::test]
async fn what_cannot_be_installed_is_told_to_who_publishes_all_at_once() {
    let installation = Installation::new();
    let links = wheels(&installation.path(""));
    let native = "cp314-cp314-manylinux_2_17_x86_64";
    Wheel::new("lxml", "6.0").tags(native).file("lxml.py", "").write(&links);
    Wheel::new("unheard_of", "1").tags(native).file("unheard_of.py", "").write(&links);
    Wheel::new("pyyaml", "6.0").tags(native).file("yaml.py", "").write(&links);
    installation.configure(&format!("[packages]\noffline = true\nfind_links = {:?}\n", text_of(&links)));
    let server = Server::start_on(installation).await;
    let (author, client) = (server.author("work"), &server.client);
    let tool = client.create_tool("refused").await;
    let cases: [(&[&str], &[&str]); 3] = [
        (
            &["palette", "lxml", "PyYAML", "tables", "unheard-of"],
            &[
                "pyproject.toml:5: package `lxml` 6.0 has compiled code",
                "to do: use `xml.etree.ElementTree`, or `beautifulsoup4` with `html5lib`",
                "pyproject.toml:7: package `numpy` 2.0 (required by `tables`, for `tables`) has compiled code",
                "to do: use lists with `statistics`",
                "pyproject.toml:8: package `unheard-of` 1 has compiled code",
                "to do: use a package that is Python alone",
            ],
        ),
        (
            &["palette", "no-such-package"],
            &["pyproject.toml:5: the dependencies cannot be resolved", "no-such-package", "to do: correct the name"],
        ),
        (
            &["paint", "palette>=1.2", "palette<1.2"],
            &[
                "pyproject.toml:5: the dependencies cannot be resolved",
                "palette",
                "to do: change the versions that `dependencies` allows",
            ],
        ),
    ];
    for (dependencies, told) in cases {
        write_project(&server.installation.path("work/refused"), dependencies, "def answer() -> int:\n    return 1\n");
        author.push(&[]);
        let detail = client.publish(&tool, "refused", "major").await.detail(400);
        for part in told {
            assert!(detail.contains(part), "`{part}` is not in {detail}");
        }
        assert!(!detail.contains("PyYAML"), "it works without its compiled part: {detail}");
    }
    assert_eq!(client.versions(&tool).await, Vec::<serde_json::Value>::new(), "{}", json!(tool));
}

#[test]
fn without_uv_and_a_way_to_install_it_the_author_is_told_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("alone");
    write_project(&project, &["palette"], "def answer() -> int:\n    return 1\n");
    // A cache of its own: the shared one may have installed it before.
    let refused = programs::command("runtime")
        .args(["check", text_of(&project)])
        .env("TOOLPLANE_CACHE", folder.path().join("cache"))
        .env("PATH", "")
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(3));
    let told = text(&refused.stderr);
    assert!(told.contains("pyproject.toml:4: ") && told.contains("the program uv"), "{told}");
    assert!(told.contains("`pip install uv`") && told.contains("`runtime lock`"), "{told}");
}
