//! What may be pushed. Git carries the rules out: it is told to hide each reference that breaks one, and refuses to
//! change what is hidden, each by itself or, in an atomic push, all. So no hook runs, ours or anybody's.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use super::Repository;
use super::push_request::{Command, PushRequest};
use crate::error::{Error, Result};

/// The longest name, its `refs/heads/` aside, in bytes.
const MAX_NAME_BYTES: usize = 255;

/// The longest part of a name between slashes, in bytes: a file is named after it, and its lock is longer.
const MAX_PART_BYTES: usize = 200;

/// How many references are refused one by one. Beyond that the environment of the git program would be too large.
const MAX_REFUSED: usize = 1000;

/// What becomes of a push by the rules.
#[derive(Debug)]
pub(super) struct Verdict {
    /// What the client's user is told, a line each.
    pub(super) messages: Vec<String>,
    /// The settings that make git refuse what breaks a rule. None where so much does that git is not asked.
    pub(super) settings: Option<Vec<(&'static str, OsString)>>,
}

/// Judges every command of a push. `ref_count` is how many references there are now.
pub(super) fn judge(request: &PushRequest, ref_count: usize, max_refs: usize) -> Verdict {
    let mut verdict = Verdict { messages: Vec::new(), settings: Some(Vec::new()) };
    let mut refused = Vec::new();
    let mut free = max_refs.saturating_sub(ref_count);
    for command in &request.commands {
        let problem = problem(command).or_else(|| {
            if command.old.is_some() {
                return None;
            }
            let full = format!("the repository has {max_refs} branches and tags, which is the most: delete some first");
            free.checked_sub(1).map(|rest| free = rest).is_none().then_some(full)
        });
        if let Some(problem) = problem {
            verdict.messages.push(format!("error: {}: {problem}", shown(&command.name)));
            refused.push(command);
        }
    }
    if refused.is_empty() {
        return verdict;
    }
    if request.has("atomic") {
        verdict.messages.push("error: the push is atomic, so none of its references was changed".to_owned());
        refused = request.commands.iter().collect();
    }
    if refused.len() > MAX_REFUSED {
        verdict.messages.truncate(MAX_REFUSED);
        return Verdict { settings: None, ..verdict };
    }
    // Git itself refuses what ends with a slash, and as a pattern it would hide all that is below.
    let hidden = refused.iter().filter(|command| !command.name.ends_with(b"/"));
    let settings = hidden.map(|command| ("receive.hideRefs", OsString::from_vec([b"^", &command.name[..]].concat())));
    Verdict { settings: Some(settings.collect()), ..verdict }
}

impl Repository {
    /// How many branches and tags there are. Blocks.
    pub(super) fn count_references(&self) -> Result<usize> {
        let failed = |error: anyhow::Error| Error::internal(error, "count the references");
        let repository = self.open_for_reading()?;
        let platform = repository.references().map_err(|error| failed(error.into()))?;
        let (branches, tags) = (platform.local_branches(), platform.tags());
        let count = branches.map_err(|error| failed(error.into()))?.count();
        Ok(count + tags.map_err(|error| failed(error.into()))?.count())
    }
}

fn problem(command: &Command) -> Option<String> {
    let name = &command.name[..];
    let short = name.strip_prefix(b"refs/heads/").or_else(|| name.strip_prefix(b"refs/tags/"));
    let Some(short) = short else {
        return Some(
            "only branches and tags are kept here: push to refs/heads/<name> or to refs/tags/<name>".to_owned(),
        );
    };
    // What is there from earlier times can be deleted, whatever its name.
    command.new.as_ref()?;
    let Ok(short) = std::str::from_utf8(short) else {
        return Some("the name is not UTF-8: choose another".to_owned());
    };
    if !is_well_formed(name) {
        return Some("Git does not allow this name (see `git help check-ref-format`): choose another".to_owned());
    }
    if short.len() > MAX_NAME_BYTES || short.split('/').any(|part| part.len() > MAX_PART_BYTES) {
        return Some(format!(
            "the name is too long: it has at most {MAX_NAME_BYTES} bytes, and {MAX_PART_BYTES} between slashes"
        ));
    }
    if short.split('/').any(|part| part.starts_with('-')) {
        return Some("a name that starts with `-` is taken for an option by many commands: choose another".to_owned());
    }
    let is_like_a_commit = short.len() == 40 && short.bytes().all(|c| c.is_ascii_hexdigit());
    if short == "HEAD" || is_like_a_commit {
        return Some("the name means something else in most commands: choose another".to_owned());
    }
    None
}

fn is_well_formed(name: &[u8]) -> bool {
    name.starts_with(b"refs/") && gix::validate::reference::name(name.into()).is_ok()
}

fn shown(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    name.chars().take(MAX_NAME_BYTES).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(name: &[u8]) -> Command {
        Command { old: None, new: Some("1".repeat(40)), name: name.to_vec() }
    }

    fn request(names: &[&str]) -> PushRequest {
        PushRequest { commands: names.iter().map(|name| command(name.as_bytes())).collect(), ..PushRequest::default() }
    }

    #[test]
    fn names_are_judged() {
        let long = format!("refs/heads/{}", "a".repeat(201));
        let deep = format!("refs/tags/{}", "a/".repeat(130) + "a");
        let refused: [(&[u8], &str); 10] = [
            (b"refs/notes/commits", "only branches and tags"),
            (b"HEAD", "only branches and tags"),
            (b"refs/heads/a\xff", "not UTF-8"),
            (b"refs/heads/a..b", "check-ref-format"),
            (b"refs/heads/../../config", "check-ref-format"),
            (b"refs/heads/main.lock", "check-ref-format"),
            (long.as_bytes(), "too long"),
            (deep.as_bytes(), "too long"),
            (b"refs/tags/x/-f", "starts with `-`"),
            (b"refs/heads/0123456789012345678901234567890123456789", "something else"),
        ];
        for (name, expected) in refused {
            let problem = problem(&command(name)).unwrap();
            assert!(problem.contains(expected), "{}: {problem}", shown(name));
        }
        for name in ["refs/heads/main", "refs/heads/feature/häuser", "refs/tags/v1.0-rc"] {
            assert_eq!(problem(&command(name.as_bytes())), None);
        }
        assert_eq!(problem(&Command { new: None, ..command(b"refs/heads/-x") }), None);
    }

    #[test]
    fn what_breaks_a_rule_is_hidden_and_the_rest_is_not() {
        let verdict = judge(&request(&["refs/heads/a", "refs/x/b", "refs/heads/a..b", "refs/heads/"]), 0, 10);
        let hidden = ["^refs/x/b", "^refs/heads/a..b"].map(|name| ("receive.hideRefs", name.into()));
        assert_eq!(verdict.settings.unwrap(), hidden);
        assert_eq!(verdict.messages.len(), 3);
    }

    #[test]
    fn references_are_counted() {
        let verdict = judge(&request(&["refs/heads/a", "refs/heads/b", "refs/heads/c"]), 8, 10);
        assert_eq!(verdict.settings.unwrap(), [("receive.hideRefs", "^refs/heads/c".into())]);
        assert!(verdict.messages[0].contains("the repository has 10 branches and tags"), "{:?}", verdict.messages);
    }
}
