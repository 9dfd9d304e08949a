//! The starter project: a whole tool that checks, tests and publishes as it is.

use std::io;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use include_dir::{Dir, File, include_dir};

/// The folder that the archive unpacks into.
pub const FOLDER: &str = "amigo_tool_scaffold";

/// 2026-01-01T00:00:00Z, in seconds: archives of equal files are equal, whenever they are made.
const MODIFIED_AT: u64 = 1_767_225_600;

static FILES: Dir = include_dir!("$CARGO_MANIFEST_DIR/scaffold");

/// The module of the starter project, as it is written in code and in the names of files.
const MODULE: &str = "working_days";

/// The starter project's files.
pub fn files() -> &'static Dir<'static> {
    &FILES
}

/// The starter project's files for a project of another name: their paths within its folder, and their content.
///
/// What its function answers keeps its own names. The error says why no project can be called so.
pub fn project(name: &str) -> Result<Vec<(PathBuf, String)>, String> {
    let module = module(name)?;
    // Every place where the module is meant, and not what the tool answers.
    let renamed = [
        (format!("{MODULE}.py"), format!("{module}.py")),
        (format!("{MODULE}:count"), format!("{module}:count")),
        (format!("from {MODULE} "), format!("from {module} ")),
        (MODULE.replace('_', "-"), name.to_owned()),
    ];
    let rename = |text: &str| renamed.iter().fold(text.to_owned(), |text, (old, new)| text.replace(old, new));
    let mut files = Vec::new();
    collect(&FILES, &mut files);
    files.sort_unstable_by_key(|file| file.path());
    let content =
        |file: &File| (PathBuf::from(rename(&file.path().to_string_lossy())), file.contents_utf8().map(&rename));
    let files = files.into_iter().map(content);
    Ok(files.filter_map(|(path, text)| Some((path, text?))).collect())
}

/// The name that a project's module has.
fn module(name: &str) -> Result<String, String> {
    let is_ending = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    // https://packaging.python.org/en/latest/specifications/name-normalization/
    if !name.chars().all(is_name) || !is_ending(name.chars().next()) || !is_ending(name.chars().last()) {
        return Err(
            "a project's name is made of letters, digits, `-`, `_` and `.`, and begins and ends with a letter or digit"
                .to_owned(),
        );
    }
    let module = name.to_lowercase().replace(['-', '.'], "_");
    if module.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("the module is named like the project, and no module's name begins with a digit".to_owned());
    }
    if TAKEN.contains(&module.as_str()) {
        return Err(format!("the module is named like the project, and in Python `{module}` is taken"));
    }
    Ok(module)
}

/// Python's words, the modules that every tool has imported already, and the package that authors import.
const TAKEN: [&str; 66] = [
    "and",
    "as",
    "assert",
    "async",
    "await",
    "break",
    "class",
    "continue",
    "def",
    "del",
    "elif",
    "else",
    "except",
    "finally",
    "for",
    "from",
    "global",
    "if",
    "import",
    "in",
    "is",
    "lambda",
    "nonlocal",
    "not",
    "or",
    "pass",
    "raise",
    "return",
    "try",
    "while",
    "with",
    "yield",
    "abc",
    "ast",
    "asyncio",
    "base64",
    "calendar",
    "collections",
    "csv",
    "datetime",
    "decimal",
    "email",
    "enum",
    "functools",
    "hashlib",
    "html",
    "http",
    "inspect",
    "io",
    "json",
    "logging",
    "math",
    "os",
    "random",
    "re",
    "sqlite3",
    "string",
    "sys",
    "test",
    "time",
    "tool",
    "toolplane",
    "types",
    "typing",
    "urllib",
    "uuid",
];

/// The starter project as a tar, compressed with gzip. Everything in it is in the folder [`FOLDER`].
pub fn archive() -> io::Result<Vec<u8>> {
    let mut files = Vec::new();
    collect(&FILES, &mut files);
    files.sort_unstable_by_key(|file| file.path());
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    for file in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(file.contents().len() as u64);
        header.set_mode(0o644);
        header.set_mtime(MODIFIED_AT);
        let path = Path::new(FOLDER).join(file.path());
        archive.append_data(&mut header, path, file.contents())?;
    }
    archive.into_inner()?.finish()
}

/// All files but those that a run of the tests leaves.
fn collect<'a>(folder: &'a Dir<'a>, files: &mut Vec<&'a File<'a>>) {
    let is_left = |path: &Path| {
        path.file_name().is_some_and(|name| name == "__pycache__" || name.to_string_lossy().starts_with('.'))
    };
    files.extend(folder.files().filter(|file| !is_left(file.path())));
    for folder in folder.dirs().filter(|folder| !is_left(folder.path())) {
        collect(folder, files);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_of_another_name_names_itself_everywhere() {
        let files = project("My-Forecast").unwrap();
        let paths: Vec<_> = files.iter().map(|(path, _)| path.to_str().unwrap()).collect();
        assert_eq!(paths, ["README.md", "pyproject.toml", "src/my_forecast.py", "tests/test_my_forecast.py"]);
        let text = |path: &str| &files.iter().find(|(own, _)| own == Path::new(path)).unwrap().1;
        assert!(
            text("pyproject.toml").contains("name = \"My-Forecast\"")
                && text("README.md").contains("src/my_forecast.py")
        );
        assert!(text("pyproject.toml").contains("entry-point = \"my_forecast:count\""));
        assert!(text("tests/test_my_forecast.py").contains("from my_forecast import"));
        assert!(files.iter().all(|(_, text)| !text.contains("working-days") && !text.contains("working_days:c")));
        assert_eq!(
            project("working-days").unwrap().iter().find(|(path, _)| path.ends_with("README.md")).unwrap().1.as_bytes(),
            FILES.get_file("README.md").unwrap().contents()
        );
    }

    #[test]
    fn names_that_no_project_or_module_can_have_are_refused() {
        for name in ["", "-a", "a.", "a b", "ä", "2fast", "class", "Json", "../a"] {
            assert!(project(name).is_err(), "{name}");
        }
    }

    #[test]
    fn the_archive_is_always_the_same() {
        assert_eq!(archive().unwrap(), archive().unwrap());
    }
}
