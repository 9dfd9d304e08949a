import datetime
import os
import sys
import zoneinfo
from pathlib import Path


def check_home_and_user():
    import getpass
    import pwd

    assert os.path.expanduser("~") == str(Path.home()) == os.environ["HOME"] == "/tmp"
    assert getpass.getuser() == os.environ["USER"] == pwd.getpwuid(os.getuid()).pw_name == os.getlogin()


def check_the_machine():
    import locale
    import platform
    import site
    import socket
    import sysconfig
    import uuid

    assert socket.gethostname() == socket.getfqdn() == "localhost" and socket.gethostbyname("localhost") == "127.0.0.1"
    assert platform.system() and platform.platform() and platform.python_version().startswith("3.14")
    assert platform.machine() == "wasm32" and platform.node() and os.uname()
    assert os.cpu_count() == 1 and os.getpid() and os.getppid() and os.umask(0o022) == 0o022
    assert locale.getpreferredencoding() == "UTF-8" and locale.setlocale(locale.LC_ALL, "")
    assert site.getsitepackages() and sysconfig.get_paths()["stdlib"] and sysconfig.get_platform()
    assert isinstance(sys.executable, str) and uuid.getnode()
    assert os.get_terminal_size  # It raises, as without a terminal; `shutil` knows that.


def check_programs_that_read_arguments():
    import argparse
    import shutil

    assert argparse.ArgumentParser().prog == "tool" and sys.argv == ["tool"]
    assert shutil.get_terminal_size() == (80, 24) and shutil.which("git") is None


def check_time_zones():
    moment = datetime.datetime(2026, 7, 1, 12, tzinfo=datetime.UTC)
    assert moment.astimezone(zoneinfo.ZoneInfo("Europe/Berlin")).isoformat() == "2026-07-01T14:00:00+02:00"
    assert moment.astimezone(zoneinfo.ZoneInfo("America/New_York")).hour == 8
    assert moment.astimezone(zoneinfo.ZoneInfo("Asia/Kolkata")).utcoffset() == datetime.timedelta(hours=5.5)
    assert zoneinfo.ZoneInfo("UTC").utcoffset(moment) == datetime.timedelta(0)
    assert len(zoneinfo.available_timezones()) > 500
    try:
        zoneinfo.ZoneInfo("Europe/Nowhere")
        raise AssertionError
    except zoneinfo.ZoneInfoNotFoundError:
        pass


def check_a_package_of_time_zones_is_found_too():
    zoneinfo.reset_tzpath(())
    try:
        assert str(zoneinfo.ZoneInfo.no_cache("Europe/Elsewhere")) == "Europe/Elsewhere"
    finally:
        zoneinfo.reset_tzpath()


def check_warnings_and_logs():
    import logging
    import warnings

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert [str(one.message) for one in caught] == ["old"]
    logging.getLogger("system").warning("a line for the log")


def check_the_null_device():
    with open(os.devnull, "w") as null:
        assert null.write("nobody reads this") == 17
    with open(os.devnull) as null:
        assert null.read() == ""
