//! Git's report on a push: which references it changed.

use super::packet;

/// The names of the references that were changed, from the bytes of a `report-status`.
pub(super) fn changed(report: &[u8]) -> Vec<Vec<u8>> {
    let lines = packet::contents(report);
    // `option` lines follow a changed reference where a hook renamed it, and no hook runs.
    lines.iter().filter_map(|line| line.strip_prefix(b"ok ")).map(<[u8]>::to_vec).collect()
}

/// A report that says that nothing was changed, and why.
pub(super) fn nothing_changed(why: &str) -> Vec<u8> {
    [packet::line(format!("unpack {why}\n").as_bytes()), packet::FLUSH.to_vec()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_is_told_from_what_was_not() {
        let report = "000eunpack ok\n0013ok refs/heads/a0021ng refs/heads/ok x no reason\n0033ok refs/tags/v\n0000";
        let names: Vec<_> = changed(report.as_bytes());
        assert_eq!(names, [b"refs/heads/a".to_vec()], "the last one is cut short");
        assert!(changed(&nothing_changed("because")).is_empty());
    }
}
