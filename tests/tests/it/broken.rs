//! Broken projects: a publish is refused with what an author needs to know, and leaves nothing behind.

use crate::programs;
use crate::server::Server;

/// A project that cannot be built, and what its author has to be told.
pub struct Broken {
    pub project: &'static str,
    /// The file and, where there is one, the line.
    pub place: &'static str,
    pub problem: &'static str,
    pub remedy: &'static str,
}

pub const BROKEN: [Broken; 12] = [
    Broken {
        project: "broken/no_manifest",
        place: "pyproject.toml: ",
        problem: "there is no",
        remedy: "with `[project] name",
    },
    Broken {
        project: "broken/no_entry_point",
        place: "pyproject.toml:8: src/no_entry_point.py: ",
        problem: "the module `no_entry_point` has no `forecast`",
        remedy: "did you mean `forecasts`?",
    },
    Broken {
        project: "broken/missing_module",
        place: "src/missing_module.py:3: ",
        problem: "the module `yaml` was not found",
        remedy: "add \"PyYAML\" to `dependencies`",
    },
    Broken {
        project: "broken/import_raises",
        place: "src/settings.py:3: ",
        problem: "KeyError while importing: 'PLACE'",
        remedy: "read `context.env` inside the function",
    },
    Broken {
        project: "broken/reads_variable",
        place: "src/reads_variable.py:3: ",
        problem: "the variable `API_KEY` is read while the tool is imported",
        remedy: "read it inside the function, as `context.env[\"API_KEY\"]`",
    },
    Broken {
        project: "broken/leaves_file_open",
        place: "src/table.py:3: ",
        problem: "the file '/tool/src/table.csv' is left open when the import ends",
        remedy: "open it inside the function, or close it before the import ends",
    },
    Broken {
        project: "broken/leaves_socket_open",
        place: "src/leaves_socket_open.py:3: ",
        problem: "a socket is left open when the import ends",
        remedy: "open it inside the function",
    },
    Broken {
        project: "broken/uses_network",
        place: "pyproject.toml:8: ",
        problem: "what is imported uses the network by other means than `socket.socket`",
        remedy: "use the network inside the function",
    },
    Broken {
        project: "broken/syntax_error",
        place: "src/syntax_error.py:2: ",
        problem: "SyntaxError: invalid syntax",
        remedy: "correct the syntax",
    },
    Broken {
        project: "broken/needs_dependency",
        place: "pyproject.toml:6: ",
        problem: "dependency `pyyaml >> 6`: ",
        remedy: "write it like \"httpx>=0.28\"",
    },
    Broken {
        project: "broken/untyped_parameter",
        place: "src/untyped_parameter.py:7: ",
        problem: "the parameter `days` of `forecast` has no type",
        remedy: "annotate it, for example `days: int`",
    },
    Broken {
        project: "broken/unknown_key",
        place: "pyproject.toml:9: ",
        problem: "unknown key `time-out` in `[tool.toolplane]`",
        remedy: "did you mean `timeout`?",
    },
];

impl Broken {
    /// Fails unless the text tells the author everything.
    #[track_caller]
    pub fn assert_told_in(&self, text: &str) {
        for part in [self.place, self.problem, self.remedy] {
            assert!(text.contains(part), "{}: `{part}` is not in:\n{text}", self.project);
        }
    }
}

#[test]
fn every_broken_project_is_tried() {
    let mut folders: Vec<_> = fs_err::read_dir(programs::tool("broken"))
        .unwrap()
        .map(|entry| format!("broken/{}", entry.unwrap().file_name().to_string_lossy()))
        .collect();
    folders.sort();
    let mut tried = BROKEN.map(|broken| broken.project);
    tried.sort();
    assert_eq!(folders, tried);
}

#[tokio::test]
async fn a_broken_project_is_refused_with_file_line_and_remedy_and_leaves_nothing() {
    let server = Server::start().await;
    let projects: Vec<_> = BROKEN.iter().map(|broken| broken.project).chain(["reads_variables"]).collect();
    server.author("work").push(&projects);
    let tool = server.client.create_tool("broken").await;
    // One of them requires it, which is seen before anything is built.
    let required = serde_json::json!({"name": "API_KEY", "value": "k", "is_secret": true});
    server.client.set_envvars(&tool, serde_json::json!({"inserts": [required]})).await.expect(204);
    let before = server.installation.lasting_files();
    assert!(!before.is_empty(), "the data folder has files that can be compared");

    for broken in &BROKEN {
        let detail = server.client.publish(&tool, broken.project, "major").await.detail(400);

        broken.assert_told_in(&detail);
        let left: Vec<_> = server.installation.lasting_files().difference(&before).cloned().collect();
        assert!(left.is_empty(), "{} left {left:?}", broken.project);
    }
    let detail = server.client.publish(&tool, "reads_variables", "major").await.detail(400);
    for (line, name, remedy) in [(9, "PLACE", "not as a secret"), (10, "PASSWORD", "as a secret")] {
        assert!(
            detail.contains(&format!("pyproject.toml:{line}: the project requires the variable {name} ")),
            "{detail}"
        );
        assert!(detail.contains(&format!("insert it into the tool, {remedy}")), "{detail}");
    }
    assert_eq!(server.installation.lasting_files(), before, "a missing variable left something");
    assert!(server.client.versions(&tool).await.is_empty());
    server.client.invoke(&tool, "1.0.0", &[serde_json::json!({})]).await.detail(404);
}
