"""What a refusal of the network tells the author."""

import asyncio
import errno
import socket
from collections.abc import Iterator

import pytest
from conftest import ToolProject

from toolplane import egress, eventloop, refusals
from toolplane.errors import EgressDenied

PATTERNS = egress.Egress(
    allow=("a.test", "*.below.test:8443", "192.0.2.1:8080", "[2001:db8::1]:443", "[2001:db8::2]"),
    tcp=("mail.test:587", "[2001:db8::3]:5432"),
)


@pytest.fixture(autouse=True)
def patterns() -> Iterator[None]:
    egress.install(PATTERNS)
    yield
    egress._egress = None
    refusals.names.clear()


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("A.test.", 443),
        ("a.test", None),
        ("x.below.test", 8443),
        ("192.0.2.1", 8080),
        ("2001:db8::1", 443),
        ("2001:DB8:0::1", 443),
        ("2001:db8::2", 80),
        ("::ffff:192.0.2.1", 8080),
        ("mail.test", 587),
        ("2001:db8::3", 5432),
    ],
)
def test_what_is_named_is_allowed(host: str, port: int | None) -> None:
    assert egress.explain(host, port) is None


@pytest.mark.parametrize(
    ("host", "port", "entry"),
    [
        ("b.test", 443, "b.test"),
        ("a.test", 8080, "a.test:8080"),
        ("below.test", 8443, "below.test:8443"),
        ("2001:db8::1", 80, "[2001:db8::1]"),
        ("2001:db8::2", 8080, "[2001:db8::2]:8080"),
        ("2001:db8::3", None, "[2001:db8::3]"),
        ("mail.test", 25, "mail.test:25"),
    ],
)
def test_what_is_not_is_told_with_what_to_write(host: str, port: int | None, entry: str) -> None:
    assert f'add "{entry}" to `allow`' in str(egress.explain(host, port))


def test_a_failed_connection_is_told_with_the_name_that_was_asked_for() -> None:
    address = ("198.18.0.1", 443)
    refusals.names[address[0]] = "b.test"
    denied = refusals.not_connected(address, PermissionError(errno.EACCES, f"Connect call failed {address}"))
    assert isinstance(denied, EgressDenied) and 'add "b.test"' in str(denied)

    refusals.names[address[0]] = "a.test"
    kept = refusals.not_connected(address, PermissionError(errno.EACCES, "Permission denied"))
    assert isinstance(kept, EgressDenied) and "a.test:443: its address is one" in str(kept)
    refused = refusals.not_connected(
        address, ConnectionRefusedError(errno.ECONNREFUSED, f"Connect call failed {address}")
    )
    assert isinstance(refused, ConnectionRefusedError)
    assert refused.strerror == "Connect call failed ('a.test', 443)"
    many = refusals.not_connected(address, OSError(errno.EMFILE, "Too many open files"))
    assert "max_connections" in str(many)
    other = OSError(errno.EHOSTUNREACH, "No route to host")
    assert refusals.not_connected(address, other) is other


def test_an_event_loop_tells_it_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
    refusals.names[address[0]] = "a.test"

    async def connect() -> None:
        with socket.socket() as own:
            own.setblocking(False)
            await asyncio.get_running_loop().sock_connect(own, address)

    with pytest.raises(ConnectionRefusedError, match=r"'a\.test'"):
        eventloop.run(connect())


def test_a_refusal_within_a_group_is_what_the_caller_reads(
    project: ToolProject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    project.write(weather="import connecting\n\ndef forecast():\n    connecting.connect()\n")
    packages = tmp_path_factory.mktemp("packages")
    (packages / "connecting.py").write_text(
        """
from toolplane.errors import EgressDenied
def connect():
    group = ExceptionGroup("two addresses", [OSError(1, "one"), EgressDenied("the tool may not connect to b.test")])
    raise OSError("All connection attempts failed") from group
"""
    )
    project.load(packages=str(packages))
    assert project.failure()[:2] == ("EgressDenied", "the tool may not connect to b.test")
