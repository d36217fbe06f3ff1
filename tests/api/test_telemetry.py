"""What agents report of their costs: read in both encodings, counted once, charged only to who has proven to be it."""

import gzip
import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from mcp_guard.api.api import Api
from mcp_guard.api.otlp import protobuf, text
from mcp_guard.api.otlp.reported import COST_METRICS, UnreadableMetricsError, counted
from mcp_guard.api.telemetry import MOST, PATH, PROTOBUF, Telemetry
from mcp_guard.store.registry import budgets, telemetry
from mcp_guard.store.registry.book import Book
from mcp_guard.store.registry.telemetry import Cost, take_in
from mcp_guard.transports.http_server.requests import Answer, Caller, refusal
from tests.api.calling import Calls

COST = "claude_code.cost.usage"
DELTA, CUMULATIVE = 1, 2
VERIFIED = Caller("key 1", "127.0.0.1", agent="claude-code")
NOBODY = Caller("", "127.0.0.1")


def point(usd: float, began: int = 1, at: int = 2, **attributes: str) -> dict[str, Any]:
    said = [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()]
    return {"asDouble": usd, "startTimeUnixNano": str(began), "timeUnixNano": str(at), "attributes": said}


def request(*points: object, temporality: int = DELTA, monotonic: bool = True, name: str = COST) -> dict[str, Any]:
    found = {"aggregationTemporality": temporality, "isMonotonic": monotonic, "dataPoints": list(points)}
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "claude-code"}}]}
    return {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [{"name": name, "sum": found}]}]}]}


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def report(path: str, book: Book, told: list[str]) -> Iterator["Report"]:
    api = Api(path, told.append, on=False, others={PATH: Telemetry(told.append)})
    yield Report(api)
    api.close()


class Report:
    """Reports of a caller."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def __call__(self, body: object, caller: Caller | Answer = VERIFIED, **fields: str) -> Answer:
        calls = Calls(self._api)
        calls._caller = caller  # pyright: ignore[reportPrivateUsage]
        return calls.raw("POST", PATH, body, **fields)


def spent(book: Book, agent: str | None) -> float:
    return sum(one["usd"] for one in telemetry.listed(book) if one["agent"] == agent)


# Who is charged


def test_a_verified_agents_costs_are_charged_to_its_month_and_alerts_told(
    report: Report, book: Book, told: list[str]
) -> None:
    budgets.put(book, "claude-code", "month", "usd", 1)
    assert report(request(point(0.7, model="opus"), point(0.2, model="haiku"))).status == 200
    assert budgets.listed(book)[0]["spent"] == pytest.approx(0.9)
    assert [one["model"] for one in telemetry.listed(book, agent="claude-code")] == ["haiku", "opus"]
    assert told == ["the agent claude-code has spent 80 % of what it may in this month: $0.90 of $1.00"]
    report(request(point(0.2, began=2, at=3, model="opus")))
    assert [
        json.loads(one["data"])["share"] for one in book.rows("SELECT data FROM events WHERE type = 'budget.alert'")
    ] == [
        80,
        100,
    ]


def test_what_nobody_has_proven_to_have_spent_is_kept_and_charged_to_nobody(report: Report, book: Book) -> None:
    budgets.put(book, "claude-code", "month", "usd", 1)
    assert report(request(point(0.7)), NOBODY).status == 200
    assert (spent(book, None), spent(book, "claude-code")) == (0.7, 0)
    assert budgets.listed(book)[0]["spent"] == 0


def test_whoever_may_not_speak_to_the_server_reports_nothing(report: Report, book: Book) -> None:
    assert report(request(point(0.7)), refusal(401, "a bearer token is needed")).status == 401
    assert report(request(point(0.7)), Caller("token 1", "127.0.0.1", user="ann", role="auditor")).status == 403
    assert not telemetry.listed(book)


# What is counted, by series


def delta(usd: float, began: int, at: int) -> Cost:
    return Cost("s", "m", began, at, usd, False)


def running(usd: float, at: int, series: str = "s") -> Cost:
    return Cost(series, "m", 1, at, usd, True)


COUNTED = [
    ("deltas add up", [delta(1, 0, 1), delta(2, 1, 2)], 3),
    ("a delta that is sent again counts once", [delta(1, 0, 1), delta(1, 0, 1)], 1),
    ("deltas of two that take turns add up", [delta(1, 0, 5), delta(1, 2, 4), delta(1, 5, 6)], 3),
    ("a running total counts by what it grew", [running(1, 1), running(3, 2), running(3.5, 3)], 3.5),
    ("a total that is sent again counts once", [running(2, 1), running(2, 1)], 2),
    ("a total that comes late counts nothing", [running(3, 2), running(1, 1)], 3),
    ("a total that falls began anew", [running(3, 1), running(1, 2), running(2, 3)], 5),
    ("totals of two series add up", [running(3, 1), running(1, 1, "t")], 4),
    ("nothing is nothing", [running(0, 1), delta(0, 0, 1)], 0),
]


@pytest.mark.parametrize(("what", "costs", "usd"), COUNTED, ids=[case[0] for case in COUNTED])
@pytest.mark.parametrize("at_once", [True, False], ids=["in one report", "one by one"])
def test_each_dollar_is_counted_once(book: Book, what: str, costs: list[Cost], usd: float, at_once: bool) -> None:
    for together in [costs] if at_once else [[cost] for cost in costs]:
        take_in(book, "a", together)
    assert spent(book, "a") == pytest.approx(usd)


def test_totals_of_two_processes_that_say_the_same_of_themselves_are_told_apart(report: Report, book: Book) -> None:
    for began, at, usd in [(1, 10, 1.0), (5, 11, 0.5), (1, 20, 2.0), (5, 21, 1.5)]:
        report(request(point(usd, began, at), temporality=CUMULATIVE))
    assert spent(book, "claude-code") == pytest.approx(3.5)


def test_what_is_remembered_and_told_apart_is_bounded(book: Book) -> None:
    take_in(book, None, [Cost(f"s{number}", f"m{number}", 0, number, 1, True) for number in range(2_100)])
    assert book.one("SELECT count(*) AS many FROM cost_series")["many"] == telemetry.MOST_SERIES
    models = telemetry.listed(book, unattributed=True)
    assert (len(models), sum(one["usd"] for one in models)) == (telemetry.MOST_MODELS + 1, 2_100)


# What is rejected, and how that is said


REJECTED = [
    ("below zero", point(-1), {}),
    ("more than anybody pays", point(1e300), {}),
    ("no value", {**point(1), "asDouble": None}, {}),
    ("more than a double holds, as a text", {**point(1), "asDouble": "9" * 400}, {}),
    ("time that is none", {**point(1), "timeUnixNano": "-5"}, {}),
    ("a sum that may fall", point(1), {"monotonic": False}),
    ("a sum of unknown kind", point(1), {"temporality": 0}),
]


@pytest.mark.parametrize(("what", "one", "how"), REJECTED, ids=[case[0] for case in REJECTED])
def test_what_is_no_cost_is_rejected_and_the_rest_counted(
    report: Report, book: Book, what: str, one: dict[str, Any], how: dict[str, Any]
) -> None:
    answer = report(request(one, **how))
    assert json.loads(answer.body)["partialSuccess"]["rejectedDataPoints"] == "1"
    assert not telemetry.listed(book)
    assert report(request(point(1))).body == b"{}"


def test_other_metrics_are_none_of_our_business(report: Report, book: Book) -> None:
    assert report(request(point(-5), {"asDouble": "much"}, name="claude_code.token.usage")).body == b"{}"
    assert report(request({"asDouble": "much"})).status == 400
    assert not telemetry.listed(book)


HUGE = json.dumps(request({**point(1), "asDouble": None, "asInt": int("9" * 400)})).encode()
UNREADABLE: list[tuple[str, bytes, dict[str, str], int]] = [
    ("no JSON", b"{", {"content_type": "application/json"}, 400),
    ("another form", b"[]", {"content_type": "application/json"}, 400),
    ("more than a double holds", HUGE, {"content_type": "application/json"}, 400),
    ("half a protobuf", b"\x0a\x05\x0a", {"content_type": PROTOBUF}, 400),
    ("a group", b"\x0b", {"content_type": PROTOBUF}, 400),
    ("a number without an end", b"\xff" * 11, {"content_type": PROTOBUF}, 400),
    ("no field", b"\x02\x01", {"content_type": PROTOBUF}, 400),
    ("plain text", b"x", {"content_type": "text/plain"}, 415),
    ("another compression", b"x", {"content_type": PROTOBUF, "content_encoding": "br"}, 415),
    ("no gzip", b"x", {"content_type": PROTOBUF, "content_encoding": "gzip"}, 400),
    ("half a gzip", gzip.compress(b"{}")[:-4], {"content_type": "application/json", "content_encoding": "gzip"}, 400),
    ("a bomb", gzip.compress(bytes(MOST + 1)), {"content_type": PROTOBUF, "content_encoding": "gzip"}, 413),
    ("too much", bytes(MOST + 1), {"content_type": PROTOBUF}, 413),
]


@pytest.mark.parametrize(("what", "body", "fields", "status"), UNREADABLE, ids=[case[0] for case in UNREADABLE])
def test_what_cannot_be_read_is_refused(
    report: Report, book: Book, what: str, body: bytes, fields: dict[str, str], status: int
) -> None:
    assert report(body, **fields).status == status
    assert not telemetry.listed(book)


def test_gzip_is_taken(report: Report, book: Book) -> None:
    body = gzip.compress(json.dumps(request(point(0.5))).encode())
    assert report(body, content_type="application/json", content_encoding="gzip").status == 200
    assert spent(book, "claude-code") == 0.5


# Protobuf, against the library that is generated from the .proto files


def as_protobuf(said: list[tuple[str, list[tuple[float | int, int, int, dict[str, object]]], int, bool]]) -> bytes:
    made = ExportMetricsServiceRequest()
    scope = made.resource_metrics.add().scope_metrics.add()
    for name, points, temporality, monotonic in said:
        found = scope.metrics.add(name=name).sum
        found.aggregation_temporality, found.is_monotonic = temporality, monotonic  # pyright: ignore
        for value, began, at, attributes in points:
            one = found.data_points.add(start_time_unix_nano=began, time_unix_nano=at)
            if isinstance(value, int):
                one.as_int = value
            else:
                one.as_double = value
            for key, attribute in attributes.items():
                pair = one.attributes.add(key=key)
                kind = {str: "string_value", bool: "bool_value", int: "int_value"}[type(attribute)]
                setattr(pair.value, kind, attribute)
    return made.SerializeToString()


values = st.one_of(st.floats(allow_nan=False), st.integers(-(2**63), 2**63 - 1))
times = st.integers(0, 2**64 - 1)
attributes = st.dictionaries(
    st.text(max_size=5) | st.just("model"), st.text(max_size=5) | st.booleans() | st.integers(-5, 5)
)
points = st.lists(st.tuples(values, times, times, attributes), max_size=4)
names = st.sampled_from([*COST_METRICS, "other"])
reports = st.lists(st.tuples(names, points, st.sampled_from([0, 1, 2]), st.booleans()), max_size=3)


@given(reports)
def test_protobuf_is_read_as_the_generated_reader_does(said: Any) -> None:
    read = protobuf.read(as_protobuf(said))
    expected = [one for one in said if one[0] in COST_METRICS]
    assert [(one.name, one.temporality, one.monotonic) for one in read] == [(a, c, d) for a, _, c, d in expected]
    for one, (_, given_points, _, _) in zip(read, expected, strict=True):
        found = [
            (point.value, point.began, point.at, {pair.key: pair.text for pair in point.attributes})
            for point in one.points
        ]
        assert found == [
            (float(value), began, at, {key: text if isinstance(text, str) else None for key, text in pairs.items()})
            for value, began, at, pairs in given_points
        ]
    assert all(math.isfinite(cost.usd) and cost.usd >= 0 for cost in counted(read).costs)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_as_the_generated_reader_does_or_more_strictly(body: bytes) -> None:
    for form in (protobuf, text):
        try:
            counted(form.read(body))
        except UnreadableMetricsError:
            continue


def test_a_protobuf_report_is_answered_in_protobuf(report: Report, book: Book) -> None:
    answer = report(as_protobuf([(COST, [(0.25, 1, 2, {"model": "opus"})], 1, True)]), content_type=PROTOBUF)
    assert (answer.status, answer.body) == (200, b"")
    assert ("content-type", PROTOBUF) in answer.fields
    assert telemetry.listed(book)[0]["model"] == "opus"
    answer = report(as_protobuf([(COST, [(-0.25, 1, 2, {})], 1, True)]), content_type=PROTOBUF)
    said = ExportMetricsServiceResponse.FromString(answer.body).partial_success
    assert (said.rejected_data_points, said.error_message[:5]) == (1, "costs")
