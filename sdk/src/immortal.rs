//! Makes objects of a snapshot immortal: CPython does not count who refers to them, so it does not write to them.
//!
//! Which ones is the guest's to say, since only it knows its objects (`toolplane/immortal.py`).

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// The count of an immortal object: `_Py_IMMORTAL_INITIAL_REFCNT` of CPython 3.14 where pointers have 32 bits
/// (`Include/refcount.h`).
const IMMORTAL: u32 = 5 << 28;
/// Counts from here on are those of immortal objects (`_Py_IMMORTAL_MINIMUM_REFCNT`).
const MINIMUM: u32 = 1 << 30;

/// Makes the objects at these addresses immortal: 32-bit integers, in base64.
pub(crate) fn mark(memory: &mut [u8], addresses: &str) -> Result<()> {
    let addresses = BASE64_STANDARD.decode(addresses.trim_ascii_end())?;
    for address in addresses.chunks(4) {
        let address = u32::from_le_bytes(address.try_into().context("an address is cut off")?) as usize;
        let count = memory.get_mut(address..address + 4).context("an object lies outside of the memory")?;
        let before = u32::from_le_bytes([count[0], count[1], count[2], count[3]]);
        if before >= MINIMUM {
            continue;
        }
        // Each is held by a list at least.
        ensure!(before > 0, "there is no object at {address:#x}");
        count.copy_from_slice(&IMMORTAL.to_le_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(counts: &[u32], addresses: &[u32]) -> Result<Vec<u32>> {
        let mut memory: Vec<u8> = counts.iter().flat_map(|count| count.to_le_bytes()).collect();
        let addresses: Vec<u8> = addresses.iter().flat_map(|address| address.to_le_bytes()).collect();
        mark(&mut memory, &BASE64_STANDARD.encode(addresses))?;
        Ok(memory.chunks(4).map(|count| u32::from_le_bytes(count.try_into().unwrap())).collect())
    }

    #[test]
    fn objects_that_are_named_are_immortal_and_no_others() {
        assert_eq!(marked(&[1, 2, 7 << 28, 3], &[4, 8]).unwrap(), [1, IMMORTAL, 7 << 28, 3]);
        assert_eq!(marked(&[1], &[]).unwrap(), [1]);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for address in [4, 14, 16, u32::MAX] {
            assert!(marked(&[1, 0, 1, 1], &[address]).is_err(), "{address}");
        }
        assert!(mark(&mut [0; 8], "AQ==").is_err());
        assert!(mark(&mut [0; 8], "~").is_err());
    }
}
