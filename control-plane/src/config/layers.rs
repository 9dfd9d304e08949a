//! Where settings come from: the defaults, a file over them, the environment over that. Every value that is wrong is named
//! with its place, all of them at once.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result, bail};
use toml::{Table, Value};

use super::Config;

/// What the names of our environment variables begin with.
const PREFIX: &str = "TOOLPLANE_";

/// Variables that the other program reads, too, or alone.
const OTHERS: [&str; 5] = [
    "TOOLPLANE_INDEX_URL",
    "TOOLPLANE_EXTRA_INDEX_URL",
    "TOOLPLANE_PIN_INDEX",
    "TOOLPLANE_FIND_LINKS",
    "TOOLPLANE_WHEEL_INDEX",
];

/// The variable that has a name of its own.
const ALLOW_SWAP: &str = "TOOLPLANE_ALLOW_SWAP";

/// The most that are named at once.
const MOST_WRONG: usize = 50;

/// Stands for what is not shown.
const HIDDEN: &str = "…";

/// Settings before they are judged.
pub(super) struct Layers {
    settings: Table,
    /// Where values stand that are not the defaults, by the way to them.
    places: BTreeMap<String, String>,
    wrong: Vec<String>,
}

impl Layers {
    /// The defaults alone.
    pub(super) fn defaults() -> Self {
        Self { settings: super::defaults(), places: BTreeMap::new(), wrong: Vec::new() }
    }

    /// Lays a file over what there is.
    pub(super) fn file(mut self, path: &Path) -> Result<Self> {
        let text = fs_err::read_to_string(path)?;
        let own: Table = toml::from_str(&text).with_context(|| format!("{} is not valid", path.display()))?;
        for (way, line) in lines(&text) {
            self.places.insert(way, format!("{}:{line}", path.display()));
        }
        merge(&mut self.settings, own);
        Ok(self)
    }

    /// Lays environment variables over what there is: `TOOLPLANE_INVOKE__WALL_CLOCK_S=5` is `invoke.wall_clock_s`.
    pub(super) fn environment(mut self, variables: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let defaults = super::defaults();
        for (name, value) in variables {
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX) && !OTHERS.contains(name)) else {
                continue;
            };
            let place = format!("the environment variable {name}");
            let Ok(value) = value.into_string() else {
                self.wrong.push(format!("{place}: it is not UTF-8"));
                continue;
            };
            if name == ALLOW_SWAP {
                if value == "1" {
                    self.put("sandbox.allow_swap", Value::Boolean(true), place);
                }
                continue;
            }
            // As a shell does: what is empty is as good as not there.
            if value.is_empty() {
                continue;
            }
            let way = name[PREFIX.len()..].to_lowercase().replace("__", ".");
            let value = read_value(value, look_up(&defaults, &way));
            self.put(&way, value, place);
        }
        self
    }

    /// Lays one value over what there is.
    pub(super) fn put(&mut self, way: &str, value: Value, place: String) {
        let mut table = &mut self.settings;
        let mut steps: Vec<_> = way.split('.').collect();
        let Some(last) = steps.pop() else { return };
        for step in steps {
            let entry = table.entry(step).or_insert_with(|| Value::Table(Table::new()));
            let Value::Table(below) = entry else {
                self.wrong.push(format!("{place}: there is no setting `{way}`"));
                return;
            };
            table = below;
        }
        table.insert(last.to_owned(), value);
        self.places.insert(way.to_owned(), place);
    }

    /// The settings, if all of them are right.
    pub(super) fn settle(mut self) -> Result<Config> {
        let defaults = super::defaults();
        loop {
            let settings = Value::Table(self.settings.clone());
            let error = match serde_path_to_error::deserialize::<_, Config>(settings) {
                Ok(config) if self.wrong.is_empty() => return Ok(config),
                Ok(_) => break,
                Err(error) => error,
            };
            let way = error.path().to_string();
            let message = error.into_inner().to_string();
            // Further lines say the way once more.
            let message = message.trim().lines().next().unwrap_or_default();
            let unknown = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
            // The way may lead to the table or to the field.
            let way = match unknown {
                Some(field) if way.rsplit('.').next() != Some(field) => {
                    if way == "." {
                        field.to_owned()
                    } else {
                        format!("{way}.{field}")
                    }
                }
                _ => way,
            };
            let place = self.place(&way).map_or_else(String::new, |place| format!("{place}: "));
            self.wrong.push(format!("{place}{way}: {message}"));
            // What is wrong is taken out, so that what else is shows.
            let is_out = self.take_out(&way, &defaults);
            if !is_out || self.wrong.len() >= MOST_WRONG {
                break;
            }
        }
        bail!("the configuration is not valid:\n  {}", self.wrong.join("\n  "))
    }

    /// The settings as they are in force, without secrets.
    pub(super) fn shown(&self) -> Result<String> {
        let mut settings = self.settings.clone();
        hide(&mut settings);
        toml::to_string_pretty(&settings).context("failed to write the settings down")
    }

    fn place(&self, way: &str) -> Option<&String> {
        let mut way = way;
        loop {
            let below = format!("{way}.");
            let within = self.places.iter().find(|(place, _)| place.starts_with(&below));
            if let Some(place) = self.places.get(way).or(within.map(|(_, place)| place)) {
                return Some(place);
            }
            way = &way[..way.rfind(['.', '['])?];
        }
    }

    /// Puts the default in the place of a value, or of the list that it is in; without a default there is none.
    fn take_out(&mut self, way: &str, defaults: &Table) -> bool {
        let way = way.split('[').next().unwrap_or(way);
        let steps: Vec<_> = way.split('.').collect();
        let Some((last, before)) = steps.split_last() else { return false };
        let mut table = &mut self.settings;
        for step in before {
            let Some(Value::Table(below)) = table.get_mut(*step) else { return false };
            table = below;
        }
        match look_up(defaults, way) {
            Some(default) if table.get(*last) != Some(default) => table.insert((*last).to_owned(), default.clone()),
            Some(_) => return false,
            None => table.remove(*last),
        };
        true
    }
}

fn look_up<'a>(table: &'a Table, way: &str) -> Option<&'a Value> {
    let mut steps = way.split('.');
    let first = table.get(steps.next()?)?;
    steps.try_fold(first, |value, step| value.as_table()?.get(step))
}

/// A variable's text as what the setting is: a text where the default is one, or where there is none and it is no list.
fn read_value(text: String, default: Option<&Value>) -> Value {
    let parsed = || toml::from_str::<Table>(&format!("value = {text}")).ok()?.remove("value");
    match (default, parsed()) {
        (Some(Value::String(_)), _) | (_, None) => Value::String(text),
        (None, Some(value)) if !value.is_array() && !value.is_table() && !value.is_bool() => Value::String(text),
        (_, Some(value)) => value,
    }
}

/// Lays one table over another, table by table.
fn merge(below: &mut Table, above: Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => merge(below, above),
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}

/// The line of each key, by the way to it. The text is valid; what is written in an unusual way gets the line of its table.
fn lines(text: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut table = String::new();
    for (line, text) in (1..).zip(text.lines()) {
        let text = text.trim();
        let name = |open: &str, close: &str| Some(text.strip_prefix(open)?.split(close).next()?.trim().to_owned());
        if let Some(list) = name("[[", "]]") {
            let count = counts.entry(list.clone()).or_default();
            table = format!("{list}[{count}]");
            *count += 1;
        } else if let Some(name) = name("[", "]") {
            table = name;
        } else if let Some((key, _)) = text.split_once('=')
            && !text.starts_with('#')
        {
            let key = key.trim().trim_matches('"');
            let way = if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") };
            found.entry(way).or_insert(line);
            continue;
        } else {
            continue;
        }
        found.entry(table.clone()).or_insert(line);
    }
    found
}

/// Takes out the values of keys, and what stands before the host of a URL.
fn hide(table: &mut Table) {
    for (key, value) in table {
        match value {
            Value::Table(below) => hide(below),
            Value::Array(list) => list.iter_mut().for_each(|entry| hide_value(key, entry)),
            value => hide_value(key, value),
        }
    }
}

fn hide_value(key: &str, value: &mut Value) {
    match value {
        Value::Table(below) => {
            if key == "keys" && below.contains_key("value") {
                below.insert("value".to_owned(), Value::String(HIDDEN.to_owned()));
            }
            hide(below);
        }
        Value::String(text) => {
            let credentials =
                text.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?.1)));
            if let Some((scheme, host)) = credentials {
                *text = format!("{scheme}://{HIDDEN}@{host}");
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(file: &str, variables: &[(&str, &str)]) -> Layers {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("toolplane.toml");
        fs_err::write(&path, file).unwrap();
        let variables: Vec<_> = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Layers::defaults().file(&path).unwrap().environment(variables.into_iter())
    }

    #[test]
    fn the_environment_goes_before_the_file_and_that_before_the_defaults() {
        let file = "listen = \"127.0.0.1:1\"\n[invoke]\nwall_clock_s = 5\nmemory_mib = 64\n";
        let variables = [
            ("TOOLPLANE_INVOKE__MEMORY_MIB", "32"),
            ("TOOLPLANE_CACHE", "12"),
            ("TOOLPLANE_ALLOW_SWAP", "1"),
            ("TOOLPLANE_NETWORK__ALLOW_NETWORKS", "[\"10.0.0.0/8\"]"),
            ("TOOLPLANE_VAULT__KEY_FILE", "/run/key"),
            ("TOOLPLANE_DATA", ""),
            ("TOOLPLANE_INDEX_URL", "https://elsewhere.example"),
            ("TOOLPLANE_PIN_INDEX", "a=https://elsewhere.example"),
            ("TOOLPLANE_WHEEL_INDEX", "/srv/wheels"),
            ("HOME", "/root"),
        ];
        let config = layers(file, &variables).settle().unwrap();
        assert_eq!((config.listen.port(), config.invoke.wall_clock_s, config.invoke.memory_mib), (1, 5, 32));
        assert_eq!(config.cache, Path::new("12"));
        assert_eq!(config.data, Path::new("data"));
        assert_eq!(config.network.allow_networks, ["10.0.0.0/8"]);
        assert_eq!(config.vault.key_file.as_deref(), Some(Path::new("/run/key")));
        assert!(config.sandbox.allow_swap);
    }

    #[test]
    fn everything_that_is_wrong_is_named_with_its_place() {
        let file = "lisen = \"x\"\n\n[invoke]\nwall_clock_s = \"long\"\nwall_clock = 5\n\n[http]\nmaintenance = 1\n\n\
                    [[auth.keys]]\nid = \"a\"\nalgorithm = \"HS256\"\n[[auth.keys]]\nid = \"b\"\nalgorithm = \"none\"\n";
        let variables =
            [("TOOLPLANE_LISTEN", "here"), ("TOOLPLANE_SERCH__INDEXED_KIB", "1"), ("TOOLPLANE_DATA__X", "1")];
        let error = layers(file, &variables).settle().unwrap_err().to_string();
        for expected in [
            "toolplane.toml:1: lisen: unknown field",
            "toolplane.toml:4: invoke.wall_clock_s: ",
            "toolplane.toml:5: invoke.wall_clock: unknown field",
            "toolplane.toml:8: http.maintenance: ",
            "toolplane.toml:15: auth.keys[1].algorithm: ",
            "the environment variable TOOLPLANE_LISTEN: listen: ",
            "the environment variable TOOLPLANE_SERCH__INDEXED_KIB: serch: unknown field",
            "the environment variable TOOLPLANE_DATA__X: there is no setting `data.x`",
        ] {
            assert!(error.contains(expected), "{expected}\nis not in\n{error}");
        }
        assert_eq!(error.lines().count(), 1 + 8, "{error}");
    }

    #[test]
    fn what_is_shown_holds_no_secret() {
        let file = "[[auth.keys]]\nid = \"a\"\nalgorithm = \"HS256\"\nvalue = \"hunter2\"\n\
                    [packages]\nindex_url = \"https://ada:hunter2@index.example/simple\"\n\
                    [[packages.pins]]\npackages = [\"acme-*\"]\nindex_url = \"https://ada:hunter2@pinned.example/\"\n";
        let shown = layers(file, &[("TOOLPLANE_PACKAGES__EXTRA_INDEX_URLS", "[\"https://hunter2@other.example/\"]")]);
        let shown = shown.shown().unwrap();
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(
            shown.contains("https://…@index.example/simple") && shown.contains("https://…@other.example/"),
            "{shown}"
        );
        let again: Table = toml::from_str(&shown).unwrap();
        assert_eq!(look_up(&again, "invoke.wall_clock_s"), look_up(&super::super::defaults(), "invoke.wall_clock_s"));
    }
}
