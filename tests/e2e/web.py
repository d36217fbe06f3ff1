"""Plain requests to what a guard serves beside MCP."""

import json
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

from tests.e2e.guard import PATIENCE
from tests.e2e.http_session import Response


class Web:
    """A caller with a token, or without one; each request has a connection of its own."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self._address = urlsplit(url)
        self._fields = {} if token is None else {"Authorization": f"Bearer {token}"}

    def ask(self, method: str, path: str, body: object = None, **fields: str) -> Response:
        """One request, with a body of JSON where one is given."""
        sent = None if body is None else json.dumps(body).encode()
        kind = {} if sent is None else {"Content-Type": "application/json"}
        assert self._address.hostname is not None
        with closing(HTTPConnection(self._address.hostname, self._address.port, timeout=PATIENCE)) as connection:
            connection.request(method, path, sent, {**self._fields, **kind, **fields})
            return Response(connection.getresponse())
