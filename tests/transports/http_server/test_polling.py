"""Responses that do not wait for long: a client is let go with an id, and comes back for the rest of its stream."""

import pytest

from tests.transports.http_server.place import Dialogue, Http, notification, place, request, scenario

CALL = request(7, "tools/call", name="echo", arguments={})
LOG = notification("notifications/message", level="info", data="working")
RESUMES = {"MCP-Protocol-Version": "2025-11-25"}  # the revision since which clients come back by themselves


async def let_go(http: Http) -> str:
    """The id that a response leaves its client with, which has nothing else in it."""
    await http.stream()
    priming = await http.event()
    assert priming is not None
    assert priming.data == ""
    assert priming.retry is not None
    assert await http.event() is None
    return str(priming.id)


async def back(client: Dialogue, event_id: str) -> Http:
    return await client.get(**{"Last-Event-ID": event_id}, **RESUMES)


@scenario
async def test_a_client_comes_back_as_often_as_it_takes_and_finds_what_was_said_meanwhile():
    async with place(poll_after=0, retry=0) as there:
        client = await there.session()
        last = await let_go(await client.post(CALL, **RESUMES))
        call = await client.connection.hears()
        assert await let_go(await back(client, last)) == last
        client.connection.say(LOG, 7)
        again = await back(client, last)
        await again.stream()
        said, priming = await again.event(), await again.event()
        assert (said.json, said.id, priming.data, await again.event()) == (LOG, priming.id, "", None)
        client.connection.answer(call, content=[])
        final = await back(client, priming.id)
        await final.stream()
        assert [(await final.event()).json["id"], await final.event()] == [7, None]


@scenario
async def test_a_client_that_is_back_waits_a_little_for_an_answer_that_is_about_to_come():
    async with place(poll_after=0) as there:
        client = await there.session()
        last = await let_go(await client.post(CALL, **RESUMES))
        again = await back(client, last)
        await again.stream()
        assert (await again.event()).data == ""
        client.connection.answer(await client.connection.hears(), content=[])
        assert [(await again.event()).json["id"], await again.event()] == [7, None]


@scenario
async def test_an_answer_in_time_is_plain_json():
    async with place(poll_after=60) as there:
        client = await there.session()
        http = await client.post(CALL, **RESUMES)
        client.connection.answer(await client.connection.hears())
        assert (await http.reply()).json["id"] == 7


@pytest.mark.parametrize("version", ["2025-03-26", "2025-06-18"])
def test_a_client_of_an_earlier_revision_is_not_let_go(version: str):
    @scenario
    async def ask() -> None:
        async with place(poll_after=0) as there:
            client = await there.session()
            http = await client.post(CALL, **{"MCP-Protocol-Version": version})
            call = await client.connection.hears()
            await (await client.post(LOG)).reply()  # time enough to be let go
            client.connection.answer(call)
            assert (await http.reply()).json["id"] == 7

    ask()


@scenario
async def test_a_stream_that_has_begun_ends_likewise():
    async with place(poll_after=0) as there:
        client = await there.session()
        prefers = {"Accept": "text/event-stream, application/json", **RESUMES}
        last = await let_go(await client.post(CALL, **prefers))
        client.connection.answer(await client.connection.hears())
        again = await back(client, last)
        await again.stream()
        assert (await again.event()).json["id"] == 7


@scenario
async def test_an_answer_that_is_too_large_to_be_kept_for_a_client_that_is_away_becomes_an_error():
    async with place(poll_after=0, replay=1_000) as there:
        client = await there.session()
        last = await let_go(await client.post(CALL, **RESUMES))
        client.connection.answer(await client.connection.hears(), content="x" * 1_000)
        again = await back(client, last)
        await again.stream()
        answer = (await again.event()).json
        assert (answer["id"], answer["error"]["code"]) == (7, -32603)
        assert "too large" in answer["error"]["message"]
