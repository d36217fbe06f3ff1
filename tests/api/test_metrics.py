"""The page for Prometheus: what it counts, and who may read it."""

import re
from collections.abc import Iterator

import pytest

from mcp_guard.api.api import Api
from mcp_guard.api.metrics import PATH, Latency, Metrics
from mcp_guard.events import Event
from mcp_guard.store import Store
from mcp_guard.store.registry import agents, grants
from mcp_guard.store.registry.book import Book
from mcp_guard.transports.http_server.requests import refusal
from tests.api.calling import Calls

STRANGER = refusal(401, "a bearer token is needed", (("www-authenticate", "Bearer"),))


def api_with(path: str, latency: Latency, *, open_to_all: bool = False) -> Api:
    counters = {"mcp_guard_audit_failures_total": lambda: 3.0}
    return Api(path, _never, on=True, others={PATH: Metrics(latency, counters, open_to_all=open_to_all)})


def _never(text: str) -> None:
    raise AssertionError(text)


@pytest.fixture
def latency() -> Latency:
    return Latency()


@pytest.fixture
def metrics(path: str, book: Book, latency: Latency) -> Iterator[Calls]:
    api = api_with(path, latency)
    yield Calls(api, "auditor")
    api.close()


def samples(calls: Calls) -> dict[str, float]:
    answer = calls.raw("GET", PATH)
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    lines = [line for line in answer.body.decode().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r'[a-z_]+(\{([a-z]+="[^"]*",?)+\})? [0-9.e+-]+', line) for line in lines)
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def decided(number: int, decision: str, by: str) -> Event:
    return Event(id=f"c-{number}", ts=0, type="tool.decided", connection_id="c", decision=decision, decided_by=by)  # pyright: ignore[reportArgumentType]


def test_agents_and_grants_are_counted_as_they_stand(metrics: Calls, book: Book) -> None:
    for slug in ("one", "two", "three"):
        agents.create(book, slug)
    agents.quarantine(book, "two")
    grants.add(book, "one", "get_*", "deny")
    found = samples(metrics)
    assert found['mcp_guard_agents{status="active"}'] == 2
    assert found['mcp_guard_agents{status="quarantined"}'] == 1
    assert (found['mcp_guard_grants{effect="deny"}'], found['mcp_guard_grants{effect="allow"}']) == (1, 0)
    assert (found["mcp_guard_approvals_pending"], found["mcp_guard_audit_failures_total"]) == (0, 3)


def test_each_decision_in_the_log_is_counted_once_however_often_one_looks(metrics: Calls, book: Book) -> None:
    store = Store.open(book.path)
    store.record([decided(1, "allow", "rule"), decided(2, "deny", "grant"), decided(3, "allow", "rule")])
    name = 'mcp_guard_decisions_total{decision="allow",layer="rule"}'
    assert samples(metrics)[name] == samples(metrics)[name] == 2
    store.record([decided(4, "allow", "rule")])
    found = samples(metrics)
    assert (found[name], found['mcp_guard_decisions_total{decision="deny",layer="grant"}']) == (3, 1)
    store.close()


def test_latency_is_a_histogram(metrics: Calls, latency: Latency) -> None:
    for seconds in (0.00005, 0.0001, 0.003, 9.0):
        latency.observe(seconds)
    found = samples(metrics)
    assert [
        found[f'mcp_guard_decision_seconds_bucket{{le="{bound}"}}'] for bound in ("0.0001", "0.005", "1.0", "+Inf")
    ] == [
        2,
        3,
        3,
        4,
    ]
    assert (found["mcp_guard_decision_seconds_count"], round(found["mcp_guard_decision_seconds_sum"], 3)) == (4, 9.003)


@pytest.mark.parametrize(("open_to_all", "status"), [(False, (403, 401)), (True, (200, 200))], ids=["closed", "open"])
def test_metrics_need_a_role_unless_they_are_open(
    path: str, book: Book, latency: Latency, open_to_all: bool, status: tuple[int, int]
) -> None:
    api = api_with(path, latency, open_to_all=open_to_all)
    assert (Calls(api, None).raw("GET", PATH).status, Calls(api, refused=STRANGER).raw("GET", PATH).status) == status
    assert Calls(api, refused=refusal(421, "another Host")).raw("GET", PATH).status == 421
    assert Calls(api, "security").raw("GET", PATH).status == 200
    assert Calls(api).raw("POST", PATH).status == 405
    api.close()
