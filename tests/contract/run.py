"""Holds the running service against its own document: schemathesis makes requests out of `/openapi.json`, good and bad
ones, and judges the answers.

It needs the binaries in `target/release`, and a Python with the packages of `requirements.txt`; `.ci/run` makes one.
Arguments are handed on, such as `--include-operation-id list_tools`. The seed is fixed, so a failure comes again.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from string import Template

HERE = Path(__file__).resolve().parent
WORKSPACE = HERE.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", WORKSPACE / "target"))
CONTROL_PLANE = TARGET / "release" / "control-plane"
# The cache of the workspace's tests: linking the Python base takes twenty seconds.
CACHE = TARGET / "tmp" / "toolplane-cache"
SEED = "20251124"
# For each operation and phase. It keeps the run below three minutes.
MAX_EXAMPLES = "40"
# The project lies where the document's example of a publish says, so that this example succeeds.
PROJECT = "tools/weather_report"


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        key = json.loads(run(CONTROL_PLANE, "init-org", "acme", "--json", "--data", folder / "data"))
        with server(folder) as url:
            token = sign_in(url, key)
            push_project(folder / "work", url, key, token)
            tool = publish(url, token, "greeting")
            given = {"input_parameters": {"name": "Ada"}, "invocation_mode": "regular"}
            call(url, token, f"tool/{tool}/version/1.0.0/invoke", {"inputs": [given]})
            invocation = call(url, token, "tool/invocation")["tool_invocations"][0]["id"]
            values = {"TOKEN": token, "TOOL_ID": tool, "USER_ID": key["user_id"], "INVOCATION_ID": invocation}
            values |= {"API_KEY": key["api_key"], "API_KEY_ID": key["api_key_id"], "PROJECT": PROJECT}
            return check(folder, url, values | spares(url, token, key))


def publish(url, token, name):
    """A tool with a version, by its id."""
    tool = call(url, token, "tool/", {"name": name, "description": "Greets.", "tags": {"team": "core"}})["id"]
    call(url, token, f"tool/{tool}/version", {"project_path": PROJECT, "bump_type": "major"})
    return tool


def spares(url, token, key):
    """What operations that change and delete things have to themselves."""
    numbers = range(5)
    roles = [f"spare-{number}" for number in numbers]
    for role in roles:
        call(url, token, "role/", {"name": role, "permission_grants": []})
    users = [call(url, token, "user/", {"role_name": "DefaultUserRole"})["id"] for _ in numbers]
    new_key = {"duration": "P1D", "role_name": "DefaultUserRole"}
    keys = [call(url, token, "organization/api_key/", new_key)["api_key_id"] for _ in numbers]
    spare = {
        "SPARE_TOOLS": [publish(url, token, f"spare_{number}") for number in numbers],
        "SPARE_USERS": [*users, key["user_id"]],
        "SPARE_ROLES": [*roles, "DefaultUserRole"],
        "SPARE_KEYS": keys,
    }
    return {name: json.dumps(values)[1:-1] for name, values in spare.items()}


def check(folder, url, values):
    """Runs schemathesis and answers its exit code."""
    settings = folder / "schemathesis.toml"
    settings.write_text(Template((HERE / "schemathesis.toml").read_text()).substitute(values))
    shutil.copy(HERE / "hooks.py", folder)
    command = [Path(sys.executable).with_name("schemathesis"), "--config-file", settings, "run", f"{url}/openapi.json"]
    command += ["--checks", "all", "--max-examples", MAX_EXAMPLES, "--seed", SEED, "--no-color"]
    # Paths of files are mostly taken from a list, so that most of what is made up besides is left out.
    command += ["--suppress-health-check", "filter_too_much"]
    return subprocess.run([*map(str, command), *sys.argv[1:]], cwd=folder).returncode


@contextmanager
def server(folder):
    """A server on a port that the system chooses. It has to stop cleanly."""
    command = [CONTROL_PLANE, "serve", "--listen", "127.0.0.1:0", "--data", folder / "data"]
    command += ["--config", HERE / "server.toml"]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=own_environment())
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        ended = process.wait(timeout=60)
    if ended != 0:
        sys.exit(f"the server ended with {ended}:\n{(folder / 'server.log').read_text()}")


def sign_in(url, key):
    headers = {"x-api-key": key["api_key"], "x-api-key-id": key["api_key_id"], "x-user-id": key["user_id"]}
    request = urllib.request.Request(f"{url}/v1/acme/user/signin_with_api_key", headers=headers, method="POST")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["id_token"]


def call(url, token, path, body=None):
    """A GET, or with a body a POST."""
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}/v1/acme/{path}", data=data, headers=headers)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def push_project(work, url, key, token):
    shutil.copytree(WORKSPACE / "tests" / "tools" / "greeting", work / PROJECT)
    host = url.removeprefix("http://")
    remote = f"http://acme_{key['user_id']}:{token}@{host}/v1/acme/tool/git"
    git = ["git", "-C", work, "-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    run(*git, "init", "--quiet", "--initial-branch=main")
    run(*git, "add", "--all")
    run(*git, "commit", "--quiet", "--message", "Add a tool")
    run(*git, "tag", "v1")
    run(*git, "push", "--quiet", remote, "main", "main:side/branch", "v1")


def run(*command):
    """Runs a command, which has to succeed, and answers what it printed."""
    return subprocess.run([*map(str, command)], check=True, stdout=subprocess.PIPE, env=own_environment()).stdout


def own_environment():
    """No setting of the machine has a say, and no proxy stands between us and the server."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOOLPLANE_")}
    return kept | {"TOOLPLANE_CACHE": str(CACHE), "TOOLPLANE_ALLOW_SWAP": "1", "NO_PROXY": "127.0.0.1", "GIT_CONFIG_GLOBAL": os.devnull}


if __name__ == "__main__":
    sys.exit(main())
