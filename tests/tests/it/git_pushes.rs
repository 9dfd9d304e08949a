//! Pushes: what is accepted, what is refused and how, and that a refused one leaves nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::author::{git, git_with_input, run};
use crate::git_protocol::random;
use crate::server::{Installation, Server};
use crate::wire::{Upload, commit_of_tree, hash_object, pack_of, pack_of_objects, push_command};

#[tokio::test]
async fn branches_and_tags_are_made_moved_and_deleted() {
    let server = Server::start().await;
    let ada = server.author("ada");
    let first = ada.commit();
    let second = ada.commit();
    ada.git(&["tag", "--annotate", "--message=one", "v1", &first]);
    ada.git(&["push", "--quiet", "origin", "main", "main:refs/heads/feature/häuser", "v1", "main:refs/tags/light"]);
    let listed = || ada.git(&["ls-remote", "origin"]);
    for expected in ["refs/heads/main", "refs/heads/feature/häuser", "refs/tags/v1^{}", "refs/tags/light"] {
        assert!(listed().contains(expected), "{}", listed());
    }

    // Back, which only force does; and a tag elsewhere, likewise.
    ada.git(&["reset", "--quiet", "--hard", &first]);
    ada.write("file", "without which it would be the second, made in the same second");
    let third = ada.commit();
    assert!(ada.refused(&["push", "origin", "main"]).contains("non-fast-forward"));
    ada.git(&["push", "--quiet", "--force", "origin", "main", "main:refs/tags/light"]);
    assert!(listed().contains(&format!("{third}\trefs/heads/main")));
    assert!(!listed().contains(&format!("{second}\trefs/tags/light")));
    let stale = format!("--force-with-lease=main:{second}");
    assert!(ada.refused(&["push", &stale, "origin", "main~1:main"]).contains("stale info"));

    ada.git(&["push", "--quiet", "--push-option=ci.skip", "--push-option=x=ä", "origin", "main:refs/heads/options"]);
    ada.git(&["push", "--quiet", "origin", "--delete", "feature/häuser", "v1", "options"]);
    assert!(!listed().contains("feature") && !listed().contains("v1"), "{}", listed());
    let refused = ada.refused(&["push", "origin", "--delete", "main"]);
    assert!(refused.contains("remote: error: refusing to delete the current branch: refs/heads/main"), "{refused}");
    // A branch below the place of one that is gone, and in the place of branches that are gone.
    ada.git(&["push", "--quiet", "origin", "main:refs/heads/feature"]);
    git(&server.installation.repository(), &["fsck", "--strict"]);
}

#[tokio::test]
async fn the_servers_rules_refuse_each_reference_by_itself_and_say_why() {
    let server = Server::start_with("[git]\nmax_commands = 5\nmax_refs = 6\n").await;
    let ada = server.author("ada");
    ada.commit();
    ada.git(&["push", "--quiet", "origin", "main"]);
    let second = ada.commit();

    let long = format!("main:refs/heads/{}", "x".repeat(201));
    let refused =
        ada.refused(&["push", "origin", "main", "main:refs/notes/x", &long, "main:refs/toolplane/published/x"]);
    for expected in [
        "remote: error: refs/notes/x: only branches and tags are kept here: push to refs/heads/<name> or to",
        "remote: error: refs/toolplane/published/x: only branches and tags",
        ": the name is too long: it has at most 255 bytes, and 200 between slashes",
        "! [remote rejected] main -> refs/notes/x (deny updating a hidden ref)",
    ] {
        assert!(refused.contains(expected), "{refused}");
    }
    let listed = || ada.git(&["ls-remote", "origin"]);
    assert!(listed().contains(&format!("{second}\trefs/heads/main")), "what breaks no rule is accepted: {refused}");

    ada.commit();
    let refused = ada.refused(&["push", "--atomic", "origin", "main", "main:refs/heads/other", "main:refs/notes/x"]);
    assert!(refused.contains("remote: error: the push is atomic, so none of its references was changed"), "{refused}");
    assert!(listed().contains(&format!("{second}\trefs/heads/main")) && !listed().contains("other"), "{refused}");
    // Git's own reason counts as much as ours.
    ada.git(&["push", "--quiet", "origin", "main:refs/heads/ahead"]);
    let refused = ada.refused(&["push", "--atomic", "origin", ":main", "main:refs/heads/other"]);
    assert!(refused.contains("deletion of the current branch prohibited"), "{refused}");
    assert!(listed().contains(&format!("{second}\trefs/heads/main")) && !listed().contains("other"), "{refused}");
    ada.git(&["push", "--quiet", "--atomic", "origin", "main", "main:refs/heads/other"]);

    let names: Vec<_> = (0..6).map(|number| format!("main:refs/heads/many/{number}")).collect();
    let push = |names: &[String]| {
        run(
            &server.installation.path("ada"),
            &[&["push", "origin"], &names.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat(),
        )
    };
    let refused = String::from_utf8(push(&names).stderr).unwrap();
    assert!(refused.contains("remote: error: one push changes at most 5 branches and tags: push fewer"), "{refused}");
    let refused = String::from_utf8(push(&names[..5]).stderr).unwrap();
    assert!(
        refused.contains("error: refs/heads/many/4: the repository has 6 branches and tags, which is"),
        "{refused}"
    );
    assert_eq!(listed().lines().filter(|line| line.contains("refs/")).count(), 6, "{}", listed());
}

#[tokio::test]
async fn a_bad_push_leaves_the_repository_as_it_was() {
    let server = Server::start_with("[git]\nmax_pack_mib = 1\n").await;
    let ada = server.author("ada");
    ada.push(&["counter"]);
    let folder = server.installation.path("ada");
    let before = contents(&server.installation);

    let blob = hash_object(&folder, "blob", b"1");
    let tree = ada.git(&["rev-parse", "HEAD^{tree}"]);
    let bad_date = format!("tree {tree}\nauthor A <a@b> x +0000\ncommitter A <a@b> 1 +0000\n\nm\n");
    let cases = [
        ("hasDotgit", commit_of_tree(&folder, &[("40000", ".git", &tree)])),
        ("hasDotgit", commit_of_tree(&folder, &[("100644", ".GIT", &blob)])),
        ("hasDotdot", commit_of_tree(&folder, &[("40000", "..", &tree)])),
        ("fullPathname", commit_of_tree(&folder, &[("100644", "a/b", &blob)])),
        ("zeroPaddedFilemode", commit_of_tree(&folder, &[("0100644", "a", &blob)])),
        ("treeNotSorted", commit_of_tree(&folder, &[("100644", "b", &blob), ("100644", "a", &blob)])),
        ("duplicateEntries", commit_of_tree(&folder, &[("100644", "a", &blob), ("100644", "a", &blob)])),
        ("badDate", hash_object(&folder, "commit", bad_date.as_bytes())),
    ];
    for (why, object) in cases {
        let refused = ada.refused(&["push", "origin", &format!("{object}:refs/heads/bad")]);
        assert!(refused.contains(why) && refused.contains("! [remote rejected]"), "{why}: {refused}");
        assert_eq!(contents(&server.installation), before, "{why}");
    }

    let commit = ada.commit();
    let whole = pack_of(&folder, &commit);
    let mut corrupt = whole.clone();
    corrupt[whole.len() / 2] ^= 0x55;
    let orphan = commit_of_tree(&folder, &[("100644", "nowhere", &blob)]);
    let packs = [
        ("cut short", &commit, whole[..whole.len() - 1].to_vec()),
        ("cut at its head", &commit, whole[..10].to_vec()),
        ("corrupt", &commit, corrupt),
        ("garbage", &commit, b"PACKgarbage".to_vec()),
        ("nothing", &commit, Vec::new()),
        ("without its tree", &orphan, pack_of_objects(&folder, &[&orphan])),
        ("without its commit", &commit, pack_of_objects(&folder, &[&blob])),
    ];
    for (what, commit, pack) in packs {
        let answer = upload(&server, commit, &pack);
        assert!(answer.contains("ng refs/heads/bad"), "{what}: {answer}");
        assert_eq!(contents(&server.installation), before, "{what}");
    }

    ada.write("random", random(3 << 20));
    ada.commit();
    let refused = ada.refused(&["push", "origin", "main"]);
    assert!(refused.contains("remote: fatal: pack exceeds maximum allowed size"), "{refused}");
    assert_eq!(contents(&server.installation), before);

    // A branch is a commit. Git finds that out when it has accepted the objects, which then stay until they are pruned.
    let answer = upload(&server, &tree, &pack_of_objects(&folder, &[&tree]));
    assert!(answer.contains("ng refs/heads/bad failed to update ref"), "{answer}");
    assert!(answer.contains("trying to write non-commit object"), "{answer}");
    assert!(!ada.git(&["ls-remote", "origin"]).contains("bad"));
    git(&server.installation.repository(), &["fsck", "--strict"]);
}

#[tokio::test]
async fn no_push_is_lost_among_those_at_the_same_time() {
    let server = Server::start().await;
    let (ada, remote) = (server.author("ada"), server.client.remote());
    ada.commit();
    ada.git(&["push", "--quiet", "origin", "main"]);
    let authors: Vec<_> = (0..6)
        .map(|number| {
            let clone = server.installation.path(&number.to_string());
            ada.git(&["clone", "--quiet", &remote, clone.to_str().unwrap()]);
            git(&clone, &["commit", "--quiet", "--allow-empty", "--message", &number.to_string()]);
            clone
        })
        .collect();

    let pushed = push_all(&authors, |_| "main".to_owned());
    let (won, lost): (Vec<_>, Vec<_>) = pushed.into_iter().partition(|(_, error)| error.is_empty());
    assert_eq!(won.len(), 1, "{lost:?}");
    let tip = git(won[0].0, &["rev-parse", "HEAD"]);
    assert_eq!(ada.git(&["ls-remote", "origin", "main"]), format!("{tip}\trefs/heads/main"));
    for (_, error) in lost {
        assert!(error.contains("rejected]"), "{error}");
    }

    let pushed = push_all(&authors, |number| format!("HEAD:refs/heads/own/{number}"));
    assert!(pushed.iter().all(|(_, error)| error.is_empty()), "{pushed:?}");
    let listed = ada.git(&["ls-remote", "origin", "own/*"]);
    for (number, author) in authors.iter().enumerate() {
        let tip = git(author, &["rev-parse", "HEAD"]);
        assert!(listed.contains(&format!("{tip}\trefs/heads/own/{number}")), "{listed}");
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_neither_objects_nor_processes() {
    let server = Server::start().await;
    let ada = server.author("ada");
    ada.push(&["counter"]);
    let before = contents(&server.installation);
    ada.write("random", random(1 << 20));
    let commit = ada.commit();
    let pack = pack_of(&server.installation.path("ada"), &commit);

    let mut upload = Upload::begin(&server.client);
    upload.send(&push_command(None, Some(&commit), "refs/heads/bad"));
    upload.send(&pack[..pack.len() / 2]);
    while !has_quarantine(&server.installation) {}
    drop(upload);

    while processes_in(&server.installation.repository()) > 0 || has_quarantine(&server.installation) {}
    assert_eq!(contents(&server.installation), before);
    ada.git(&["push", "--quiet", "origin", "main"]);
}

#[tokio::test]
async fn a_push_that_takes_too_long_is_ended() {
    for setting in ["command_timeout_s", "stall_timeout_s"] {
        let server = Server::start_with(&format!("[git]\n{setting} = 3\n")).await;
        let ada = server.author("ada");
        ada.write("random", random(1 << 20));
        let commit = ada.commit();
        let pack = pack_of(&server.installation.path("ada"), &commit);
        let before = contents(&server.installation);

        let mut upload = Upload::begin(&server.client);
        upload.send(&push_command(None, Some(&commit), "refs/heads/main"));
        upload.send(&pack[..pack.len() / 2]);
        let answer = upload.stall();

        assert!(answer.contains("ng refs/heads/main unpacker error"), "{setting}: {answer}");
        assert!(answer.contains("error: the push took too long and was ended"), "{setting}: {answer}");
        while processes_in(&server.installation.repository()) > 0 {}
        assert_eq!(contents(&server.installation), before, "{setting}");
    }
}

#[tokio::test]
async fn no_hook_and_no_configuration_of_the_content_runs() {
    let server = Server::start().await;
    let ada = server.author("ada");
    let trace = server.installation.path("ran");
    let hook = format!("#!/bin/sh\necho ran >{}\n", trace.display());
    for place in ["hooks", "content"] {
        let folder = match place {
            "hooks" => server.installation.repository().join("hooks"),
            _ => server.installation.path("ada").join("hooks"),
        };
        fs_err::create_dir(&folder).unwrap();
        for name in ["pre-receive", "update", "post-receive", "post-update", "reference-transaction", "proc-receive"] {
            fs_err::write(folder.join(name), &hook).unwrap();
            make_executable(&folder.join(name));
        }
    }
    ada.write("config", format!("[core]\n\thooksPath = {}\n", server.installation.path("ada").join("hooks").display()));
    ada.write(".gitattributes", "* filter=run diff=run\n");
    ada.commit();
    ada.git(&["push", "--quiet", "origin", "main"]);
    assert!(!trace.exists());
}

fn upload(server: &Server, commit: &str, pack: &[u8]) -> String {
    let mut upload = Upload::begin(&server.client);
    upload.send(&push_command(None, Some(commit), "refs/heads/bad"));
    if !pack.is_empty() {
        upload.send(pack);
    }
    upload.finish()
}

/// Every file and folder of the repository with its content.
fn contents(installation: &Installation) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut pending = vec![installation.repository()];
    while let Some(folder) = pending.pop() {
        for entry in fs_err::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path.clone());
                found.insert(path, Vec::new());
            } else {
                found.insert(path.clone(), fs_err::read(path).unwrap());
            }
        }
    }
    found
}

/// Whether a push is being received.
pub fn has_quarantine(installation: &Installation) -> bool {
    let entries = fs_err::read_dir(installation.repository().join("objects")).unwrap();
    entries.filter_map(Result::ok).any(|entry| entry.file_name().to_string_lossy().starts_with("tmp_objdir"))
}

/// How many processes work in a folder.
pub fn processes_in(folder: &Path) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    processes.filter(|process| std::fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == folder)).count()
}

/// Pushes from all clones at once. What each complained about is empty where it succeeded.
fn push_all(clones: &[PathBuf], refspec: impl Fn(usize) -> String) -> Vec<(&PathBuf, String)> {
    let pushes: Vec<_> = clones.iter().enumerate().map(|(number, clone)| (clone, refspec(number))).collect();
    std::thread::scope(|scope| {
        let running: Vec<_> = pushes
            .iter()
            .map(|(clone, refspec)| (*clone, scope.spawn(|| run(clone, &["push", "origin", refspec]))))
            .collect();
        let ended = running.into_iter().map(|(clone, push)| (clone, push.join().unwrap()));
        ended
            .map(|(clone, push)| {
                let stderr = String::from_utf8_lossy(&push.stderr).into_owned();
                (clone, if push.status.success() { String::new() } else { format!("failed: {stderr}") })
            })
            .collect()
    })
}

fn make_executable(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs_err::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A commit whose message has so many bytes.
pub fn commit_with_message(folder: &Path, bytes: usize) -> String {
    let tree = git(folder, &["rev-parse", "HEAD^{tree}"]);
    let mut content = format!("tree {tree}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\n").into_bytes();
    content.resize(bytes, b'a');
    let id =
        git_with_input(folder, &["-c", "core.compression=1", "hash-object", "-w", "-t", "commit", "--stdin"], &content);
    String::from_utf8(id).unwrap().trim().to_owned()
}
