//! Cloning and fetching with the real `git`, in each version of its protocol.

use crate::author::{files_below, git, run};
use crate::server::Server;

const VERSIONS: [&str; 3] = ["protocol.version=0", "protocol.version=1", "protocol.version=2"];

#[tokio::test]
async fn every_kind_of_clone_and_fetch_works_in_every_version() {
    let server = Server::start().await;
    let (ada, remote) = (server.author("ada"), server.client.remote());
    for number in 0..5 {
        ada.write("file", format!("number {number}"));
        ada.write(&format!("file-{number}"), number.to_string());
        ada.commit();
    }
    ada.git(&["tag", "--annotate", "--message=the first", "v1", "HEAD~1"]);
    ada.git(&["tag", "light"]);
    ada.git(&["branch", "side", "HEAD~2"]);
    ada.git(&["push", "--quiet", "origin", "main", "side", "v1", "light"]);
    let mut tip = ada.git(&["rev-parse", "main"]);

    for (number, version) in VERSIONS.into_iter().enumerate() {
        let home = server.installation.path(version);
        fs_err::create_dir(&home).unwrap();
        let clone = |name: &str, arguments: &[&str]| {
            git(&home, &[&["-c", version, "clone", "--quiet"], arguments, &[&remote, name]].concat());
            let clone = home.join(name);
            git(&clone, &["config", "protocol.version", version.rsplit('=').next().unwrap()]);
            clone
        };
        let count = |clone| git(clone, &["rev-list", "--count", "HEAD"]);

        let whole = clone("whole", &[]);
        assert_eq!(git(&whole, &["rev-parse", "HEAD"]), tip);
        assert_eq!(git(&whole, &["symbolic-ref", "HEAD"]), "refs/heads/main");
        assert_eq!(git(&whole, &["cat-file", "-t", "v1"]), "tag");
        assert_eq!(git(&whole, &["rev-parse", "v1^{commit}"]), ada.git(&["rev-parse", "v1^{commit}"]));
        assert_eq!(files_below(&whole), files_below(&server.installation.path("ada")));
        git(&whole, &["fsck", "--strict"]);

        let shallow = clone("shallow", &["--depth=1"]);
        assert_eq!(count(&shallow), "1");
        git(&shallow, &["fetch", "--quiet", "--deepen=1"]);
        assert_eq!(count(&shallow), "2");
        git(&shallow, &["fetch", "--quiet", "--unshallow"]);
        assert_eq!(count(&shallow), git(&whole, &["rev-list", "--count", "HEAD"]));
        let excluding = clone("excluding", &["--shallow-exclude=v1"]);
        assert_eq!(count(&excluding), git(&whole, &["rev-list", "--count", "v1..HEAD"]));

        let partial = clone("partial", &["--filter=blob:none", "--no-checkout"]);
        let missing = git(&partial, &["rev-list", "--objects", "--all", "--missing=print"]);
        assert!(missing.lines().filter(|line| line.starts_with('?')).count() >= 5, "{missing}");
        git(&partial, &["checkout", "--quiet", "main"]);
        assert_eq!(files_below(&partial), files_below(&whole));

        let single = clone("single", &["--single-branch", "--branch=side"]);
        let branches = git(&single, &["branch", "--remotes", "--format=%(refname:short)"]);
        assert_eq!(branches.lines().filter(|name| name.contains("main")).count(), 0, "{branches}");
        assert_eq!(git(&single, &["rev-parse", "HEAD"]), ada.git(&["rev-parse", "side"]));

        // A shallow clone pushes, too, and everybody fetches it.
        let other = clone("other", &["--depth=1"]);
        git(&other, &["commit", "--quiet", "--allow-empty", "--message", version]);
        git(&other, &["tag", "--annotate", "--message=tag", &format!("from-{number}")]);
        git(&other, &["push", "--quiet", "--follow-tags", "origin", "main"]);
        tip = git(&other, &["rev-parse", "HEAD"]);
        for clone in [&whole, &shallow, &partial] {
            git(clone, &["fetch", "--quiet", "--tags"]);
            assert_eq!(git(clone, &["rev-parse", "origin/main"]), tip);
            assert_eq!(git(clone, &["rev-parse", &format!("from-{number}^{{commit}}")]), tip);
        }
        ada.git(&["pull", "--quiet", "origin", "main"]);
    }
}

#[tokio::test]
async fn an_empty_repository_is_cloned_with_main_as_its_branch() {
    let server = Server::start().await;
    let home = server.installation.path("home");
    fs_err::create_dir(&home).unwrap();
    for version in VERSIONS {
        let remote = server.client.remote();
        let cloned = run(&home, &["-c", version, "clone", &remote, version]);
        let stderr = String::from_utf8_lossy(&cloned.stderr);
        assert!(cloned.status.success() && stderr.contains("cloned an empty repository"), "{stderr}");
    }
    let clone = home.join("protocol.version=2");
    assert_eq!(git(&clone, &["symbolic-ref", "HEAD"]), "refs/heads/main");
    git(&clone, &["commit", "--quiet", "--allow-empty", "--message=first"]);
    git(&clone, &["push", "--quiet", "origin", "HEAD"]);
    assert!(git(&clone, &["ls-remote", "origin"]).contains("refs/heads/main"));
}

#[tokio::test]
async fn large_bodies_stream_in_chunks_and_compressed() {
    let server = Server::start().await;
    let (ada, remote) = (server.author("ada"), server.client.remote());
    ada.write("random", random(2 << 20));
    ada.commit();
    // More than what git sends in one piece, so it asks first and then sends chunks.
    ada.git(&["-c", "http.postBuffer=65536", "push", "--quiet", "origin", "main"]);
    let many: Vec<_> = (0..300).map(|number| format!("main:refs/heads/many/{number}")).collect();
    let arguments: Vec<_> = ["push", "--quiet", "origin"].into_iter().chain(many.iter().map(String::as_str)).collect();
    ada.git(&arguments);

    let clone = server.installation.path("clone");
    ada.git(&["clone", "--quiet", &remote, clone.to_str().unwrap()]);
    // What it has in common takes more than a kilobyte to say, which git compresses.
    for _ in 0..64 {
        git(&clone, &["commit", "--quiet", "--allow-empty", "--message=mine"]);
    }
    ada.write("file", "theirs");
    ada.commit();
    ada.git(&["push", "--quiet", "origin", "main"]);
    for version in VERSIONS {
        git(&clone, &["-c", version, "fetch", "--quiet", "origin"]);
        assert_eq!(git(&clone, &["rev-parse", "origin/main"]), ada.git(&["rev-parse", "main"]));
        git(&clone, &["update-ref", "-d", "refs/remotes/origin/main"]);
    }
    assert_eq!(git(&clone, &["ls-remote", "--heads", "origin", "many/*"]).lines().count(), 300);
}

/// Bytes that no compression makes smaller.
pub fn random(length: usize) -> Vec<u8> {
    use std::io::Read;
    let mut bytes = vec![0; length];
    std::fs::File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
    bytes
}
