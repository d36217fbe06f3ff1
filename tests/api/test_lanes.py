"""Who waits for whom: whatever is asked by those who may do little, those who may do more are answered."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from mcp_guard.api.api import Api
from mcp_guard.api.lanes import Name
from mcp_guard.api.telemetry import MOST, PATH, Telemetry
from mcp_guard.store.registry.book import Book
from mcp_guard.transports.http_server.requests import Answer
from tests.api.calling import Calls

REPORT = ("POST", PATH, b"{}")
READING = ("GET", "/api/agents", b"")
BRAKE = ("POST", "/api/stop", b'{"agent": null}')


@pytest.fixture
def api(path: str, book: Book) -> Iterator[Api]:
    opened = Api(path, lambda text: None, on=True, others={PATH: Telemetry(lambda text: None)})
    yield opened
    opened.close()


@asynccontextmanager
async def filled(api: Api, name: Name) -> AsyncIterator[None]:
    """A lane in which as many wait as may, for one that takes its time."""
    lane, done = api._lanes[name], threading.Event()

    def long() -> Answer:
        done.wait(20)
        return Answer(200)

    waiting = []
    while not lane.full:
        waiting.append(lane.run(long))
    try:
        yield
    finally:
        done.set()
        await asyncio.gather(*waiting)


IN_THE_WAY = [
    # what waits, what comes, with which status that is answered meanwhile
    ("reported", REPORT, 503),
    ("reported", ("POST", PATH, bytes(MOST + 1)), 413),  # nothing is kept that has no prospect
    ("reported", READING, 200),
    ("reported", BRAKE, 201),
    ("auditor", REPORT, 200),
    ("auditor", READING, 503),
    ("auditor", BRAKE, 201),
    ("security", REPORT, 200),
    ("security", READING, 200),
    ("security", BRAKE, 503),
]


@pytest.mark.parametrize(("name", "asked", "status"), IN_THE_WAY, ids=lambda case: str(case)[:40])
def test_nobody_waits_for_those_who_may_do_something_else(api: Api, name: Name, asked, status: int) -> None:
    async def scenario() -> int:
        method, path, body = asked
        calls = Calls(api, None if path == PATH else "security")  # a report is a client's
        async with filled(api, name):
            return (await calls._answer(method, path, body, {"content_type": "application/json"})).status

    assert asyncio.run(scenario()) == status
