//! A wheel for each package of a lock, or everything that stands in the way, at once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use pep440_rs::Version;
use pep508_rs::VersionOrUrl;

use super::lock::{Lock, Locked, LockedWheel, Origin};
use super::requirement::Dependency;
use super::settings::Settings;
use super::site::Package;
use super::wheel::{Fit, WheelName};
use super::wheel_index::WheelIndex;
use super::{markers, natives, resolve};
use crate::base::COMPONENTIZE_PY;
use crate::error::{Error, Problem};
use crate::project::{MANIFEST, Project};

/// A wheel that is to be installed.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// What the label of the built tool says of it.
    pub package: Package,
    /// Where it is.
    pub wheel: LockedWheel,
    /// The file and line that a problem with it is told at.
    pub told_at: (&'static str, Option<u32>),
}

/// What came of choosing.
pub enum Choices {
    /// A wheel for every package.
    Usable(Vec<Chosen>),
    /// Packages that cannot be installed.
    Refused(Vec<Refused>),
}

/// A package that cannot be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    name: String,
    version: Option<String>,
    why: String,
    remedy: String,
    /// The place in the lock.
    place: (&'static str, Option<u32>),
}

impl Refused {
    /// Refuses a package that a wheel was chosen for.
    pub(super) fn of(chosen: &Chosen, why: String, remedy: String) -> Self {
        let Package { name, version, .. } = chosen.package.clone();
        Self { name, version: Some(version), why, remedy, place: chosen.told_at }
    }
}

/// Chooses a wheel for each package that the lock has for the sandbox.
pub fn choose(project: &Project, lock: &Lock, settings: &Settings) -> Result<Choices, Error> {
    let locked = lock.packages()?;
    check_fit(project, lock, &locked)?;
    let limit = settings.limits.packages;
    if locked.len() > limit {
        let message = format!("{} packages are needed, and at most {limit} are allowed", locked.len());
        return Err(Problem::new(message, "depend on less").at(MANIFEST, None).into());
    }
    let (mut chosen, mut refused) = (Vec::new(), Vec::new());
    for entry in &locked {
        match choose_wheel(entry, settings) {
            Ok((package, wheel)) => {
                chosen.push(Chosen { package, wheel, told_at: lock.place(entry, &project.manifest) })
            }
            Err((why, remedy)) => refused.push(Refused {
                name: entry.name.clone(),
                version: entry.version.clone(),
                why,
                remedy,
                place: lock.place(entry, &project.manifest),
            }),
        }
    }
    Ok(if refused.is_empty() { Choices::Usable(chosen) } else { Choices::Refused(refused) })
}

/// The error that says of every refused package what to do, and which line of the manifest asks for it.
pub fn tell(refused: Vec<Refused>, project: &Project, lock: &Lock, settings: &Settings, cache: &Path) -> Error {
    let requirers = requirers(project, lock, settings, cache);
    let mut problems: Vec<_> = refused
        .into_iter()
        .map(|refused| {
            let chain = chain(&refused.name, &requirers, &project.manifest.dependencies);
            let version = refused.version.map(|version| format!(" {version}")).unwrap_or_default();
            let (file, line) = match &chain {
                Some((dependency, _)) => (MANIFEST, Some(dependency.line)),
                None => refused.place,
            };
            let by = match chain {
                Some((dependency, path)) if !path.is_empty() => {
                    format!(" (required by {}, for `{}`)", path.join(", by "), dependency.text)
                }
                _ => String::new(),
            };
            let message = format!("package `{}`{version}{by} {}", refused.name, refused.why);
            Problem::new(message, refused.remedy).at(file, line)
        })
        .collect();
    problems.sort_by_key(|problem| problem.line);
    Error::Refused(problems)
}

/// A lock of the project's own has to have what the manifest asks for.
fn check_fit(project: &Project, lock: &Lock, locked: &[Locked]) -> Result<(), Error> {
    if lock.origin == Origin::Resolved {
        return Ok(());
    }
    let environment = markers::environment();
    let mut problems = Vec::new();
    for dependency in &project.manifest.dependencies {
        let applies = |environment| dependency.requirement.evaluate_markers(environment, &[]);
        if !environment.as_ref().is_none_or(applies) {
            continue;
        }
        let found = locked.iter().find(|entry| entry.name == dependency.name());
        let told = match (found, &dependency.requirement.version_or_url) {
            (None, _) => "pylock.toml does not have it".to_owned(),
            (Some(entry), Some(VersionOrUrl::VersionSpecifier(wanted))) => {
                let version = entry.version.as_deref().unwrap_or_default();
                match version.parse::<Version>() {
                    Ok(version) if wanted.contains(&version) => continue,
                    _ => format!("pylock.toml has version `{}`", version.escape_debug()),
                }
            }
            (Some(entry), Some(VersionOrUrl::Url(wanted))) => {
                let is_wanted = |wheel: &LockedWheel| wheel.place.is(wanted);
                match entry.wheels.iter().any(is_wanted) {
                    true => continue,
                    false => "pylock.toml has it from elsewhere".to_owned(),
                }
            }
            (Some(_), None) => continue,
        };
        let message = format!("dependency `{}`: {told}", dependency.text);
        problems
            .push(Problem::new(message, "write the lock anew with `runtime lock`").at(MANIFEST, Some(dependency.line)));
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::Refused(problems)) }
}

/// The best wheel of an entry, or why there is none and what to do.
fn choose_wheel(entry: &Locked, settings: &Settings) -> Result<(Package, LockedWheel), (String, String)> {
    let is_ours = |wheel: &LockedWheel| settings.wheel_indexes.iter().any(|index| index.has(wheel));
    let parsed = |wheel: &LockedWheel| {
        let name = WheelName::parse(&wheel.file)?;
        let fit = name.fit().filter(|fit| *fit != Fit::Sandbox || is_ours(wheel))?;
        // Among wheels for other machines those for Linux, then the smallest, then by name, so that it is always the same.
        let rank = (fit, !name.is_linux(), wheel.size_bytes.unwrap_or_default(), wheel.file.clone());
        Some((rank, name))
    };
    let usable = entry.wheels.iter().filter_map(|wheel| Some((parsed(wheel)?, wheel)));
    let Some(((rank, name), wheel)) = usable.min_by(|one, other| one.0.0.cmp(&other.0.0)) else {
        let is_compiled = |wheel: &LockedWheel| WheelName::parse(&wheel.file)?.fit().filter(|fit| *fit == Fit::Sandbox);
        return Err(match entry.wheels.iter().find_map(is_compiled) {
            Some(_) => not_built(entry, settings),
            None => no_wheel(entry),
        });
    };
    if matches!(rank.0, Fit::Foreign(_)) && natives::optional(&entry.name).is_none() {
        return Err(not_built(entry, settings));
    }
    let Some(sha256) = wheel.sha256.clone() else {
        let why = format!("has no SHA-256 for `{}` in the lock", wheel.file.escape_debug());
        return Err((why, "write the lock anew with `runtime lock`; without a hash nothing is installed".to_owned()));
    };
    let same_name = super::lock::normalized(&name.distribution).is_ok_and(|name| name == entry.name);
    let same_version = entry.version.as_deref().is_none_or(|version| same_version(version, &name.version));
    if !same_name || !same_version {
        let why =
            format!("is named by the lock together with the wheel of another one, `{}`", wheel.file.escape_debug());
        return Err((why, "write the lock anew with `runtime lock`".to_owned()));
    }
    let package = Package { name: entry.name.clone(), version: name.version, file: wheel.file.clone(), sha256 };
    Ok((package, wheel.clone()))
}

/// A package whose compiled code is in no index of wheels.
fn not_built(entry: &Locked, settings: &Settings) -> (String, String) {
    let version = entry.version.as_deref().unwrap_or_default();
    let instead = natives::instead(&entry.name);
    let build = format!("`runtime wheels build {}=={version}`", entry.name);
    let made_for = |index: &WheelIndex| index.made_for(&entry.name, version).into_iter().next_back();
    if let Some(other) = settings.wheel_indexes.iter().find_map(made_for) {
        let why = format!(
            "has compiled code, and its wheel is for componentize-py {other}, where this Toolplane links {COMPONENTIZE_PY}"
        );
        return (why, format!("build it anew with {build}, or {instead}"));
    }
    let is_locked = entry.wheels.iter().any(|wheel| wheel.file.contains("-wasi_"));
    let why = match is_locked {
        true => "has compiled code, and the wheel that the lock has for this sandbox is in no index of wheels here",
        false => "has compiled code, and none of its wheels is for this sandbox",
    };
    let remedy = match natives::is_buildable(&entry.name) {
        true => format!("build one with {build}, and lock anew; or {instead}"),
        false => instead.to_owned(),
    };
    (why.to_owned(), remedy)
}

fn no_wheel(entry: &Locked) -> (String, String) {
    match (entry.other, entry.wheels.is_empty()) {
        (Some(what), true) => (
            format!("is there only as {what}; nothing of a package is executed on the host, so it cannot be built"),
            "use a version that has a wheel, copy the package's Python files into the project, or use another package"
                .to_owned(),
        ),
        _ => (
            format!("has no wheel for Python {}", markers::PYTHON),
            "use another version of it, or another package".to_owned(),
        ),
    }
}

fn same_version(one: &str, other: &str) -> bool {
    match (one.parse::<Version>(), other.replace('_', "-").parse::<Version>()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

/// Who requires a package, by its name.
pub(super) type Requirers = BTreeMap<String, BTreeSet<String>>;

fn requirers(project: &Project, lock: &Lock, settings: &Settings, cache: &Path) -> Requirers {
    let mut requirers = Requirers::new();
    for entry in lock.packages().unwrap_or_default() {
        for required in entry.requires {
            requirers.entry(required).or_default().insert(entry.name.clone());
        }
    }
    if requirers.is_empty() {
        // A lock that uv wrote does not have them, and its list of requirements does.
        requirers = resolve::requirers(project, settings, cache);
    }
    requirers
}

/// The dependency of the project that a package is there for, and what lies between, nearest first.
fn chain<'a>(name: &str, requirers: &Requirers, direct: &'a [Dependency]) -> Option<(&'a Dependency, Vec<String>)> {
    let mut seen = BTreeSet::from([name.to_owned()]);
    let mut waiting = VecDeque::from([(name.to_owned(), Vec::new())]);
    while let Some((name, path)) = waiting.pop_front() {
        if let Some(dependency) = direct.iter().find(|dependency| dependency.name() == name) {
            return Some((dependency, path));
        }
        for requirer in requirers.get(&name).into_iter().flatten() {
            if seen.insert(requirer.clone()) {
                let path = path.iter().cloned().chain([format!("`{requirer}`")]).collect();
                waiting.push_back((requirer.clone(), path));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dependencies::lock::Place;

    fn entry(name: &str, files: &[&str]) -> Locked {
        let wheel = |file: &&str| LockedWheel {
            file: (*file).to_owned(),
            place: Place::Path((*file).to_owned()),
            size_bytes: Some(file.len() as u64),
            sha256: Some("ab".repeat(32)),
        };
        let wheels = files.iter().map(wheel).collect();
        Locked {
            name: name.to_owned(),
            version: Some("1".to_owned()),
            line: 3,
            wheels,
            requires: vec![],
            other: None,
            source: None,
        }
    }

    fn chosen(name: &str, files: &[&str]) -> Result<String, String> {
        choose_wheel(&entry(name, files), &Settings::default()).map(|(package, _)| package.file).map_err(|(why, _)| why)
    }

    #[test]
    fn a_pure_wheel_is_taken_before_all_others() {
        let files = ["a-1-cp314-cp314-manylinux_2_17_x86_64.whl", "a-1-py3-none-any.whl"];
        assert_eq!(chosen("a", &files).unwrap(), "a-1-py3-none-any.whl");
    }

    #[test]
    fn a_package_with_compiled_code_is_refused_unless_it_works_without() {
        let files = |name: &str| {
            ["cp314-cp314-win_amd64", "cp314-cp314-manylinux_2_17_x86_64", "cp313-cp313-manylinux_2_17_x86_64"]
                .map(|tags| format!("{name}-1-{tags}.whl"))
        };
        let (yaml, numpy) = (files("pyyaml"), files("numpy"));
        let taken = chosen("pyyaml", &yaml.each_ref().map(String::as_str)).unwrap();
        assert_eq!(taken, "pyyaml-1-cp314-cp314-manylinux_2_17_x86_64.whl");
        assert!(chosen("numpy", &numpy.each_ref().map(String::as_str)).unwrap_err().contains("compiled code"));
    }

    #[test]
    fn a_wheel_of_another_package_and_one_without_a_hash_are_refused() {
        assert!(chosen("a", &["b-1-py3-none-any.whl"]).unwrap_err().contains("another one"));
        assert!(chosen("a", &["a-2-py3-none-any.whl"]).unwrap_err().contains("another one"));
        let mut unhashed = entry("a", &["a-1-py3-none-any.whl"]);
        unhashed.wheels[0].sha256 = None;
        assert!(choose_wheel(&unhashed, &Settings::default()).unwrap_err().0.contains("no SHA-256"));
        let source = Locked { other: Some("a source archive"), ..entry("a", &[]) };
        assert!(choose_wheel(&source, &Settings::default()).unwrap_err().0.contains("only as a source archive"));
    }

    #[test]
    fn the_chain_leads_to_the_manifest_even_where_packages_require_each_other() {
        let direct = [Dependency::parse("frames>=2", 6).unwrap()];
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let requirers = Requirers::from([
            ("numbers".to_owned(), set(&["arrays"])),
            ("arrays".to_owned(), set(&["frames", "numbers"])),
        ]);
        let (dependency, path) = chain("numbers", &requirers, &direct).unwrap();
        assert_eq!((dependency.line, path), (6, vec!["`arrays`".to_owned(), "`frames`".to_owned()]));
        assert_eq!(chain("other", &requirers, &direct), None);
    }
}
