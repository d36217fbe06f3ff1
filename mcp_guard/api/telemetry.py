"""`/v1/metrics`: what coding agents report of their own costs (OTLP/HTTP), counted for those that prove who they are.

An agent proves itself by the bearer token of one of its credentials (OTEL_EXPORTER_OTLP_HEADERS). What comes without
one is kept as nobody's, where the server takes requests without tokens at all.
"""

import zlib
from collections.abc import Callable

from mcp_guard.api.kept import KeptBook
from mcp_guard.api.other import Other, Work
from mcp_guard.api.otlp import protobuf, text
from mcp_guard.api.otlp.reported import UnreadableMetricsError, counted
from mcp_guard.api.problems import ProblemError, retold
from mcp_guard.store.registry import telemetry
from mcp_guard.transports.http_server.requests import JSON, NO_STORE, Answer, Caller, Head

PATH = "/v1/metrics"
PROTOBUF = "application/x-protobuf"
MOST = 1 << 20  # bytes of one request, compressed or not
_ENCODINGS = {PROTOBUF: protobuf, JSON: text}
_GZIP = 16 + zlib.MAX_WBITS
_REJECTED = "costs are monotonic sums of US dollars, from 0 to a billion a point"


class Telemetry(Other):
    """What takes metrics in. `say` tells a person of budgets that are nearly spent."""

    method, lane = "POST", "reported"

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def may(self, head: Head, caller: Caller | Answer) -> Caller | Answer:
        """Everybody who may speak to the server as a client may report. `caller.agent` is one that was proven."""
        if _encoding(head) not in _ENCODINGS:
            raise ProblemError(415, f"the Content-Type must be {PROTOBUF} or {JSON}")
        if (head.headers.get("content-encoding") or "identity").lower() not in ("gzip", "identity"):
            raise ProblemError(415, "the Content-Encoding must be gzip or none")
        if isinstance(caller, Answer):
            return retold(caller)
        if caller.role is not None:  # which reads, or decides: what is spent is not its to say
            raise ProblemError(403, "this token is one of the API's, not one of a client that could report")
        return caller

    def work(self, head: Head, caller: Caller, body: bytes) -> Work:
        """Count what is reported."""
        gzip = (head.headers.get("content-encoding") or "").lower() == "gzip"
        _check_size(body)  # before it waits for its turn
        return lambda book: self._count(book, _encoding(head), caller.agent, _inflated(body) if gzip else body)

    def _count(self, book: KeptBook, encoding: str, agent: str | None, body: bytes) -> Answer:
        _check_size(body)
        form = _ENCODINGS[encoding]
        try:
            reported = counted(form.read(body))
        except UnreadableMetricsError as error:
            raise ProblemError(400, str(error)) from None
        alerts = telemetry.take_in(book.open("mcp-guard"), agent, reported.costs) if reported.costs else ()
        for alert in alerts:
            self._say(alert.text)
        said = form.partial_success(reported.rejected, _REJECTED)
        return Answer(200, said, NO_STORE if said else (("content-type", encoding),), encoding)


def _encoding(head: Head) -> str:
    return (head.headers.get("content-type") or "").partition(";")[0].strip().lower()


def _check_size(body: bytes) -> None:
    if len(body) > MOST:
        raise ProblemError(413, f"the metrics are larger than the limit of {MOST} bytes")


def _inflated(body: bytes) -> bytes:
    """What was compressed, as far as the limit and a byte. Raises ProblemError."""
    inflating = zlib.decompressobj(_GZIP)
    try:
        plain = inflating.decompress(body, MOST + 1)
    except zlib.error:
        raise ProblemError(400, "the body is not gzip") from None
    if len(plain) <= MOST and (not inflating.eof or inflating.unused_data):
        raise ProblemError(400, "the body is not one whole gzip stream")
    return plain
