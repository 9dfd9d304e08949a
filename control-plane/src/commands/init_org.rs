//! `control-plane init-org`: an organization, its first administrator and an API key.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use control_plane::app::App;
use control_plane::config::Config;
use control_plane::model::OrgId;
use serde_json::json;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  control-plane init-org acme
  control-plane init-org acme --data /var/lib/toolplane --json

Run it while no server uses the data folder. The API key is shown once and stored only as a hash.")]
pub struct Arguments {
    /// The organization's id: a-z, 0-9 and -.
    name: String,
    /// A file of settings.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub async fn execute(arguments: Arguments) -> Result<()> {
    let organization = OrgId::parse(&arguments.name)?;
    let mut config = Config::load(arguments.config.as_deref())?;
    if let Some(data) = arguments.data {
        config = config.with_data(data);
    }
    let app = tokio::task::spawn_blocking(|| App::open(config)).await.context("failed to open the data folder")??;
    let made = app.init_organization(&organization).await.map_err(|error| anyhow!(error))?;
    let (user, key_id, key) = (made.user_id, made.api_key_id, made.api_key.expose());
    if arguments.json {
        let made = json!({"organization_id": organization, "user_id": user, "api_key_id": key_id, "api_key": key});
        println!("{made}");
    } else {
        println!("organization  {organization}\nuser          {user}\nAPI key id    {key_id}\nAPI key       {key}");
        eprintln!("keep the API key: it is not shown again, and ends in 90 days");
    }
    Ok(())
}
