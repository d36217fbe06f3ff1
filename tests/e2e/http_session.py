"""A plain client of the guard over streamable HTTP: one POST after the other, on connections of their own, no SDK."""

import http.client
import json
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

from tests.e2e.guard import PATIENCE

_USUAL = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}


class Response:
    """A response as a whole; `json` is its body, or the last message of its stream."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers = response.status, response.headers
        self.body = response.read()

    @property
    def json(self) -> Any:
        if self.headers.get_content_type() == "text/event-stream":
            return json.loads([line for line in self.body.split(b"\n") if line.startswith(b"data: {")][-1][6:])
        return json.loads(self.body)


class HttpSession:
    """A session in the legacy era. Each request has the next id."""

    def __init__(
        self, url: str, *, client: str = "test", context: ssl.SSLContext | None = None, **headers: str
    ) -> None:
        self._address, self._context, self._headers = urlsplit(url), context, headers
        self._id = 0
        self.opened = self.request(
            "initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": client, "version": "1"}
        )
        session = self.opened.headers["mcp-session-id"]
        if session is not None:
            self._headers["Mcp-Session-Id"] = session
            assert self.post({"jsonrpc": "2.0", "method": "notifications/initialized"}).status == 202

    def request(self, method: str, **params: object) -> Response:
        self._id += 1
        return self.post({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params})

    def call(self, tool: str, **arguments: object) -> Response:
        return self.request("tools/call", name=tool, arguments=arguments)

    def text(self, tool: str, **arguments: object) -> str:
        """The text that a call gives."""
        return self.call(tool, **arguments).json["result"]["content"][0]["text"]

    def post(self, message: object) -> Response:
        return self.send("POST", "/mcp", json.dumps(message).encode(), **_USUAL)

    @contextmanager
    def started(self, method: str, **params: object) -> Iterator[None]:
        """A request whose answer nobody waits for: when the block ends, its connection is closed."""
        self._id += 1
        message = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        with closing(self._connection()) as connection:
            connection.request("POST", "/mcp", json.dumps(message).encode(), {**self._headers, **_USUAL})
            yield

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> Response:
        """One HTTP request."""
        with closing(self._connection()) as connection:
            connection.request(method, path, body or None, {**self._headers, **headers})
            return Response(connection.getresponse())

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._address.hostname, self._address.port
        assert host is not None
        if self._context is None:
            return http.client.HTTPConnection(host, port, timeout=PATIENCE)
        return http.client.HTTPSConnection(host, port, timeout=PATIENCE, context=self._context)
