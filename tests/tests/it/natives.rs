//! Packages with native code: taken from an index of wheels for the sandbox, linked into a base of the tool's own, and
//! refused where they are not to be trusted.

use std::path::PathBuf;
use std::process::Output;

use serde_json::{Value, json};

use crate::dependencies::wheels::Wheel;
use crate::fetched;
use crate::programs;
use crate::server::{Installation, Server};

/// Where `.ci/run` builds wheels, and whoever develops may: an index as `runtime wheels build` makes it.
fn index() -> PathBuf {
    programs::workspace().join("target/wheels")
}

/// The version of a package whose wheel is in the index. Without one, a test says so and is left out.
fn version(distribution: &str) -> Option<String> {
    let listed = programs::command("runtime").args(["wheels", "list", "--wheel-index"]).arg(index()).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let version = listed.lines().find_map(|file| file.strip_prefix(&format!("{distribution}-"))?.split('-').next());
    if version.is_none() {
        let command = format!("runtime wheels build --wheel-index {} pydantic-core rpds-py", index().display());
        eprintln!("left out: there is no wheel of `{distribution}` for the sandbox; `{command}` makes one");
    }
    version.map(str::to_owned)
}

#[tokio::test]
async fn a_tool_with_pydantic_is_published_and_its_models_are_parameters_and_results() {
    let (Some(core), Some(rpds)) = (version("pydantic_core"), version("rpds_py")) else { return };
    let requirements = ["pydantic>=2", "jsonschema", &format!("pydantic-core=={core}"), &format!("rpds-py=={rpds}")];
    let Some(links) = fetched::wheels("orders", &requirements) else { return };
    let installation = Installation::new();
    let (links, index) = (links.display().to_string(), index().display().to_string());
    installation
        .configure(&format!("[packages]\noffline = true\nfind_links = {links:?}\nwheel_indexes = [{index:?}]\n"));
    let server = Server::start_on(installation).await;
    let client = &server.client;
    server.author("work").push(&["orders"]);
    let tool = client.create_tool("orders").await;
    client.publish(&tool, "orders", "major").await.expect(201);

    let version = client.versions(&tool).await.remove(0);
    let schema = find(&version, "properties").expect("the version has a schema");
    assert_eq!(schema["items"], json!({"type": "array", "items": {"$ref": "#/$defs/Item"}}), "{version}");
    assert_eq!(schema["address"]["description"], "Where to");
    let definitions = find(&version, "$defs").unwrap();
    assert_eq!(definitions["Item"]["properties"]["name"]["pattern"], "^[a-z]+$");
    assert_eq!(definitions["Address"]["description"], "Where it goes.");

    // In pydantic's lax mode a number may be written as a text.
    let input = json!({"items": [{"name": "bolt", "count": "3", "parts": [{"name": "nut", "count": 1}]}],
        "address": {"street": "Main St"}, "factor": 2});
    let result = client.result(&tool, input).await;
    let output: Value = serde_json::from_str(result["output"].as_str().unwrap_or_else(|| panic!("{result}"))).unwrap();
    assert_eq!(output["total"], 6);
    assert_eq!((&output["due"], &output["to"]), (&json!("2026-01-02"), &json!({"street": "Main St", "country": "DE"})));
    // The package's own library, and not what stands in for it.
    assert_eq!(output["checked_by"], "/packages/rpds/rpds.cpython-314-wasm32-wasi.so");

    let wrong = client.result(&tool, json!({"items": [{"name": "Bolt", "count": 0}]})).await.to_string();
    for told in
        ["2 validation errors for list[Item]", "0.name", "String should match pattern", "should be greater than 0"]
    {
        assert!(wrong.contains(told), "`{told}` is not in {wrong}");
    }
    // The host judges the parameters that are not pydantic's.
    let refused = client.invoke(&tool, "1.0.0", &[json!({"items": [], "factor": "x"})]).await.detail(400);
    assert!(refused.contains("/factor"), "{refused}");
}

/// The first value under a key, however deep.
fn find<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Object(object) => object.get(key).or_else(|| object.values().find_map(|inner| find(inner, key))),
        Value::Array(items) => items.iter().find_map(|inner| find(inner, key)),
        _ => None,
    }
}

#[test]
fn native_code_comes_out_of_an_index_made_for_this_version_alone() {
    let folder = tempfile::tempdir().unwrap();
    let [links, index] = ["links", "index"].map(|name| folder.path().join(name));
    let (own, other) = (index.join("componentize-py-0.25.1"), index.join("componentize-py-0.24.0"));
    for folder in [&links, &own, &other] {
        fs_err::create_dir_all(folder).unwrap();
    }
    let native = "cp314-cp314-wasi_0_0_0_wasm32";
    let foreign = |name: &str| Wheel::new(name, "2").tags("cp314-cp314-manylinux_2_17_x86_64").file("a.py", "");
    let library = |name: &str| {
        Wheel::new(name, "2").tags(native).file(&format!("{name}/core.cpython-314-wasm32-wasi.so"), "\0asm\x01\0\0\0")
    };
    let marked = |version: &str| format!("{{\"componentize-py\": \"{version}\"}}");
    // Whoever may put a wheel beside a project may not have it linked.
    library("stray").write(&links);
    foreign("pydantic_core").write(&links);
    library("pydantic_core").write(&other);
    library("unmarked").write(&own);
    library("elder").file("elder-2.dist-info/toolplane.json", &marked("0.24.0")).write(&own);
    library("hollow").file("hollow-2.dist-info/toolplane.json", &marked("0.25.1")).write(&own);
    foreign("rpds_py").write(&links);
    foreign("orjson").write(&links);
    for (package, told) in [
        ("stray", "`stray` 2 has compiled code, and the wheel that the lock has for this sandbox is in no index"),
        ("pydantic-core", "its wheel is for componentize-py 0.24.0, where this Toolplane links 0.25.1"),
        ("pydantic-core", "`runtime wheels build pydantic-core==2`, or use `dataclasses`"),
        ("unmarked", "`unmarked-2-cp314-cp314-wasi_0_0_0_wasm32.whl`: it does not say which componentize-py"),
        ("elder", "it was made for componentize-py 0.24.0, and this Toolplane links 0.25.1"),
        ("hollow", "`hollow/core.cpython-314-wasm32-wasi.so` is no dynamic library"),
        ("orjson", "use `json`, or `simplejson`"),
    ] {
        let refused = run(&folder.path().join("project"), package, &links, &index);
        assert_eq!(refused.status.code(), Some(3), "{}", text(&refused.stderr));
        assert!(text(&refused.stderr).contains(told), "`{told}` is not in {}", text(&refused.stderr));
    }
    // What works without its library does so where there is no wheel of it.
    let run = run(&folder.path().join("project"), "rpds-py", &links, &index);
    assert_eq!(text(&run.stdout), "it works\n", "{}", text(&run.stderr));

    let verified =
        programs::command("runtime").args(["wheels", "verify", "--wheel-index"]).arg(&index).output().unwrap();
    assert_eq!(verified.status.code(), Some(3), "{}", text(&verified.stderr));
    assert!(text(&verified.stdout).contains("elder-2-"), "{}", text(&verified.stdout));
}

/// Runs a tool that depends on a package.
fn run(project: &std::path::Path, package: &str, links: &std::path::Path, index: &std::path::Path) -> Output {
    fs_err::create_dir_all(project.join("src")).unwrap();
    let manifest = format!(
        "[project]\nname = \"tool\"\ndependencies = [\"{package}\"]\n[tool.toolplane]\nentry-point = \"tool:answer\"\n"
    );
    fs_err::write(project.join("pyproject.toml"), manifest).unwrap();
    fs_err::write(project.join("src/tool.py"), "def answer() -> str:\n    return 'it works'\n").unwrap();
    let mut command = programs::command("runtime");
    command.arg("run").arg(project).args(["--offline", "--find-links"]).arg(links).arg("--wheel-index").arg(index);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
