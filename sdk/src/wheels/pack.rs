//! A built wheel, packed anew: in order, without times, and with what it was made for.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use sha2::{Digest, Sha256};
use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, ZipArchive};

use crate::base::COMPONENTIZE_PY;
use crate::dependencies::settings::Limits;
use crate::dependencies::wheel::{Fit, WheelName};
use crate::dependencies::wheel_index::WheelIndex;
use crate::error::{Error, Problem};
use crate::libraries::{self, MARK, Mark};

/// Vets a wheel and puts it into the index, with what it was built with. Answers its file's name.
pub fn put(wheel: &Path, built_with: Vec<String>, index: &WheelIndex, work: &Path) -> Result<String, Error> {
    let fault = |source: std::io::Error| Error::internal("pack a wheel", source);
    let file = wheel.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    let refused = |why: String| Problem::new(format!("wheel `{file}`: {why}"), "report this as a bug");
    if WheelName::parse(&file).and_then(|name| name.fit()) != Some(Fit::Sandbox) {
        let message = format!("wheel `{file}` came out, which has no code compiled for the sandbox");
        let remedy = "depend on the package as it is: Python alone runs in the sandbox without a wheel of one's own";
        return Err(Problem::new(message, remedy).into());
    }
    let mut files = contents(&File::open(wheel).map_err(fault)?).map_err(refused)?;
    let information = files.keys().filter_map(|path| path.split_once('/')).map(|(folder, _)| folder);
    let information = information.filter(|folder| folder.ends_with(".dist-info")).map(str::to_owned).next();
    let information = information.ok_or_else(|| refused("it has no folder `*.dist-info`".to_owned()))?;
    let mark = serde_json::to_vec(&Mark { componentize_py: COMPONENTIZE_PY.to_owned(), built_with });
    files.insert(format!("{information}/{MARK}"), mark.map_err(|source| Error::internal("mark a wheel", source))?);
    let record = format!("{information}/RECORD");
    files.remove(&record);
    let line = |(path, content): (&String, &Vec<u8>)| {
        let path = if path.contains([',', '"']) { format!("\"{}\"", path.replace('"', "\"\"")) } else { path.clone() };
        format!("{path},sha256={},{}\n", BASE64.encode(Sha256::digest(content)), content.len())
    };
    let list: String = files.iter().map(line).chain([format!("{record},,\n")]).collect();
    files.insert(record, list.into_bytes());

    let packed = work.join("packed.whl");
    write(&files, &packed).map_err(|source| Error::internal("pack a wheel", source))?;
    let libraries = libraries::read(File::open(&packed).map_err(fault)?, &Limits::DEFAULT).map_err(refused)?;
    if libraries.is_empty() {
        let remedy = "depend on the package as it is: its build leaves compiled code out where it cannot compile it";
        return Err(Problem::new(format!("wheel `{file}` came out, without any compiled code"), remedy).into());
    }
    let folder = index.folder();
    fs_err::create_dir_all(&folder).map_err(fault)?;
    let target = tempfile::NamedTempFile::new_in(&folder).map_err(fault)?;
    fs_err::copy(&packed, target.path()).map_err(fault)?;
    target.persist(folder.join(&file)).map_err(|error| fault(error.error))?;
    Ok(file)
}

/// Holds a wheel's files against its own list of them.
pub fn check_record(wheel: &File) -> Result<(), String> {
    let files = contents(wheel)?;
    let record = files.iter().find(|(path, _)| path.ends_with(".dist-info/RECORD")).ok_or("it has no RECORD")?;
    let record = String::from_utf8_lossy(record.1).into_owned();
    for (path, content) in files.iter().filter(|(path, _)| !path.ends_with(".dist-info/RECORD")) {
        let hash = format!(",sha256={},", BASE64.encode(Sha256::digest(content)));
        if !record.lines().any(|line| line.trim_start_matches('"').starts_with(path.as_str()) && line.contains(&hash)) {
            return Err(format!("`{path}` is not what its RECORD says"));
        }
    }
    Ok(())
}

fn contents(wheel: &File) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let mut zip = ZipArchive::new(wheel).map_err(|error| format!("it is no archive: {error}"))?;
    let (mut files, mut left_bytes) = (BTreeMap::new(), Limits::DEFAULT.unpacked_bytes);
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).map_err(|error| format!("it cannot be read: {error}"))?;
        if entry.is_dir() {
            continue;
        }
        let path = entry.name().map_err(|error| format!("it has a name that cannot be read: {error}"))?.into_owned();
        let mut content = Vec::new();
        (&mut entry)
            .take(left_bytes + 1)
            .read_to_end(&mut content)
            .map_err(|error| format!("`{path}` cannot be read: {error}"))?;
        left_bytes = left_bytes.checked_sub(content.len() as u64).ok_or("it is far larger unpacked than it may be")?;
        files.insert(path, content);
    }
    Ok(files)
}

fn write(files: &BTreeMap<String, Vec<u8>>, target: &Path) -> anyhow::Result<()> {
    let mut zip = ZipWriter::new(File::create(target)?);
    // The earliest time that an archive can have.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o644);
    for (path, content) in files {
        zip.start_file(path.as_str(), options)?;
        zip.write_all(content)?;
    }
    zip.finish()?;
    Ok(())
}
