// The part of an author, played with isomorphic-git.

import fs from "node:fs";
import git from "isomorphic-git";
import http from "isomorphic-git/http/node";

const [url, username, password, dir] = process.argv.slice(2);
const there = { fs, http, dir, url, onAuth: () => ({ username, password }), onAuthFailure: () => ({ cancel: true }) };
const author = { name: "I", email: "i@example.com" };

if (process.env.STEP === "push") {
  await git.clone(there);
  fs.writeFileSync(`${dir}/theirs`, "2");
  await git.add({ fs, dir, filepath: "theirs" });
  const commit = await git.commit({ fs, dir, message: "theirs", author });
  await git.annotatedTag({ fs, dir, ref: "v1", message: "one", tagger: author });
  for (const [ref, remoteRef] of [["main", "main"], ["main", "refs/heads/side"], ["v1", "refs/tags/v1"]]) {
    const pushed = await git.push({ ...there, ref, remoteRef });
    if (!pushed.ok) throw new Error(JSON.stringify(pushed));
  }
  console.log(commit);
} else {
  await git.fetch({ ...there, ref: "main" });
  console.log(await git.resolveRef({ fs, dir, ref: "refs/remotes/origin/main" }));
}
