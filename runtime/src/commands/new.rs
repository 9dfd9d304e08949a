//! `runtime new`: the starter project under a name of one's own.

use std::borrow::Cow;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::ExitCode;

use runtime::Error;
use sdk::{Problem, scaffold};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  runtime new weather
  runtime new tools/opening-hours")]
pub struct Arguments {
    /// The folder to make; the project is called like it.
    #[arg(value_name = "NAME")]
    folder: PathBuf,
}

pub fn execute(arguments: Arguments) -> Result<ExitCode, Error> {
    let folder = arguments.folder;
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let refused = |message: String, remedy: &str| Error::from(sdk::Error::from(Problem::new(message, remedy)));
    let files = scaffold::project(&name).map_err(|why| {
        let name = if name.is_empty() { folder.to_string_lossy() } else { Cow::from(&name) };
        refused(format!("no project can be called `{name}`: {why}"), "choose a name like `weather-report`")
    })?;
    let fault = |source: std::io::Error| Error::internal("write the project", source);
    if let Some(parent) = folder.parent() {
        let no_place = |_| refused(format!("`{}` cannot be made a folder", parent.display()), "choose another place");
        std::fs::create_dir_all(parent).map_err(no_place)?;
    }
    // It fails where anything has that name, so nothing of anybody's is ever written over.
    fs_err::create_dir(&folder).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            refused(format!("`{}` is there already", folder.display()), "choose another name, or remove it first")
        }
        _ => fault(error),
    })?;
    for (path, text) in files {
        let path = folder.join(path);
        fs_err::create_dir_all(path.parent().unwrap_or(&folder)).map_err(fault)?;
        fs_err::write(path, text).map_err(fault)?;
    }
    println!("{}", folder.display());
    eprintln!("a tool that counts working days, until you write your own; its README.md says how to run and test it");
    Ok(ExitCode::SUCCESS)
}
