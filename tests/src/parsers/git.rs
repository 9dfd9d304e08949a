//! What a Git client sends, and paths within a repository.

use control_plane::git::fuzzing;

/// The most references of one push here.
const MOST_COMMANDS: usize = 8;

/// A push is passed on as it came, and each reference that git is let change has a name that is fit for a file.
pub fn push(bytes: &[u8]) {
    for content in fuzzing::packets(bytes) {
        if content.len() < 1 << 10 {
            // A packet that is written is read again.
            let line = fuzzing::line(content);
            let end = content.strip_suffix(b"\n").unwrap_or(content);
            assert_eq!(fuzzing::packets(&line), [end]);
        }
    }
    let executor = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let Some(push) = executor.block_on(fuzzing::push(bytes, MOST_COMMANDS)) else { return };
    assert!(bytes.starts_with(&push.raw), "what git gets is not what came");
    assert_eq!(push.raw.len() + push.rest, bytes.len());
    assert!(push.names.len() <= MOST_COMMANDS);
    let Some(hidden) = push.hidden else { return };
    for name in &hidden {
        assert!(!name.contains(&0), "no setting can be made of {name:?}");
    }
    for (name, is_new) in &push.names {
        let is_hidden = hidden.iter().any(|hidden| hidden.strip_prefix(b"^") == Some(name));
        // Git itself refuses a name that ends with a slash, and whatever is old may be deleted.
        if !is_hidden && *is_new && !name.ends_with(b"/") {
            assert!(is_allowed(name), "{:?}", String::from_utf8_lossy(name));
        }
    }
}

/// The rules of `git check-ref-format`, and that it is a branch or a tag.
fn is_allowed(name: &[u8]) -> bool {
    let Ok(name) = std::str::from_utf8(name) else { return false };
    let is_part = |part: &str| {
        let is_plain = |c: char| !c.is_ascii_control() && !" ~^:?*[\\".contains(c);
        !part.is_empty() && !part.starts_with(['.', '-']) && !part.ends_with(".lock") && part.chars().all(is_plain)
    };
    let has_place = name.starts_with("refs/heads/") || name.starts_with("refs/tags/");
    has_place && name.split('/').all(is_part) && !name.contains("..") && !name.contains("@{") && !name.ends_with('.')
}

/// A path is shown so that it can be asked for.
pub fn path(bytes: &[u8]) {
    let shown = fuzzing::normalized_path(bytes);
    assert!(shown.split('/').all(|name| name != "." && (!name.is_empty() || shown.is_empty())), "{shown:?}");
    assert_eq!(fuzzing::normalized_path(shown.as_bytes()), shown);
}
