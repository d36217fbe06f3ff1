"""`/metrics` for Prometheus (text format 0.0.4): how agents stand, what was decided and how quickly, what went wrong.

What all guards on the file did is counted from the log, each row once; how long decisions took is known of this process
only. Nothing is counted on the way of a call but its time.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from typing import get_args

from mcp_guard import __version__
from mcp_guard.api.other import Other, Work
from mcp_guard.api.problems import ProblemError, retold
from mcp_guard.governance.snapshot import AgentStatus, GrantEffect
from mcp_guard.store.registry.book import Book
from mcp_guard.store.rows import timestamp
from mcp_guard.transports.http_server.requests import NO_STORE, Answer, Caller, Head

PATH = "/metrics"
_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)  # seconds

_AGENTS = "SELECT status AS label, count(*) AS many FROM agents GROUP BY status"
_GRANTS = (
    "SELECT effect AS label, count(*) AS many FROM grants WHERE expires_at IS NULL OR expires_at > ? GROUP BY effect"
)
_PENDING = "SELECT count(*) AS many FROM approvals WHERE status = 'pending' AND expires_at > ?"
_DECISIONS = """
    SELECT decision, coalesce(decided_by, '') AS layer, count(*) AS many FROM events
    WHERE seq > ? AND seq <= ? AND decision IS NOT NULL GROUP BY 1, 2
"""
_NEWEST = "SELECT coalesce(max(seq), 0) AS seq FROM events"
_SPENDING = "SELECT agent <> '' AS attributed, sum(usd) AS usd FROM model_spending GROUP BY 1"

Labels = tuple[tuple[str, str], ...]
Sample = tuple[str, Labels, float]


class Latency:
    """How long decisions took: from a call's arrival until its row was committed."""

    def __init__(self) -> None:
        self._counts = [0] * (len(_BOUNDS) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """One more."""
        self._counts[bisect_left(_BOUNDS, seconds)] += 1
        self._sum += seconds

    def samples(self, name: str) -> Iterable[Sample]:
        """As a histogram."""
        total = 0
        for bound, count in zip((*map(str, _BOUNDS), "+Inf"), list(self._counts), strict=True):
            total += count
            yield f"{name}_bucket", (("le", bound),), total
        yield f"{name}_sum", (), self._sum
        yield f"{name}_count", (), total


class Metrics(Other):
    """What answers Prometheus. `open_to_all`: without a token. `counters` are this process's own, by their names."""

    lane = "auditor"

    def __init__(self, latency: Latency, counters: Mapping[str, Callable[[], float]], *, open_to_all: bool) -> None:
        self._latency, self._counters, self._open = latency, counters, open_to_all
        self._seen = 0  # the log's rows up to this one are counted
        self._decisions: dict[tuple[str, str], int] = {}

    def may(self, head: Head, caller: Caller | Answer) -> Caller | Answer:
        """Whoever has a role may read them; everybody, where they are open."""
        if isinstance(caller, Answer):
            return Caller("", head.peer) if self._open and caller.status == 401 else retold(caller)
        if caller.role is None and not self._open:
            raise ProblemError(403, "metrics need a token with role=auditor (or start with --metrics-open)")
        return caller

    def work(self, head: Head, caller: Caller, body: bytes) -> Work:
        """The page."""
        return lambda book: Answer(200, self._page(book.open("mcp-guard")).encode(), NO_STORE, _TEXT)

    def _page(self, book: Book) -> str:
        self._count(book)
        now = timestamp(book.now)
        pending = book.one(_PENDING, (now,))
        families = [
            _family("mcp_guard_info", "gauge", "The version of this guard.", [((("version", __version__),), 1)]),
            _by("mcp_guard_agents", "status", "Agents in the registry.", get_args(AgentStatus), book, _AGENTS),
            _by("mcp_guard_grants", "effect", "Grants in force.", get_args(GrantEffect), book, _GRANTS, now),
            _family(
                "mcp_guard_decisions_total",
                "counter",
                "Decisions in the log, of all guards on it.",
                [((("decision", made), ("layer", by)), many) for (made, by), many in sorted(self._decisions.items())],
            ),
            _head("mcp_guard_decision_seconds", "histogram", "From a call's arrival until its row was committed, here.")
            + _lines(self._latency.samples("mcp_guard_decision_seconds")),
            _family(
                "mcp_guard_approvals_pending",
                "gauge",
                "Calls that wait for a person.",
                [((), pending["many"] if pending else 0)],
            ),
            _spending(book),
            *(_family(name, "counter", text, [((), count())]) for name, text, count in self._own()),
        ]
        return "".join(families)

    def _own(self) -> Iterable[tuple[str, str, Callable[[], float]]]:
        return [(name, _TEXTS[name], count) for name, count in self._counters.items()]

    def _count(self, book: Book) -> None:
        """Count what came into the log since the last time."""
        newest = book.one(_NEWEST)
        upto = newest["seq"] if newest else 0
        for one in book.rows(_DECISIONS, (self._seen, upto)):
            key = one["decision"], one["layer"]
            self._decisions[key] = self._decisions.get(key, 0) + one["many"]
        self._seen = upto


_TEXTS = {
    "mcp_guard_audit_failures_total": "Writes to the audit log that failed, here.",
    "mcp_guard_webhooks_delivered_total": "Webhooks that were delivered.",
    "mcp_guard_webhooks_failed_total": "Webhooks that were given up.",
}


def _by(name: str, label: str, text: str, known: Iterable[str], book: Book, query: str, *values: object) -> str:
    found = {one["label"]: one["many"] for one in book.rows(query, values)}
    return _family(name, "gauge", text, [(((label, one),), found.get(one, 0)) for one in known])


def _spending(book: Book) -> str:
    found = {bool(one["attributed"]): one["usd"] for one in book.rows(_SPENDING)}
    samples = [((("attributed", str(is_so).lower()),), found.get(is_so, 0.0)) for is_so in (True, False)]
    return _family("mcp_guard_model_spending_usd_total", "counter", "What models cost by what agents report.", samples)


def _family(name: str, kind: str, text: str, samples: Iterable[tuple[Labels, float]]) -> str:
    return _head(name, kind, text) + _lines((name, labels, value) for labels, value in samples)


def _head(name: str, kind: str, text: str) -> str:
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n"


def _lines(samples: Iterable[Sample]) -> str:
    return "".join(f"{name}{_labels(labels)} {value:.12g}\n" for name, labels, value in samples)


def _labels(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}" if labels else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
