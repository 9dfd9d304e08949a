import socket

talk = socket.socket()


def count() -> int:
    """Count the bytes that arrive."""
    return len(talk.recv(10))
