//! What an author writes: `pyproject.toml` and `pylock.toml`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::LazyLock;

use sdk::Error;
use sdk::dependencies::choice::{self, Choices};
use sdk::dependencies::lock::{Lock, Origin};
use sdk::dependencies::requirement::Dependency;
use sdk::dependencies::settings::Settings;
use sdk::project::{Manifest, Project};

/// The lines that `uv` reads hold requirements alone, and mean what the author wrote.
pub fn manifest(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let manifest = match Manifest::parse(text) {
        Ok(manifest) => manifest,
        Err(Error::Refused(problems)) => {
            assert!(!problems.is_empty());
            let lines = text.matches('\n').count() + 1;
            assert!(problems.iter().all(|problem| problem.line.is_none_or(|line| (1..=lines as u32).contains(&line))));
            return;
        }
        Err(error) => panic!("it is nobody's fault: {error}"),
    };
    for dependency in manifest.dependencies.iter().chain(&manifest.dev_dependencies) {
        let written = dependency.requirement.to_string();
        assert!(!written.contains(char::is_control) && !written.contains("${"), "{written:?}");
        assert!(written.starts_with(|c: char| c.is_ascii_alphanumeric()), "{written:?}");
        let read = Dependency::parse(&written, dependency.line).unwrap_or_else(|why| panic!("{written:?}: {why:?}"));
        assert_eq!(read.requirement, dependency.requirement, "{written:?}");
    }
    let (module, function) = manifest.entry_point.split_once(':').expect("a module and a function");
    assert!(!module.is_empty() && !function.is_empty(), "{}", manifest.entry_point);
    let is_variable = |name: &String| !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
    assert!(manifest.env.iter().chain(&manifest.secrets).all(is_variable));
    // A built tool says the same of its network as its project.
    let egress = serde_json::to_string(&manifest.egress).unwrap();
    assert_eq!(serde_json::from_str::<sdk::egress::Egress>(&egress).unwrap(), manifest.egress, "{egress}");
    for hosts in manifest.bound_secrets.values().flatten() {
        assert!(manifest.egress.covers(hosts));
    }
}

/// What a lock lets be installed has a hash, and a name that stays in any folder.
pub fn lock(bytes: &[u8]) {
    static PROJECT: LazyLock<Project> = LazyLock::new(|| {
        let text = "[project]\nname = \"a\"\n[tool.toolplane]\nentry-point = \"a:b\"\n";
        Project { folder: PathBuf::from("nowhere"), manifest: Manifest::parse(text).unwrap() }
    });
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let lock = Lock { text: text.to_owned(), origin: Origin::Project };
    let settings = Settings::default();
    let chosen = match choice::choose(&PROJECT, &lock, &settings) {
        Ok(Choices::Usable(chosen)) => chosen,
        Ok(Choices::Refused(refused)) => return assert!(!refused.is_empty()),
        Err(Error::Refused(problems)) => return assert!(!problems.is_empty()),
        Err(error) => panic!("it is nobody's fault: {error}"),
    };
    assert!(chosen.len() <= settings.limits.packages);
    let mut names = BTreeSet::new();
    for package in chosen.iter().map(|chosen| &chosen.package) {
        assert!(names.insert(&package.name), "{} is there twice", package.name);
        assert!(package.sha256.len() == 64 && package.sha256.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')));
        assert!(!package.file.contains(['/', '\\', '\0']) && package.file.ends_with(".whl"), "{:?}", package.file);
        let is_name = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        assert!(!package.name.is_empty() && package.name.bytes().all(is_name), "{:?}", package.name);
    }
}
