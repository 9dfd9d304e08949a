//! What the user of Git reads who may not use the repository. It is here and not end to end, since the role is given
//! without asking the service.

use std::process::Command;
use std::sync::Arc;

use control_plane::app::App;
use control_plane::config::Config;
use control_plane::model::{OrgId, RoleName, User, UserId};
use control_plane::store::AccessChange;
use tokio::net::TcpListener;

#[tokio::test]
async fn a_user_without_the_permission_is_told_so_by_git() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config::for_folder(&folder.path().join("data")).expect("the defaults");
    let app = tokio::task::spawn_blocking(|| App::open(config)).await.expect("no panic").expect("it opens");
    let org = OrgId::parse("acme").expect("an id");
    let made = app.init_organization(&org).await.expect("an organization");
    let role_name = RoleName::parse(RoleName::USER).expect("a role");
    let user = User { id: UserId::new(), home: None, name: None, role_name, created_at: jiff::Timestamp::now() };
    let add = || Ok((vec![AccessChange::PutUser(user.clone())], ()));
    app.store.change_access(&org, add).await.expect("a user");
    let listener = TcpListener::bind(app.config.listen).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let remote = |user: UserId| {
        let (token, _) = app.tokens.sign(&org, user).expect("a token");
        format!("http://acme_{user}:{token}@{address}/v1/acme/tool/git")
    };
    let (permitted, forbidden) = (remote(made.user_id), remote(user.id));
    let serving = tokio::spawn(control_plane::serve(Arc::clone(&app), listener, async { drop(stopped.await) }));

    let home = folder.path().to_owned();
    let outputs = tokio::task::spawn_blocking(move || {
        [permitted, forbidden].map(|remote| {
            let mut git = Command::new("git");
            // Nothing of the machine's settings, such as a proxy, may come between.
            git.args(["ls-remote", &remote]).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
            git.env("HOME", &home).env("GIT_CONFIG_NOSYSTEM", "1").env("LC_ALL", "C");
            git.env("GIT_TERMINAL_PROMPT", "0").output().expect("git is installed")
        })
    });
    let [permitted, forbidden] = outputs.await.expect("no panic");

    assert!(permitted.status.success(), "{}", String::from_utf8_lossy(&permitted.stderr));
    let stderr = String::from_utf8_lossy(&forbidden.stderr);
    assert!(!forbidden.status.success());
    assert!(
        stderr.contains("remote: error: permission `Tool:AccessRepo` is missing: ask an administrator"),
        "{stderr}"
    );
    assert!(stderr.contains("error: 403"), "{stderr}");
    stop.send(()).expect("it still serves");
    serving.await.expect("no panic").expect("it ends cleanly");
}
