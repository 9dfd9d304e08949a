//! What a client asks of a repository, by its names on the wire.

/// The two things that a client asks of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Clone and fetch.
    UploadPack,
    /// Push.
    ReceivePack,
}

impl Service {
    /// Parses `git-upload-pack` or `git-receive-pack`.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::UploadPack, Self::ReceivePack].into_iter().find(|service| service.name() == name)
    }

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }

    /// The name among git's own commands.
    pub(super) fn command(self) -> &'static str {
        match self {
            Self::UploadPack => "upload-pack",
            Self::ReceivePack => "receive-pack",
        }
    }

    /// The first packet of an advertisement and the flush after it. Version 2 has no such line; pushing knows no
    /// version 2: git falls back, and its clients expect the line.
    pub(super) fn announcement(self, protocol: Option<&str>) -> String {
        let version_2 = protocol.is_some_and(|text| text.split(':').any(|item| item == "version=2"));
        if version_2 && self == Self::UploadPack {
            return String::new();
        }
        let line = format!("# service={}\n", self.name());
        // The four digits count themselves.
        format!("{:04x}{line}0000", line.len() + 4)
    }
}

/// The `Git-Protocol` header, if it is `^version=\d+(:.*)?$` in printable ASCII, since it becomes an environment
/// variable. Another one is ignored, as git does.
pub(super) fn protocol(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("version=")?;
    let (number, extensions) = rest.split_once(':').unwrap_or((rest, ""));
    let is_number = !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit());
    (is_number && extensions.bytes().all(|c| c.is_ascii_graphic())).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocol_is_checked_before_it_becomes_a_variable() {
        for text in ["version=2", "version=1", "version=2:key=value", "version=0:"] {
            assert_eq!(protocol(text), Some(text));
        }
        for text in ["", "version=", "version=2 ", "version=x", " version=2", "version=2:a\nb", "x:version=2"] {
            assert_eq!(protocol(text), None, "{text:?}");
        }
    }
}
