"""The head of a request as bytes. No I/O. The invariant: no name and no value can end its line early."""

import re
from collections.abc import Mapping
from typing import Literal

Method = Literal["GET", "POST", "DELETE"]

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def lines(fields: Mapping[str, str]) -> bytes:
    """Header fields, each with its line end. Raises ValueError, which names the field and not its value."""
    said: list[str] = []
    for name, value in fields.items():
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError(f"the header {name!a} cannot be sent")
        said.append(f"{name}: {value}\r\n")
    return "".join(said).encode("latin-1")


class Heads:
    """The heads of requests to one origin, of which each says much the same as the one before it. `standing` fields go
    with every request.
    """

    def __init__(self, authority: str, standing: Mapping[str, str]) -> None:
        self._standing = lines({"Host": authority, "Accept-Encoding": "identity", **standing})
        self._last: tuple[Mapping[str, str], bytes] = ({}, b"")

    def head(self, method: Method, target: str, fields: Mapping[str, str], cookie: str, length: int | None) -> bytes:
        """One head, with the empty line after it. `length`: bytes of the body, None where there is none."""
        if fields != self._last[0]:
            self._last = dict(fields), lines(fields)
        kept = lines({"Cookie": cookie}) if cookie else b""
        body = b"" if length is None else b"Content-Length: %d\r\n" % length
        first = f"{method} {target} HTTP/1.1\r\n".encode("ascii")
        return b"".join((first, self._standing, self._last[1], kept, body, b"\r\n"))
