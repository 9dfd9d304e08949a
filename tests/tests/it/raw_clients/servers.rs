//! Redis, PostgreSQL and aiosmtpd in a temporary folder, on a port of loopback, until they are dropped.

use std::io::{BufRead, BufReader, PipeReader, PipeWriter};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, getuid, kill_process};

use crate::web::Web;

/// Neither program can be told to choose a port and say which, so one that is free is tried, and another when it was
/// taken meanwhile.
const ATTEMPTS: usize = 5;

/// Who runs PostgreSQL where the tests are run by root, for whom it does nothing: the user `nobody`.
const NOBODY: u32 = 65_534;

/// A program that ends with this value.
pub struct Server {
    child: Child,
    pub ports: Vec<u16>,
    /// What it says, line by line.
    pub said: BufReader<PipeReader>,
}

impl Server {
    /// Starts it and waits until it says that it is ready. None when it ends before.
    fn start(mut command: Command, ports: Vec<u16>, ready: &str) -> Option<Self> {
        let (said, says) = std::io::pipe().unwrap();
        command.stderr(says.try_clone().unwrap());
        let mut server = Self::spawn(command, ports, said, says);
        loop {
            let line = server.line();
            if line.is_empty() {
                return None;
            }
            if line.contains(ready) {
                return Some(server);
            }
        }
    }

    /// The command has the pipe's other end, and ends with this function.
    fn spawn(mut command: Command, ports: Vec<u16>, said: PipeReader, says: PipeWriter) -> Self {
        let child = command.stdin(Stdio::null()).stdout(says).spawn().unwrap();
        Self { child, ports, said: BufReader::new(said) }
    }

    /// The next line that it says.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        line
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // For PostgreSQL an immediate end, with its own processes; the others have no other meaning for it.
        let process = Pid::from_child(&self.child);
        let _gone = kill_process(process, Signal::QUIT);
        let _ended = self.child.wait();
    }
}

/// Two ports: plain text and TLS. None where there is no such program.
pub fn redis(web: &Web, folder: &Path) -> Option<Server> {
    let program = find("redis-server", &[])?;
    let started = (0..ATTEMPTS).find_map(|_| {
        let ports = free_ports();
        let mut command = Command::new(&program);
        command.current_dir(folder).args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.args([
            "--port",
            &ports[0].to_string(),
            "--tls-port",
            &ports[1].to_string(),
            "--tls-auth-clients",
            "no",
        ]);
        command.arg("--tls-cert-file").arg(&web.certificate).arg("--tls-key-file").arg(&web.key);
        command.arg("--tls-ca-cert-file").arg(web.ca());
        Server::start(command, ports.to_vec(), "Ready to accept connections")
    });
    Some(started.expect("Redis starts"))
}

/// With the user `tool`, whose password is `secret`. None where there is no such program.
pub fn postgres(web: &Web, folder: &Path) -> Option<Server> {
    let (initdb, program) = (find("initdb", &debian_versions())?, find("postgres", &debian_versions())?);
    let (data, password, key) = (folder.join("data"), folder.join("password"), folder.join("server.key"));
    fs_err::write(&password, "secret").unwrap();
    fs_err::copy(&web.key, &key).unwrap();
    fs_err::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let as_its_user = |program: &Path| {
        let mut command = Command::new(program);
        command.current_dir(folder).env("LC_ALL", "C");
        if getuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    };
    if getuid().is_root() {
        for path in [folder, &password, &key] {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
    let mut made = as_its_user(&initdb);
    made.args(["--username=tool", "--auth=scram-sha-256", "--no-sync", "--encoding=UTF8", "--locale=C"]);
    let made = made.arg("--pwfile").arg(&password).arg("-D").arg(&data).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let certificate = fs_err::read(&web.certificate).unwrap();
    fs_err::write(data.join("server.pem"), certificate).unwrap();

    let started = (0..ATTEMPTS).find_map(|_| {
        let [port, _] = free_ports();
        let mut command = as_its_user(&program);
        command.arg("-D").arg(&data);
        for setting in [
            "listen_addresses=127.0.0.1",
            &format!("port={port}"),
            "unix_socket_directories=",
            "fsync=off",
            "ssl=on",
            "ssl_cert_file=server.pem",
            &format!("ssl_key_file={}", key.display()),
        ] {
            command.args(["-c", setting]);
        }
        Server::start(command, vec![port], "database system is ready to accept connections")
    });
    Some(started.expect("PostgreSQL starts"))
}

/// Wants TLS, and the user `tool` with the password `secret`.
pub fn smtp(web: &Web, wheels: &Path) -> Server {
    let packages = ["aiosmtpd", "atpublic", "attrs"].map(|name| wheel(wheels, name));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/raw_clients/smtp_server.py");
    // Wheels are archives that Python imports from.
    let mut command = Command::new("python3");
    command.arg(script).args([&web.certificate, &web.key]);
    command.env("PYTHONPATH", std::env::join_paths(packages).unwrap());
    let (said, says) = std::io::pipe().unwrap();
    let mut server = Server::spawn(command, Vec::new(), said, says);
    let port = server.line().trim().parse().expect("it says its port");
    server.ports.push(port);
    server
}

fn wheel(wheels: &Path, name: &str) -> PathBuf {
    let files = fs_err::read_dir(wheels).unwrap().map(|file| file.unwrap());
    let found = files.filter(|file| file.file_name().to_string_lossy().starts_with(&format!("{name}-")));
    found.map(|file| file.path()).next().unwrap_or_else(|| panic!("{name} was fetched"))
}

fn free_ports() -> [u16; 2] {
    [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap()).map(|listener| listener.local_addr().unwrap().port())
}

/// Where Debian has the programs of PostgreSQL, which are not on the path.
fn debian_versions() -> Vec<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    versions.map(|version| version.path().join("bin")).collect()
}

fn find(program: &str, beside: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).chain(beside.iter().cloned()).collect();
    folders.into_iter().map(|folder| folder.join(program)).find(|file| file.is_file())
}
