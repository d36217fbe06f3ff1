"""The API as the server's `Beside`: who may ask what, and from a request to its answer.

The registry is read and written on threads of their own (`lanes`), so that a database in use holds up no client of MCP.
The invariant: nothing here answers anybody who has not proven to have a role, however the server is started.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from mcp_guard.api.kept import KeptBook
from mcp_guard.api.lanes import Lane, lanes
from mcp_guard.api.other import Other, Work
from mcp_guard.api.problems import ProblemError, problem, problem_of, retold
from mcp_guard.api.routes import Asked, Route, Routes, is_json, read_body, read_query
from mcp_guard.api.table import ROUTES
from mcp_guard.errors import GuardError
from mcp_guard.store.registry.book import Book
from mcp_guard.transports.http_server.channel import Channel
from mcp_guard.transports.http_server.requests import NO_STORE, Answer, Caller, Head

API = "/api/"
DESCRIPTION = "/api/openapi.json"


class Api:
    """All that is served beside MCP, over the registry at `path`. `on` says whether any token has a role; `others` are
    by their paths.
    """

    def __init__(self, path: str, say: Callable[[str], None], *, on: bool, others: Mapping[str, Other]) -> None:
        self._say, self._on, self._others = say, on, others
        self._routes = Routes(ROUTES)
        self._lanes = lanes(path)
        self._description = b""

    def close(self) -> None:
        """Nothing more is answered."""
        for lane in self._lanes.values():
            lane.close()

    # What the server asks (see http_server.beside)

    def serves(self, path: str) -> bool:
        """Whether a path is one of these."""
        return path.startswith(API) or path == API[:-1] or path in self._others

    def admit(self, head: Head, caller: Caller | Answer) -> Caller | Answer:
        """Who makes a request, or why it is refused before its body is read."""
        try:
            other = self._others.get(head.path)
            if other is not None:
                if head.method != other.method:
                    raise ProblemError(405, "this method is not for this path", (("allow", other.method),))
                return other.may(head, caller)
            return self._may(head, caller)
        except ProblemError as error:
            return problem(error.status, error.detail, error.fields)

    def _may(self, head: Head, caller: Caller | Answer) -> Caller | Answer:
        if not self._on:
            raise ProblemError(404, "the API is off: it needs a token with a role (see --token-file)")
        if isinstance(caller, Answer):
            return retold(caller)
        if caller.role is None:
            raise ProblemError(403, "this token has no role: the API needs one with role=auditor or role=security")
        if head.path == DESCRIPTION:
            if head.method not in ("GET", "HEAD"):
                raise ProblemError(405, "this method is not for this path", (("allow", "GET, HEAD"),))
            return caller
        route, _ = self._routes.find(head.method, head.path)
        if route.role == "security" and caller.role != "security":
            raise ProblemError(403, "this needs a token with role=security")
        content_type = head.headers.get("content-type")
        if route.takes is not None and content_type is not None and not is_json(content_type):
            raise ProblemError(415, "the Content-Type must be application/json")
        return caller

    def handle(self, head: Head, caller: Caller, body: bytes, channel: Channel) -> None:
        """Answer a request through its channel, when it is its turn."""
        try:
            lane, work = self._work(head, caller, body)
        except ProblemError as error:
            channel.answer(problem(error.status, error.detail, error.fields))
            return
        if lane.full:
            channel.answer(problem(503, "too much waits already", (("retry-after", "1"),)))
            return
        lane.run(lambda: self._answer(work, lane.book)).add_done_callback(lambda done: _answered(done, channel))

    def _answer(self, work: Work, book: KeptBook) -> Answer:
        """On the lane's thread: the answer, whatever happens."""
        try:
            return work(book)
        except ProblemError as error:
            return problem(error.status, error.detail, error.fields)
        except GuardError as error:
            return problem_of(error)
        except Exception as error:  # a mistake of ours must not end the server
            self._say(f"internal error in the API ({type(error).__name__})")
            return problem(500, "internal error")

    def _work(self, head: Head, caller: Caller, body: bytes) -> tuple[Lane, Work]:
        other = self._others.get(head.path)
        if other is not None:
            return self._lanes[other.lane], other.work(head, caller, body)
        if head.path == DESCRIPTION:
            return self._lanes["auditor"], lambda book: Answer(200, self._described(), NO_STORE)
        route, path = self._routes.find(head.method, head.path)
        query = read_query(route, head.query)
        asked = Asked(path, query, read_body(route, body, head.headers.get("content-type")))
        actor = f"api:{caller.user or caller.credential}"
        return self._lanes[route.role], lambda book: _done(route, asked, book.open(actor))

    def _described(self) -> bytes:
        if not self._description:
            from mcp_guard.api.description import described

            self._description = msgspec.json.encode(described(ROUTES))
        return self._description


def _done(route: Route, asked: Asked, book: Book) -> Answer:
    found: Any = route.work(book, asked)
    checked = msgspec.convert(found, route.gives)
    return Answer(route.status, msgspec.json.encode(checked), NO_STORE)


def _answered(done: "asyncio.Future[Answer]", channel: Channel) -> None:
    channel.answer(problem(503, "the server is ending") if done.cancelled() else done.result())
