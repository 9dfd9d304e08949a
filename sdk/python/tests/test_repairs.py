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
import os, sys
from toolplane import hygiene
from toolplane.project import Project
root = os.path.dirname(sys.argv[1])
project = Project("p", root, (root,), "m:f")
hygiene.install()
before = open
def build():
    hygiene.begin()
    module = {}
    exec(compile(open(sys.argv[1]).read(), sys.argv[1], "exec"), module)
    return module, hygiene.end(project)
module, problems = build()
assert open is before
assert [(problem.file, problem.line) for problem in problems] == [("m.py", 3), ("m.py", 4), ("m.py", 5), ("m.py", 7)], problems
assert all("is left open" in problem.message for problem in problems)
"""


@pytest.mark.parametrize("program", [RANDOM, LOCKS, HASHES, CTYPES], ids=["random", "locks", "hashes", "ctypes"])
def test_a_repair_in_a_process_of_its_own(program: str) -> None:
    _run(program)


def test_what_an_import_leaves_open_is_told_with_its_line(tmp_path: Path) -> None:
    module = tmp_path / "m.py"
    module.write_text(
        "import os, socket, sqlite3\n"
        "with open(__file__) if '__file__' in globals() else open('/dev/null') as closed: closed.read()\n"
        "file = open('/dev/null')\n"
        "descriptor = os.open('/dev/null', os.O_RDONLY)\n"
        "talk = socket.socket()\n"
        "memory = sqlite3.connect(':memory:')\n"
        f"database = sqlite3.connect({str(tmp_path / 'd.db')!r})\n"
        "socket.socket().close(); sqlite3.connect('').close()\n"
    )
    _run(HYGIENE, str(module))


def _run(program: str, *arguments: str) -> None:
    source = Path(toolplane.__file__).parents[1]
    command = [sys.executable, "-c", program, *arguments]
    subprocess.run(command, check=True, env={"PYTHONPATH": str(source)}, timeout=30)
