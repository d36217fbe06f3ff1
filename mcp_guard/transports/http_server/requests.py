"""HTTP requests and answers as plain values, in the names of RFC 9110. No I/O.

What a client sent becomes text here and nowhere else: field names in lower case, values without the whitespace around
them, decoded as ISO 8859-1 so that no byte is lost. What goes out is checked here: no field of an answer can end its
line early.
"""

from collections.abc import Iterator
from email.utils import formatdate
from http import HTTPStatus
from typing import Literal

import msgspec

from mcp_guard.gate import answers
from mcp_guard.gate.messages import INVALID_REQUEST
from mcp_guard.governance import Credential

JSON, EVENT_STREAM = "application/json", "text/event-stream"

Fields = tuple[tuple[str, str], ...]
NO_STORE: Fields = (("cache-control", "no-store"),)
Role = Literal["auditor", "security"]
"""What a token of the API may do: an auditor reads, security writes as well."""


class Headers:
    """The header fields of one request. Several lines of one name are one value, joined by commas (RFC 9110, 5.3)."""

    __slots__ = ("_values", "repeated")

    def __init__(self) -> None:
        self._values: dict[str, str] = {}
        self.repeated: set[str] = set()  # names that came more than once

    def add(self, name: bytes, value: bytes) -> None:
        """Take in one field line."""
        key, text = name.decode("latin-1").lower(), value.decode("latin-1").strip(" \t")
        if key in self._values:
            self.repeated.add(key)
            text = f"{self._values[key]}, {text}"
        self._values[key] = text

    def get(self, name: str) -> str | None:
        """The value of a field (its name in lower case), or None."""
        return self._values.get(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)


class Head(msgspec.Struct, frozen=True, gc=False):
    """A request as far as it is known before its body: enough to refuse it. `peer` is the client's address."""

    method: str
    path: str
    query: str
    headers: Headers
    peer: str


class Caller(msgspec.Struct, frozen=True):
    """On whose behalf a request is made: its credential's name ("" where none is asked for), and what that proves.

    A session belongs to its caller, by the credential's name. `proven_by` is what has to stand in the registry.
    """

    credential: str
    peer: str
    user: str | None = None
    agent: str | None = None
    groups: tuple[str, ...] = ()
    role: Role | None = None
    proven_by: Credential | None = None


class Answer(msgspec.Struct, frozen=True):
    """A whole response. `fields` are of the guard's own making but for values that `field` has looked at."""

    status: int
    body: bytes = b""
    fields: Fields = ()
    content_type: str = JSON


def refusal(status: int, reason: str, fields: Fields = (), code: int = INVALID_REQUEST) -> Answer:
    """Why a request goes no further, as a JSON-RPC error without an id (2025-11-25, "Sending Messages": 4)."""
    return Answer(status, answers.error(None, code, reason), fields)


_REASONS = {status.value: status.phrase for status in HTTPStatus}


def response_head(status: int, fields: Fields, date: bytes) -> bytes:
    """The status line and header fields of a response, with the empty line after them.

    Raises ValueError for a field that could be read as more than one.
    """
    lines = [f"HTTP/1.1 {status} {_REASONS[status]}"]
    for name, value in fields:
        if not (value.isprintable() and value.isascii()):
            raise ValueError(f"the value of {name} cannot stand in a header field")
        lines.append(f"{name}: {value}")
    return "\r\n".join(lines).encode("ascii") + b"\r\ndate: " + date + b"\r\n\r\n"


def http_date() -> bytes:
    """Now, as header fields write it (RFC 9110, 5.6.7)."""
    return formatdate(usegmt=True).encode("ascii")


def accepts(accept: str | None, content_type: str) -> bool:
    """Whether an Accept field names a type, itself or by `*/*` or `type/*`, and not with a weight of 0."""
    if accept is None:
        return False
    family = content_type.split("/")[0]
    for choice in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in choice.split(";"))
        if kind in (content_type, f"{family}/*", "*/*") and not any(_zero(parameter) for parameter in parameters):
            return True
    return False


def _zero(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and value.strip() in ("0", "0.", "0.0", "0.00", "0.000")


def prefers_stream(accept: str) -> bool:
    """Whether a client that takes both names the stream of events before the plain answer."""
    text = accept.lower()
    return EVENT_STREAM in text and text.find(EVENT_STREAM) < text.find(JSON)
