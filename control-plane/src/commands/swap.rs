//! No swap, unless the operator says that it is all right.
//!
//! What a guest had in memory, secrets among it, would lie on the disk after its invocation. And an instance's memory is
//! made clean by what the kernel says of its pages; of those that were swapped out it has been wrong before.

use anyhow::{Context, Result, bail};
use control_plane::config::Config;

/// Where Linux lists the devices that are in use, one a line below a headline. Other systems have no such file.
const SWAPS: &str = "/proc/swaps";

/// Refuses to start where swap is on and the settings do not allow it.
pub fn refuse(config: &Config) -> Result<()> {
    if config.sandbox.allow_swap {
        return Ok(());
    }
    let listed = match fs_err::read_to_string(SWAPS) {
        Ok(listed) => listed,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).context("failed to find out whether swap is on"),
    };
    let devices = devices(&listed);
    if devices.is_empty() {
        return Ok(());
    }
    bail!(
        "swap is on ({}), and what tools have in memory would be written there: turn it off with `swapoff -a`, or allow \
         it with `sandbox.allow_swap = true` in the settings or TOOLPLANE_ALLOW_SWAP=1",
        devices.join(", ")
    )
}

fn devices(listed: &str) -> Vec<&str> {
    listed.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_stand_below_a_headline() {
        let headline = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
        assert!(devices(headline).is_empty());
        let listed = format!("{headline}/dev/sda2  partition\t8388604\t0\t-2\n/swap.img  file\t4194300\t0\t-3\n");
        assert_eq!(devices(&listed), ["/dev/sda2", "/swap.img"]);
    }
}
