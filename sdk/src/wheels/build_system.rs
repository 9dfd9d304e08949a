//! How a source archive says that it is built: `[build-system]` of its `pyproject.toml`.

use std::path::Path;

use super::source::Source;
use super::toolchain::Language;
use crate::dependencies::requirement::Dependency;
use crate::error::{Error, Problem};

/// What stands for a project that does not say.
const DEFAULT: &str = "setuptools.build_meta:__legacy__";

/// The build back end of a source archive.
#[derive(Debug)]
pub struct BuildSystem {
    /// Its module, and a colon and the object within where there is one.
    pub back_end: String,
    /// The folders of the project that the module is looked for in.
    pub folders: Vec<String>,
    /// What it needs.
    pub requires: Vec<Dependency>,
    /// The whole of `pyproject.toml`, which back ends have settings in.
    pub project: toml::Table,
}

impl BuildSystem {
    /// Reads that of an unpacked source archive.
    pub fn read(source: &Source, folder: &Path) -> Result<Self, Error> {
        let manifest = folder.join(&source.inner).join("pyproject.toml");
        let text = if manifest.is_file() { fs_err::read_to_string(manifest) } else { Ok(String::new()) };
        let text = text.map_err(|source| Error::internal("read a source archive", source))?;
        Self::parse(&text).map_err(|why| {
            let message = format!("package `{}` {}: {why}", source.name, source.version);
            Problem::new(message, "build another version, or use another package").into()
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let project: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| format!("its pyproject.toml is wrong: {}", error.message()))?;
        let system = project.get("build-system");
        let texts = |key: &str| {
            let entries = system.and_then(|system| system.get(key)).and_then(toml::Value::as_array);
            entries.map(|entries| entries.iter().filter_map(toml::Value::as_str).map(str::to_owned).collect::<Vec<_>>())
        };
        let back_end = system.and_then(|system| system.get("build-backend")).and_then(toml::Value::as_str);
        let requires = texts("requires").unwrap_or_else(|| vec!["setuptools".to_owned()]);
        let requires = requires.iter().map(|text| requirement(text)).collect::<Result<_, _>>()?;
        let back_end = back_end.unwrap_or(DEFAULT).to_owned();
        Ok(Self { back_end, folders: texts("backend-path").unwrap_or_default(), requires, project })
    }

    /// What its compiled code is written in: there are no others that know maturin.
    pub fn language(&self) -> Language {
        if self.back_end == "maturin" { Language::Rust } else { Language::C }
    }
}

/// Parses what a build asks for, which is a stranger's text.
pub fn requirement(text: &str) -> Result<Dependency, String> {
    Dependency::parse(text, 1).map_err(|(why, _)| format!("what its build asks for is wrong: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_system_is_read_and_its_requirements_are_no_options_of_uv() {
        let names = |system: &BuildSystem| {
            system.requires.iter().map(|dependency| dependency.requirement.to_string()).collect::<Vec<_>>()
        };
        let system = BuildSystem::parse("").unwrap();
        assert_eq!((system.back_end.as_str(), names(&system)), (DEFAULT, vec!["setuptools".to_owned()]));
        let text =
            "[build-system]\nrequires = [\"Cython>=3\"]\nbuild-backend = \"hooks\"\nbackend-path = [\"tools\"]\n";
        let system = BuildSystem::parse(text).unwrap();
        assert_eq!((system.back_end.as_str(), system.language()), ("hooks", Language::C));
        assert_eq!(
            (&system.folders[..], &names(&system)[..]),
            (&["tools".to_owned()][..], &["cython>=3".to_owned()][..])
        );
        let rust = BuildSystem::parse("[build-system]\nrequires = []\nbuild-backend = \"maturin\"\n").unwrap();
        assert_eq!(rust.language(), Language::Rust);
        for wrong in ["--index-url https://elsewhere.example", "-r /etc/passwd", "a @ file:///etc/passwd", "a\nb"] {
            let text = format!("[build-system]\nrequires = [{wrong:?}]\n");
            assert!(BuildSystem::parse(&text).is_err(), "{wrong}");
        }
        assert!(BuildSystem::parse("[build-system").unwrap_err().contains("its pyproject.toml is wrong"));
    }
}
