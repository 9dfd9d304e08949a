//! A built tool, which may be a stranger's file.

use sdk::Error;
use sdk::artifact::{self, Artifact, Label};

use super::folder::look;

/// What is read can be written again, and its files stay in their folder.
pub fn artifact(bytes: &[u8]) {
    let artifact = match Artifact::parse(bytes.to_vec()) {
        Ok(artifact) => artifact,
        Err(Error::Refused(problems)) => return assert!(!problems.is_empty()),
        Err(error) => panic!("it is nobody's fault: {error}"),
    };
    assert_eq!(artifact.bytes, bytes);
    let label = serde_json::to_vec(&artifact.label).unwrap();
    assert_eq!(serde_json::from_slice::<Label>(&label).unwrap(), artifact.label);
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("into");
    fs_err::create_dir(&into).unwrap();
    let _refused = artifact::unpack(&artifact.files, &into);
    let (all, inside) = (look(folder.path()), look(&into));
    assert_eq!(all, inside, "something lies outside");
    // An archive says each byte of a file once; holes, which it need not say, are no part of the format that is read.
    assert!(inside.bytes <= artifact.files.len() as u64, "{inside:?} of {} bytes", artifact.files.len());
}
