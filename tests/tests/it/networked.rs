//! A tool that is built for servers that run, and run as its author would run it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::programs;
use crate::web::Web;

/// The names that mean this machine.
const NAMES: [&str; 8] = [
    "api.test",
    "x.below.test",
    "untrusted.test",
    "expired.test",
    "lines.test",
    "redis.test",
    "postgres.test",
    "mail.test",
];

/// A tool, built for the servers whose ports its project names.
pub struct Networked {
    pub web: Web,
    pub file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Networked {
    /// Builds a tool without packages.
    pub async fn new(tool: &str) -> Self {
        Self::with(tool, Web::start().await, &[], None).await
    }

    /// Builds a tool with packages of a folder of wheels, for other servers beside the web's: each is the port that
    /// stands in the project, and the real one.
    pub async fn with(tool: &str, web: Web, ports: &[(u16, u16)], wheels: Option<&Path>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (project, file) = (folder.path().join(tool), folder.path().join("tool.wasm"));
        web.write_tool(&programs::tool(tool), &project);
        let manifest = project.join("pyproject.toml");
        let mut text = fs_err::read_to_string(&manifest).unwrap();
        for (named, real) in ports {
            text = text.replace(&format!(":{named}\""), &format!(":{real}\""));
        }
        fs_err::write(&manifest, text).unwrap();
        let mut command = tokio::process::Command::from(programs::command("runtime"));
        if let Some(wheels) = wheels {
            command.arg("--offline").arg("--find-links").arg(wheels);
        }
        let built = command.arg("build").arg(&project).arg("-o").arg(&file).output().await.unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        Self { web, file, _folder: folder }
    }

    /// Runs the tool, and answers the whole report.
    pub async fn run(&self, input: &Value, env: &[(&str, &str)]) -> Value {
        let arguments: Vec<_> =
            env.iter().flat_map(|(name, value)| ["--env".to_owned(), format!("{name}={value}")]).collect();
        self.run_with(input, &arguments.iter().map(String::as_str).collect::<Vec<_>>()).await
    }

    /// The same with more arguments.
    pub async fn run_with(&self, input: &Value, arguments: &[&str]) -> Value {
        let mut command = tokio::process::Command::from(programs::command("runtime"));
        command.arg("run").arg(&self.file).arg("--json").arg("--ca-file").arg(self.web.ca());
        command.args(["--allow-network", "127.0.0.0/8", "--input"]).arg(input.to_string()).args(arguments);
        for name in NAMES {
            command.arg("--resolve").arg(format!("{name}=127.0.0.1"));
        }
        let output = command.output().await.unwrap();
        let report = serde_json::from_slice(&output.stdout);
        report.unwrap_or_else(|_| panic!("{input}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}

/// What a tool returned, as JSON where it is.
#[track_caller]
pub fn output(report: &Value) -> Value {
    let output = report["result"]["output"].as_str().unwrap_or_else(|| panic!("it failed: {report:#}"));
    serde_json::from_str(output).unwrap_or_else(|_| Value::from(output))
}
