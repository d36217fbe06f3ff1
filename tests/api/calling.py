"""How tests call the API: without a socket, as the server would."""

import asyncio
import json
from typing import Any

from mcp_guard.api.api import Api
from mcp_guard.transports.http_server.channel import Channel
from mcp_guard.transports.http_server.requests import Answer, Caller, Fields, Head, Headers, Role


class Wire:
    """What a channel sends to."""

    unsent = 0

    def __init__(self) -> None:
        self.answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def send_answer(self, answer: Answer) -> None:
        self.answered.set_result(answer)

    def begin_stream(self, fields: Fields) -> None:
        raise AssertionError("the API streams nothing")

    def send_piece(self, data: bytes) -> None:
        raise AssertionError("the API streams nothing")

    def end_stream(self) -> None:
        raise AssertionError("the API streams nothing")


class Calls:
    """Requests of one caller to one API."""

    def __init__(self, api: Api, role: Role | None = "security", refused: Answer | None = None) -> None:
        self.api, self._caller = api, refused or Caller("token 1", "127.0.0.1", user="ann", role=role)

    def __call__(self, method: str, target: str, body: object = None, **fields: str) -> tuple[int, Any]:
        """Status and JSON of one request; bytes as a body go as they are."""
        answer = self.raw(method, target, body, **fields)
        return answer.status, json.loads(answer.body) if answer.body else None

    def raw(self, method: str, target: str, body: object = None, **fields: str) -> Answer:
        """The whole answer."""
        sent = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        if sent and "content_type" not in fields:
            fields["content_type"] = "application/json"
        return asyncio.run(self._answer(method, target, sent, fields))

    async def _answer(self, method: str, target: str, body: bytes, fields: dict[str, str]) -> Answer:
        path, _, query = target.partition("?")
        headers = Headers()
        for name, value in fields.items():
            headers.add(name.replace("_", "-").encode(), value.encode())
        head = Head(method, path, query, headers, "127.0.0.1")
        assert self.api.serves(path)
        verdict = self.api.admit(head, self._caller)
        if isinstance(verdict, Answer):
            return verdict
        wire = Wire()
        self.api.handle(head, verdict, body, Channel(wire))
        return await wire.answered
