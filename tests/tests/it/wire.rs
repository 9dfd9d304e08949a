//! HTTP and Git's protocol byte by byte: for requests that no client sends, and for clients that hang up.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use crate::author::{git, git_with_input};
use crate::client::Client;

/// A push whose body is sent piece by piece.
pub struct Upload {
    stream: TcpStream,
}

impl Upload {
    /// Sends the head of a push and waits until the server asks for the body.
    pub fn begin(client: &Client) -> Self {
        let mut stream = connect(client);
        let path = path_of(client, "git-receive-pack");
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Type: \
             application/x-git-receive-pack-request\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\
             Connection: close\r\n\r\n",
            client.token
        );
        stream.write_all(head.as_bytes()).unwrap();
        let expected = b"HTTP/1.1 100 Continue\r\n\r\n";
        let mut answer = vec![0; expected.len()];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer, expected, "{}", String::from_utf8_lossy(&answer));
        Self { stream }
    }

    /// Sends a piece of the body.
    pub fn send(&mut self, piece: &[u8]) {
        let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
        self.stream.write_all(&chunk).unwrap();
    }

    /// Sends no more, and answers what the server says to that.
    pub fn stall(self) -> String {
        read(self.stream)
    }

    /// Ends the body and answers what the server says, head and chunks.
    pub fn finish(mut self) -> String {
        self.stream.write_all(b"0\r\n\r\n").unwrap();
        read(self.stream)
    }
}

/// Sends a request as it stands, to a path below the organization's repository, and answers the whole answer.
pub fn request(client: &Client, method: &str, git_path: &str, headers: &str) -> String {
    let mut stream = connect(client);
    let path = path_of(client, git_path);
    let token = &client.token;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
         {headers}\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    read(stream)
}

/// What a client sends to point a reference at a commit, before the pack.
pub fn push_command(old: Option<&str>, new: Option<&str>, name: &str) -> Vec<u8> {
    let id = |id: Option<&str>| id.map_or_else(|| "0".repeat(40), str::to_owned);
    let line = format!("{} {} {name}\0 report-status side-band-64k", id(old), id(new));
    format!("{:04x}{line}0000", line.len() + 4).into_bytes()
}

/// A pack of everything that a commit reaches.
pub fn pack_of(folder: &Path, commit: &str) -> Vec<u8> {
    git_with_input(folder, &["pack-objects", "--stdout", "--revs", "-q"], format!("{commit}\n").as_bytes())
}

/// A pack of exactly these objects.
pub fn pack_of_objects(folder: &Path, objects: &[&str]) -> Vec<u8> {
    git_with_input(folder, &["pack-objects", "--stdout", "-q"], format!("{}\n", objects.join("\n")).as_bytes())
}

/// Writes an object, good or bad, and answers its id.
pub fn hash_object(folder: &Path, kind: &str, content: &[u8]) -> String {
    let id = git_with_input(folder, &["hash-object", "-w", "--literally", "-t", kind, "--stdin"], content);
    String::from_utf8(id).unwrap().trim().to_owned()
}

/// A tree of these entries, in this order, and a commit of it.
pub fn commit_of_tree(folder: &Path, entries: &[(&str, &str, &str)]) -> String {
    let mut content = Vec::new();
    for (mode, name, id) in entries {
        content.extend_from_slice(format!("{mode} {name}\0").as_bytes());
        content.extend((0..40).step_by(2).map(|at| u8::from_str_radix(&id[at..at + 2], 16).unwrap()));
    }
    let tree = hash_object(folder, "tree", &content);
    git(folder, &["commit-tree", "-m", "odd", &tree])
}

fn connect(client: &Client) -> TcpStream {
    TcpStream::connect(client.server.strip_prefix("http://").unwrap()).unwrap()
}

fn path_of(client: &Client, git_path: &str) -> String {
    format!("/v1/{}/tool/git/{git_path}", client.key.organization_id)
}

fn read(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}
