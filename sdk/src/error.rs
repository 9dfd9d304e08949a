//! A project's faults are [`Problem`]s, for its author; ours are [`Error::Internal`], for the log.

use std::fmt;

/// One thing that is wrong with a project: what, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Problem {
    /// What is wrong.
    pub message: String,
    /// The file, relative to the project's folder.
    pub file: Option<String>,
    /// The line within the file, from 1.
    pub line: Option<u32>,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Problem {
    /// A problem with the project as a whole.
    pub fn new(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { message: message.into(), file: None, line: None, remedy: Some(remedy.into()) }
    }

    /// The same problem, at a place.
    pub fn at(self, file: impl Into<String>, line: Option<u32>) -> Self {
        Self { file: Some(file.into()), line, ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "{file}:{line}: ")?,
            (Some(file), None) => write!(f, "{file}: ")?,
            (None, _) => {}
        }
        f.write_str(&self.message)?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n  to do: {remedy}"),
            None => Ok(()),
        }
    }
}

/// Why no component came out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The project is at fault. There is always at least one problem.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Refused(Vec<Problem>),
    /// We are at fault.
    #[error("failed to {operation}")]
    Internal {
        /// What was being done, fit for "failed to …".
        operation: &'static str,
        /// Why it failed.
        #[source]
        source: anyhow::Error,
    },
}

impl Error {
    /// Gives a place to problems that have no line of their own, such as a function that is not there.
    pub(crate) fn located(self, file: &str, line: u32) -> Self {
        let Self::Refused(problems) = self else { return self };
        let locate = |problem: Problem| match (&problem.file, problem.line) {
            (_, Some(_)) => problem,
            (Some(own), None) if own != file => {
                let message = format!("{own}: {}", problem.message);
                Problem { message, ..problem }.at(file, Some(line))
            }
            _ => problem.at(file, Some(line)),
        };
        Self::Refused(problems.into_iter().map(locate).collect())
    }

    /// A fault of ours, with the operation that failed.
    pub fn internal(operation: &'static str, source: impl Into<anyhow::Error>) -> Self {
        Self::Internal { operation, source: source.into() }
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Refused(vec![problem])
    }
}
