"""TLS, as far as a tool sees it: the host does the handshake, checks the certificate and encrypts.

The module `_ssl` of this package stands in for CPython's, below the standard library's own `ssl`, so every library
that uses `ssl` works unchanged, with sockets (`wrap_socket`) and with buffers (`wrap_bio`) alike. What it writes
after the handshake is plain text, which never leaves the machine: the other end of the socket is the host.

A handshake is one message each way, within the connection itself (see `handshake`), so that it passes through
whatever an async library puts between a TLS object and a socket.
"""
