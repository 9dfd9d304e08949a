//! Tiny wheels, written by hand: a ZIP archive whose entries are stored as they are.

use std::path::Path;

/// A wheel in the making.
pub struct Wheel {
    name: String,
    version: String,
    tags: String,
    requires: Vec<String>,
    files: Vec<(String, String)>,
}

impl Wheel {
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            tags: "py3-none-any".to_owned(),
            requires: Vec::new(),
            files: Vec::new(),
        }
    }

    pub fn tags(self, tags: &str) -> Self {
        Self { tags: tags.to_owned(), ..self }
    }

    pub fn requires(mut self, requirement: &str) -> Self {
        self.requires.push(requirement.to_owned());
        self
    }

    pub fn file(mut self, path: &str, content: &str) -> Self {
        self.files.push((path.to_owned(), content.to_owned()));
        self
    }

    /// Writes it into a folder under the name that its tags give it.
    pub fn write(mut self, folder: &Path) {
        let information = format!("{}-{}.dist-info", self.name, self.version);
        let mut metadata = format!("Metadata-Version: 2.1\nName: {}\nVersion: {}\n", self.name, self.version);
        for requirement in &self.requires {
            metadata += &format!("Requires-Dist: {requirement}\n");
            if let Some((_, extra)) = requirement.split_once("extra == '") {
                metadata += &format!("Provides-Extra: {}\n", extra.trim_end_matches('\''));
            }
        }
        let wheel = format!("Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {}\n", self.tags);
        let record: String = self.files.iter().map(|(path, _)| format!("{path},,\n")).collect();
        for (name, content) in [("METADATA", metadata), ("WHEEL", wheel), ("RECORD", record)] {
            self.files.push((format!("{information}/{name}"), content));
        }
        let file = format!("{}-{}-{}.whl", self.name, self.version, self.tags);
        fs_err::write(folder.join(file), archive(&self.files)).unwrap();
    }
}

/// The format's two headers, with method 0: stored.
fn archive(files: &[(String, String)]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (path, content) in files {
        let mut crc = flate2::Crc::new();
        crc.update(content.as_bytes());
        let size = content.len() as u32;
        let mut common = Vec::new();
        for field in [20_u16, 0, 0, 0, 0x21] {
            common.extend(field.to_le_bytes());
        }
        for field in [crc.sum(), size, size] {
            common.extend(field.to_le_bytes());
        }
        common.extend((path.len() as u16).to_le_bytes());
        common.extend(0_u16.to_le_bytes());

        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend((bytes.len() as u32).to_le_bytes());
        directory.extend(path.as_bytes());

        bytes.extend(b"PK\x03\x04");
        bytes.extend(&common);
        bytes.extend(path.as_bytes());
        bytes.extend(content.as_bytes());
    }
    let (offset, count) = (bytes.len() as u32, files.len() as u16);
    let length = directory.len() as u32;
    bytes.extend(directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
    bytes.extend([length.to_le_bytes(), offset.to_le_bytes()].concat());
    bytes.extend([0, 0]);
    bytes
}
