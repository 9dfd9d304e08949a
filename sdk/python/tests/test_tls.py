"""TLS through the host, on plain CPython: a thread plays the host, at the other end of a socket on loopback."""

import subprocess
import sys
from pathlib import Path

import pytest

from toolplane import errors
from toolplane.tls import errors as tls_errors
from toolplane.tls import handshake
from toolplane.tls.bio import MemoryBIO

PRELUDE = """
import importlib, json, socket, sys, threading
# The real one is there on this machine, and would be found first.
sys.modules["_ssl"] = importlib.import_module("toolplane.tls.module")
sys.modules["_ssl"].RAND_pseudo_bytes = None  # What Python 3.11 has and 3.14 has not.
import ssl
from toolplane import network_repair
from toolplane.errors import EgressDenied
from toolplane.tls import handshake

network_repair.install()
GOOD = {"version": "TLSv1.3", "cipher": "TLS_AES_128_GCM_SHA256", "bits": 128, "alpn": "http/1.1", "certificates": ["AAEC"]}
questions = []

def host(answer, reply=b"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\nhello"):
    listener = socket.create_server(("127.0.0.1", 0))
    def serve():
        connection, _ = listener.accept()
        with connection, listener:
            # Unbuffered: a thread that holds a buffer's lock would abort the process at its end.
            read = lambda size: connection.recv(size, socket.MSG_WAITALL)
            assert read(len(handshake.MAGIC)) == handshake.MAGIC
            questions.append(json.loads(read(int.from_bytes(read(4), "big"))))
            body = json.dumps(answer).encode()
            message = handshake.MAGIC + len(body).to_bytes(4, "big") + body
            for at in range(0, len(message), 7):  # In pieces, as networks may.
                connection.sendall(message[at : at + 7])
            if "error" in answer:
                return
            head = b""
            while not head.endswith(b"\\r\\n\\r\\n") and (byte := read(1)):
                head += byte
            connection.sendall(reply)
    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]
"""

PROGRAMS = {
    "http.client": """
import http.client
context = ssl.create_default_context()
context.set_alpn_protocols(["h2", "http/1.1"])
connection = http.client.HTTPSConnection("localhost", host(GOOD), context=context, timeout=10)
connection.request("GET", "/")
assert connection.getresponse().read() == b"hello"
assert questions == [{"server_name": "localhost", "alpn": ["h2", "http/1.1"]}], questions
""",
    "what a socket says of itself": """
raw = socket.create_connection(("127.0.0.1", host(GOOD)))
with ssl.create_default_context().wrap_socket(raw, server_hostname="Example.test") as tls:
    assert isinstance(tls, ssl.SSLSocket)
    assert tls.version() == "TLSv1.3" and tls.cipher() == ("TLS_AES_128_GCM_SHA256", "TLSv1.3", 128)
    assert tls.selected_alpn_protocol() == "http/1.1"
    assert tls.getpeercert(True) == b"\\0\\1\\2"
    assert tls.getpeercert()["subjectAltName"] == (("DNS", "Example.test"),)
    assert tls.context.minimum_version is ssl.TLSVersion.TLSv1_2
""",
    "asyncio": """
import asyncio
async def main():
    port = host(GOOD)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=ssl.create_default_context(), server_hostname="x.test")
    writer.write(b"GET / HTTP/1.1\\r\\n\\r\\n")
    assert (await reader.read(15)) == b"HTTP/1.1 200 OK"
    writer.close()
    await writer.wait_closed()
asyncio.run(main())
""",
    "a certificate that is not trusted": """
answer = {"error": "certificate", "message": "unable to get local issuer certificate", "code": 20}
raw = socket.create_connection(("127.0.0.1", host(answer)))
try:
    ssl.create_default_context().wrap_socket(raw, server_hostname="x.test")
except ssl.SSLCertVerificationError as error:
    assert "CERTIFICATE_VERIFY_FAILED" in str(error) and "local issuer" in str(error), error
    assert error.verify_code == 20 and error.reason == "CERTIFICATE_VERIFY_FAILED"
else:
    raise AssertionError("it was trusted")
""",
    "verification switched off": """
raw = socket.create_connection(("127.0.0.1", host(GOOD)))
try:
    ssl._create_unverified_context().wrap_socket(raw, server_hostname="x.test")
except ssl.SSLError as error:
    assert "verify=False" in str(error), error
else:
    raise AssertionError("nothing was checked")
assert ssl._create_stdlib_context().verify_mode is ssl.CERT_REQUIRED
""",
    "a server is refused": """
try:
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)
except ssl.SSLError as error:
    assert "cannot be a TLS server" in str(error)
else:
    raise AssertionError("it serves")
""",
    "refusals are explained": """
from toolplane import egress
def refuse(*a): raise socket.gaierror(socket.EAI_FAIL, "refused")
import toolplane.network_repair
socket.getaddrinfo = refuse
network_repair._repair_socket()
for said in ("while the tool is imported", 'add "api.test" to `allow`'):
    try:
        socket.create_connection(("api.test", 443))
    except EgressDenied as error:
        assert said in str(error) and "api.test" in str(error), error
    else:
        raise AssertionError("it connected")
    egress.install(egress.Egress())
egress.install(egress.Egress(allow=("*.test",)))
try:
    socket.create_connection(("api.test", 443))
except socket.gaierror:
    pass
""",
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_tls_in_a_process_of_its_own(program: str) -> None:
    source = Path(errors.__file__).parents[1]
    subprocess.run([sys.executable, "-c", PRELUDE + program], check=True, env={"PYTHONPATH": str(source)}, timeout=60)


def test_an_answer_is_read_in_any_pieces() -> None:
    message = handshake.question("x.test", [])
    assert handshake.missing(b"") == handshake.HEADER_BYTES
    for size in range(handshake.HEADER_BYTES, len(message)):
        assert handshake.missing(message[:size]) == len(message) - size
    assert handshake.missing(message) == 0
    with pytest.raises(tls_errors.SSLError, match="wrong version number"):
        handshake.missing(b"HTTP/1.1 400 Bad Request")


def test_a_buffer_ends() -> None:
    buffer = MemoryBIO()
    assert (buffer.write(b"abc"), buffer.pending, buffer.read(2), buffer.eof) == (3, 3, b"ab", False)
    buffer.write_eof()
    assert not buffer.eof
    assert (buffer.read(), buffer.eof) == (b"c", True)
    with pytest.raises(tls_errors.SSLError):
        buffer.write(b"d")
