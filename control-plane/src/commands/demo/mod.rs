//! `control-plane demo`: the product's main job, done for real in a temporary folder, with timings.
//!
//! In reading order: [`server`] (the service, started in this process), [`visit`] (what a person does with it),
//! [`client`] and [`push`] (HTTP and the `git` program, as anyone outside would use them), [`history`] (what the
//! service has on record afterwards), [`step`], [`timings`] and [`farewell`] (what is printed).

mod client;
mod farewell;
mod history;
mod push;
mod server;
mod step;
mod timings;
mod visit;

use anyhow::{Context, bail};

use server::Server;

/// The arguments of `control-plane demo`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Leave the server running until Ctrl-C.
    #[arg(long)]
    keep: bool,
}

/// Starts a server in a temporary folder and visits it. Fails unless all of it worked.
pub async fn execute(arguments: Arguments) -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("toolplane-demo-").tempdir();
    let folder = folder.context("failed to make a temporary folder")?;
    let (server, site) = Server::start(&folder.path().join("data")).await?;
    let work = async {
        // Ctrl-C is heard here, so that the folder is removed and no program that was started stays behind.
        let tool_id = tokio::select! {
            visited = visit::visit(&site, folder.path()) => visited?,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted.context("failed to listen for Ctrl-C")?;
                bail!("interrupted");
            }
        };
        if arguments.keep {
            farewell::to_a_running_server(&site, &tool_id);
            tokio::signal::ctrl_c().await.context("failed to listen for Ctrl-C")?;
        } else {
            farewell::to_a_stopped_server();
        }
        Ok(())
    };
    server.during(work).await
}
