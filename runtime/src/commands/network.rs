//! What a tool on this machine may connect to beyond its project's `egress` table: servers that its author runs here.

use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use runtime::network::NetworkSettings;

#[derive(clap::Args)]
#[command(next_help_heading = "Network")]
pub struct Arguments {
    /// Trust a private certificate authority too; may be repeated.
    #[arg(long, value_name = "FILE", value_parser = super::files::certificates)]
    ca_file: Vec<PathBuf>,
    /// Let the hosts that the project allows have addresses in this network, such as 127.0.0.0/8; may be repeated.
    #[arg(long, value_name = "NETWORK", value_parser = network)]
    allow_network: Vec<IpNet>,
    /// The address of a name, before DNS is asked; may be repeated.
    #[arg(long, value_name = "NAME=ADDRESS", value_parser = resolved)]
    resolve: Vec<(String, IpAddr)>,
}

impl Arguments {
    pub fn settings(&self) -> NetworkSettings {
        NetworkSettings {
            ca_files: self.ca_file.clone(),
            allow_networks: self.allow_network.clone(),
            hosts: self.resolve.iter().cloned().collect(),
            ..NetworkSettings::default()
        }
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    text.parse().map_err(|_| "write it like 127.0.0.0/8, and one address like 10.1.2.3/32".to_owned())
}

fn resolved(text: &str) -> Result<(String, IpAddr), String> {
    let (name, address) = text.split_once('=').ok_or("write it as NAME=ADDRESS")?;
    let address = address.parse().map_err(|_| format!("`{address}` is no address"))?;
    Ok((name.to_ascii_lowercase(), address))
}
