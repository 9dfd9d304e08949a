"""Repairs that can be tried on plain CPython, each in a process of its own, since they stay."""

import subprocess
import sys
from pathlib import Path

import pytest

import toolplane

RANDOM = """
from toolplane import randomness
import random, uuid
randomness.install()
free, given, subclass = random.Random(), random.Random(5), type("Mine", (random.Random,), {})()
restored = random.Random()
restored.setstate(random.Random(6).getstate())
states = [one.getstate() for one in (free, given, subclass, restored, random._inst)]
def frozen():
    for one, state in zip((free, given, subclass, restored, random._inst), states):
        random.Random.setstate.__globals__["_set_state"](one, state)
    randomness.begin()
    return [one.random() for one in (free, given, subclass, restored, random)]
first, second = frozen(), frozen()
assert [a == b for a, b in zip(first, second)] == [False, True, False, True, False], (first, second)
assert uuid._node is None
late = random.Random()
assert late not in randomness._unseeded
"""

LOCKS = """
import threading, queue
from toolplane import locks, turns
lock = locks.Lock()
with lock:
    assert lock.locked() and not lock.acquire(False) and not lock.acquire(timeout=0.001)
    turns.add(turns.Turn(lock.release))
    assert lock.acquire()
assert not lock.locked()
for call, error in ((lock.release, RuntimeError), (lambda: lock.acquire(False, 1), ValueError), (lambda: lock.acquire(True, -2), ValueError)):
    try:
        call()
    except error:
        continue
    raise AssertionError(call)
lock.acquire()
try:
    lock.acquire()
except turns.Deadlock as error:
    assert "MainThread" in str(error) and "lock.acquire() in <string>, line" in str(error), error
else:
    raise AssertionError
order = []
turns.add(turns.Turn(lambda: (order.append("waits"), turns.wait(lambda: "set" in order), order.append("goes on"))))
turns.add(turns.Turn(lambda: order.append("set")))
turns.end()
assert order == ["waits", "set", "goes on"], order
daemon = turns.Turn(lambda: (order.append("daemon"), turns.wait(lambda: False), order.append("never")), daemon=True)
turns.add(daemon)
turns.end()
assert order[-1] == "daemon"
"""

HASHES = """
import hashlib
from toolplane.hashes import pbkdf2_hmac
for name, password, salt, iterations, length in (
    ("sha256", b"p", b"s", 1, None), ("sha1", b"x" * 200, b"salt", 7, 50), ("sha512", bytearray(b"p"), memoryview(b"s"), 3, 10)
):
    assert pbkdf2_hmac(name, password, salt, iterations, length) == hashlib.pbkdf2_hmac(name, password, salt, iterations, length)
"""

CTYPES = """
import sys
from toolplane.absent import ctypes as ours
sys.modules["_ctypes"] = ours
for name in ("CField",):
    assert hasattr(ours, name)
class c_int32(ours._SimpleCData): _type_ = "i"
class c_uint8(ours._SimpleCData): _type_ = "B"
assert (c_int32(2**31).value, c_uint8(-1).value, c_int32().value, ours.sizeof(c_int32 * 4)) == (-(2**31), 255, 0, 16)
class Point(ours.Structure): _fields_ = [("x", c_int32)]
for call in (Point, lambda: ours.dlopen("libc.so.6"), lambda: (c_int32 * 2)(), lambda: ours.CFuncPtr(1)(2)):
    try:
        call()
    except OSError as error:
        assert "no native code" in str(error)
    else:
        raise AssertionError
"""

HYGIENE = """
import json, os, sys, tokenize
from toolplane import hygiene, loading
from toolplane.errors import DefinitionError
root, packages = sys.argv[1:]
hygiene.install()
before = open
def load(entry_point):
    text = json.dumps({"root": root, "path": [root], "entry_point": entry_point, "name": "p", "packages": packages})
    try:
        loading.load(text)
    except DefinitionError as error:
        return error.problems
    return ()
problems = load("opens:f")
assert open is before and tokenize._builtin_open is before
import opens, io, _socket, sqlite3
assert opens.open_file is before and opens.FileIO is io.FileIO and type(io.FileIO) is type
assert [(problem.file, problem.line) for problem in problems] == [("opens.py", n) for n in opens.LEFT_OPEN], problems
assert all("is left open" in problem.message for problem in problems)

(problem,) = load("uses:f")
assert problem == (
    "`Leaky-Package` leaves a socket open when it is imported (leaky/core.py, line 2)",
    "uses.py", 3, "import it inside the function",
), problem
(problem,) = load("calls:f")
assert problem.message.startswith("the file '/dev/null', which `Leaky-Package` opens (leaky/lazy.py, line 2), is left")
assert (problem.file, problem.line) == ("calls.py", 2) and problem.remedy.startswith("open it inside"), problem
"""


@pytest.mark.parametrize("program", [RANDOM, LOCKS, HASHES, CTYPES], ids=["random", "locks", "hashes", "ctypes"])
def test_a_repair_in_a_process_of_its_own(program: str) -> None:
    _run(program)


OPENS = """\
import _socket, io, os, socket, sqlite3, tokenize
from io import FileIO
from builtins import open as open_file
with open(__file__) as closed: closed.read()
file = open('/dev/null')
descriptor = os.open('/dev/null', os.O_RDONLY)
talk = socket.socket()
memory = sqlite3.connect(':memory:')
database = sqlite3.connect('DATABASE')
socket.socket().close(); sqlite3.connect('').close(); FileIO('/dev/null').close()
raw = FileIO('/dev/null')
bare = _socket.socket()
other = sqlite3.Connection('DATABASE')
bound = tokenize._builtin_open('/dev/null')
class Mine(FileIO, io.RawIOBase): pass
mine = Mine('/dev/null')
assert isinstance(open('/dev/null', 'rb', buffering=0), FileIO) and isinstance(talk, _socket.socket)
assert isinstance(memory, sqlite3.Connection) and issubclass(Mine, io.FileIO) and not isinstance(raw, Mine)
LEFT_OPEN = [5, 6, 7, 9, 11, 12, 13, 14, 16]
def f() -> None: ...
"""


def test_what_an_import_leaves_open_is_told_with_its_line_or_its_package(tmp_path: Path) -> None:
    root, packages = tmp_path / "tool", tmp_path / "packages"
    information = packages / "leaky_package-1.0.dist-info"
    for folder in (root, packages / "leaky", information):
        folder.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: Leaky-Package\nVersion: 1.0\n")
    (information / "RECORD").write_text("leaky/__init__.py,,\nleaky/core.py,,\nleaky/lazy.py,,\n")
    (packages / "leaky" / "__init__.py").write_text("")
    (packages / "leaky" / "core.py").write_text("import socket\nprobe = socket.socket()\n")
    (packages / "leaky" / "lazy.py").write_text("def read():\n    return open('/dev/null')\n")
    (root / "opens.py").write_text(OPENS.replace("DATABASE", str(tmp_path / "d.db")))
    (root / "uses.py").write_text("\n\nimport leaky.core\ndef f() -> None: ...\n")
    (root / "calls.py").write_text("import leaky.lazy\nfile = leaky.lazy.read()\ndef f() -> None: ...\n")
    _run(HYGIENE, str(root), str(packages))


def _run(program: str, *arguments: str) -> None:
    source = Path(toolplane.__file__).parents[1]
    command = [sys.executable, "-c", program, *arguments]
    subprocess.run(command, check=True, env={"PYTHONPATH": str(source)}, timeout=30)
