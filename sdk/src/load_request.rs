//! What the guest's `load` is asked, and what to say when it never answers.

use serde::Serialize;

use crate::dependencies::site;
use crate::error::Problem;
use crate::project::Project;
use crate::sandbox::{self, Limits, Mount};

/// What the guest's `load` takes.
#[derive(Serialize)]
pub(crate) struct LoadRequest<'a> {
    root: &'a str,
    path: [&'a str; 2],
    packages: Option<&'a str>,
    entry_point: &'a str,
    name: &'a str,
    /// pytest's arguments, where the tests are to run and nothing is built.
    tests: Option<&'a [String]>,
    /// The variables and secrets that the project declares, which nobody may read before an invocation.
    variables: Vec<String>,
    /// The modules that the project wants imported, each with its line in the manifest.
    preload: Vec<(String, u32)>,
    /// Whether packages are missing that the project asks for, so that nobody need be told of a module that is not there.
    pub(crate) is_incomplete: bool,
}

/// Where the guest sees the project.
const ROOT: &str = "/tool";

impl<'a> LoadRequest<'a> {
    pub(crate) fn new(mounts: &[Mount], name: &'a str, entry_point: &'a str, tests: Option<&'a [String]>) -> Self {
        let packages = mounts.iter().map(|mount| mount.guest).find(|guest| *guest == site::GUEST);
        let (path, (variables, preload)) = (["/tool/src", ROOT], declared(mounts));
        Self { root: ROOT, path, packages, entry_point, name, tests, variables, preload, is_incomplete: false }
    }

    pub(crate) fn out_of_time(&self, limits: &Limits) -> Problem {
        let seconds = limits.wall_clock.as_secs();
        match self.tests {
            None => Problem::new(
                format!("importing the tool took longer than {seconds} s, the limit of a build"),
                "do long work when the tool is called, not when its module is imported",
            ),
            Some(_) => Problem::new(
                format!("the tests took longer than {seconds} s"),
                "run fewer at once, as with `runtime test -- -k NAME`, or look for one that never ends",
            ),
        }
    }

    pub(crate) fn out_of_memory(&self, limits: &Limits) -> Problem {
        let mebibytes = limits.memory_bytes >> 20;
        match self.tests {
            None => Problem::new(
                format!("importing the tool took more than {mebibytes} MiB of memory, the limit of a build"),
                "load large data when the tool is called, not when its module is imported",
            ),
            Some(_) => Problem::new(
                format!("the tests took more than {mebibytes} MiB of memory"),
                "look for a test that keeps what it loads",
            ),
        }
    }

    /// It holds on to the network, which another host would not know.
    pub(crate) fn networked() -> Problem {
        Problem::new(
            "what is imported uses the network by other means than `socket.socket`, and what that leaves behind would \
             not work when the tool is called",
            "use the network inside the function, or import there what does so",
        )
    }

    pub(crate) fn crashed(&self, error: &wasmtime::Error, logs: &str) -> Problem {
        let what = if self.tests.is_some() { "running the tests" } else { "importing the tool" };
        let printed = if logs.is_empty() { String::new() } else { format!("; it had printed: {logs}") };
        Problem::new(
            format!("{what} ended Python itself: it {}{printed}", sandbox::why_ended(error)),
            "look for `os._exit`, `os.abort`, or very deep recursion",
        )
    }
}

/// The variables that the manifest of the mounted project declares, and the modules. Our own modules, such as the
/// precompiler, have no manifest.
fn declared(mounts: &[Mount]) -> (Vec<String>, Vec<(String, u32)>) {
    let project = mounts.iter().find(|mount| mount.guest == ROOT).and_then(|mount| Project::survey(&mount.host).ok());
    project.map_or_else(Default::default, |survey| {
        ([survey.manifest.env, survey.manifest.secrets].concat(), survey.manifest.preload)
    })
}
