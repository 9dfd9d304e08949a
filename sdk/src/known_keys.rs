//! The keys of our own table in a `pyproject.toml`. A key that nobody knows is refused with the one that was meant, and a
//! value that is not what its key takes with how to write it.

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use crate::error::Problem;

/// The keys of `[tool.toolplane]`.
const TOOLPLANE: [&str; 8] =
    ["entry-point", "env", "secrets", "timeout", "memory", "preload", "egress", "bound-secrets"];
/// The keys of `[tool.toolplane.egress]`.
const EGRESS: [&str; 2] = ["allow", "tcp"];

/// The table of what a project needs to be worked on (PEP 735).
const GROUPS: &str = "dependency-groups";

/// What a key takes.
#[derive(Clone, Copy)]
enum Kind {
    Text(&'static str),
    Texts(&'static str),
    List(&'static str),
    Table,
}

/// Keys of a table.
type Keys = &'static [(&'static str, Kind)];

/// The keys that are read, each with what it takes and an example of it.
const TABLES: [(&[&str], Keys); 6] = [
    (&[], &[("project", Kind::Table), ("tool", Kind::Table), (GROUPS, Kind::Table)]),
    (&["tool"], &[("toolplane", Kind::Table)]),
    (
        &["project"],
        &[
            ("name", Kind::Text("weather")),
            ("description", Kind::Text("Forecasts for a place")),
            ("dependencies", Kind::Texts("httpx>=0.28")),
        ],
    ),
    // What it lists may be tables.
    (&[GROUPS], &[("dev", Kind::List("pytest"))]),
    (
        &["tool", "toolplane"],
        &[
            ("entry-point", Kind::Text("weather:forecast")),
            ("env", Kind::Texts("WEATHER_UNITS")),
            ("secrets", Kind::Texts("WEATHER_API_KEY")),
            ("timeout", Kind::Text("30s")),
            ("memory", Kind::Text("256MiB")),
            ("preload", Kind::Texts("langchain_core.messages")),
            ("egress", Kind::Table),
            ("bound-secrets", Kind::Table),
        ],
    ),
    (
        &["tool", "toolplane", "egress"],
        &[("allow", Kind::Texts("api.example.com")), ("tcp", Kind::Texts("smtp.example.com:587"))],
    ),
];

/// Takes out of the manifest what hinders reading the rest. Each is told with where it stands.
pub(crate) fn take_wrong(manifest: &mut DeTable<'_>) -> Vec<(Problem, usize)> {
    let mut wrong = take_unknown(manifest);
    for (path, keys) in TABLES {
        let found = path.iter().try_fold(&mut *manifest, |parent, name| table(parent, name));
        let Some(found) = found else { continue };
        for (key, kind) in keys {
            let Some((_, value)) = found.iter_mut().find(|(name, _)| name.get_ref() == key) else { continue };
            let place = value.span().start;
            if let Some(problem) = misfit(path, key, *kind, value.get_ref()) {
                wrong.push((problem, place));
                found.remove(*key);
            } else if let (Kind::Texts(_), DeValue::Array(items)) = (kind, value.get_mut()) {
                wrong.extend(take_others(key, *kind, items));
            }
        }
    }
    wrong
}

fn misfit(path: &[&str], key: &str, kind: Kind, value: &DeValue<'_>) -> Option<Problem> {
    let wanted = match (kind, value) {
        (Kind::Text(_), DeValue::String(_))
        | (Kind::Texts(_) | Kind::List(_), DeValue::Array(_))
        | (Kind::Table, DeValue::Table(_)) => {
            return None;
        }
        (Kind::Text(_), _) => "a text in quotes",
        (Kind::Texts(_) | Kind::List(_), _) => "a list of texts",
        (Kind::Table, _) => "a table",
    };
    Some(Problem::new(format!("`{key}` is {}, and takes {wanted}", named(value)), written(path, key, kind)))
}

/// Leaves only texts in a list.
fn take_others(key: &str, kind: Kind, items: &mut DeArray<'_>) -> Vec<(Problem, usize)> {
    let (mut texts, mut wrong) = (DeArray::new(), Vec::new());
    for item in items.iter().cloned() {
        if item.get_ref().is_str() {
            texts.push(item);
            continue;
        }
        let message = format!("`{key}` lists {}, and takes texts in quotes", named(item.get_ref()));
        wrong.push((Problem::new(message, written(&[], key, kind)), Spanned::span(&item).start));
    }
    *items = texts;
    wrong
}

fn written(path: &[&str], key: &str, kind: Kind) -> String {
    match kind {
        Kind::Text(example) => format!("write it like `{key} = \"{example}\"`"),
        Kind::Texts(example) | Kind::List(example) => format!("write it like `{key} = [\"{example}\"]`"),
        Kind::Table => format!("write it as a table, `[{}]`", [path, &[key]].concat().join(".")),
    }
}

fn named(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "one text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a truth value",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Takes unknown keys out of our table.
fn take_unknown(manifest: &mut DeTable<'_>) -> Vec<(Problem, usize)> {
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
    let keys = tool.keys().filter(|key| key.get_ref() != "toolplane" && is_near(key.get_ref(), "toolplane"));
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
