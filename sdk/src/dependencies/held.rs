//! Resolving where packages are pinned to indexes.
//!
//! `uv` takes a package from one index alone where a manifest's own requirement names it. Those that others require are
//! known once they were found, so it runs more than once: first with all indexes, to learn what there is, then with all
//! that was found required by the manifest, each from its index, until nothing new comes. What nobody else turns out to
//! require is left out again. What is taken in the end is judged by `vouching` alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use pep508_rs::VersionOrUrl;
use toml::Value;

use super::lock::{Lock, Origin, normalized};
use super::resolve::{Format, out_of_time, parse_annotations};
use super::settings::{IndexUrl, Settings};
use super::vouching::Vouching;
use super::{markers, pins};
use crate::error::Error;
use crate::project::Project;

/// The most runs. The first finds nearly all; each further one is for what only a held version requires.
const RUNS: usize = 20;

/// The names that are held, each to its index.
pub type Held = BTreeMap<String, IndexUrl>;

/// Resolves with `run`, which gives a lock's text. Without anything held it is to ask the indexes of all pins, too.
pub fn resolve(
    project: &Project,
    settings: &Settings,
    cache: &Path,
    run: impl Fn(Format, Option<&Held>) -> Result<String, Error>,
) -> Result<String, Error> {
    let (vouching, direct) = (Vouching::new(settings, cache), direct(project));
    let (mut held, mut unneeded) = (Held::new(), BTreeSet::new());
    hold(direct.clone(), project, &vouching, settings, &mut held)?;
    let begun = Instant::now();
    let mut found = run(Format::Lock, None);
    for number in 1..RUNS {
        if begun.elapsed() > settings.limits.resolve_time {
            return Err(out_of_time(project, settings));
        }
        let before = held.len();
        let new = names(&found).into_iter().filter(|name| !unneeded.contains(name));
        hold(new, project, &vouching, settings, &mut held)?;
        if number > 1 && held.len() == before {
            if found.is_err() {
                break;
            }
            let requirers = parse_annotations(&run(Format::Annotated, Some(&held))?);
            let is_needed = |name: &String| direct.contains(name) || requirers.contains_key(name);
            let (needed, rest): (Held, Held) = held.into_iter().partition(|(name, _)| is_needed(name));
            held = needed;
            if rest.is_empty() {
                break;
            }
            unneeded.extend(rest.into_keys());
        }
        found = run(Format::Lock, Some(&held));
    }
    found
}

/// What the manifest itself has installed in the sandbox.
fn direct(project: &Project) -> BTreeSet<String> {
    let environment = markers::environment();
    let applying = project.manifest.dependencies.iter().filter(|dependency| {
        let applies = |environment| dependency.requirement.evaluate_markers(environment, &[]);
        environment.as_ref().is_none_or(applies)
    });
    applying.map(|dependency| dependency.name().to_owned()).collect()
}

/// Holds those of the names that are pinned, and that their index has.
fn hold(
    names: impl IntoIterator<Item = String>,
    project: &Project,
    vouching: &Vouching<'_>,
    settings: &Settings,
    held: &mut Held,
) -> Result<(), Error> {
    let dependencies = &project.manifest.dependencies;
    for name in names {
        let Some(index) = pins::index_of(&settings.pins, &name) else { continue };
        let has_url = dependencies.iter().any(|dependency| {
            dependency.name() == name && matches!(dependency.requirement.version_or_url, Some(VersionOrUrl::Url(_)))
        });
        // The operator's own wheels for the sandbox are in no index.
        let is_ours = settings.wheel_indexes.iter().any(|wheels| wheels.packages().contains(&name));
        if !has_url && !is_ours && !held.contains_key(&name) && vouching.knows(index, &name)? {
            held.insert(name, index.clone());
        }
    }
    Ok(())
}

/// The names of a lock, or those that a refusal may be about.
fn names(found: &Result<String, Error>) -> Vec<String> {
    match found {
        Ok(text) => {
            let locked = Lock { text: text.clone(), origin: Origin::Resolved }.packages();
            // A lock that cannot be read is refused where it is read next.
            locked.unwrap_or_default().into_iter().map(|locked| locked.name).collect()
        }
        Err(Error::Refused(problems)) => {
            let is_no_part = |c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c);
            let words = problems.iter().flat_map(|problem| problem.message.split(is_no_part));
            words.filter_map(|word| normalized(word.trim_end_matches('.')).ok()).collect()
        }
        Err(_) => Vec::new(),
    }
}

/// The manifest that `uv` reads in the place of requirements. Its indexes have no credentials: see [`authorize`].
pub fn manifest(requirements: &str, held: &Held) -> String {
    // Without a condition: what is held under one would be free in the cases that are left.
    let all = requirements.lines().map(str::to_owned).chain(held.keys().cloned());
    let dependencies: Vec<_> = all.map(Value::String).collect();
    let mut text =
        format!("[project]\nname = \"this-project\"\nversion = \"0\"\ndependencies = {}\n", Value::Array(dependencies));
    let indexes = indexes(held);
    if !held.is_empty() {
        text.push_str("[tool.uv.sources]\n");
    }
    for (name, index) in held {
        let number = indexes.iter().position(|other| *other == index).unwrap_or_default();
        text.push_str(&format!("{name} = {{ index = \"pin{number}\" }}\n"));
    }
    for (number, index) in indexes.iter().enumerate() {
        let url = Value::String(index.shown());
        text.push_str(&format!("[[tool.uv.index]]\nname = \"pin{number}\"\nurl = {url}\nexplicit = true\n"));
    }
    text
}

/// Gives `uv` the credentials of the manifest's indexes.
pub fn authorize(command: &mut Command, held: &Held) {
    for (number, index) in indexes(held).into_iter().enumerate() {
        if let Some((user, password)) = index.credentials() {
            command.env(format!("UV_INDEX_PIN{number}_USERNAME"), user);
            command.env(format!("UV_INDEX_PIN{number}_PASSWORD"), password);
        }
    }
}

fn indexes(held: &Held) -> Vec<&IndexUrl> {
    let mut indexes: Vec<&IndexUrl> = Vec::new();
    for index in held.values() {
        if !indexes.contains(&index) {
            indexes.push(index);
        }
    }
    indexes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Problem;

    #[test]
    fn the_manifest_holds_names_to_indexes_without_credentials() {
        let index = |text: &str| IndexUrl::parse(text).unwrap();
        let one = index("https://ada:secret@one.example/simple");
        let held = Held::from([
            ("a".to_owned(), one.clone()),
            ("b".to_owned(), index("https://two.example/simple")),
            ("c".to_owned(), one),
        ]);
        let text = manifest("a[x]>=1 ; python_version > \"3\"\n", &held);
        assert!(!text.contains("secret"), "{text}");
        let read: toml::Table = toml::from_str(&text).unwrap();
        let dependencies = read["project"]["dependencies"].as_array().unwrap();
        assert_eq!(dependencies.len(), 4);
        assert_eq!(dependencies[0].as_str(), Some("a[x]>=1 ; python_version > \"3\""));
        let uv = &read["tool"]["uv"];
        assert_eq!(uv["sources"]["c"]["index"].as_str(), Some("pin0"));
        assert_eq!(uv["sources"]["b"]["index"].as_str(), Some("pin1"));
        assert_eq!(uv["index"].as_array().unwrap().len(), 2);

        let mut command = Command::new("uv");
        authorize(&mut command, &held);
        assert_eq!(command.get_envs().count(), 2);
    }

    #[test]
    fn a_refusal_names_what_it_is_about() {
        let told = "Because acme-util was not found in the registry and Acme_Core==1.0 depends on acme-util<2, no.";
        let names = names(&Err(Problem::new(told, "").into()));
        assert!(["acme-util", "acme-core"].iter().all(|name| names.contains(&(*name).to_owned())), "{names:?}");
    }
}
