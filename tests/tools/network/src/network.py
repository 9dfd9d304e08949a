"""Each function does one thing that a tool does with the network, and returns what it saw."""

import asyncio
import http.client
import json
import socket
import ssl
import urllib.request

import tricks

# What `urllib3` does when it is imported, and so does everything that is built on it.
with socket.socket(socket.AF_INET6) as probe:
    try:
        probe.bind(("::1", 0))
    except OSError as error:
        WHILE_BUILT = [str(error), probe.connect_ex(("127.0.0.1", 80))]
try:
    socket.getaddrinfo("api.test", 443)
except OSError as error:
    WHILE_BUILT.append(str(error))


def talk(what: str, port: int) -> str | dict | list:
    """Does one thing.

    Args:
        what: The function's name.
        port: The port of the server that it talks to.
    """
    return tricks.play(what, port) if what in tricks.TRICKS else globals()[what](port)


def while_built(port: int) -> list:
    return WHILE_BUILT


def get(port: int) -> dict:
    with urllib.request.urlopen(f"http://api.test:{port}/a%20path?q=1", timeout=10) as answer:
        return json.load(answer)


def post_securely(port: int) -> dict:
    request = urllib.request.Request(f"https://api.test:{port}/", data=b"x" * 100_000, headers={"X-Own": "yes"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def twice(port: int) -> list:
    connection = http.client.HTTPSConnection("api.test", port, timeout=10)
    sizes = []
    for pieces in (2, 3):
        body = (b"y" * 1000 for _ in range(pieces))
        connection.request("PUT", "/", body=body, encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
        sizes.append(json.load(connection.getresponse())["size"])
    return sizes


def thrice(port: int) -> list:
    connection = http.client.HTTPSConnection("api.test", port, timeout=10)
    answers = []
    for _ in range(3):
        connection.request("GET", "/")
        answer = connection.getresponse()
        answers.append([answer.status, answer.read().decode()])
    return [answers[0][0], answers[1][0], *answers[2]]


def closed_meanwhile(port: int) -> list:
    """The server ends a connection when a second request comes, as one does that has just run out of patience."""
    seen = []
    for method, body in (("GET", None), ("POST", b"x")):
        connection = http.client.HTTPSConnection("api.test", port, timeout=10)
        connection.request("GET", "/once")
        connection.getresponse().read()
        try:
            connection.request(method, "/once", body=body)
            seen.append(connection.getresponse().status)
        except ConnectionError:
            # While the body is sent or while the answer is awaited: which of them comes to know of it is a race.
            seen.append("disconnected")
    return seen


def redirected(port: int) -> str:
    with urllib.request.urlopen(f"https://x.below.test:{port}/redirect", timeout=10) as answer:
        return answer.url


def redirected_elsewhere(port: int) -> str:
    return urllib.request.urlopen(f"https://api.test:{port}/elsewhere", timeout=10).url


def concurrently(port: int) -> list:
    async def one(number: int) -> str:
        context = ssl.create_default_context()
        reader, writer = await asyncio.open_connection("api.test", port, ssl=context)
        writer.write(f"GET /{number} HTTP/1.1\r\nHost: api.test:{port}\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return json.loads(answer.partition(b"\r\n\r\n")[2])["path"]

    async def main() -> list:
        return await asyncio.gather(*map(one, range(3)))

    return asyncio.run(main())


def starttls(port: int) -> list:
    with socket.create_connection(("lines.test", port), timeout=10) as plain:
        lines = plain.makefile("rb")
        seen = [lines.readline()]
        for line in (b"hello\n", b"STARTTLS\n"):
            plain.sendall(line)
            seen.append(lines.readline())
        with ssl.create_default_context().wrap_socket(plain, server_hostname="lines.test") as secure:
            secure.sendall(b"secret\n")
            seen.append(secure.makefile("rb").readline())
            seen.append(secure.version().encode())
        return [line.decode().strip() for line in seen]


def times_out(port: int) -> str:
    return urllib.request.urlopen(f"http://api.test:{port}/never", timeout=2).url


def unverified(port: int) -> str:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return urllib.request.urlopen(f"https://api.test:{port}/", context=context, timeout=10).url


def untrusted(port: int) -> str:
    return urllib.request.urlopen(f"https://untrusted.test:{port}/", timeout=10).url


def unnamed(port: int) -> str:
    return urllib.request.urlopen(f"https://other.test:{port}/", timeout=10).url


def another_port(port: int) -> str:
    return urllib.request.urlopen(f"http://api.test:{port + 1}/", timeout=10).url


def by_address(port: int) -> str:
    return urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10).url


def no_such_name(port: int) -> str:
    return urllib.request.urlopen(f"https://nowhere.invalid:{port}/", timeout=10).url


def another_host(port: int) -> int:
    connection = http.client.HTTPConnection("api.test", port, timeout=10)
    connection.request("GET", "/", headers={"Host": "other.test"})
    return connection.getresponse().status


def listens(port: int) -> str:
    return str(socket.create_server(("127.0.0.1", 0)))


def tricks_there_are(port: int) -> list:
    return list(tricks.TRICKS)


def disguised(port: int) -> list:
    """What each disguise of a host comes to."""
    seen = []
    for disguise in tricks.DISGUISES:
        try:
            seen.append(urllib.request.urlopen(disguise.format(port), timeout=10).status)
        except Exception as error:
            seen.append(type(error).__name__)
    return seen


def injected(port: int) -> list:
    """Line ends where a library puts what it is given into a request."""
    seen = []
    line = "x HTTP/1.1\r\nHost: other.test\r\n\r\n"
    for path, headers in ((f"/{line}", {}), ("/", {"X-Own": line}), ("/", {line: "x"})):
        connection = http.client.HTTPConnection("api.test", port, timeout=10)
        try:
            connection.request("GET", path, headers=headers)
            seen.append(connection.getresponse().status)
        except Exception as error:
            seen.append(type(error).__name__)
    return seen
