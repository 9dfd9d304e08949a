"""Runs the tests of packages with native code, as their authors wrote them, inside the sandbox, and prints what came of it.

    tests/upstream/run.py [--runtime PROGRAM] [--wheel-index FOLDER] [NAME…]

It takes the version that the index of wheels has, fetches its source archive, makes a project that has the archive's tests
and depends on all the packages asked for, which then share a base, and has `runtime test` run them. It needs `uv` on the path.
"""

import argparse
import re
import shutil
import subprocess
import tarfile
import tempfile
import tomllib
import urllib.request
from pathlib import Path
from typing import NamedTuple


class Suite(NamedTuple):
    tests: str
    """The tests' folder in the source archive."""
    needs: list[str] = []
    """What they import besides pytest."""
    arguments: list[str] = []
    """Further arguments of pytest."""
    beside: list[str] = []
    """What the tests look for beside their folder."""


# They need a plug-in that is native code for the host.
WITHOUT_BENCHMARKS = ["--ignore-glob=*bench*"]

SUITES = {
    "charset-normalizer": Suite("tests", beside=["data"]),
    "frozenlist": Suite("tests"),
    "markupsafe": Suite("tests"),
    "msgpack": Suite("test"),
    "msgspec": Suite("tests/unit"),
    "multidict": Suite("tests", [], WITHOUT_BENCHMARKS),
    "orjson": Suite("test", ["pytz", "python-dateutil"]),
    "propcache": Suite("tests", [], WITHOUT_BENCHMARKS),
    "regex": Suite("regex/tests"),
    "rpds-py": Suite("tests"),
    "simplejson": Suite("simplejson/tests"),
    "ujson": Suite("tests"),
    "wrapt": Suite("tests"),
    "xxhash": Suite("tests"),
    "yarl": Suite("tests", [], [*WITHOUT_BENCHMARKS, "--ignore-glob=*hypothesis*"]),
    "zstandard": Suite("tests"),
}

MANIFEST = """[project]
name = "upstream"
dependencies = {dependencies}
[dependency-groups]
dev = {needs}
[tool.toolplane]
entry-point = "tool:answer"
"""

# Where all that pytest prints is kept.
LOGS = Path("target/upstream")


def version(name: str, files: list[str]) -> str | None:
    distribution = re.sub(r"[-.]", "_", name)
    return next((file.split("-")[1] for file in files if file.startswith(f"{distribution}-")), None)


def fetch(name: str, version: str, folder: Path) -> Path:
    """The unpacked source archive."""
    (folder / "requirements.in").write_text(f"{name}=={version}\n")
    command = ["uv", "--no-config", "--quiet", "pip", "compile", "--universal", "--python-version=3.14", "--no-deps"]
    command += ["--format=pylock.toml", "--output-file=pylock.toml", "requirements.in"]
    subprocess.run(command, cwd=folder, check=True)
    lock = tomllib.loads((folder / "pylock.toml").read_text())
    archive = folder / "source.tar.gz"
    with urllib.request.urlopen(lock["packages"][0]["sdist"]["url"]) as answer:
        archive.write_bytes(answer.read())
    with tarfile.open(archive) as source:
        source.extractall(folder / "source", filter="data")
    return next((folder / "source").iterdir())


def run(name: str, versions: dict[str, str], runtime: list[str]) -> str:
    """pytest's last line, or what came instead of it."""
    suite = SUITES[name]
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        source, project = fetch(name, versions[name], work), work / "project"
        shutil.copytree(source / suite.tests, project / "tests")
        for folder in suite.beside:
            shutil.copytree(source / folder, project / folder)
        (project / "src").mkdir()
        (project / "src/tool.py").write_text("def answer() -> str:\n    return ''\n")
        (project / "pyproject.toml").write_text(
            MANIFEST.format(
                dependencies=[f"{name}=={version}" for name, version in versions.items()],
                needs=["pytest", *suite.needs],
            )
        )
        command = [*runtime, "test", str(project), "--", "-q", "-rf", "--tb=line", "-c", "/dev/null", "tests"]
        ended = subprocess.run([*command, *suite.arguments], capture_output=True, text=True)
        (LOGS / f"{name}.log").write_text(ended.stdout + ended.stderr)
    lines = (ended.stdout + ended.stderr).strip().splitlines()
    counted = [line for line in lines if re.search(r"\d+ (passed|failed|error)", line)]
    return counted[-1].strip("= ") if counted else (lines[-1] if lines else "nothing was printed")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runtime", default="target/release/runtime")
    parser.add_argument("--wheel-index", default="target/wheels")
    parser.add_argument("names", nargs="*", default=sorted(SUITES))
    arguments = parser.parse_args()
    runtime = [arguments.runtime, "--wheel-index", arguments.wheel_index]
    LOGS.mkdir(parents=True, exist_ok=True)
    listed = subprocess.run([*runtime, "wheels", "list"], capture_output=True, text=True, check=True)
    files = listed.stdout.splitlines()
    versions = {name: found for name in arguments.names if (found := version(name, files)) is not None}
    for name in arguments.names:
        told = run(name, versions, runtime) if name in versions else "there is no wheel of it"
        print(f"| {name} {versions.get(name, '')} | {told} |", flush=True)


if __name__ == "__main__":
    main()
