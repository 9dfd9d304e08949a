"""The part of an author, played with dulwich."""

import io
import os
import sys

from dulwich import porcelain
from dulwich.repo import Repo

url, user, password, folder = sys.argv[1:]
credentials = {"username": user, "password": password}
quiet = {"errstream": io.BytesIO()}

if os.environ["STEP"] == "push":
    porcelain.clone(url, folder, **credentials, **quiet).close()
    with open(os.path.join(folder, "theirs"), "w") as file:
        file.write("2")
    porcelain.add(folder, [os.path.join(folder, "theirs")])
    commit = porcelain.commit(folder, b"theirs", author=b"D <d@example.com>", committer=b"D <d@example.com>")
    porcelain.tag_create(folder, b"v1", author=b"D <d@example.com>", message=b"one", annotated=True)
    refs = ["refs/heads/main:refs/heads/main", "refs/heads/main:refs/heads/side", "refs/tags/v1:refs/tags/v1"]
    porcelain.push(folder, url, refs, outstream=io.BytesIO(), **credentials, **quiet)
    print(commit.decode())
else:
    porcelain.fetch(folder, "origin", outstream=io.StringIO(), **credentials, **quiet)
    with Repo(folder) as repository:
        print(repository.refs[b"refs/remotes/origin/main"].decode())
