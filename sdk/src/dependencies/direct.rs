//! Wheels that a project names by URL. They are fetched here and handed to `uv` as files: `uv` itself would follow every
//! redirection, and every URL that such a wheel requires in turn, into whichever network it runs in.

use std::io::Read;
use std::path::{Path, PathBuf};

use pep508_rs::VersionOrUrl;
use percent_encoding::percent_decode_str;
use url::Url;
use zip::ZipArchive;

use super::download::Downloads;
use super::fetch::{self, Intake};
use super::requirement::{self, Dependency};
use super::settings::Settings;
use super::wheel::WheelName;
use super::{markers, parallel};
use crate::error::{Error, Problem};
use crate::project::{MANIFEST, Project};

/// The largest description of a wheel. With its README it has some 100 KB.
const METADATA_BYTES: u64 = 4 << 20;

/// A wheel that was named by URL.
#[derive(Debug)]
pub struct Direct<'a> {
    dependency: &'a Dependency,
    url: &'a Url,
    /// The wheel's file on this machine.
    path: PathBuf,
}

/// Fetches all wheels that the project names by URL for the sandbox, into the cache and below a folder.
pub fn fetch<'a>(
    project: &'a Project,
    settings: &Settings,
    cache: &Path,
    folder: &Path,
) -> Result<Vec<Direct<'a>>, Error> {
    let fault = |source: std::io::Error| Error::internal("fetch a wheel", source);
    let mut direct = Vec::new();
    for dependency in applying(project) {
        if let Some(VersionOrUrl::Url(url)) = &dependency.requirement.version_or_url {
            let folder = folder.join(direct.len().to_string());
            fs_err::create_dir_all(&folder).map_err(fault)?;
            let file = file_name(url).ok_or_else(|| {
                refused(dependency, "this is no wheel's name".to_owned(), "name a file like name-1.0-py3-none-any.whl")
            })?;
            direct.push(Direct { dependency, url, path: folder.join(file) });
        }
    }
    if !direct.is_empty() {
        fs_err::create_dir_all(cache.join("wheels")).map_err(fault)?;
        let (downloads, intake) = (Downloads::new(settings), Intake::new(settings));
        parallel::each(&direct, fetch::AT_ONCE, |direct| {
            direct.fetch(&downloads, &intake, cache)?;
            direct.check_requirements()
        })?;
    }
    Ok(direct)
}

/// The dependencies for `uv`, one a line, as they were parsed: what was written could name other files and options.
pub fn requirements(project: &Project, direct: &[Direct<'_>]) -> String {
    let lines = applying(project).map(|dependency| {
        let file = direct.iter().find(|direct| std::ptr::eq(direct.dependency, dependency));
        let url = file.and_then(|direct| Url::from_file_path(&direct.path).ok());
        let mut requirement = dependency.requirement.clone();
        if let Some(url) = url {
            requirement.version_or_url = Some(VersionOrUrl::Url(url));
        }
        format!("{requirement}\n")
    });
    lines.collect()
}

/// A text of `uv` in which the files have their URLs again.
pub fn with_urls(text: String, direct: &[Direct<'_>]) -> String {
    direct.iter().fold(text, |text, direct| {
        let mut url = direct.url.clone();
        url.set_fragment(None);
        let path = direct.path.display().to_string();
        let text = text.replace(&format!("path = \"{path}\""), &format!("url = \"{url}\""));
        text.replace(&format!("file://{path}"), url.as_str()).replace(&path, url.as_str())
    })
}

/// All dependencies but wheels by URL that are for other systems.
fn applying(project: &Project) -> impl Iterator<Item = &Dependency> {
    let environment = markers::environment();
    project.manifest.dependencies.iter().filter(move |dependency| {
        let is_direct = matches!(dependency.requirement.version_or_url, Some(VersionOrUrl::Url(_)));
        let applies = |environment| dependency.requirement.evaluate_markers(environment, &[]);
        !is_direct || environment.as_ref().is_none_or(applies)
    })
}

impl Direct<'_> {
    fn fetch(&self, downloads: &Downloads<'_>, intake: &Intake<'_>, cache: &Path) -> Result<(), Error> {
        let fault = |source: std::io::Error| Error::internal("write a wheel into the cache", source);
        let wanted = self.url.fragment().and_then(|fragment| {
            let hashes = fragment.split('&').find_map(|pair| pair.strip_prefix("sha256="));
            hashes.map(str::to_ascii_lowercase)
        });
        if let Some(hash) = &wanted
            && (hash.len() != 64 || !hash.bytes().all(|c| c.is_ascii_hexdigit()))
        {
            return Err(self.refused(format!("`{hash}` is no SHA-256"), "write all of its 64 digits").into());
        }
        let known = wanted.as_ref().map(|hash| fetch::archive(cache, hash)).filter(|archive| archive.is_file());
        let archive = match known {
            Some(archive) => archive,
            None => {
                let failed =
                    |why| self.refused(format!("it cannot be fetched: {why}"), "correct the URL, or try again");
                let content = downloads.get(self.url).map_err(failed)?;
                let folder = self.path.parent().unwrap_or(&self.path);
                let mut whole = tempfile::NamedTempFile::new_in(folder).map_err(fault)?;
                let found = intake.copy(content, &mut whole, |why, remedy| self.refused(why, remedy))?;
                if let Some(wanted) = wanted.filter(|wanted| *wanted != found) {
                    let message = format!("its SHA-256 is {found}, and the URL says {wanted}");
                    return Err(self.refused(message, "find out which of them is right, and write it").into());
                }
                let archive = fetch::archive(cache, &found);
                whole.persist(&archive).map_err(|error| fault(error.error))?;
                archive
            }
        };
        // Some file systems have no hard links.
        fs_err::hard_link(&archive, &self.path).or_else(|_| fs_err::copy(&archive, &self.path).map(drop)).map_err(fault)
    }

    /// What a wheel requires has to come from an index, whose operator is trusted.
    fn check_requirements(&self) -> Result<(), Error> {
        let metadata = self.metadata().map_err(|why| {
            self.refused(format!("it is no wheel: {why}"), "report this to its maintainers, and use another one")
        })?;
        for required in required(&metadata) {
            let is_named = requirement::read(&required)
                .is_ok_and(|parsed| !matches!(parsed.version_or_url, Some(VersionOrUrl::Url(_))));
            if !is_named {
                let message = format!("it requires `{}`, and not a package by its name", required.escape_debug());
                let remedy = "use a wheel whose own requirements are names and versions";
                return Err(self.refused(message, remedy).into());
            }
        }
        Ok(())
    }

    /// All that the wheel says of itself.
    fn metadata(&self) -> Result<String, String> {
        let file = fs_err::File::open(&self.path).map_err(|error| error.to_string())?;
        let mut zip = ZipArchive::new(file).map_err(|error| error.to_string())?;
        if zip.has_duplicate_names() {
            return Err("it has two files of one name".to_owned());
        }
        let mut metadata = String::new();
        for index in 0..zip.len() {
            let entry = zip.by_index(index).map_err(|error| error.to_string())?;
            if entry.name_raw().to_ascii_lowercase().ends_with(b".dist-info/metadata") {
                let read = entry.take(METADATA_BYTES).read_to_string(&mut metadata);
                let read = read.map_err(|error| error.to_string())? as u64;
                if read == METADATA_BYTES {
                    return Err("its METADATA is too large".to_owned());
                }
                metadata.push('\n');
            }
        }
        Ok(metadata)
    }

    fn refused(&self, why: String, remedy: &str) -> Problem {
        refused(self.dependency, why, remedy)
    }
}

/// What `Requires-Dist` lines say. A line that begins with a space goes on with the one before. Lines of a description
/// that look like it are taken, too: whoever writes such ones is refused rather than missed.
fn required(metadata: &str) -> Vec<String> {
    let unfolded = metadata.replace("\r\n", "\n").replace('\r', "\n").replace("\n ", " ").replace("\n\t", " ");
    let fields = unfolded.lines().filter_map(|line| line.split_once(':'));
    let required = fields.filter(|(name, _)| name.trim().eq_ignore_ascii_case("Requires-Dist"));
    required.map(|(_, value)| value.trim().to_owned()).collect()
}

fn refused(dependency: &Dependency, why: String, remedy: &str) -> Problem {
    let file = match &dependency.requirement.version_or_url {
        Some(VersionOrUrl::Url(url)) => file_name(url),
        _ => None,
    };
    let file = file.unwrap_or_else(|| dependency.name().to_owned());
    Problem::new(format!("wheel `{file}`: {why}"), remedy).at(MANIFEST, Some(dependency.line))
}

/// The last part of a URL, where it is a wheel's name.
fn file_name(url: &Url) -> Option<String> {
    let last = url.path().rsplit('/').next()?;
    let file = percent_decode_str(last).decode_utf8().ok()?.into_owned();
    let is_plain = file.bytes().all(|c| c.is_ascii_alphanumeric() || b"._+!-".contains(&c));
    (is_plain && WheelName::parse(&file).is_some()).then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_found_however_they_are_folded() {
        let metadata = "Metadata-Version: 2.1\r\nName: a\r\nrequires-dist: b>=1\r\nRequires-Dist: c @\r\n https://c.example/c.whl\r\n\r\nText\r\n";
        assert_eq!(required(metadata), ["b>=1", "c @ https://c.example/c.whl"]);
    }

    #[test]
    fn a_file_s_name_is_a_wheel_s() {
        let name = |url: &str| file_name(&Url::parse(url).unwrap());
        assert_eq!(name("https://a.example/b/c-1%2Bcpu-py3-none-any.whl?d#e").unwrap(), "c-1+cpu-py3-none-any.whl");
        for url in ["https://a.example/c.whl", "https://a.example/", "https://a.example/c-1-py3-none-any%22.whl"] {
            assert_eq!(name(url), None, "{url}");
        }
    }

    #[test]
    fn uv_gets_files_and_the_lock_has_urls() {
        let text = "[project]\nname = \"a\"\ndependencies = [\"b>=1\", \"c[d] @ https://c.example/c-1-py3-none-any.whl#sha256=00 ; sys_platform == 'wasi'\", \"e @ https://e.example/e-1-py3-none-any.whl ; sys_platform == 'win32'\"]\n[tool.toolplane]\nentry-point = \"a:b\"\n";
        let manifest = crate::project::Manifest::parse(text).unwrap();
        let project = Project { folder: "/nowhere".into(), manifest };
        let dependency = &project.manifest.dependencies[1];
        let Some(VersionOrUrl::Url(url)) = &dependency.requirement.version_or_url else { panic!() };
        let direct = [Direct { dependency, url, path: "/work/0/c-1-py3-none-any.whl".into() }];
        let written = requirements(&project, &direct);
        assert_eq!(written, "b>=1\nc[d] @ file:///work/0/c-1-py3-none-any.whl ; sys_platform == 'wasi'\n");
        let lock = "archive = { path = \"/work/0/c-1-py3-none-any.whl\" }".to_owned();
        assert_eq!(with_urls(lock, &direct), "archive = { url = \"https://c.example/c-1-py3-none-any.whl\" }");
    }
}
