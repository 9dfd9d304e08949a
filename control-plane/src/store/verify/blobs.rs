//! Every blob holds what its name says.

use std::io;
use std::path::Path;

use super::{Look, Mode};
use crate::error::Result;
use crate::store::{StoreError, blobs};

impl Look<'_> {
    pub(super) fn blobs(&mut self) -> Result<()> {
        self.all_blobs().map_err(|error| StoreError::file("look at the blobs", error).into())
    }

    fn all_blobs(&mut self) -> io::Result<()> {
        let folder = self.store.blobs.folder().to_owned();
        // Where a row cannot be read, nobody knows what it named.
        self.removes_unused = self.mode == Mode::Rebuild && self.findings.is_good();
        let mut shards: Vec<_> = fs_err::read_dir(&folder)?.collect::<io::Result<_>>()?;
        shards.sort_by_key(fs_err::DirEntry::file_name);
        for shard in shards {
            let prefix = shard.file_name().to_string_lossy().into_owned();
            if prefix.len() != 2 {
                continue;
            }
            for file in fs_err::read_dir(shard.path())? {
                let file = file?;
                self.blob(&format!("{prefix}{}", file.file_name().to_string_lossy()), &file.path())?;
            }
        }
        Ok(())
    }

    fn blob(&mut self, name: &str, file: &Path) -> io::Result<()> {
        let mut bytes = [0; 32];
        if hex::decode_to_slice(name, &mut bytes).is_err() {
            self.findings.wrong(format_args!("blobs: {} is no blob", file.display()));
            return Ok(());
        }
        self.findings.blobs += 1;
        self.findings.blob_bytes += fs_err::metadata(file)?.len();
        if !self.named.contains(&bytes) {
            self.findings.unused_blobs += 1;
            if self.removes_unused {
                fs_err::remove_file(file)?;
                self.findings.mended += 1;
            }
            return Ok(());
        }
        match blobs::hash_of_file(file) {
            Ok(found) if found == name => {}
            Ok(found) => self.findings.wrong(format_args!("blob {name}: it holds something else, of hash {found}")),
            Err(error) => self.findings.wrong(format_args!("blob {name}: {error}")),
        }
        Ok(())
    }
}
