//! The keys of our own table in a `pyproject.toml`. A key that nobody knows is refused with the one that was meant.

use toml::de::{DeTable, DeValue};

use crate::error::Problem;

/// The keys of `[tool.toolplane]`.
const TOOLPLANE: [&str; 7] = ["entry-point", "env", "secrets", "timeout", "memory", "egress", "bound-secrets"];
/// The keys of `[tool.toolplane.egress]`.
const EGRESS: [&str; 2] = ["allow", "tcp"];

/// Takes unknown keys out of our table, so that the rest can be read. Each is told with where it stands.
pub(crate) fn take_unknown(manifest: &mut DeTable<'_>) -> Vec<(Problem, usize)> {
    let Some(tool) = table(manifest, "tool") else { return Vec::new() };
    let Some(toolplane) = table(tool, "toolplane") else { return misspelt_table(tool) };
    let mut unknown = take(toolplane, "[tool.toolplane]", &TOOLPLANE);
    if let Some(egress) = table(toolplane, "egress") {
        unknown.extend(take(egress, "[tool.toolplane.egress]", &EGRESS));
    }
    unknown.sort_by_key(|(_, place)| *place);
    unknown
}

/// Others keep their tables beside ours, but none that is called nearly the same.
fn misspelt_table(tool: &DeTable<'_>) -> Vec<(Problem, usize)> {
    let keys = tool.keys().filter(|key| is_near(key.get_ref(), "toolplane"));
    let problem = |name: &str| {
        Problem::new(format!("`[tool.{name}]` is not a table that is read"), "did you mean `[tool.toolplane]`?")
    };
    keys.map(|key| (problem(key.get_ref()), key.span().start)).collect()
}

fn take(table: &mut DeTable<'_>, name: &str, known: &[&str]) -> Vec<(Problem, usize)> {
    let unknown: Vec<_> = table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())).cloned().collect();
    let problem = |key: &str| {
        let remedy = match nearest(key, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("remove it; the keys are {}", listed(known)),
        };
        Problem::new(format!("unknown key `{key}` in `{name}`"), remedy)
    };
    let told = unknown.iter().map(|key| (problem(key.get_ref()), key.span().start)).collect();
    unknown.iter().for_each(|key| {
        table.remove(key);
    });
    told
}

fn table<'t, 'i>(parent: &'t mut DeTable<'i>, name: &str) -> Option<&'t mut DeTable<'i>> {
    let (_, value) = parent.iter_mut().find(|(key, _)| key.get_ref() == name)?;
    match value.get_mut() {
        DeValue::Table(table) => Some(table),
        _ => None,
    }
}

fn listed(known: &[&str]) -> String {
    known.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
}

/// The known key that somebody meant, if it is like one.
fn nearest<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    let near = known.iter().copied().filter(|key| is_near(written, key));
    near.min_by_key(|key| distance(written, key))
}

/// Whether it is a slip of the pen: a third of the letters at most, or a word that was left off or written out.
fn is_near(written: &str, known: &str) -> bool {
    let written = written.to_lowercase().replace('_', "-");
    let is_part = written.len() >= 3 && (known.starts_with(&written) || written.starts_with(known));
    is_part || distance(&written, known) * 3 <= known.len()
}

/// Letters that have to be added, left out or exchanged, and neighbours that have to change places.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<_>, Vec<_>) = (one.chars().collect(), other.chars().collect());
    let mut rows = vec![vec![0; other.len() + 1]; one.len() + 1];
    rows[0] = (0..=other.len()).collect();
    for (i, letter) in one.iter().enumerate() {
        rows[i + 1][0] = i + 1;
        for (j, wanted) in other.iter().enumerate() {
            let exchanged = rows[i][j] + usize::from(letter != wanted);
            let mut least = exchanged.min(rows[i][j + 1] + 1).min(rows[i + 1][j] + 1);
            if i > 0 && j > 0 && letter == &other[j - 1] && &one[i - 1] == wanted {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            rows[i + 1][j + 1] = least;
        }
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_found_and_nothing_else() {
        for (written, meant) in [
            ("time-out", Some("timeout")),
            ("timeuot", Some("timeout")),
            ("entry_point", Some("entry-point")),
            ("entrypoint", Some("entry-point")),
            ("environment", Some("env")),
            ("secret", Some("secrets")),
            ("mem", Some("memory")),
            ("Egress", Some("egress")),
            ("cpu", None),
            ("description", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, &TOOLPLANE), meant, "{written}");
        }
        assert!(is_near("toolplan", "toolplane") && !is_near("poetry", "toolplane"));
    }

    #[test]
    fn a_distance_counts_each_slip_once() {
        assert_eq!(["", "abc", "acb", "abxc", "xyz"].map(|text| distance(text, "abc")), [3, 0, 1, 1, 3]);
    }
}
