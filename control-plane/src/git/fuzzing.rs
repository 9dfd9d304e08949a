//! What is private here, for whoever tries out bytes on it.

use std::os::unix::ffi::OsStringExt;

use super::push_request::PushRequest;
use super::{packet, paths, rules};

/// The beginning of a push as it was read and judged.
pub struct Push {
    /// What git gets.
    pub raw: Vec<u8>,
    /// How many bytes follow.
    pub rest: usize,
    /// The references that are to change, each with whether it is to be there afterwards.
    pub names: Vec<(Vec<u8>, bool)>,
    /// What git is told to hide. None where git is not asked at all.
    pub hidden: Option<Vec<Vec<u8>>>,
}

/// Reads and judges a push. None where it is none.
pub async fn push(bytes: &[u8], max_commands: usize) -> Option<Push> {
    let mut rest = bytes;
    let request = PushRequest::read(&mut rest, max_commands).await.ok()?;
    let verdict = rules::judge(&request, 0, usize::MAX);
    let hidden = verdict.settings.map(|settings| settings.into_iter().map(|(_, value)| value.into_vec()).collect());
    let names = request.commands.iter().map(|command| (command.name.clone(), command.new.is_some())).collect();
    Some(Push { raw: request.raw, rest: rest.len(), names, hidden })
}

/// The contents of packets.
pub fn packets(bytes: &[u8]) -> Vec<&[u8]> {
    packet::contents(bytes)
}

/// A packet.
pub fn line(content: &[u8]) -> Vec<u8> {
    packet::line(content)
}

/// A path as it is shown.
pub fn normalized_path(path: &[u8]) -> String {
    paths::normalized(path)
}
