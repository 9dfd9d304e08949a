//! Where packages come from, for all commands that build.

use std::path::{Path, PathBuf};

use sdk::dependencies::Settings;
use sdk::dependencies::pins::Pin;
use sdk::dependencies::settings::{IndexUrl, Network};
use sdk::dependencies::wheel_index::WheelIndex;

#[derive(clap::Args)]
#[command(next_help_heading = "Packages")]
pub struct Arguments {
    /// The package index; by default the one that uv takes. It may hold a user's name and a password.
    #[arg(long, global = true, env = "TOOLPLANE_INDEX_URL", hide_env_values = true, value_name = "URL", value_parser = IndexUrl::parse)]
    index_url: Option<IndexUrl>,
    /// A further index, asked before it; may be repeated. The first that knows a package is the only one asked for it.
    #[arg(long, global = true, env = "TOOLPLANE_EXTRA_INDEX_URL", hide_env_values = true, value_name = "URL", value_parser = IndexUrl::parse, value_delimiter = ' ')]
    extra_index_url: Vec<IndexUrl>,
    /// Take a package from one index alone, whatever other indexes have; may be repeated. NAME is a package or the beginning
    /// of several, as in acme-*=https://pypi.example.com/simple/.
    #[arg(long, global = true, env = "TOOLPLANE_PIN_INDEX", hide_env_values = true, value_name = "NAME=URL", value_parser = Pin::parse, value_delimiter = ' ')]
    pin_index: Vec<Pin>,
    /// A folder of wheels to take packages from, beside the index.
    #[arg(long, global = true, env = "TOOLPLANE_FIND_LINKS", value_name = "DIR")]
    find_links: Option<PathBuf>,
    /// A folder of wheels compiled for the sandbox, as `runtime wheels build` makes them; may be repeated. By default the
    /// one within the cache.
    #[arg(long, global = true, env = "TOOLPLANE_WHEEL_INDEX", value_name = "DIR", value_delimiter = ':')]
    wheel_index: Vec<PathBuf>,
    /// Do not use the network for packages.
    #[arg(long, global = true)]
    offline: bool,
}

impl Arguments {
    pub fn settings(self, cache: &Path) -> Settings {
        let wheel_indexes = match &self.wheel_index[..] {
            [] => vec![WheelIndex::of_cache(cache)],
            folders => folders.iter().map(WheelIndex::new).collect(),
        };
        Settings {
            wheel_indexes,
            index_url: self.index_url,
            extra_index_urls: self.extra_index_url,
            pins: self.pin_index,
            find_links: self.find_links,
            network: if self.offline { Network::Off } else { Network::Anywhere },
            ..Settings::default()
        }
    }
}
