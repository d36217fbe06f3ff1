"""Whatever goes wrong, as a problem (RFC 9457): what kind, which status, and what about this one. Nothing of a secret.

The invariant: every refusal of the API has this form, also those that the server makes before the API is asked.
"""

from http import HTTPStatus

import msgspec

from mcp_guard.errors import GuardError
from mcp_guard.store.registry.book import ConflictError, InvalidError, NotFoundError
from mcp_guard.transports.http_server.requests import NO_STORE, Answer, Fields

PROBLEM = "application/problem+json"


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One problem. `type` is left out where the status says it all (then it is `about:blank`)."""

    title: str
    status: int
    detail: str = ""


class ProblemError(Exception):
    """A request cannot be answered as asked; the status says why, `detail` says it to a person."""

    def __init__(self, status: int, detail: str, fields: Fields = ()) -> None:
        super().__init__(detail)
        self.status, self.detail, self.fields = status, detail, fields


_STATUS: tuple[tuple[type[GuardError], int], ...] = ((NotFoundError, 404), (ConflictError, 409), (InvalidError, 422))


def problem(status: int, detail: str, fields: Fields = ()) -> Answer:
    """The answer that says so."""
    body = msgspec.json.encode(Problem(HTTPStatus(status).phrase, status, detail))
    return Answer(status, body, (*fields, *NO_STORE), PROBLEM)


def problem_of(error: GuardError) -> Answer:
    """The answer for what the registry refuses; 503 where its file cannot be used."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 503)
    return problem(status, error.message)


class _Error(msgspec.Struct):
    message: str = ""


class _Refusal(msgspec.Struct):
    error: _Error = msgspec.field(default_factory=_Error)


def retold(refusal: Answer) -> Answer:
    """What the server refused in the form of JSON-RPC, as a problem."""
    detail = msgspec.json.decode(refusal.body, type=_Refusal).error.message if refusal.body else ""
    return problem(refusal.status, detail, refusal.fields)
