//! aiosmtpd, which takes mail, and Dovecot, which keeps it. Both want TLS and the password `secret`.

use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use super::account::Account;
use super::databases::find;
use super::program::Program;
use crate::programs;
use crate::web::Web;

/// Where the SMTP server writes what it is sent, a line of JSON for each message.
pub const MESSAGES: &str = "messages";

/// A server of Python's, by aiosmtpd.
pub async fn smtp(web: &Web, wheels: &Path) -> Program {
    let packages = ["aiosmtpd", "atpublic", "attrs"].map(|name| wheel(wheels, name));
    let script = programs::workspace().join("tests/tests/it/raw_clients/smtp_server.py");
    let command = |ports: &[u16]| {
        let mut command = Command::new("python3");
        command.arg(&script).args([&web.certificate, &web.key]).args([&ports[0].to_string(), MESSAGES]);
        // Wheels are archives that Python imports from.
        command.env("PYTHONPATH", std::env::join_paths(&packages).unwrap());
        command
    };
    Program::start(tempfile::tempdir().unwrap(), Signal::KILL, 1, command).await
}

fn wheel(wheels: &Path, name: &str) -> PathBuf {
    let files = fs_err::read_dir(wheels).unwrap().map(|file| file.unwrap());
    let mut found = files.filter(|file| file.file_name().to_string_lossy().starts_with(&format!("{name}-")));
    found.next().unwrap_or_else(|| panic!("{name} was fetched")).path()
}

/// An empty mailbox by Dovecot. None where there is no such program.
pub async fn imap(web: &Web) -> Option<Program> {
    let program = find("dovecot", &["/usr/sbin".into()])?;
    let (account, folder) = (Account::for_servers(), tempfile::tempdir().unwrap());
    let (path, configuration) = (folder.path().to_owned(), folder.path().join("dovecot.conf"));
    for (name, file) in [("server.pem", &web.certificate), ("server.key", &web.key)] {
        fs_err::copy(file, path.join(name)).unwrap();
        account.give(&path.join(name));
    }
    account.give(&path);
    let version = Command::new(&program).arg("--version").output().unwrap().stdout;
    let is_old = version.starts_with(b"2.3.");
    let command = |ports: &[u16]| {
        fs_err::write(&configuration, settings(is_old, account, &path, ports[0])).unwrap();
        let mut command = account.command(&program);
        command.arg("-F").arg("-c").arg(&configuration);
        command
    };
    Some(Program::start(folder, Signal::KILL, 1, command).await)
}

/// Everything in the folder, and everything run by that user, which changes no roots.
fn settings(is_old: bool, account: Account, folder: &Path, port: u16) -> String {
    let [user, group] = account.names();
    let text = [if is_old { BEFORE_2_4 } else { SINCE_2_4 }, IN_EVERY_VERSION].concat();
    text.replace("FOLDER", &folder.display().to_string())
        .replace("USER_NUMBER", &account.user.to_string())
        .replace("GROUP_NUMBER", &account.group.to_string())
        .replace("USER", &user)
        .replace("GROUP", &group)
        .replace("PORT", &port.to_string())
}

const IN_EVERY_VERSION: &str = "
base_dir = FOLDER/run
state_dir = FOLDER/state
log_path = /dev/stderr
protocols = imap
listen = 127.0.0.1
ssl = required
auth_failure_delay = 0
default_internal_user = USER
default_internal_group = GROUP
default_login_user = USER
first_valid_uid = 1
service anvil {
  chroot =
}
service imap-login {
  chroot =
  inet_listener imap {
    port = PORT
  }
  inet_listener imaps {
    port = 0
  }
}
";

const BEFORE_2_4: &str = "
ssl_cert = <FOLDER/server.pem
ssl_key = <FOLDER/server.key
mail_location = maildir:FOLDER/mail
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=USER_NUMBER gid=GROUP_NUMBER home=FOLDER
}
";

const SINCE_2_4: &str = "
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
ssl_server_cert_file = FOLDER/server.pem
ssl_server_key_file = FOLDER/server.key
mail_driver = maildir
mail_path = FOLDER/mail
passdb static {
  password = secret
}
userdb static {
  fields {
    uid = USER_NUMBER
    gid = GROUP_NUMBER
    home = FOLDER
  }
}
";
