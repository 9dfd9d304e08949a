//! `Error`: what can go wrong, in the words of the domain. It knows no status code; `api::error` gives it one.

/// Shorthand for what most functions here give.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a request was not carried out. `Display` is what the caller reads; the chain of sources is for the log alone.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request breaks a rule of the contract that is judged before its form.
    #[error("{0}")]
    BadRequest(String),
    /// The caller did not prove who it is.
    #[error("{0}")]
    Unauthenticated(String),
    /// The caller is known and lacks a permission.
    #[error("permission `{permission}` is missing: ask an administrator of the organization for a role that grants it")]
    Forbidden {
        /// The permission's name.
        permission: &'static str,
    },
    /// The caller would give away rights that it does not have.
    #[error("{what} would have more rights than you have: nobody can give away what they lack")]
    Escalation {
        /// What would have them.
        what: String,
    },
    /// There is no such thing, or it is another organization's.
    #[error("{0}")]
    NotFound(String),
    /// Another operation is in progress, or the name is taken.
    #[error("{0}")]
    Conflict(String),
    /// The first request of an idempotency key has not ended yet.
    #[error("the first request with this Idempotency-Key is still running: repeat it when that one has ended")]
    InProgress,
    /// The request is larger than the service takes.
    #[error("{0}")]
    TooLarge(String),
    /// The request did not arrive in time.
    #[error("{0}")]
    TooSlow(String),
    /// A field of the request is not valid.
    #[error("{}", .0.first().map_or("the request is not valid", |field| field.msg.as_str()))]
    Invalid(Vec<InvalidField>),
    /// Too many requests.
    #[error("too many requests: try again in {retry_after_s} s")]
    RateLimited {
        /// When to try again.
        retry_after_s: u64,
    },
    /// The caller's organization has enough running and waiting.
    #[error("{message}")]
    Crowded {
        /// Which limit it is, and when to try again.
        message: String,
        /// When to try again.
        retry_after_s: u64,
    },
    /// The service cannot take this now.
    #[error("{0}")]
    Unavailable(String),
    /// A fault of ours. The caller learns no more than that.
    #[error("internal error")]
    Internal(#[source] anyhow::Error),
}

/// One entry of a 422's `detail`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, utoipa::ToSchema)]
pub struct InvalidField {
    /// Where: `["body", "inputs", 0]`.
    pub loc: Vec<Step>,
    /// What is wrong and what to do.
    pub msg: String,
    /// A short name of the rule.
    #[serde(rename = "type")]
    pub kind: &'static str,
}

/// One step on the way to a field.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum Step {
    /// A field's name.
    Field(String),
    /// A place in a list, counted from 0.
    Index(usize),
}

impl From<&&str> for Step {
    fn from(name: &&str) -> Self {
        Self::from(*name)
    }
}

impl From<&str> for Step {
    fn from(name: &str) -> Self {
        Self::Field(name.to_owned())
    }
}

impl From<String> for Step {
    fn from(name: String) -> Self {
        Self::Field(name)
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

impl InvalidField {
    /// A field that breaks a rule.
    pub fn new(loc: Vec<Step>, kind: &'static str, msg: impl ToString) -> Self {
        Self { loc, msg: msg.to_string(), kind }
    }
}

impl Error {
    /// One field that breaks one rule. Where the way to it has a place in a list, its steps are [`Step`]s.
    pub fn invalid<S: Into<Step>>(loc: impl IntoIterator<Item = S>, kind: &'static str, msg: impl ToString) -> Self {
        Self::Invalid(vec![InvalidField::new(loc.into_iter().map(Into::into).collect(), kind, msg)])
    }

    /// A fault of ours, with the operation that failed.
    pub fn internal(source: impl Into<anyhow::Error>, operation: &'static str) -> Self {
        Self::Internal(source.into().context(operation))
    }
}

impl From<anyhow::Error> for Error {
    fn from(source: anyhow::Error) -> Self {
        Self::Internal(source)
    }
}

impl From<runtime::Error> for Error {
    fn from(error: runtime::Error) -> Self {
        match error {
            // It was good when it was published. What it was built with is gone, which its caller can only wait for.
            runtime::Error::Build(sdk::Error::Refused(problems)) => {
                let why = problems.first().map_or("it cannot be loaded", |problem| problem.message.as_str());
                Self::Unavailable(format!(
                    "the version cannot be run as it is: {why}; publish the tool again, or restore the cache that it \
                     was built with"
                ))
            }
            error => Self::internal(error, "run the tool"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_whose_base_is_gone_is_unavailable_with_a_remedy() {
        let gone = sdk::Problem::new("this tool was built by another version of Toolplane", "build it again");
        let error = Error::from(runtime::Error::Build(gone.into()));
        assert!(matches!(&error, Error::Unavailable(text) if text.contains("another version")), "{error:?}");
        assert!(error.to_string().ends_with("publish the tool again, or restore the cache that it was built with"));
        assert!(matches!(Error::from(runtime::Error::internal("run", anyhow::anyhow!("x"))), Error::Internal(_)));
    }
}
