"""Tricks that look for what is not theirs."""

import os
import socket
import urllib.request


def processes():
    return ",".join(os.listdir("/proc"))


def the_own_process():
    return open("/proc/self/environ").read()


def passwords():
    return open("/etc/passwd").read()


def the_folder_above():
    return open("../../../../../../etc/passwd").read()


def above_the_library():
    return open("/python/../../../../../etc/passwd").read()


def above_the_tool():
    return str(os.listdir("/tool/.."))


def devices():
    return open("/dev/mem", "rb").read(1)


def the_root():
    return ",".join(sorted(os.listdir("/")))


def the_own_folder_of_files():
    return ",".join(sorted(os.listdir("/tmp")))


def variables():
    return ",".join(sorted(os.environ))


def arguments():
    import sys

    return ",".join(sys.argv)


def the_machine():
    return os.uname().nodename


def users():
    return str(os.getuid())


def _connect(host, port=80):
    socket.create_connection((host, port), timeout=1).close()
    return "connected"


def loopback():
    return _connect("127.0.0.1")


def loopback_by_name():
    return _connect("localhost")


def loopback_in_decimal():
    return _connect("2130706433")


def loopback_in_octal():
    return _connect("0177.0.0.1")


def loopback_in_hexadecimal():
    return _connect("0x7f.0.0.1")


def loopback_shortened():
    return _connect("127.1")


def loopback_in_ipv6():
    return _connect("::1")


def loopback_mapped():
    return _connect("::ffff:127.0.0.1")


def loopback_compatible():
    return _connect("::127.0.0.1")


def loopback_translated():
    return _connect("64:ff9b::7f00:1")


def every_address():
    return _connect("0.0.0.0")


def metadata():
    return _connect("169.254.169.254")


def metadata_by_name():
    return _connect("metadata.example")


def metadata_mapped():
    return _connect("::ffff:a9fe:a9fe")


def link_local():
    return _connect("fe80::1")


def a_private_network():
    return _connect("10.0.0.1")


def another_port():
    return _connect("127.0.0.1", 22)


def a_name_that_nobody_allowed():
    return _connect("example.org")


def a_user_in_the_url():
    return str(urllib.request.urlopen("http://localhost@example.org/", timeout=1).status)


def a_file_as_a_url():
    return urllib.request.urlopen("file:///etc/passwd").read().decode()


def a_server():
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    return str(listening.getsockname())


def datagrams():
    return str(socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 53)))


def a_raw_socket():
    return str(socket.socket(socket.AF_INET, socket.SOCK_RAW))


def a_unix_socket():
    socket.socket(socket.AF_UNIX).connect("/var/run/docker.sock")
    return "connected"
