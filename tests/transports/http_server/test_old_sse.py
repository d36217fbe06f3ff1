"""HTTP with SSE as of 2024-11-05: the stream names an address, and what is posted there is answered on the stream."""

import asyncio

import pytest

from mcp_guard.transports.http_server.access import LOOPBACK, Access
from tests.transports.http_server.place import PATIENCE, Http, Place, credential, notification, place, request, scenario
from tests.transports.http_server.test_session import ended, there_turns

PING = request(1, "ping")


async def opened(there: Place, **headers: str) -> tuple[Http, str]:
    """A client's stream, and the address for its messages."""
    stream = await there.dial()
    stream.send("GET", "/sse", {"Accept": "text/event-stream", **headers})
    await stream.stream()
    endpoint = await stream.event()
    assert endpoint is not None
    assert endpoint.event == "endpoint"
    return stream, endpoint.data


async def posted(there: Place, address: str, message: object, **headers: str) -> int:
    http = await there.dial()
    http.post(message, address, **{"Accept": None, **headers})
    return (await http.reply()).status


@scenario
async def test_what_is_posted_is_accepted_and_answered_on_the_stream():
    async with place() as there:
        stream, address = await opened(there)
        assert address.startswith("/message?session_id=")
        assert await posted(there, address, PING) == 202
        connection = there.connections[0]
        connection.answer(await connection.hears(), well=True)
        answer = await stream.event()
        assert (answer.event, answer.json["result"]) == ("message", {"well": True})
        assert connection.transport == "sse"


@scenario
async def test_two_clients_with_the_same_ids_hear_each_its_own_answer():
    async with place() as there:
        streams = [await opened(there) for _ in range(2)]
        for number, (_, address) in enumerate(streams):
            await posted(there, address, PING)
            there.connections[number].answer(await there.connections[number].hears(), number=number)
        for number, (stream, _) in enumerate(streams):
            assert (await stream.event()).json["result"]["number"] == number


@scenario
async def test_closing_the_stream_ends_the_session():
    async with place() as there:
        stream, address = await opened(there)
        stream.close()
        while not there.connections[0].why:
            await there_turns()
        assert there.connections[0].why == "the client closed its stream"
        assert await posted(there, address, PING) == 404


@scenario
async def test_the_end_of_the_connection_behind_it_ends_the_stream():
    async with place() as there:
        stream, _ = await opened(there)
        there.connections[0].stop("the upstream is gone")
        assert await stream.event() is None
        assert await ended(there.connections[0]) == "the upstream is gone"


ADDRESSES = [
    "/message",
    "/message?session_id=",
    "/message?session_id=guess",
    "/message?session=x",
]


@pytest.mark.parametrize("address", ADDRESSES)
@scenario
async def test_an_address_that_no_stream_named_leads_nowhere(address):
    async with place() as there:
        await opened(there)
        assert await posted(there, address, PING) == 404
        assert there.connections[0].heard.empty()


@scenario
async def test_a_session_of_one_transport_is_none_of_the_other():
    async with place() as there:
        client = await there.session()
        assert await posted(there, f"/message?session_id={client.headers['Mcp-Session-Id']}", PING) == 404
        _, address = await opened(there)
        http = await there.dial()
        http.post(PING, **{"Mcp-Session-Id": address.partition("=")[2]})
        assert (await http.reply()).status == 404


@scenario
async def test_an_address_is_worth_nothing_with_anothers_token():
    tokens = [credential("a" * 20, "one"), credential("b" * 20, "two")]
    async with place(Access(LOOPBACK, (), tokens)) as there:
        _, address = await opened(there, Authorization=f"Bearer {'a' * 20}")
        assert await posted(there, address, PING, Authorization=f"Bearer {'b' * 20}") == 404
        assert await posted(there, address, PING, Authorization=f"Bearer {'a' * 20}") == 202


@scenario
async def test_a_quiet_stream_shows_that_it_lives():
    async with place(patience=0.0) as there:
        stream, _ = await opened(there)
        there.service.sweep()
        assert (await stream.event()).comment is not None


@scenario
async def test_a_server_that_ends_waits_for_what_is_open():
    async with place() as there:
        stream, address = await opened(there)
        await posted(there, address, PING)
        connection = there.connections[0]
        ping = await connection.hears()
        ending = asyncio.ensure_future(there.service.stop(grace=PATIENCE))
        await there_turns()
        assert not ending.done()
        connection.answer(ping)
        assert (await stream.event()).json["id"] == 1
        assert await stream.event() is None
        stream.close()
        await ending


@scenario
async def test_more_requests_than_a_client_may_have_open_are_refused_until_some_have_an_answer():
    async with place(open_requests=2) as there:
        _, address = await opened(there)
        assert [await posted(there, address, request(number, "ping")) for number in (1, 1, 2)] == [202, 202, 503]
        connection = there.connections[0]
        connection.answer(await connection.hears())
        assert await posted(there, address, request(2, "ping")) == 202
        assert await posted(there, address, request(3, "ping")) == 503
        assert await posted(there, address, notification("notifications/cancelled", requestId=2)) == 202
        assert await posted(there, address, request(3, "ping")) == 202
