"""The switch: what it does with outputs, and how it keeps slow, dead and failing peers from harming the others.

Ends and conversation are scripted; each test says what they say and looks at what reaches whom.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from mcp_guard.errors import GuardError
from mcp_guard.events import Event
from mcp_guard.gate import Admitted, Denied, Forward, Record, Refusal, Reply
from mcp_guard.gate.messages import RequestId
from mcp_guard.gate.requests import ReadCall, Request
from mcp_guard.transports import arms
from mcp_guard.transports.arms import Arm
from mcp_guard.transports.conversation import Addressed
from mcp_guard.transports.ends import Listener
from mcp_guard.transports.framing import HIGH_WATER
from mcp_guard.transports.switch import Switch
from tests.transports.http_upstream.remote import scenario


def event(kind: str = "tool.decided") -> Event:
    return Event(
        id=kind, ts=0, type=kind, connection_id="c", agent="a", agent_verified=False, user="u", server="s", tool=None,
        policy_hash="h", data={},
    )  # fmt: skip


@dataclass
class FakeEnd:
    """Either end. `said` is what was sent to it, in order, as far as `story` (what happened at all) goes."""

    name: str
    story: list[str]
    waiting: int = 0
    paused: bool = False
    closed: int = 0
    said: list[bytes] = field(default_factory=list)
    related: list[RequestId | None] = field(default_factory=list)
    listener: Listener | None = None
    failure: Exception | None = None
    started: asyncio.Event = field(default_factory=asyncio.Event)
    spoken: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self, listener: Listener) -> None:
        if self.failure is not None:
            raise self.failure
        self.listener = listener
        self.started.set()

    def send(self, line: bytes, related: RequestId | None = None) -> None:
        self.story.append(f"{self.name} gets {line.decode()}")
        self.said.append(line)
        self.related.append(related)
        self.spoken.set()

    def flush(self) -> None: ...

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    async def close(self) -> None:
        self.closed += 1

    def kill(self) -> None:
        self.story.append(f"{self.name} is killed")

    def says(self, line: bytes, related: RequestId | None = None) -> None:
        assert self.listener is not None
        self.listener.deliver(line, related)


class FakeLedger:
    def __init__(self, story: list[str]) -> None:
        self.story, self.broken, self.urgent = story, False, False
        self.kept: list[Event] = []

    def commit(self, events: list[Event]) -> dict[str, Refusal]:
        if self.broken:
            return {event.id: Refusal("the disk is full") for event in events}
        self.story += [f"row {event.type}" for event in events]
        return {}

    def later(self, event: Event) -> None:
        self.kept.append(event)

    def flush(self) -> None:
        self.story.append("flush")

    def settle(self) -> None:
        self.story.append("settle")


class Scripted:
    """A conversation whose outputs are what a test puts into `answers`, by what is said."""

    def __init__(self) -> None:
        self.answers: dict[bytes, list[Addressed]] = {}
        self.heard: list[tuple[str, object]] = []
        self.holding = False

    def start(self, now: int) -> list[Addressed]:
        return []

    def from_client(self, line: bytes, now: int) -> list[Addressed]:
        self.heard.append(("client", line))
        return self.answers[line]

    def from_upstream(self, slug: str, line: bytes, now: int) -> list[Addressed]:
        self.heard.append((slug, line))
        return self.answers.get(line, [(slug, Reply(line))])

    def client_oversized(self, size: int, limit: int, now: int) -> list[Addressed]:
        return [("", Reply(b"too large"))]

    def upstream_oversized(self, slug: str, size: int, limit: int, now: int) -> list[Addressed]:
        return [(slug, Record(event("message.rejected")))]

    def refuse(self, slug: str, admitted: Admitted, refusal: Refusal) -> Denied:
        return Denied(admitted.event, f"refused: {refusal.reason}".encode())

    def again(self, slug: str, admitted: Admitted, now: int) -> list[Addressed]:
        return [(slug, admitted)]

    def upstream_started(self, slug: str, now: int) -> list[Addressed]:
        self.heard.append((slug, "started"))
        return self.answers.get(b"started " + slug.encode(), [])

    def upstream_exited(self, slug: str, how: str, now: int) -> list[Addressed]:
        self.heard.append((slug, f"exited: {how}"))
        return [(slug, Reply(b"gone"))]

    def replace_policy(self, policy: object, now: int) -> list[Addressed]:
        return []

    def policy_rejected(self, files: list[str], errors: list[str], now: int) -> list[Addressed]:
        return []

    def registry_changed(self, now: int) -> list[Addressed]:
        return []

    def client_leaves(self, why: str) -> None:
        self.heard.append(("client", f"leaves: {why}"))

    def client_closed(self, why: str, now: int) -> list[Addressed]:
        self.heard.append(("client", f"closed: {why}"))
        return []

    def tick(self, now: int) -> list[Addressed]:
        return []


@dataclass
class Scene:
    """A running switch with the upstreams that a test named, and everything that happens in it."""

    story: list[str]
    talk: Scripted
    client: FakeEnd
    ledger: FakeLedger
    ends: dict[str, list[FakeEnd]]
    running: "asyncio.Task[str]"
    switch: Switch

    def up(self, slug: str) -> FakeEnd:
        return self.ends[slug][-1]


@asynccontextmanager
async def scene(
    *slugs: str,
    restart: bool = False,
    eager: bool = True,
    failing: GuardError | None = None,
    reload: Callable[[int], list[Addressed]] = lambda now: [],
) -> AsyncIterator[Scene]:
    story: list[str] = []
    ends: dict[str, list[FakeEnd]] = {slug: [] for slug in slugs}

    def make(slug: str) -> FakeEnd:
        ends[slug].append(FakeEnd(slug, story, failure=failing))
        return ends[slug][-1]

    talk, client, ledger = Scripted(), FakeEnd("client", story), FakeLedger(story)
    made = [Arm(slug, lambda slug=slug: make(slug), eager=eager, restart=restart) for slug in slugs]
    switch = Switch(talk, client, made, ledger, reload)  # type: ignore[arg-type]
    running = asyncio.ensure_future(switch.run())
    await client.started.wait()
    if eager and failing is None:
        while not all(ends[slug] and ends[slug][-1].started.is_set() for slug in slugs):
            await asyncio.sleep(0)
        while len([one for one in talk.heard if one[1] == "started"]) < len(slugs):
            await asyncio.sleep(0)
    try:
        yield Scene(story, talk, client, ledger, ends, running, switch)
    finally:
        switch.stop("the test is over")
        await asyncio.gather(running, return_exceptions=True)
        assert client.closed


READ = ReadCall(Request(1, "tools/call", {}, {}, False, None), "t", {}, b"{}", b"call")
CALL = Admitted(event(), b"call", 1, READ)


@scenario
async def test_a_row_is_committed_before_its_line_leaves() -> None:
    async with scene("a") as here:
        here.talk.answers[b"x"] = [("a", Forward(b"before")), ("a", CALL), ("a", Record(event("other")))]
        here.client.says(b"x")
        assert here.story[:4] == ["row tool.decided", "row other", "a gets before", "a gets call"]


@scenario
async def test_a_call_whose_row_cannot_be_written_is_refused_and_stays_here() -> None:
    async with scene("a") as here:
        here.ledger.broken = True
        here.talk.answers[b"x"] = [("a", CALL), ("a", Forward(b"notice"))]
        here.client.says(b"x")
        assert here.story == ["client gets refused: the disk is full", "a gets notice"]
        assert [kept.type for kept in here.ledger.kept] == ["tool.decided"]


@scenario
async def test_a_denial_stands_even_if_it_cannot_be_written() -> None:
    async with scene("a") as here:
        here.ledger.broken = True
        here.talk.answers[b"x"] = [("a", Denied(event(), b"denied"))]
        here.client.says(b"x")
        assert here.client.said == [b"denied"]


@scenario
async def test_each_line_goes_to_the_upstream_of_its_address() -> None:
    async with scene("a", "b") as here:
        here.talk.answers[b"x"] = [("a", Forward(b"1")), ("b", CALL), ("", Reply(b"2"))]
        here.client.says(b"x")
        assert (here.up("a").said, here.up("b").said, here.client.said) == ([b"1"], [b"call"], [b"2"])


@scenario
async def test_the_client_hears_for_which_request_a_line_came() -> None:
    async with scene("a") as here:
        here.up("a").says(b"x", 7)
        here.up("a").says(b"y")
        assert here.client.related == [7, None]


@scenario
async def test_a_changed_policy_is_in_force_for_the_line_at_hand() -> None:
    changes = [[("a", Record(event("policy.loaded")))]]
    async with scene("a", reload=lambda now: changes.pop() if changes else []) as here:
        here.talk.answers[b"x"] = [("a", CALL)]
        here.client.says(b"x")
        assert here.story[:3] == ["row policy.loaded", "row tool.decided", "a gets call"]


# Peers that are slow


@scenario
async def test_a_slow_client_stops_the_reading_from_all_upstreams() -> None:
    async with scene("a", "b") as here:
        here.client.waiting = HIGH_WATER + 1
        here.up("a").says(b"x")
        assert here.up("a").paused
        assert here.up("b").paused
        here.client.waiting = 0
        assert here.client.listener is not None
        here.client.listener.relieved()
        assert not here.up("a").paused
        assert not here.up("b").paused


@scenario
async def test_an_only_upstream_that_is_slow_stops_the_reading_from_the_client() -> None:
    async with scene("a") as here:
        here.talk.answers[b"x"] = [("a", Forward(b"1"))]
        here.up("a").waiting = HIGH_WATER + 1
        here.client.says(b"x")
        assert here.client.paused
        here.up("a").waiting = 0
        here.up("a").listener.relieved()  # type: ignore[union-attr]
        assert not here.client.paused


@scenario
async def test_one_of_many_that_is_slow_stops_nobody_and_is_given_up_in_the_end() -> None:
    async with scene("a", "b") as here:
        here.talk.answers[b"x"] = [("a", Forward(b"1"))]
        here.talk.answers[b"y"] = [("b", Forward(b"2"))]
        slow = here.up("a")
        slow.waiting = HIGH_WATER + 1
        here.client.says(b"x")
        assert not here.client.paused
        slow.waiting = 1 << 30
        here.client.says(b"x")
        assert ("a", "exited: does not take what it is sent") in here.talk.heard
        here.client.says(b"y")
        assert here.up("b").said == [b"2"]
        while not slow.closed:
            await asyncio.sleep(0)


# Upstreams that come and go


@scenario
async def test_the_connection_ends_with_its_only_upstream() -> None:
    async with scene("a") as here:
        here.up("a").listener.ended("exited with status 3")  # type: ignore[union-attr]
        assert await here.running == "the upstream is gone"
        assert here.switch.lost
        assert here.talk.heard[-3:] == [
            ("a", "exited: exited with status 3"),
            ("client", "leaves: the upstream is gone"),
            ("client", "closed: the upstream is gone"),
        ]


@scenario
async def test_one_of_many_that_ends_is_begun_again_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arms, "FIRST_REST", 0.001)
    async with scene("a", "b", restart=True) as here:
        former = here.up("a")
        former.listener.ended("was killed by SIGKILL")  # type: ignore[union-attr]
        here.up("b").says(b"x")
        assert here.client.said == [b"gone", b"x"]
        while here.up("a") is former or here.talk.heard[-1] != ("a", "started"):
            await asyncio.sleep(0)
        former.says(b"a former life")
        assert b"a former life" not in here.client.said
        assert former.closed


@scenario
async def test_an_upstream_that_cannot_be_started_is_told_as_one_that_ended() -> None:
    async with scene("a", "b", failing=GuardError("command not found: x", "Is it installed?")) as here:
        while len(here.talk.heard) < 2:
            await asyncio.sleep(0)
        how = "exited: could not be started: command not found: x (Is it installed?)"
        assert here.talk.heard == [("a", how), ("b", how)]


@scenario
async def test_a_lazy_upstream_is_started_by_the_first_line_for_it_which_waits() -> None:
    async with scene("a", "b", eager=False) as here:
        assert here.ends == {"a": [], "b": []}
        here.talk.answers[b"x"] = [("a", Forward(b"1")), ("a", Forward(b"2"))]
        here.talk.answers[b"started a"] = [("a", Forward(b"hello"))]
        here.client.says(b"x")
        while not here.ends["a"]:
            await asyncio.sleep(0)
        await here.up("a").spoken.wait()
        assert here.up("a").said == [b"hello", b"1", b"2"]
        assert here.ends["b"] == []


@scenario
async def test_a_line_for_an_upstream_that_rests_is_answered_at_once() -> None:
    async with scene("a", "b", restart=True) as here:
        here.up("a").listener.ended("exited with status 1")  # type: ignore[union-attr]
        here.talk.answers[b"x"] = [("a", Forward(b"1"))]
        here.client.says(b"x")
        assert here.talk.heard[-1] == ("a", "exited: is not running")


def test_rests_grow_and_are_bounded() -> None:
    rests = [arms._rest(failures) for failures in range(1, 40)]
    assert all(0.75 * arms.FIRST_REST <= rest <= arms.LONGEST_REST for rest in rests)
    assert rests[0] <= arms.FIRST_REST
    assert rests[-1] >= 0.75 * arms.LONGEST_REST


# The end


@scenario
async def test_a_client_that_leaves_ends_it_in_order() -> None:
    async with scene("a", "b") as here:
        here.client.listener.ended("the client closed its end")  # type: ignore[union-attr]
        assert await here.running == "the client closed its end"
        assert here.up("a").closed
        assert here.up("b").closed
        assert here.talk.heard[-2:] == [
            ("client", "leaves: the client closed its end"),
            ("client", "closed: the client closed its end"),
        ]
        assert here.story[-1] == "settle"


@scenario
async def test_a_switch_that_is_killed_gives_its_upstreams_no_moment_more() -> None:
    async with scene("a", "b") as here:
        here.switch.stop("the guard was told to end by SIGTERM")
        here.switch.kill()
        assert here.story == ["a is killed", "b is killed"]


@scenario
@pytest.mark.parametrize(
    ("told", "how"),
    [
        (True, "exited with status 0: the guard was told to end by SIGTERM"),
        (False, "exited with status 0"),
    ],
)
async def test_whose_request_is_cut_off_is_told_that_the_guard_was_told_to_end(told: bool, how: str) -> None:
    async with scene("a", "b") as here:
        if told:
            here.switch.stop("the guard was told to end by SIGTERM")
        here.up("a").listener.ended("exited with status 0")  # type: ignore[union-attr]
        assert here.talk.heard[-1] == ("a", f"exited: {how}")


@scenario
async def test_what_a_client_sent_before_it_left_still_arrives() -> None:
    async with scene("a") as here:
        here.up("a").waiting = 5
        here.client.listener.ended("the client closed its end")  # type: ignore[union-attr]
        await asyncio.sleep(0)
        assert not here.up("a").closed
        here.up("a").waiting = 0
        await here.running
        assert here.up("a").closed


@scenario
async def test_a_mistake_of_the_guards_own_ends_it_and_carries_nothing_more() -> None:
    async with scene("a") as here:
        here.client.says(b"what no answer was scripted for")
        with pytest.raises(KeyError):
            await here.running
        here.talk.answers[b"x"] = [("a", CALL)]
        here.client.says(b"x")
        assert here.up("a").said == []
        assert here.up("a").closed
