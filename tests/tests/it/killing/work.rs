//! The work that goes on while the server is killed: each kind goes on until a request is not answered, and knows what was
//! answered until then and what was asked last.

use std::path::PathBuf;
use std::sync::Arc;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::author::{self, Author};
use crate::client::{Client, allow};
use crate::server::Server;

/// The status and the body of an answer; none when the server was gone before it was whole.
async fn answer(request: RequestBuilder) -> Option<(u16, Value)> {
    let response = request.send().await.ok()?;
    let status = response.status().as_u16();
    let body = response.bytes().await.ok()?;
    // A server whose disk is gone says that it failed, which confirms nothing.
    (status < 500).then(|| (status, serde_json::from_slice(&body).unwrap_or_default()))
}

fn request(client: &Client, method: Method, path: &str) -> RequestBuilder {
    client.anonymous(method, path).bearer_auth(&client.token)
}

/// Calls one tool under one conversation, each time with the next number.
#[derive(Clone)]
pub struct Invoker {
    pub tool: String,
    pub conversation: String,
    pub field: &'static str,
    /// What the tool answers to a number.
    pub says: fn(u64) -> String,
}

/// What the tool `long` answers.
pub fn long_text(number: u64) -> String {
    let length = usize::try_from(number * 370_001 % 1_500_000).unwrap();
    let mut text = format!("{number} ").repeat(length / 2);
    text.truncate(length);
    text
}

/// How far an invoker came.
pub struct Invoked {
    /// The last number that was asked for: all before it were answered.
    pub asked: u64,
}

impl Invoker {
    pub async fn go_on(self, client: Arc<Client>, answers: Arc<Semaphore>) -> Invoked {
        for asked in 1.. {
            let Some((status, body)) = self.ask(&client, asked).await else { return Invoked { asked } };
            assert_eq!((status, &body["invocation_results"][0]["succeeded"]), (200, &json!(true)), "{body}");
            answers.add_permits(1);
        }
        unreachable!("the server is killed before that")
    }

    async fn ask(&self, client: &Client, number: u64) -> Option<(u16, Value)> {
        let source = json!({
            "type": "regular-conversation",
            "user_id": client.key.user_id,
            "conversation_id": self.conversation,
            "interaction_id": null,
            "invocation_metadata": null,
        });
        let input = json!({"input_parameters": {self.field: number}, "invocation_mode": "regular"});
        let path = format!("tool/{}/version/1.0.0/invoke", self.tool);
        let request = request(client, Method::POST, &path)
            .header("idempotency-key", format!("{}-{number}", self.conversation))
            .json(&json!({"inputs": [input], "invocation_source": source}));
        answer(request).await
    }

    /// Each number is on record once, also the one that was not answered, once it was asked for again.
    pub async fn check(&self, client: &Client, done: &Invoked) {
        let (status, again) = self.ask(client, done.asked).await.unwrap();
        assert_eq!(status, 200, "{again}");
        let mut recorded = Vec::new();
        let mut token = json!(0);
        loop {
            let path =
                format!("tool/invocation?conversation_id={}&limit=20&continuation_token={token}", self.conversation);
            let page = client.get(&path).await.expect(200);
            for found in page["tool_invocations"].as_array().unwrap() {
                let number = found["inputs"][self.field].as_u64().unwrap();
                let status = &found["invocation_status"];
                assert_eq!(status["succeeded"], true, "{number} of {}", self.conversation);
                assert!(status["output"] == (self.says)(number), "{number} of {} is another", self.conversation);
                recorded.push(number);
            }
            if page["has_more"] == false {
                break;
            }
            token = page["continuation_token"].clone();
        }
        recorded.sort_unstable();
        assert_eq!(recorded, (1..=done.asked).collect::<Vec<_>>(), "{}", self.conversation);
    }
}

/// Makes a tool and publishes it as often as it can.
pub struct Publisher {
    pub cycle: u64,
}

/// What came of that.
pub struct Published {
    name: String,
    tool: Option<String>,
    versions: usize,
}

impl Publisher {
    /// One page of versions, which is what the check reads.
    const MOST: usize = 45;

    pub async fn go_on(self, client: Arc<Client>, answers: Arc<Semaphore>) -> Published {
        let name = format!("published_{}", self.cycle);
        let body = json!({"name": name, "description": "Counts.", "tags": {}});
        let mut done = Published { name, tool: None, versions: 0 };
        let Some((status, made)) = answer(request(&client, Method::POST, "tool/").json(&body)).await else {
            return done;
        };
        assert_eq!(status, 201, "{made}");
        answers.add_permits(1);
        let path = format!("tool/{}/version", made["id"].as_str().unwrap());
        done.tool = made["id"].as_str().map(str::to_owned);
        while done.versions < Self::MOST {
            let bump = if done.versions == 0 { "major" } else { "patch" };
            let body = json!({"project_path": "counter", "bump_type": bump});
            let Some((status, body)) = answer(request(&client, Method::POST, &path).json(&body)).await else { break };
            assert_eq!(status, 201, "{body}");
            answers.add_permits(1);
            done.versions += 1;
        }
        done
    }
}

impl Published {
    pub async fn check(&self, client: &Client) {
        let tools = client.tools("deprecated=false").await;
        let Some(tool) = tools.iter().find(|tool| tool["name"] == json!(self.name)) else {
            assert!(self.tool.is_none(), "the tool {} was answered and is gone", self.name);
            return;
        };
        let id = tool["id"].as_str().unwrap();
        assert!(self.tool.as_deref().is_none_or(|made| made == id));
        let versions = client.versions(id).await.len();
        let expected = self.versions..=self.versions + 1;
        assert!(expected.contains(&versions), "{versions} versions, and {} were answered", self.versions);
        if versions > 0 {
            let answer = client.invoke(id, ">=1.0", &[json!({"step": 3})]).await;
            assert_eq!(answer.headers["x-tool-version"], format!("1.0.{}", versions - 1));
            assert_eq!(answer.expect(200)["invocation_results"][0]["output"], "3");
        }
        // Whatever was left half done is in nobody's way.
        let bump = if versions == 0 { "major" } else { "patch" };
        let next = json!({"new_version": format!("1.0.{versions}")});
        assert_eq!(client.publish(id, "counter", bump).await.expect(201), next);
        // Only the newest are looked at, and this makes room for more.
        client.delete(&format!("tool/{id}")).await.expect(204);
    }
}

/// Inserts one variable after the other into a tool, and takes the older ones off.
#[derive(Clone)]
pub struct Variables {
    pub tool: String,
}

/// The names before the last request, and after it.
pub struct Changed {
    before: Vec<u64>,
    after: Vec<u64>,
}

impl Variables {
    /// So many there are at once.
    const AT_ONCE: usize = 3;

    pub async fn go_on(self, client: Arc<Client>, answers: Arc<Semaphore>) -> Changed {
        let mut done = Changed { before: Vec::new(), after: Vec::new() };
        for number in 0.. {
            let gone: Vec<_> =
                done.before.iter().copied().take((done.before.len() + 1).saturating_sub(Self::AT_ONCE)).collect();
            done.after = done.before.iter().copied().filter(|one| !gone.contains(one)).chain([number]).collect();
            let inserts = json!([{"name": name(number), "value": "v".repeat(300), "is_secret": number % 2 == 0}]);
            let deletes: Vec<_> = gone.iter().map(|number| json!({"name": name(*number)})).collect();
            let path = format!("tool/{}/envvar", self.tool);
            let body = json!({"inserts": inserts, "deletes": deletes});
            let Some((status, body)) = answer(request(&client, Method::POST, &path).json(&body)).await else { break };
            assert_eq!(status, 204, "{body}");
            answers.add_permits(1);
            done.before.clone_from(&done.after);
        }
        done
    }

    /// They are as they were answered last, or as they were asked for last; then they go.
    pub async fn check(&self, client: &Client, done: &Changed) {
        let tool = client.tools(&format!("id={}", self.tool)).await.remove(0);
        let mut found: Vec<_> = ["envvars", "secret_envvars"]
            .iter()
            .flat_map(|field| tool[field].as_array().unwrap())
            .map(|name| name.as_str().unwrap().to_owned())
            .collect();
        found.sort();
        let names = |numbers: &[u64]| {
            let mut names: Vec<_> = numbers.iter().map(|number| name(*number)).collect();
            names.sort();
            names
        };
        assert!([names(&done.before), names(&done.after)].contains(&found), "{found:?}");
        let deletes: Vec<_> = found.iter().map(|name| json!({"name": name})).collect();
        client.set_envvars(&self.tool, json!({"deletes": deletes})).await.expect(204);
    }
}

fn name(number: u64) -> String {
    format!("V_{number}")
}

/// Makes roles, each with a user, and deletes those before them.
pub struct Access {
    pub cycle: u64,
}

/// What there was before the last request, whose outcome is not known.
#[derive(Default)]
pub struct Granted {
    roles: Vec<String>,
    users: Vec<String>,
    /// What the last request was about; it may be there or not.
    uncertain: Option<String>,
}

impl Access {
    pub async fn go_on(self, client: Arc<Client>, answers: Arc<Semaphore>) -> Granted {
        let mut done = Granted::default();
        for number in 0.. {
            let role = format!("r-{}-{number}", self.cycle);
            let body = json!({"name": role, "permission_grants": [allow("Tool:InvokeTool")]});
            done.uncertain = Some(format!("role/{role}"));
            let Some(_) = said(request(&client, Method::POST, "role/").json(&body), 201, &answers).await else { break };
            done.roles.push(role.clone());

            done.uncertain = None;
            let made = request(&client, Method::POST, "user/").json(&json!({"role_name": role}));
            let Some(user) = said(made, 201, &answers).await else { break };
            let user = user["id"].as_str().unwrap().to_owned();

            // The user goes, and then its role may: one pair of three stays.
            done.users.push(user.clone());
            if number % 3 == 0 {
                continue;
            }
            for (path, list) in [(format!("user/{user}"), 1), (format!("role/{role}"), 0)] {
                done.uncertain = Some(path.clone());
                let list = if list == 1 { &mut done.users } else { &mut done.roles };
                list.pop();
                let Some(_) = said(request(&client, Method::DELETE, &path), 204, &answers).await else { return done };
            }
        }
        done
    }
}

async fn said(request: RequestBuilder, expected: u16, answers: &Semaphore) -> Option<Value> {
    let (status, body) = answer(request).await?;
    assert_eq!(status, expected, "{body}");
    answers.add_permits(1);
    Some(body)
}

impl Granted {
    pub async fn check(&self, client: &Client) {
        let is_uncertain = |path: &String| self.uncertain.as_ref() == Some(path);
        for user in self.users.iter().map(|user| format!("user/{user}")).filter(|path| !is_uncertain(path)) {
            client.get(&user).await.expect(200);
            client.delete(&user).await.expect(204);
        }
        for role in self.roles.iter().map(|role| format!("role/{role}")).filter(|path| !is_uncertain(path)) {
            client.get(&role).await.expect(200);
            // A user may have it that was made and not answered.
            assert!([204, 409].contains(&client.delete(&role).await.status));
        }
        if let Some(path) = &self.uncertain {
            let found = client.get(path).await.status;
            assert!([200, 404].contains(&found));
            if found == 200 {
                assert!([204, 409].contains(&client.delete(path).await.status));
            }
        }
    }
}

/// Pushes one commit after the other to a branch of its own.
pub struct Pusher {
    author: Author,
    folder: PathBuf,
    remote: String,
    branch: String,
}

/// The commit that was pushed last, and the one that was being pushed.
pub struct Pushed {
    answered: Option<String>,
    asked: String,
    branch: String,
}

impl Pusher {
    pub fn new(server: &Server, cycle: u64) -> Self {
        let folder = server.installation.path("pusher");
        let author = match folder.exists() {
            true => Author::existing(&folder),
            false => server.author("pusher"),
        };
        Self { author, folder, remote: server.client.remote(), branch: format!("pushed-{}", cycle % 4) }
    }

    pub fn go_on(self, answers: &Semaphore) -> Pushed {
        let mut done = Pushed { answered: None, asked: String::new(), branch: self.branch.clone() };
        for number in 0.. {
            self.author.write("number", format!("{} {number}", self.branch));
            done.asked = self.author.commit();
            let reference = format!("HEAD:refs/heads/{}", self.branch);
            let output = author::run(&self.folder, &["push", "--quiet", "--force", &self.remote, &reference]);
            if !output.status.success() {
                break;
            }
            answers.add_permits(1);
            done.answered = Some(done.asked.clone());
        }
        done
    }
}

impl Pushed {
    pub fn check(&self, server: &Server) {
        let listed =
            author::git(&server.installation.repository(), &["for-each-ref", "--format=%(objectname) %(refname)"]);
        let is_at = |commit: &String| listed.contains(&format!("{commit} refs/heads/{}", self.branch));
        // Where nothing was answered, the branch may be that of an earlier cycle, or not there.
        let is_well = is_at(&self.asked) || self.answered.as_ref().is_none_or(is_at);
        assert!(is_well, "{listed}\nwas answered: {:?}, was asked: {}", self.answered, self.asked);
    }
}
