//! `control-plane init-org`: an organization, its first administrator and an API key.

use anyhow::{Context, Result, anyhow};
use control_plane::app::App;
use control_plane::model::OrgId;
use serde_json::json;

use super::settings::Settings;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  control-plane init-org acme
  control-plane init-org acme --data /var/lib/toolplane --json

Run it while no server uses the data folder. The API key is shown once and stored only as a hash.")]
pub struct Arguments {
    /// The organization's id: a-z, 0-9 and -.
    name: String,
    #[command(flatten)]
    settings: Settings,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub async fn execute(arguments: Arguments) -> Result<()> {
    let organization = OrgId::parse(&arguments.name)?;
    let config = arguments.settings.load()?;
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
