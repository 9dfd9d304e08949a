//! Redis and PostgreSQL, with TLS.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;

use super::account::Account;
use super::program::{Program, logged, output};
use crate::web::Web;

/// Two ports: plain text and TLS. None where there is no such program.
pub async fn redis(web: &Web) -> Option<Program> {
    let program = find("redis-server", &[])?;
    let command = |ports: &[u16]| {
        let mut command = Command::new(&program);
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--tls-auth-clients", "no"]);
        command.args(["--port", &ports[0].to_string(), "--tls-port", &ports[1].to_string()]);
        command.arg("--tls-cert-file").arg(&web.certificate).arg("--tls-key-file").arg(&web.key);
        command.arg("--tls-ca-cert-file").arg(web.ca());
        command
    };
    Some(Program::start(tempfile::tempdir().unwrap(), Signal::KILL, 2, command).await)
}

/// With the user `tool`, whose password is `secret`. None where there is no such program.
pub async fn postgres(web: &Web) -> Option<Program> {
    let (initdb, program) = (find("initdb", &debian_versions())?, find("postgres", &debian_versions())?);
    let (account, folder) = (Account::for_servers(), tempfile::tempdir().unwrap());
    let (data, password, key) =
        (folder.path().join("data"), folder.path().join("password"), folder.path().join("server.key"));
    fs_err::write(&password, "secret").unwrap();
    fs_err::copy(&web.key, &key).unwrap();
    // It reads no key that others could read.
    fs_err::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    for path in [folder.path(), &password, &key] {
        account.give(path);
    }

    let mut made = account.command(&initdb);
    made.args(["--username=tool", "--auth=scram-sha-256", "--no-sync", "--encoding=UTF8", "--locale=C"]);
    made.arg("--pwfile").arg(&password).arg("-D").arg(&data);
    logged(&mut made, folder.path());
    let made = tokio::process::Command::from(made).status().await.unwrap();
    assert!(made.success(), "{}", output(folder.path()));
    fs_err::copy(&web.certificate, data.join("server.pem")).unwrap();
    account.give(&data.join("server.pem"));

    let command = |ports: &[u16]| {
        let mut command = account.command(&program);
        command.arg("-D").arg(&data);
        for setting in [
            "listen_addresses=127.0.0.1",
            &format!("port={}", ports[0]),
            "unix_socket_directories=",
            "fsync=off",
            "ssl=on",
            "ssl_cert_file=server.pem",
            &format!("ssl_key_file={}", key.display()),
        ] {
            command.args(["-c", setting]);
        }
        command
    };
    // An immediate end, for which it gives back the memory that it shares; it ends its own processes, which are no longer
    // in its group.
    Some(Program::start(folder, Signal::QUIT, 1, command).await)
}

/// Where Debian has the programs of PostgreSQL, which are not on the path.
fn debian_versions() -> Vec<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    versions.map(|version| version.path().join("bin")).collect()
}

/// A program on the path or in one of the folders.
pub fn find(program: &str, beside: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).chain(beside.iter().cloned()).collect();
    folders.into_iter().map(|folder| folder.join(program)).find(|file| file.is_file())
}
