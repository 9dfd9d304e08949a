import importlib
import inspect

from ordinary import says

# What packages import at their top although they need it on some systems or in some functions only.
NAMES = """
_ctypes _multiprocessing bz2 lzma ctypes ctypes.util ctypes.wintypes fcntl grp mmap multiprocessing
multiprocessing.connection multiprocessing.dummy multiprocessing.managers multiprocessing.pool
multiprocessing.shared_memory multiprocessing.synchronize pty pwd resource signal socketserver ssl subprocess syslog
termios tty asyncio.subprocess concurrent.futures.process concurrent.futures.thread faulthandler http.server
logging.config logging.handlers pdb sqlite3 tracemalloc unittest.mock venv webbrowser wsgiref.simple_server
xmlrpc.client zoneinfo
""".split()
ABSENT = "readline curses tkinter turtle msvcrt winreg nosuchmodule".split()


def check_imports():
    for name in NAMES:
        if name != "multiprocessing.shared_memory":  # It needs `_posixshmem`, as it does on other small systems.
            importlib.import_module(name)


def check_what_is_absent_is_an_ordinary_import_error():
    for name in ABSENT:
        says(lambda: importlib.import_module(name), "ModuleNotFoundError", "No module named")


def check_the_tool_can_be_looked_at():
    import importlib.metadata
    import importlib.resources
    import traceback

    import ordinary

    assert inspect.getsource(ordinary.run).startswith("def run(group: str)")
    assert ordinary.__file__ == "/tool/src/ordinary/__init__.py"
    assert "class" not in importlib.resources.files("ordinary").joinpath("imports.py").read_text()[:5]
    says(lambda: importlib.metadata.version("nothing"), "PackageNotFoundError")
    try:
        ordinary.message_of(lambda: None)
    except AssertionError as error:
        assert "it raised nothing" in "".join(traceback.format_exception(error))


def check_bz2():
    import bz2
    import io
    import tarfile

    packed = bytes.fromhex(
        "425a683931415926535904215d4200000891804004120194002000212a69e9884302"
        "19158c86232d1ae17724538509004215d420"
    )
    assert bz2.decompress(packed) == bz2.open(io.BytesIO(packed)).read() == b"to be, or not to be"
    says(lambda: bz2.decompress(packed[:-4]), "Compressed data ended before")
    says(lambda: bz2.decompress(b"no archive"), "OSError", "Invalid data stream")
    says(lambda: bz2.compress(b"text"), "one process and no native code", "gzip")
    says(lambda: tarfile.open(fileobj=io.BytesIO(b"no archive"), mode="r:*"), "ReadError")


def check_lzma_says_why_not():
    import lzma

    says(lambda: lzma.compress(b"text"), "OSError", "lzma cannot be used", "gzip")
    says(lambda: lzma.decompress(b"text"), "lzma cannot be used")


def check_ctypes():
    import ctypes
    import ctypes.util

    assert ctypes.c_int32(2**31).value == -(2**31) and ctypes.c_uint8(257).value == 1
    assert ctypes.util.find_library("c") is None

    class Point(ctypes.Structure):
        _fields_ = [("x", ctypes.c_int), ("y", ctypes.c_int * 2)]

    assert ctypes.POINTER(Point) and ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
    says(lambda: ctypes.CDLL("libc.so.6"), "OSError", "libc.so.6", "no native code")
    says(Point, "ctypes cannot be used")
    says(lambda: ctypes.pythonapi.Py_GetVersion(), "ctypes cannot be used")


def check_files_of_the_system():
    import errno
    import fcntl
    import grp
    import mmap
    import os
    import pwd
    import resource
    import syslog
    import termios

    fcntl.flock(1, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert pwd.getpwuid(os.getuid()).pw_name == "tool" and grp.getgrgid(os.getgid()).gr_name == "tool"
    assert resource.getrlimit(resource.RLIMIT_NOFILE) and resource.getrusage(resource.RUSAGE_SELF).ru_maxrss == 0
    syslog.syslog("a line for the log")
    says(lambda: mmap.mmap(-1, 10), "OSError", "mmap.mmap cannot be used", "read the file")
    try:
        termios.tcgetattr(0)
    except termios.error as error:
        assert error.args[0] == errno.ENOTTY


def check_programs_say_why_not():
    import os
    import signal
    import subprocess

    says(lambda: subprocess.run(["git", "status"]), "OSError", "the program 'git' cannot be used", "one process")
    says(lambda: os.popen("ls"), "the program 'ls'")
    says(lambda: os.system("ls"), "AttributeError", "no attribute 'system'", "one process")
    says(lambda: os.fork(), "no attribute 'fork'", "ThreadPoolExecutor")
    says(lambda: signal.alarm(1), "no attribute 'alarm'", "asyncio.timeout")
    assert not hasattr(os, "fork") and not hasattr(os, "nonsense")
    says(lambda: os.nonsense, "module 'os' has no attribute 'nonsense'")


def check_hashes():
    import hashlib

    key = hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 2)
    assert key.hex() == "ae4d0c95af6b46d32d0adff928f06dd02a303f8ef3c251dfd6e2d85a95474c43"
