"""The least a relay from stdio to HTTP can do in Python: lines in, one kept HTTP/1.1 connection, JSON bodies out.

One message at a time; no event streams, no errors, no judging, nothing written down. What the guard costs is read
against it.
"""

import os
import socket
import sys
from urllib.parse import urlsplit


def main(url: str) -> None:
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = socket.create_connection((parts.hostname, parts.port or 80))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
        "Accept: application/json, text/event-stream\r\nContent-Length: "
    ).encode()
    waiting = b""
    while chunk := os.read(0, 1 << 16):
        *lines, waiting = (waiting + chunk).split(b"\n")
        for line in lines:
            connection.sendall(b"%b%d\r\n\r\n%b" % (head, len(line), line))
            if body := _body(connection):
                os.write(1, body.rstrip(b"\n") + b"\n")


def _body(connection: socket.socket) -> bytes:
    said = b""
    while b"\r\n\r\n" not in said:
        said += connection.recv(1 << 16)
    head, body = said.split(b"\r\n\r\n", 1)
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    while len(body) < length:
        body += connection.recv(1 << 16)
    return body


if __name__ == "__main__":
    main(sys.argv[1])
