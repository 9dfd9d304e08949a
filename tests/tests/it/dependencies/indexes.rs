//! Packages from a private index, and from URLs of their own.

use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::index::{Index, PASSWORD, sha256};
use super::wheels::Wheel;
use super::{text, text_of, write_project};
use crate::programs;
use crate::server::{Installation, Server};

const CODE: &str = "import private\n\n\ndef answer() -> str:\n    return private.SECRET\n";

#[tokio::test]
async fn the_index_of_the_configuration_is_asked_with_its_credentials_and_only_where_something_is_missing() {
    let installation = Installation::new();
    let links = folder_with_a_wheel(&installation.path(""));
    let index = Index::start(&links);
    installation.configure(&format!("[packages]\nindex_url = {:?}\n", index.url()));
    let server = Server::start_on(installation).await;
    let (author, client) = (server.author("work"), &server.client);
    let project = server.installation.path("work/private");
    write_project(&project, &["private>=1"], CODE);
    author.push(&[]);
    let tool = client.create_tool("private").await;

    client.publish(&tool, "private", "major").await.expect(201);
    let output = json!({"succeeded": true, "output": text_of(&links)});
    assert_eq!(client.result(&tool, json!({})).await, output);
    let answered = index.answered.load(Ordering::SeqCst);
    assert!(answered > 0);

    // The author writes the lock down, from the same index.
    let locked = runtime(&index, &["lock", text_of(&project), "--index-url", &index.url()]);
    assert_eq!(locked.status.code(), Some(0), "{}", text(&locked.stderr));
    let lock = fs_err::read_to_string(project.join("pylock.toml")).unwrap();
    assert!(lock.contains(&sha256(&links.join("private-1-py3-none-any.whl"))), "{lock}");
    assert!(lock.contains("http://127.0.0.1:") && !lock.contains("ada:"), "{lock}");
    author.push(&[]);
    client.publish(&tool, "private", "minor").await.expect(201);

    // The index is gone. The lock has not changed, so nobody asks it, even though the code has.
    let (answered, before) = (Arc::clone(&index.answered), index.answered.load(Ordering::SeqCst));
    drop(index);
    fs_err::write(project.join("src/tool.py"), format!("{CODE}\n# Changed.\n")).unwrap();
    author.push(&[]);
    let published: Value = client.publish(&tool, "private", "minor").await.expect(201);
    assert_eq!(published, json!({"new_version": "1.2.0"}));
    assert_eq!(answered.load(Ordering::SeqCst), before);

    // Without a lock the index is needed, and its credentials are in no answer, file or log.
    write_project(&project, &["another"], CODE);
    fs_err::remove_file(project.join("pylock.toml")).unwrap();
    author.push(&[]);
    let detail = client.publish(&tool, "private", "minor").await.detail(400);
    assert!(detail.contains("pyproject.toml:4: the dependencies cannot be resolved"), "{detail}");
    assert!(detail.contains("see that the index can be reached"), "{detail}");
    for secret in [PASSWORD, "p%40ss"] {
        assert!(!detail.contains(secret), "{detail}");
        assert_eq!(server.installation.file_with(secret), None);
    }
}

#[test]
fn credentials_that_the_index_refuses_are_said_to_be_so() {
    let folder = tempfile::tempdir().unwrap();
    let links = folder_with_a_wheel(folder.path());
    let index = Index::start(&links);
    let project = folder.path().join("private");
    write_project(&project, &["private"], CODE);
    let wrong = index.url().replace("ada:", "ada:not-");
    let refused = runtime(&index, &["check", text_of(&project), "--index-url", &wrong]);
    assert_eq!(refused.status.code(), Some(3));
    let told = text(&refused.stderr);
    assert!(told.contains("pyproject.toml:4: ") && told.contains("refuses the operator's credentials"), "{told}");
    assert!(!told.contains("not-p"), "{told}");
}

#[test]
fn further_indexes_are_asked_first_and_alone_for_what_they_know() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) =
        (folder_with_a_wheel(&folder.path().join("a")), folder_with_a_wheel(&folder.path().join("b")));
    // A newer version elsewhere is not preferred: anybody could have put it there.
    Wheel::new("private", "2").file("private.py", "SECRET = 'a stranger\'s'\n").write(&second);
    Wheel::new("public", "1").file("public.py", "").write(&second);
    let (extra, index) = (Index::start(&first), Index::start(&second));
    let project = folder.path().join("private");
    write_project(&project, &["private", "public"], CODE);
    let urls = ["--index-url", &index.url(), "--extra-index-url", &extra.url()];

    let run = runtime(&index, &[&["run", text_of(&project)][..], &urls].concat());

    assert_eq!(text(&run.stdout), format!("{}\n", text_of(&first)), "{}", text(&run.stderr));
    assert!(extra.answered.load(Ordering::SeqCst) > 0);
    // The extra index alone does not have the other package, and the index alone has the stranger's.
    let alone = runtime(&index, &["lock", text_of(&project), "--index-url", &extra.url()]);
    assert_eq!(alone.status.code(), Some(3), "{}", text(&alone.stderr));
    assert!(!text(&alone.stderr).contains("p%40ss"), "{}", text(&alone.stderr));
    let locked = runtime(&index, &["lock", text_of(&project), "--index-url", &index.url()]);
    assert_eq!(locked.status.code(), Some(0), "{}", text(&locked.stderr));
    assert!(fs_err::read_to_string(project.join("pylock.toml")).unwrap().contains("private-2-py3-none-any.whl"));
}

#[test]
fn a_url_of_a_wheel_is_installed_and_held_against_its_hash() {
    let folder = tempfile::tempdir().unwrap();
    let links = folder_with_a_wheel(folder.path());
    let index = Index::start(&links);
    let file = "private-1-py3-none-any.whl";
    let (url, hash) = (index.file_url(file), sha256(&links.join(file)));
    let project = folder.path().join("private");

    let other = hash.chars().rev().collect::<String>();
    write_project(&project, &["colours", &format!("private @ {url}#sha256={other}")], CODE);
    let refused = runtime(&index, &["check", text_of(&project), "--find-links", text_of(&links)]);
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused.stderr));
    let told = format!("pyproject.toml:5: wheel `{file}`: its SHA-256 is {hash}, and the URL says {other}");
    assert!(text(&refused.stderr).contains(&told), "{}", text(&refused.stderr));

    // With its hash, and without one, which the lock then has.
    for written in [format!("private @ {url}#sha256={hash}"), format!("private @ {url}")] {
        write_project(&project, &[&written], CODE);
        let locked = runtime(&index, &["lock", text_of(&project)]);
        assert_eq!(locked.status.code(), Some(0), "{}", text(&locked.stderr));
        let lock = fs_err::read_to_string(project.join("pylock.toml")).unwrap();
        assert!(lock.contains(&url) && lock.contains(&hash), "{lock}");
        let run = runtime(&index, &["run", text_of(&project)]);
        assert_eq!(text(&run.stdout), format!("{}\n", text_of(&links)), "{}", text(&run.stderr));
    }

    // What such a wheel requires comes from the index alone: a URL of its own could lead anywhere.
    Wheel::new("leading", "1").requires("colours @ http://127.0.0.1:1/colours-1-py3-none-any.whl").write(&links);
    fs_err::remove_file(project.join("pylock.toml")).unwrap();
    write_project(&project, &[&format!("leading @ {}", index.file_url("leading-1-py3-none-any.whl"))], CODE);
    let refused = runtime(&index, &["lock", text_of(&project)]);
    assert_eq!(refused.status.code(), Some(3));
    let told = text(&refused.stderr);
    assert!(
        told.contains("pyproject.toml:4: wheel `leading-1-py3-none-any.whl`: it requires `colours @ http:"),
        "{told}"
    );

    // A lock of the project's own has the very file that the manifest names.
    write_project(&project, &[&format!("private @ {url}")], CODE);
    assert_eq!(runtime(&index, &["lock", text_of(&project)]).status.code(), Some(0));
    write_project(&project, &[&format!("private @ {}", index.file_url("other-1-py3-none-any.whl"))], CODE);
    let refused = runtime(&index, &["check", text_of(&project)]);
    assert_eq!(refused.status.code(), Some(3));
    assert!(text(&refused.stderr).contains("pylock.toml has it from elsewhere"), "{}", text(&refused.stderr));
}

/// The wheel's content is the folder's name, so it is another one in each test and no cache has it.
fn folder_with_a_wheel(folder: &Path) -> std::path::PathBuf {
    let links = folder.join("index");
    fs_err::create_dir_all(&links).unwrap();
    Wheel::new("private", "1").file("private.py", &format!("SECRET = {:?}\n", text_of(&links))).write(&links);
    Wheel::new("colours", "1").file("colours.py", "").write(&links);
    links
}

fn runtime(index: &Index, arguments: &[&str]) -> Output {
    programs::command("runtime").args(arguments).env("SSL_CERT_FILE", &index.ca).output().unwrap()
}
