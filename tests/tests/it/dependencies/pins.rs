//! Dependency confusion: a public index has packages with the names of private ones, in higher versions.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use serde_json::json;

use super::index::{Index, PASSWORD};
use super::wheels::Wheel;
use super::{text, text_of, write_project};
use crate::programs;
use crate::server::{Installation, Server};

const CODE: &str =
    "import acme_core, acme_util\n\n\ndef answer() -> str:\n    return acme_core.ORIGIN + ' ' + acme_util.ORIGIN\n";

/// Two folders of wheels, whose content is theirs alone.
fn folders(folder: &Path) -> [PathBuf; 2] {
    let [private, public] = ["private", "public"].map(|name| folder.join("indexes").join(name));
    for (folder, version) in [(&private, "1"), (&public, "99")] {
        fs_err::create_dir_all(folder).unwrap();
        let origin = format!("ORIGIN = {:?}\n", text_of(folder));
        for (package, requires) in [("acme_core", "acme-util"), ("acme_util", "plain")] {
            Wheel::new(package, version).requires(requires).file(&format!("{package}.py"), &origin).write(folder);
        }
    }
    // What only the private version requires is nowhere else; a name that nobody has taken yet is on the public index.
    Wheel::new("acme_core", "2")
        .requires("acme-only")
        .requires("acme-util")
        .file("acme_core.py", &format!("ORIGIN = {:?}\n", text_of(&private)))
        .write(&private);
    Wheel::new("acme_only", "1").file("acme_only.py", "").write(&private);
    Wheel::new("acme_new", "5").file("acme_new.py", "").write(&public);
    // A package that is not pinned comes from elsewhere, and requires one that is.
    Wheel::new("plain", "1").requires("acme-util").file("plain.py", "").write(&public);
    Wheel::new("plain", "7").file("plain.py", "").write(&private);
    [private, public]
}

#[test]
fn a_pinned_package_comes_from_its_index_alone_whoever_requires_it() {
    let folder = tempfile::tempdir().unwrap();
    let [private_folder, public_folder] = folders(folder.path());
    let (private, public) = (Index::start(&private_folder), Index::start(&public_folder));
    let project = folder.path().join("project");
    let lock = || fs_err::read_to_string(project.join("pylock.toml")).unwrap();
    let (private_url, public_url) = (private.url(), public.url());
    let pin = format!("acme-*={private_url}");
    let plain = ["--index-url", &private_url, "--extra-index-url", &public_url];
    let pinned = ["--index-url", &public_url, "--pin-index", &pin];
    let run = |command: &str, options: &[&str]| {
        let arguments = [&[command, text_of(&project)][..], options].concat();
        programs::command("runtime").args(arguments).env("SSL_CERT_FILE", &public.ca).output().unwrap()
    };
    let succeed = |command: &str, options: &[&str]| {
        let output = run(command, options);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let refused = |command: &str, options: &[&str], told: &[&str]| {
        let output = run(command, options);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{stderr}");
        for part in told {
            assert!(stderr.contains(part), "`{part}` is not in {stderr}");
        }
        assert!(!stderr.contains("p%40ss") && !stderr.contains(PASSWORD), "{stderr}");
    };

    // Without a pin the stranger's packages are taken.
    write_project(&project, &["plain", "acme_core"], CODE);
    succeed("lock", &plain);
    assert!(lock().contains("acme_core-99-py3-none-any.whl"), "{}", lock());

    // Such a lock is refused where the names are pinned, before anything of it is fetched.
    let message = "is pinned to the index http://127.0.0.1:";
    let files = "which does not name `acme_core-99-py3-none-any.whl`";
    refused("check", &pinned, &["pyproject.toml:5: package `acme-core` 99", message, files, "package `acme-util` 99"]);
    fs_err::remove_file(project.join("pylock.toml")).unwrap();

    // With it they are not, neither the one that the project names nor those that others require.
    succeed("lock", &pinned);
    let locked = lock();
    for file in ["acme_core-2-", "acme_only-1-", "acme_util-1-", "plain-1-"] {
        assert!(locked.contains(file), "{file} is not in {locked}");
    }
    assert!(!locked.contains("-99-") && !locked.contains("plain-7-") && !locked.contains("ada:"), "{locked}");
    let origin = format!("{0} {0}\n", text_of(&private_folder));
    assert_eq!(succeed("run", &pinned), origin);

    // What the index was found to have, it is not asked for again.
    let asked = private.answered.load(Ordering::SeqCst);
    fs_err::write(project.join("src/unused.py"), "").unwrap();
    assert_eq!(succeed("run", &pinned), origin);
    assert_eq!(private.answered.load(Ordering::SeqCst), asked);
    fs_err::remove_file(project.join("pylock.toml")).unwrap();

    // A name that the index does not have is refused, wherever else it is, and so is a file from elsewhere.
    write_project(&project, &["plain", "acme-new"], CODE);
    refused("lock", &pinned, &["pyproject.toml:5: package `acme-new` 5", message, "`acme_new-5-py3-none-any.whl`"]);
    let url = public.file_url("acme_util-99-py3-none-any.whl");
    write_project(&project, &[&format!("acme-util @ {url}")], CODE);
    refused("check", &pinned, &["pyproject.toml:4: package `acme-util` 99", message]);

    // An index that is gone vouches for nothing.
    drop(private);
    write_project(&project, &["acme-util"], CODE);
    refused("check", &pinned, &["package `acme-util` is pinned to the index", "cannot be asked"]);
}

#[tokio::test]
async fn the_service_takes_pinned_packages_from_their_index() {
    let installation = Installation::new();
    let [private_folder, public_folder] = folders(&installation.path(""));
    let (private, public) = (Index::start(&private_folder), Index::start(&public_folder));
    let settings = format!(
        "[packages]\nindex_url = {:?}\n[[packages.pins]]\npackages = [\"acme-*\"]\nindex_url = {:?}\n",
        public.url(),
        private.url()
    );
    installation.configure(&settings);
    let server = Server::start_on(installation).await;
    let (author, client) = (server.author("work"), &server.client);
    write_project(&server.installation.path("work/acme"), &["plain", "acme-core"], CODE);
    author.push(&[]);
    let tool = client.create_tool("acme").await;

    client.publish(&tool, "acme", "major").await.expect(201);

    let output = json!({"succeeded": true, "output": format!("{0} {0}", text_of(&private_folder))});
    assert_eq!(client.result(&tool, json!({})).await, output);
    for secret in [PASSWORD, "p%40ss"] {
        assert_eq!(server.installation.file_with(secret), None);
    }
}
