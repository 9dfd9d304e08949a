"""What a tool may write to a connection so that two parsers understand it differently, or to reach another host."""

import re
import socket

# `HOST` stands for the host that the connection is to. Where a second request follows, it is one to the same host: what
# matters is that whoever counts and judges requests sees as many as the server.
SECOND = b"GET /second HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n"
TRICKS = {
    "plain": b"GET /plain HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n",
    "pipelined": b"GET /plain HTTP/1.1\r\nHost: HOST\r\n\r\n" + SECOND,
    # The length says that the second request is body, the encoding that it is not; and the other way round.
    "length_and_chunks": b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n"
    % (5 + len(SECOND))
    + b"0\r\n\r\n"
    + SECOND,
    "chunks_and_length": b"POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"
    + b"0\r\n\r\n"
    + SECOND,
    "two_lengths": b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(SECOND) + SECOND,
    "signed_length": b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: +0\r\n\r\n" + SECOND,
    "odd_encoding": b"POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SECOND,
    "encoding_not_last": b"POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + SECOND,
    "space_before_colon": b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length : %d\r\n\r\n" % len(SECOND) + SECOND,
    "folded_header": b"GET / HTTP/1.1\r\nHost: HOST\r\nX-Folded: one\r\n Host: other.test\r\n\r\n" + SECOND,
    "bare_return": b"GET / HTTP/1.1\r\nHost: HOST\r\nX-Bare: one\rHost: other.test\r\n\r\n" + SECOND,
    "zero_byte": b"GET / HTTP/1.1\r\nHost: HOST\r\nX-Zero: a\0b\r\n\r\n" + SECOND,
    "large_chunk": b"POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n" + SECOND,
    "odd_chunk": b"POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n" + SECOND,
    # Other hosts.
    "foreign_host": b"GET / HTTP/1.1\r\nHost: other.test\r\nConnection: close\r\n\r\n",
    "two_hosts": b"GET / HTTP/1.1\r\nHost: HOST\r\nHost: other.test\r\nConnection: close\r\n\r\n",
    "no_host": b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
    "old_without_host": b"GET / HTTP/1.0\r\n\r\n",
    "host_with_user": b"GET / HTTP/1.1\r\nHost: HOST@other.test\r\nConnection: close\r\n\r\n",
    "host_of_another_port": b"GET / HTTP/1.1\r\nHost: api.test:1\r\nConnection: close\r\n\r\n",
    "absolute": b"GET http://other.test/ HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n",
    "absolute_with_user": b"GET http://HOST@other.test/ HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n",
    "proxy": b"CONNECT other.test:443 HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n",
    "upgrade": b"GET / HTTP/1.1\r\nHost: HOST\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
    "http2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "hidden_header": b"GET / HTTP/1.1\r\nHost: HOST\r\nConnection: close, X-Secret\r\nX-Secret: 1\r\n\r\n",
}


def play(trick: str, port: int) -> list[int]:
    """Writes a trick to a connection, and returns the status of each answer."""
    with socket.create_connection(("api.test", port), timeout=10) as connection:
        connection.sendall(TRICKS[trick].replace(b"HOST", b"api.test:%d" % port))
        connection.shutdown(socket.SHUT_WR)
        answers = b"".join(iter(lambda: connection.recv(65536), b""))
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3})", answers)]


# How a host can be written so that it looks like another one. None of them is allowed by the name `api.test`.
DISGUISES = [
    "http://2130706433:{}/",
    "http://0177.0.0.1:{}/",
    "http://0x7f.0.0.1:{}/",
    "http://127.1:{}/",
    "http://[::1]:{}/",
    "http://[::ffff:127.0.0.1]:{}/",
    "http://[64:ff9b::7f00:1]:{}/",
    "http://[::ffff:7f00:1]:{}/",
    "http://api.test@127.0.0.1:{}/",
    "http://api.test:x@127.0.0.1:{}/",
    "http://api.test.other.test:{}/",
    "http://xapi.test:{}/",
    "http://localhost:{}/",
    "http://metadata.google.internal:{}/",
    "http://169.254.169.254:{}/",
]
