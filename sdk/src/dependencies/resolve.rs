//! From `[project] dependencies` to a lock, by `uv`.
//!
//! The resolution is universal: it does not ask whether a wheel is for this machine or that, so a package with foreign
//! wheels keeps its newest version and is refused by name later. A resolver that is told of the sandbox's platform
//! walks back to ancient versions that happen to be pure Python.

use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use super::choice::{Choices, Requirers};
use super::held::Held;
use super::lock::{LOCK, LOCK_BYTES, Lock, Origin, normalized};
use super::settings::{Network, Settings};
use super::{choice, direct, held, markers, natives, uv, vouching};
use crate::error::{Error, Problem};
use crate::progress::Progress;
use crate::project::{MANIFEST, Project};
use crate::work::Work;

/// The file that uv reads. Its name shows in what uv says.
const REQUIREMENTS: &str = "requirements.in";
/// The file of constraints beside it.
const CONSTRAINTS: &str = "constraints.txt";

/// Resolves to the newest versions that the index has.
pub fn resolve(project: &Project, settings: &Settings, cache: &Path) -> Result<Lock, Error> {
    if project.manifest.dependencies.is_empty() {
        return Ok(Lock::empty());
    }
    let progress = Progress::start("Packages", 2);
    progress.step("looking for uv");
    let program = uv::find_or_install(cache).map_err(|error| error.located(MANIFEST, first_line(project)))?;
    progress.step("resolving");
    let run = |format, held: Option<&Held>| compile(project, settings, cache, &program, format, held);
    let mut text = match settings.pins.is_empty() {
        true => run(Format::Lock, None)?,
        false => held::resolve(project, settings, cache, run)?,
    };
    // The folders are this machine's own; the lock names the files alone.
    for folder in folders(settings)?.into_iter().filter_map(|folder| url::Url::from_directory_path(folder).ok()) {
        text = text.replace(&format!("url = \"{folder}"), "path = \"");
    }
    let lock = Lock { text: settings.scrubbed(&text), origin: Origin::Resolved };
    // What cannot be installed at all is told when it is to be.
    if !settings.pins.is_empty()
        && let Choices::Usable(chosen) = choice::choose(project, &lock, settings)?
    {
        vouching::check(&chosen, project, &lock, settings, cache)?;
    }
    Ok(lock)
}

/// The lock that was made before of the same requirements and settings, or a new one, which is kept.
pub fn resolve_once(project: &Project, settings: &Settings, cache: &Path) -> Result<Lock, Error> {
    let kept = kept(project, settings, cache);
    if let Ok(text) = fs_err::read_to_string(&kept) {
        return Ok(Lock { text, origin: Origin::Resolved });
    }
    let lock = resolve(project, settings, cache)?;
    keep(project, settings, cache, &lock)?;
    Ok(lock)
}

/// Keeps a lock for [`resolve_once`].
pub fn keep(project: &Project, settings: &Settings, cache: &Path, lock: &Lock) -> Result<(), Error> {
    let fault = |source: std::io::Error| Error::internal("keep a lock", source);
    let kept = kept(project, settings, cache);
    fs_err::create_dir_all(kept.parent().unwrap_or(cache)).map_err(fault)?;
    let all_work = Work::open(cache).map_err(fault)?;
    let work = all_work.folder().map_err(fault)?;
    let whole = work.path().join(LOCK);
    fs_err::write(&whole, &lock.text).map_err(fault)?;
    fs_err::rename(whole, kept).map_err(fault)
}

fn kept(project: &Project, settings: &Settings, cache: &Path) -> PathBuf {
    let mut hash = Sha256::new();
    for dependency in &project.manifest.dependencies {
        hash.update(&dependency.text);
        hash.update([0]);
    }
    hash.update(settings.identity());
    cache.join("locks").join(format!("{}.toml", hex::encode(hash.finalize())))
}

/// Who requires each package, as far as uv can say.
pub(super) fn requirers(project: &Project, settings: &Settings, cache: &Path) -> Requirers {
    let printed = uv::find_or_install(cache)
        .and_then(|program| compile(project, settings, cache, &program, Format::Annotated, None))
        // Without it the refusal is shorter, and no less true.
        .unwrap_or_default();
    parse_annotations(&printed)
}

/// What `uv` is to write.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Format {
    /// `pylock.toml`.
    Lock,
    /// A list of requirements that says who requires each.
    Annotated,
}

/// Packages that need their native code get the versions that there are wheels of, where that is possible: else a new
/// version on the index would be refused until somebody builds it.
fn compile(
    project: &Project,
    settings: &Settings,
    cache: &Path,
    program: &Path,
    format: Format,
    held: Option<&Held>,
) -> Result<String, Error> {
    let constraints = constraints(settings);
    let run = Run { project, settings, cache, program, format, held };
    if !constraints.is_empty()
        && let Ok(text) = run.within(&constraints)
    {
        return Ok(text);
    }
    run.within("")
}

/// The newest version in the indexes of wheels, of each package that works with its native code alone.
fn constraints(settings: &Settings) -> String {
    let mut constraints = String::new();
    for index in &settings.wheel_indexes {
        for name in index.packages().into_iter().filter(|name| natives::optional(name).is_none()) {
            if let Some((version, _)) = index.versions(&name).first() {
                constraints.push_str(&format!("{name}=={version}\n"));
            }
        }
    }
    constraints
}

/// One run of `uv`.
struct Run<'a> {
    project: &'a Project,
    settings: &'a Settings,
    cache: &'a Path,
    program: &'a Path,
    format: Format,
    /// What is held to an index. None: no name is, and the indexes of pins are asked like others.
    held: Option<&'a Held>,
}

impl Run<'_> {
    fn within(&self, constraints: &str) -> Result<String, Error> {
        let Self { project, settings, cache, program, format, held } = *self;
        let fault = |source: std::io::Error| Error::internal("resolve the dependencies", source);
        let all_work = Work::open(cache).map_err(fault)?;
        let work = all_work.folder().map_err(fault)?;
        let folder = fs_err::canonicalize(work.path()).map_err(fault)?;
        let direct = direct::fetch(project, settings, cache, &folder)?;
        let requirements = direct::requirements(project, &direct);
        let (file, text) = match held {
            None => (REQUIREMENTS, requirements),
            Some(held) => (MANIFEST, held::manifest(&requirements, held)),
        };
        fs_err::write(folder.join(file), text).map_err(fault)?;
        let output = folder.join(LOCK);
        let cache = fs_err::canonicalize(cache).map_err(fault)?;

        let mut command = uv::isolated(program, &folder);
        command.args(["--no-config", "--quiet", "--no-progress", "--color", "never", "pip", "compile"]);
        command.args(["--universal", "--python-version", markers::PYTHON, "--no-build"]);
        command.args(["--no-python-downloads", "--no-header", "--keyring-provider", "disabled"]);
        command.arg("--cache-dir").arg(cache.join("uv"));
        // uv has its own interpreter's folder where we installed it, and needs any that runs.
        if let Some(python) = program.parent().map(|bin| bin.join("python")).filter(|python| python.is_file()) {
            command.arg("--python").arg(python);
        }
        match format {
            Format::Lock => command.args(["--format", "pylock.toml"]).arg("--output-file").arg(&output),
            Format::Annotated => {
                let output = folder.join("requirements.txt");
                command.args(["--format", "requirements.txt"]).arg("--output-file").arg(output)
            }
        };
        point_at_index(&mut command, settings, held)?;
        if !constraints.is_empty() {
            fs_err::write(folder.join(CONSTRAINTS), constraints).map_err(fault)?;
            command.args(["--constraints", CONSTRAINTS]);
        }
        command.arg(file);

        let ended = uv::run_bounded(command, &folder, settings.limits.resolve_time)?;
        if ended.out_of_time {
            return Err(out_of_time(project, settings));
        }
        if !ended.succeeded {
            return Err(unresolved(project, &settings.scrubbed(&direct::with_urls(ended.stderr, &direct))));
        }
        let output = if format == Format::Lock { output } else { folder.join("requirements.txt") };
        if fs_err::metadata(&output).map_err(fault)?.len() > LOCK_BYTES {
            let message = format!("their lock has more than {} MiB", LOCK_BYTES >> 20);
            return Err(Problem::new(message, "depend on less").at(MANIFEST, Some(first_line(project))).into());
        }
        Ok(direct::with_urls(fs_err::read_to_string(output).map_err(fault)?, &direct))
    }
}

pub(super) fn out_of_time(project: &Project, settings: &Settings) -> Error {
    let message = format!("resolving them took longer than {} s", settings.limits.resolve_time.as_secs());
    let remedy = "try again; narrow the versions that `dependencies` allows, or commit a lock made with `runtime lock`";
    Problem::new(message, remedy).at(MANIFEST, Some(first_line(project))).into()
}

/// Credentials travel in the environment: arguments can be seen by every user of the machine.
fn point_at_index(command: &mut Command, settings: &Settings, held: Option<&Held>) -> Result<(), Error> {
    if let Some(index) = &settings.index_url {
        command.env_remove("UV_INDEX_URL").env("UV_DEFAULT_INDEX", index.expose().as_str());
    }
    let mut indexes: Vec<_> = settings.extra_index_urls.iter().map(|index| index.expose().as_str()).collect();
    match held {
        Some(held) => held::authorize(command, held),
        None => {
            // A source would have to be one of a manifest, and there is none.
            command.arg("--no-sources");
            indexes.extend(settings.pins.iter().map(|pin| pin.index_url.expose().as_str()));
        }
    }
    if !indexes.is_empty() {
        command.env_remove("UV_EXTRA_INDEX_URL").env("UV_INDEX", indexes.join(" "));
    }
    for folder in folders(settings)? {
        command.arg("--find-links").arg(folder);
    }
    if settings.network == Network::Off {
        command.arg("--offline");
        if settings.find_links.is_some() {
            command.arg("--no-index");
        }
    }
    Ok(())
}

/// The folders of wheels by their absolute paths, which `uv` repeats in the lock.
fn folders(settings: &Settings) -> Result<Vec<PathBuf>, Error> {
    let absolute = settings.folders().into_iter().map(fs_err::canonicalize).collect::<Result<_, _>>();
    absolute.map_err(|source| Error::internal("find the folder of wheels", source))
}

/// What uv says, told at the line that it is about.
fn unresolved(project: &Project, stderr: &str) -> Error {
    let told: Vec<_> = stderr
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("warning:"))
        .map(|line| line.trim_start_matches("error:").trim_start_matches("cause:").trim())
        .collect();
    let told = told.join("; ");
    let is_about = |name: &str| {
        told.match_indices(name).any(|(start, name)| {
            let is_part = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
            !told[..start].ends_with(is_part) && !told[start + name.len()..].starts_with(is_part)
        })
    };
    let dependency = project.manifest.dependencies.iter().find(|dependency| is_about(dependency.name()));
    let line = dependency.map_or(first_line(project), |dependency| dependency.line);
    let remedy = if told.contains("building from source is disabled") || told.contains("no usable wheels") {
        "it is there only as a source archive, and nothing of a package is executed on the host: use another version, \
         another package, or copy its Python files into the project"
    } else if told.contains("authentication credentials") {
        "the index refuses the operator's credentials, so it says of no package that it has it: have them corrected"
    } else if told.contains("was not found in the package registry") || told.contains("not found in the provided") {
        "correct the name"
    } else if told.contains("network was disabled") {
        "leave out `--offline`, or name a folder that has the wheels with `--find-links`"
    } else if told.contains("No solution found") {
        "change the versions that `dependencies` allows"
    } else {
        "see that the index can be reached; with a lock made by `runtime lock`, and packages that the cache has, no \
         network is needed"
    };
    Problem::new(format!("the dependencies cannot be resolved: {told}"), remedy).at(MANIFEST, Some(line)).into()
}

fn first_line(project: &Project) -> u32 {
    project.manifest.dependencies.first().map_or(1, |dependency| dependency.line)
}

/// Reads `name==version` lines, each followed by `# via` and who requires it.
pub(super) fn parse_annotations(text: &str) -> Requirers {
    let mut requirers = Requirers::new();
    let mut package = None;
    for line in text.lines() {
        let Some(comment) = line.trim().strip_prefix('#') else {
            let name = line.split(['=', ' ', '[', ';', '@']).next().unwrap_or_default();
            package = normalized(name).ok();
            continue;
        };
        let comment = comment.trim();
        let name = comment.strip_prefix("via").unwrap_or(comment).trim();
        if let (Some(package), Ok(name)) = (&package, normalized(name)) {
            requirers.entry(package.clone()).or_default().insert(name);
        }
    }
    requirers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Manifest;

    fn project(dependencies: &str) -> Project {
        let text = format!(
            "[project]\nname = \"a\"\ndependencies = [\n{dependencies}\n]\n[tool.toolplane]\nentry-point = \"a:b\"\n"
        );
        Project { folder: "/nowhere".into(), manifest: Manifest::parse(&text).unwrap() }
    }

    #[test]
    fn requirements_are_written_as_they_were_parsed() {
        let project = project("\"Httpx[http2] >= 0.28\",\n\"tzdata; sys_platform == 'wasi'\"");
        assert_eq!(direct::requirements(&project, &[]), "httpx[http2]>=0.28\ntzdata ; sys_platform == 'wasi'\n");
    }

    #[test]
    fn what_uv_says_is_told_at_the_line_that_it_is_about() {
        let project = project("\"one\",\n\"no-such\"");
        let stderr = "error: No solution found when resolving dependencies\n  cause: Because no-such was not found in the package registry and you require no-such, x.\n";
        let Error::Refused(problems) = unresolved(&project, stderr) else { panic!() };
        assert_eq!(problems[0].line, Some(5));
        assert!(problems[0].message.contains("Because no-such was not found"));
        assert_eq!(problems[0].remedy.as_deref(), Some("correct the name"));

        let hint = format!(
            "{stderr}\nhint: An index URL (https://index.example) could not be queried due to a lack of valid authentication credentials (401 Unauthorized)"
        );
        let Error::Refused(problems) = unresolved(&project, &hint) else { panic!() };
        assert!(problems[0].remedy.as_deref().unwrap().contains("refuses the operator's credentials"));
    }

    #[test]
    fn a_service_does_not_reach_a_private_address() {
        let project = project("\"a @ https://127.0.0.1/a-1-py3-none-any.whl\"");
        let settings = Settings { network: Network::PublicOnly, ..Settings::default() };
        let cache = tempfile::tempdir().unwrap();
        let refused = direct::fetch(&project, &settings, cache.path(), cache.path());
        let Err(Error::Refused(problems)) = refused else { panic!("it was let pass") };
        assert!(problems[0].message.contains("not a public one"));
        assert_eq!(problems[0].line, Some(4));
    }

    #[test]
    fn annotations_say_who_requires_what() {
        let text = "numpy==2\n    # via pandas\nsix==1 ; sys_platform == 'win32'\n    # via\n    #   dateutil\n    #   pandas\npandas==3\n    # via -r requirements.in\n";
        let requirers = parse_annotations(text);
        assert_eq!(requirers["numpy"].iter().collect::<Vec<_>>(), ["pandas"]);
        assert_eq!(requirers["six"].len(), 2);
        assert!(!requirers.contains_key("pandas"));
    }
}
