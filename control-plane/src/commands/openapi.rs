//! `control-plane openapi`: the contract as a document.

use anyhow::{Context, Result};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  control-plane openapi > control-plane/openapi.json

A running server answers the same at /openapi.json, and shows it at /docs.")]
pub struct Arguments {}

pub fn execute(_: Arguments) -> Result<()> {
    let document = control_plane::api::document().to_pretty_json().context("failed to write the document")?;
    println!("{document}");
    Ok(())
}
