//! Users of another organization: `X-ORG-ID`, and the role that they were given here.

use reqwest::Method;
use serde_json::{Value, json};

use crate::author::run;
use crate::client::{Answer, Client, answer};
use crate::server::{Installation, Server};

const AUTHOR: &str = "DefaultToolAuthorRole";

/// A server of two organizations, and an administrator of the other one.
async fn start() -> (Server, Client) {
    let installation = Installation::new();
    let other = installation.add_organization("umbrella");
    let server = Server::start_on(installation).await;
    let theirs = Client::sign_in(&server.client.server, &other).await;
    (server, theirs)
}

/// What a user of another organization is answered here.
async fn visit(host: &Client, visitor: &Client, issuer: Option<&str>, path: &str) -> Answer {
    let request = host.anonymous(Method::GET, path).bearer_auth(&visitor.token);
    answer(match issuer {
        Some(issuer) => request.header("x-org-id", issuer),
        None => request,
    })
    .await
}

#[tokio::test]
async fn a_guest_has_the_rights_that_it_was_given_here_and_only_those() {
    let (server, theirs) = start().await;
    let host = &server.client;
    let issuer = Some("umbrella");

    // Nothing is here for whoever was not let in, and a token is of the organization that made it.
    visit(host, &theirs, issuer, "tool/").await.detail(404);
    for wrong in [None, Some("acme"), Some("nowhere"), Some("No Org"), Some("")] {
        visit(host, &theirs, wrong, "tool/").await.detail(401);
    }
    let mut nowhere = theirs.clone();
    nowhere.key.organization_id = "nowhere".to_owned();
    nowhere.get("tool/").await.detail(404);

    let guest = json!({"role_name": AUTHOR, "user_org_id": "umbrella", "user_id": theirs.key.user_id});
    let row = host.post("user/", guest.clone()).await.expect(201);
    assert_eq!((&row["user_org_id"], &row["id"]), (&json!("umbrella"), &json!(theirs.key.user_id)));
    host.post("user/", guest).await.detail(409);

    visit(host, &theirs, issuer, "tool/").await.expect(200);
    for wrong in [None, Some("acme"), Some("nowhere")] {
        visit(host, &theirs, wrong, "tool/").await.detail(401);
    }
    // At home it may do everything, and here it may not.
    visit(host, &theirs, issuer, "role/").await.detail(403);
    theirs.get("role/").await.expect(200);

    let body = json!({"name": "visited", "description": "A tool.", "tags": {}});
    let request = host.anonymous(Method::POST, "tool/").bearer_auth(&theirs.token).header("x-org-id", "umbrella");
    let made = answer(request.json(&body)).await.expect(201);
    let listed = host.get(&format!("tool/?id={}", made["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(listed["tools"][0]["creator"], json!({"org_id": "umbrella", "user_id": theirs.key.user_id}));
    assert_eq!(theirs.get("tool/").await.expect(200)["tools"], json!([]), "the tool is the host's");

    // Another role holds at the next request; a guest who is shown out is a stranger again.
    let path = format!("user/{}", theirs.key.user_id);
    host.post(&path, json!({"role_name": "DefaultAdministratorRole"})).await.expect(204);
    visit(host, &theirs, issuer, "role/").await.expect(200);
    host.delete(&path).await.expect(204);
    visit(host, &theirs, issuer, "tool/").await.detail(404);
    theirs.get("tool/").await.expect(200);
}

#[tokio::test]
async fn a_guest_signs_in_at_home_and_ends_with_its_home() {
    let (server, theirs) = start().await;
    let host = &server.client;
    let user = theirs.with_role(AUTHOR).await;
    let guest = json!({"role_name": AUTHOR, "user_org_id": "umbrella", "user_id": user.key.user_id});
    host.post("user/", guest).await.expect(201);
    visit(host, &user, Some("umbrella"), "tool/").await.expect(200);

    let here = crate::server::Key { user_id: user.key.user_id.clone(), ..host.key.clone() };
    host.try_sign_in(&here).await.detail(401);
    // The row here makes the guest no user of this organization.
    let own: Value = host.get(&format!("user/{}", user.key.user_id)).await.expect(200);
    assert_eq!(own["user_org_id"], "umbrella");

    theirs.delete(&format!("user/{}", user.key.user_id)).await.expect(204);
    visit(host, &user, Some("umbrella"), "tool/").await.detail(401);
}

#[tokio::test]
async fn a_row_for_somebody_of_one_organization_lets_in_nobody_of_another() {
    let (server, theirs) = start().await;
    let host = &server.client;
    let guest = json!({"role_name": AUTHOR, "user_org_id": "elsewhere", "user_id": theirs.key.user_id});
    host.post("user/", guest).await.expect(201);
    visit(host, &theirs, Some("umbrella"), "tool/").await.detail(404);
    visit(host, &theirs, Some("elsewhere"), "tool/").await.detail(401);
}

#[tokio::test]
async fn git_names_a_guest_by_its_home() {
    let (server, theirs) = start().await;
    let host = &server.client;
    let commit = server.author("ada").push(&["counter"]);
    let guest = json!({"role_name": AUTHOR, "user_org_id": "umbrella", "user_id": theirs.key.user_id});
    host.post("user/", guest).await.expect(201);

    let folder = server.installation.path("ada");
    let address = host.server.strip_prefix("http://").unwrap();
    let list = |organization: &str, issuer: &str| {
        let user = &theirs.key.user_id;
        let remote = format!("http://{organization}_{user}:{}@{address}/v1/acme/tool/git", theirs.token);
        run(&folder, &["-c", &format!("http.extraHeader=X-ORG-ID: {issuer}"), "ls-remote", &remote])
    };
    let listed = list("umbrella", "umbrella");
    let stdout = String::from_utf8_lossy(&listed.stdout);
    assert!(stdout.contains(&commit), "{}", String::from_utf8_lossy(&listed.stderr));
    assert!(!list("acme", "umbrella").status.success(), "the username is of another organization than the token");
    assert!(!list("umbrella", "acme").status.success(), "the token is of another organization than the header says");
}
