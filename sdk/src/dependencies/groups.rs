//! `[dependency-groups]` (PEP 735).

use std::collections::{BTreeMap, BTreeSet};

use toml::{Spanned, Value};

/// The groups of a manifest by name, as they stand.
pub type Groups = BTreeMap<String, Vec<Spanned<Value>>>;

/// The entries of a group and of those that it includes, each group once. What names no group is left in as it stands.
pub fn members<'a>(groups: &'a Groups, name: &str) -> Vec<&'a Spanned<Value>> {
    let (mut found, mut seen, mut names) = (Vec::new(), BTreeSet::new(), vec![name]);
    while let Some(name) = names.pop() {
        if !seen.insert(name) {
            continue;
        }
        for entry in groups.get(name).into_iter().flatten() {
            match included(entry.get_ref()).filter(|name| groups.contains_key(*name)) {
                Some(included) => names.push(included),
                None => found.push(entry),
            }
        }
    }
    found
}

fn included(entry: &Value) -> Option<&str> {
    let table = entry.as_table().filter(|table| table.len() == 1)?;
    table.get("include-group")?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_what_it_includes_even_in_a_circle() {
        let text =
            "dev = [\"a\", {include-group = \"test\"}]\ntest = [\"b\", {include-group = \"dev\"}]\nother = [\"c\"]";
        let groups: Groups = toml::from_str(text).unwrap();
        let names: Vec<_> = members(&groups, "dev").iter().filter_map(|entry| entry.get_ref().as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert!(members(&groups, "nowhere").is_empty());
    }
}
