"""What a route is, and which one a request takes. The table of them is `table.ROUTES`; nothing else is routed by.

A request is read here into plain values, or refused with the reason: path, query and body each by the type that the
route says.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

import msgspec

from mcp_guard.api.problems import ProblemError
from mcp_guard.api.queries import Nothing
from mcp_guard.api.values import Input
from mcp_guard.store.registry.book import Book
from mcp_guard.transports.http_server.requests import Role

MOST_BODY = 1 << 20  # bytes; what the API takes is small
_MOST_QUERY = 20  # parameters


class Asked(NamedTuple):
    """What a request says: the variables of its path, its query, its body (None where the route takes none)."""

    path: Mapping[str, str]
    query: Any
    body: Any


Work = Callable[[Book, Asked], object]


class Route(NamedTuple):
    """One thing that the API can do. `path` has variables in braces; `gives` None: 204 and no body.

    `refuses` are the statuses, beside those that any request may meet, with which it can say no.
    """

    method: str
    path: str
    does: str
    work: Work
    gives: Any
    takes: type[Input] | None = None
    query: type[Input] = Nothing
    status: int = 200
    refuses: tuple[int, ...] = ()

    @property
    def role(self) -> Role:
        """Who may: an auditor reads, security writes."""
        return "auditor" if self.method == "GET" else "security"


class Routes:
    """A table of routes, to look up in."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._by_shape: dict[tuple[str | None, ...], dict[str, Route]] = {}
        for route in routes:
            shape = tuple(None if part.startswith("{") else part for part in route.path.split("/"))
            self._by_shape.setdefault(shape, {})[route.method] = route

    def find(self, method: str, path: str) -> tuple[Route, Mapping[str, str]]:
        """The route of a request, and the variables of its path. Raises ProblemError: 400, 404, 405."""
        try:
            parts = tuple(unquote(part, errors="strict") for part in path.split("/"))
        except UnicodeDecodeError:
            raise ProblemError(400, "the path is not UTF-8") from None
        for shape, by_method in self._by_shape.items():
            if len(shape) == len(parts) and all(name in (None, part) for name, part in zip(shape, parts, strict=True)):
                return self._of_method(by_method, method, parts)
        raise ProblemError(404, "there is nothing at this path: /api/openapi.json says what there is")

    def _of_method(
        self, by_method: Mapping[str, Route], method: str, parts: tuple[str, ...]
    ) -> tuple[Route, Mapping[str, str]]:
        route = by_method.get("GET" if method == "HEAD" else method)
        if route is None:
            allowed = ", ".join([*by_method, *(["HEAD"] if "GET" in by_method else [])])
            raise ProblemError(405, "this method is not for this path", (("allow", allowed),))
        names = route.path.split("/")
        return route, {name[1:-1]: part for name, part in zip(names, parts, strict=True) if name.startswith("{")}


def read_query(route: Route, text: str) -> Input:
    """The query of a request. Raises ProblemError (400)."""
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, strict_parsing=bool(text), errors="strict", max_num_fields=_MOST_QUERY
        )
        given = dict(pairs)
        if len(given) < len(pairs):
            raise ProblemError(400, "a parameter of the query came twice")
        return msgspec.convert(given, route.query, strict=False)
    except msgspec.ValidationError as error:
        raise ProblemError(400, f"the query does not fit: {error}") from None
    except ValueError:  # UnicodeDecodeError among them
        raise ProblemError(400, "the query cannot be read") from None


def read_body(route: Route, body: bytes, content_type: str | None) -> Input | None:
    """The body of a request, by the type that the route takes. Raises ProblemError: 400, 413, 415, 422."""
    if route.takes is None:
        return None
    if len(body) > MOST_BODY:
        raise ProblemError(413, f"the body is larger than the limit of {MOST_BODY} bytes")
    if body and not is_json(content_type):
        raise ProblemError(415, "the Content-Type must be application/json")
    try:
        return msgspec.json.decode(body or b"{}", type=route.takes)
    except msgspec.ValidationError as error:
        raise ProblemError(422, f"the body does not fit: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ProblemError(400, "the body is not JSON") from None


def is_json(content_type: str | None) -> bool:
    """Whether a Content-Type names JSON."""
    return content_type is not None and content_type.partition(";")[0].strip().lower() == "application/json"
