"""Who may come in, by a request's head alone: what is refused here is refused before its body is read."""

import asyncio
from collections import Counter
from collections.abc import Callable

from mcp_guard.gate.bridge.eras import LEGACY_VERSIONS, MODERN_VERSION
from mcp_guard.gate.wire import encode
from mcp_guard.transports.http_server import mirrored
from mcp_guard.transports.http_server.access import Access
from mcp_guard.transports.http_server.beside import Beside
from mcp_guard.transports.http_server.old_sse import MESSAGE_PATH
from mcp_guard.transports.http_server.requests import (
    EVENT_STREAM,
    JSON,
    NO_STORE,
    Answer,
    Caller,
    Fields,
    Head,
    accepts,
    refusal,
)
from mcp_guard.transports.http_server.session import SESSION_FIELD

MCP_PATH, SSE_PATH, HEALTH_PATH = "/mcp", "/sse", "/healthz"
_METHODS = {
    MCP_PATH: ("POST", "GET", "DELETE"),
    SSE_PATH: ("GET",),
    MESSAGE_PATH: ("POST",),
    HEALTH_PATH: ("GET", "HEAD"),
}
_CORS_METHODS = (("access-control-allow-methods", "POST, GET, DELETE, PUT, PATCH"), ("access-control-max-age", "600"))
_REFUSALS = {401: "no valid token", 421: "another Host", 403: "another Origin"}


class Door:
    """The way into one server. `stopping`: it is ending, which whoever asks after its health hears."""

    def __init__(self, access: Access, beside: Beside | None, report: float, say: Callable[[str], None]) -> None:
        self.access, self.beside = access, beside
        self.stopping = False
        self._report, self._say = report, say
        self._refused: Counter[int] = Counter()  # requests that `access` refused and nobody has been told of, by status
        self._told = asyncio.get_running_loop().time()

    def admit(self, head: Head) -> Caller | Answer:
        """Who makes a request, or why it is refused before its body is read."""
        methods = _METHODS.get(head.path)
        if self.beside is not None and self.beside.serves(head.path):
            return self._admit_beside(self.beside, head)
        if (description := self.access.describe(head)) is not None:
            return description
        if methods is None:
            return refusal(404, "there is nothing at this path: MCP is at /mcp, HTTP with SSE at /sse")
        if head.path == HEALTH_PATH and head.method in methods:
            return self._health()
        caller = self.access.check(head)
        if isinstance(caller, Answer):
            preflight = self._preflight(head) if caller.status == 401 else None  # a preflight bears no token
            if preflight is None:
                self._refused[caller.status] += 1
            return preflight or caller
        if caller.role is not None:
            return refusal(403, "this token is one of the API's, not one of an MCP client's")
        if head.method == "OPTIONS" and (preflight := self._preflight(head)) is not None:
            return preflight
        if head.method not in methods:
            return refusal(405, "this method is not for this path", (("allow", ", ".join(methods)),))
        return _unfit(head) or caller

    def still_hears(self, caller: Caller) -> bool:
        """Whether a caller that was admitted before would be admitted again."""
        return self.access.why_barred(caller) is None

    def fields(self, head: Head) -> Fields:
        """What every response to a request says: that a page of an allowed origin may read it."""
        origin = self.access.allowed_origin(head.headers)
        if origin is None:
            return ()
        exposed = ("access-control-expose-headers", SESSION_FIELD)
        return (("access-control-allow-origin", origin), exposed, ("vary", "origin"))

    def sweep(self, now: float) -> None:
        """Time has passed: the person who runs the server is told now and then how many were refused, and why."""
        if self._refused and now - self._told >= self._report:
            self._told = now
            refused = sorted(self._refused.items())
            told = [f"{number} × {_REFUSALS.get(status, f'status {status}')}" for status, number in refused]
            self._say(f"refused: {', '.join(told)}")
            self._refused.clear()

    def _admit_beside(self, beside: Beside, head: Head) -> Caller | Answer:
        caller = self.access.check(head)
        status = caller.status if isinstance(caller, Answer) else 0
        if status in (0, 401) and (preflight := self._preflight(head)) is not None:
            return preflight
        verdict = beside.admit(head, caller)
        if status and isinstance(verdict, Answer):
            self._refused[status] += 1
        return verdict

    def _health(self) -> Answer:
        status = "stopping" if self.stopping else "ok"
        return Answer(503 if self.stopping else 200, encode({"status": status}), NO_STORE)

    def _preflight(self, head: Head) -> Answer | None:
        """A browser asks whether a page of another site may speak to us (Fetch, "CORS-preflight request")."""
        if head.method != "OPTIONS" or self.access.allowed_origin(head.headers) is None:
            return None
        asked = head.headers.get("access-control-request-headers") or ""
        allowed = asked if asked.isascii() and asked.isprintable() else ""
        return Answer(204, b"", (*_CORS_METHODS, ("access-control-allow-headers", allowed)))


def _unfit(head: Head) -> Answer | None:
    """What is wrong with the fields of a request in general, if anything is."""
    headers = head.headers
    if headers.repeated & {SESSION_FIELD, "last-event-id", "content-type"}:
        return refusal(400, "a header field came twice that must come once")
    version = headers.get(mirrored.VERSION_FIELD)
    if head.method == "POST":
        kind = (headers.get("content-type") or "").partition(";")[0].strip().lower()
        if kind != JSON:
            return refusal(415, "the Content-Type of a message must be application/json")
    elif version is not None and version not in LEGACY_VERSIONS:
        if version == MODERN_VERSION:
            return refusal(405, "this revision has POST only", (("allow", "POST"),))
        return refusal(400, "this protocol version is not supported")
    wanted = {"POST": (JSON, EVENT_STREAM), "GET": (EVENT_STREAM,)}.get(head.method, ())
    accept = headers.get("accept") or ("*/*" if head.path != MCP_PATH else None)
    followed = headers.get("sec-fetch-mode") == "navigate"  # a link, in which nobody reads a stream of events
    if head.path != MESSAGE_PATH and (followed or not all(accepts(accept, kind) for kind in wanted)):
        return refusal(406, f"the Accept field must name {' and '.join(wanted)}")
    return None
