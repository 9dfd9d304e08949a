"""The part of an author, played with libgit2."""

import os
import sys

import pygit2

url, user, password, folder = sys.argv[1:]


class Callbacks(pygit2.RemoteCallbacks):
    def credentials(self, url, username_from_url, allowed_types):
        return pygit2.UserPass(user, password)

    def push_update_reference(self, refname, message):
        if message is not None:
            raise SystemExit(f"{refname}: {message}")


if os.environ["STEP"] == "push":
    repository = pygit2.clone_repository(url, folder, callbacks=Callbacks())
    with open(os.path.join(folder, "theirs"), "w") as file:
        file.write("2")
    repository.index.add("theirs")
    repository.index.write()
    author = pygit2.Signature("L", "l@example.com")
    tree = repository.index.write_tree()
    commit = repository.create_commit("HEAD", author, author, "theirs", tree, [repository.head.target])
    repository.create_tag("v1", commit, pygit2.enums.ObjectType.COMMIT, author, "one")
    refs = ["refs/heads/main", "refs/heads/main:refs/heads/side", "refs/tags/v1"]
    repository.remotes["origin"].push(refs, callbacks=Callbacks())
    print(commit)
else:
    repository = pygit2.Repository(folder)
    repository.remotes["origin"].fetch(callbacks=Callbacks())
    print(repository.references["refs/remotes/origin/main"].target)
