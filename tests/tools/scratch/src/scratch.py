"""Each function does one thing that programs do with temporary files, and returns what it saw."""

import contextlib
import dbm
import errno
import os
import shelve
import shutil
import sqlite3
import tarfile
import tempfile
import zipfile
from pathlib import Path

TMP = Path("/tmp")

# What packages do that unpack something when they are imported.
with tempfile.NamedTemporaryFile("w", delete=False) as built:
    built.write("while it was built")
READ_WHILE_BUILT = Path(built.name).read_text()


def use(what: str) -> object:
    """Does one thing.

    Args:
        what: The function's name.
    """
    return globals()[what]()


def listed() -> list:
    return sorted(str(path.relative_to(TMP)) for path in TMP.rglob("*"))


def from_the_build() -> list:
    return [READ_WHILE_BUILT, os.path.exists(built.name), listed()]


def temporary_files() -> list:
    seen = [tempfile.gettempdir()]
    with tempfile.NamedTemporaryFile() as named, tempfile.TemporaryFile() as unnamed:
        for file in (named, unnamed):
            file.write(b"hello")
            file.seek(0)
            seen.append(file.read().decode())
        seen += [Path(named.name).read_text(), len(listed())]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "inside").write_text("it")
    with tempfile.SpooledTemporaryFile(max_size=4) as spooled:
        spooled.write(b"more than four")
        spooled.seek(5)
        seen.append(spooled.read().decode())
    handle, name = tempfile.mkstemp(suffix=".txt")
    os.close(handle)
    return [*seen, Path(name).suffix, len(listed())]


def positions() -> list:
    with open("/tmp/positions", "w+b", buffering=0) as file:
        file.write(b"hello world")
        file.seek(0)
        seen = [file.read(2).decode()]
        file.write(b"LL")
        seen.append(file.read(2).decode())
        file.write(b"W")
        file.seek(13)
        file.write(b"!")
        file.truncate(15)
    content = (TMP / "positions").read_bytes().decode()
    with open("/tmp/positions", "ab") as one, open("/tmp/positions", "ab") as other:
        one.write(b"1")
        one.flush()
        other.write(b"2")
        other.flush()
        one.write(b"3")
    handle = os.open("/tmp/positions", os.O_RDWR)
    os.pwrite(handle, b"J", 0)
    os.lseek(handle, -4, os.SEEK_END)
    seen += [content, os.pread(handle, 5, 0).decode(), os.read(handle, 9).decode(), os.fstat(handle).st_size]
    os.close(handle)
    return seen


def trees() -> list:
    (TMP / "a/b").mkdir(parents=True)
    (TMP / "a/f").write_text("f")
    (TMP / "a/b/g").write_text("g")
    shutil.copytree("/tmp/a", "/tmp/copy")
    shutil.move("/tmp/copy/b", "/tmp/moved")
    shutil.move("/tmp/moved/g", "/tmp/copy/f")
    walked = [(folder, sorted(folders), sorted(files)) for folder, folders, files in sorted(os.walk("/tmp"))]
    kinds = sorted((entry.name, entry.is_dir(), entry.stat().st_size) for entry in os.scandir("/tmp/copy"))
    content = (TMP / "copy/f").read_text()
    shutil.rmtree("/tmp/a")
    shutil.rmtree("/tmp/copy")
    os.rmdir("/tmp/moved")
    return [walked, kinds, content, listed()]


def metadata() -> list:
    file = TMP / "f"
    file.write_text("four")
    os.utime(file, (1, 2.5))
    status = file.stat()
    (TMP / "d").mkdir()
    return [
        status.st_size,
        status.st_atime,
        status.st_mtime,
        os.path.samefile("/tmp/d/../f", file),
        os.path.samefile("/tmp/d", "/tmp"),
        os.access(file, os.R_OK | os.W_OK),
        os.access("/tool", os.W_OK) or os.access("/", os.W_OK),
        os.listdir("/"),
        os.path.realpath("/tmp/d/../f"),
    ]


def archives() -> list:
    (TMP / "in").mkdir()
    (TMP / "in/f").write_text("content")
    with zipfile.ZipFile("/tmp/a.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.write("/tmp/in/f", "f")
    with zipfile.ZipFile("/tmp/a.zip", "a") as file:
        file.writestr("g", "written")
    with zipfile.ZipFile("/tmp/a.zip") as file:
        file.extractall("/tmp/unzipped")
    with tarfile.open("/tmp/a.tar.gz", "w:gz") as file:
        file.add("/tmp/in", "in")
    with tarfile.open("/tmp/a.tar.gz") as file:
        file.extractall("/tmp/untarred")
    shutil.make_archive("/tmp/made", "zip", "/tmp/in")
    return [path for path in listed() if path.startswith("un")] + [(TMP / "untarred/in/f").read_text()]


def databases() -> list:
    rows = [(number,) for number in range(1000)]
    seen = []
    for place in (":memory:", "/tmp/numbers.db"):
        with contextlib.closing(sqlite3.connect(place)) as connection:
            connection.execute("CREATE TABLE numbers (number)")
            connection.executemany("INSERT INTO numbers VALUES (?)", rows)
            connection.commit()
            connection.execute("DELETE FROM numbers")
            seen.append("numbers.db-journal" in listed())
            connection.rollback()
            connection.execute("VACUUM")
            seen += connection.execute("SELECT count(*) FROM numbers").fetchone()
    with (
        contextlib.closing(sqlite3.connect("/tmp/numbers.db")) as one,
        contextlib.closing(sqlite3.connect("/tmp/numbers.db", timeout=0.01)) as other,
    ):
        one.execute("BEGIN IMMEDIATE")
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            seen.append(str(error))
        one.rollback()
        seen += other.execute("SELECT max(number) FROM numbers").fetchone()
    with shelve.open("/tmp/shelf") as shelf:
        shelf["key"] = ["a", "list"]
    with shelve.open("/tmp/shelf") as shelf:
        seen += shelf["key"]
    return [*seen, dbm.whichdb("/tmp/shelf"), listed()]


def refused() -> dict:
    (TMP / "f").write_text("")
    (TMP / "d/e").mkdir(parents=True)
    attempts = {
        "read what is not there": lambda: open("/tmp/nothing"),
        "make what is there": lambda: open("/tmp/f", "x"),
        "open a folder": lambda: open("/tmp/d", "w"),
        "remove a full folder": lambda: os.rmdir("/tmp/d"),
        "list a file": lambda: os.listdir("/tmp/f"),
        "move a folder into itself": lambda: os.rename("/tmp/d", "/tmp/d/e/d"),
        "move a file over a folder": lambda: os.rename("/tmp/f", "/tmp/d"),
        "link": lambda: os.link("/tmp/f", "/tmp/g"),
        "link by name": lambda: os.symlink("/tmp/f", "/tmp/g"),
        "read a link": lambda: os.readlink("/tmp/f"),
        "climb out": lambda: open("/tmp/../tool/pyproject.toml"),
        "write to the root": lambda: open("/f", "w"),
        "write to the current folder": lambda: open("f", "w"),
        "make a folder in the root": lambda: os.mkdir("/data"),
        "write to the project": lambda: open("/tool/f", "w"),
        "overwrite the project": lambda: open("/tool/pyproject.toml", "r+"),
        "remove from the project": lambda: os.remove("/tool/pyproject.toml"),
        "move out of the project": lambda: os.rename("/tool/pyproject.toml", "/tmp/p"),
        "remove the folder itself": lambda: os.rmdir("/tmp"),
        "write to the library": lambda: open("/python/f", "w"),
    }
    return {name: _error_of(attempt) for name, attempt in attempts.items()}


def _error_of(attempt) -> str:
    try:
        return f"no error, but {attempt()!r}"
    except OSError as error:
        return errno.errorcode[error.errno]


def too_many_bytes() -> list:
    kept = b"0123456789abcdef" * 64
    seen = []
    with open("/tmp/large", "wb", buffering=0) as file:
        try:
            while True:
                assert file.write(kept) == len(kept)
        except OSError as error:
            seen += [error.errno == errno.ENOSPC, error.strerror, file.tell()]
        file.seek(0)
        file.write(b"X")  # Over what is there, which takes no space.
    for attempt in (
        lambda: os.truncate("/tmp/large", 2 << 20),
        lambda: (TMP / "other").write_text("x"),
        lambda: os.pwrite(os.open("/tmp/large", os.O_WRONLY), b"x", 1 << 40),
        lambda: sqlite3.connect("/tmp/numbers.db").execute("CREATE TABLE numbers (number)"),
    ):
        try:
            attempt()
            seen.append("no error")
        except OSError as error:
            seen.append(errno.errorcode[error.errno])
        except sqlite3.OperationalError as error:
            seen.append(str(error))
    os.truncate("/tmp/large", 10)
    (TMP / "other").write_text("it goes on")
    return [*seen, (TMP / "other").read_text()]


def too_many_files() -> list:
    count = 0
    try:
        while True:
            (TMP / str(count)).touch()
            count += 1
    except OSError as error:
        seen = [count, errno.errorcode[error.errno]]
    seen.append(_error_of(lambda: os.mkdir("/tmp/folder")))
    os.remove("/tmp/0")
    os.mkdir("/tmp/folder")
    return [*seen, len(listed())]


def too_many_open() -> list:
    (TMP / "f").touch()
    seen = []
    for path in ("/tmp/f", "/tool/pyproject.toml"):
        handles = []
        try:
            while True:
                handles.append(os.open(path, os.O_RDONLY))
        except OSError as error:
            seen += [len(handles) > 200, errno.errorcode[error.errno]]
        for handle in handles:
            os.close(handle)
    return [*seen, (TMP / "f").read_text()]


def in_one_call() -> list:
    handle = os.open("/tmp/f", os.O_RDWR | os.O_CREAT)
    return [os.pwrite(handle, bytes(8 << 20), 0), len(os.read(handle, 9)), os.fstat(handle).st_size]


def mine() -> list:
    text = "-".join(("left", "behind"))
    with open("/tmp/mine", "x") as file:
        file.write(text)
    return [listed(), (TMP / "mine").read_text() == text]
