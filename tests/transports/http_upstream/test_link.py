"""The way to one server: credentials that are refused and mended, and what happens to the connection meanwhile."""

import asyncio

import pytest

from mcp_guard.transports.http_upstream.failures import RemoteError
from mcp_guard.transports.http_upstream.link import Link
from tests.transports.http_upstream.remote import Got, remote, scenario


class Tokens:
    """Credentials with these tokens, one after the other."""

    def __init__(self, *tokens: str) -> None:
        self.tokens, self.challenges = list(tokens), list[str]()

    async def authorization(self) -> str | None:
        return self.tokens[0] if self.tokens else None

    async def refused(self, status: int, challenge: str, used: str | None) -> bool:
        self.challenges.append(challenge)
        self.tokens.pop(0)
        return bool(self.tokens)


async def only_with_the_second(got: Got) -> None:
    if got.headers.get("authorization") == "Bearer 2":
        return got.reply(b"{}")
    return got.raw(
        b"HTTP/1.1 401 -\r\nWWW-Authenticate: Basic\r\nWWW-Authenticate: Bearer resource_metadata=x\r\n"
        b"Content-Length: 2\r\n\r\nno"
    )


@scenario
async def test_a_refusal_that_can_be_mended_is_and_on_the_same_connection() -> None:
    async with remote(only_with_the_second) as server:
        tokens = Tokens("Bearer 1", "Bearer 2")
        link = Link(server.url, credentials=tokens)
        response = await link.open("POST", {}, b"{}")
        assert (response.status, await response.some()) == (200, b"{}")
        assert tokens.challenges == ["Basic, Bearer resource_metadata=x"]
        assert server.connections == 1
        await link.close()


@scenario
async def test_a_refusal_that_cannot_be_mended_is_given_with_its_body() -> None:
    async with remote(only_with_the_second) as server:
        link = Link(server.url, credentials=Tokens("Bearer 1"))
        response = await link.open("POST", {}, b"{}")
        assert (response.status, await response.some()) == (401, b"no")
        await link.close()


@pytest.mark.parametrize("token", ["Bearer a\r\nX-Evil: y", "Bearer a\nb", "Bearer \0"])
@scenario
async def test_a_token_that_would_change_the_request_is_not_sent_and_not_shown(token: str) -> None:
    async with remote() as server:
        link = Link(server.url, credentials=Tokens(token))
        with pytest.raises(RemoteError) as raised:
            await link.open("POST", {}, b"{}")
        assert "Bearer" not in raised.value.message
        assert not server.seen
        await link.close()


@scenario
async def test_a_closed_link_asks_nobody() -> None:
    async with remote() as server:
        link = Link(server.url)
        asked = asyncio.ensure_future(link.open("POST", {}, b"{}"))
        await server.next()
        await link.close()
        for refused in (asked, link.open("POST", {}, b"{}")):
            with pytest.raises(RemoteError, match="broke the connection off"):
                await refused
        assert len(server.seen) == 1
