"""What is looked for in metrics, whichever encoding they came in, and what of it can be counted.

Only sums that only ever grow count as costs; a value that is no amount that anybody pays is rejected.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

import msgspec

from mcp_guard.store.registry.telemetry import Cost

COST_METRICS = frozenset({"claude_code.cost.usage"})
"""The metrics that say what a model cost, in US dollars."""

MOST_POINTS = 2_000  # of one request
_LONGEST_MODEL = 100  # characters
_UNKNOWN = "unknown"
_LATEST = 2**63 - 1
_MOST_USD = 1e9  # of one point: absurd ones would add up to infinity, and stay there
DELTA, CUMULATIVE = 1, 2  # AggregationTemporality


class UnreadableMetricsError(Exception):
    """What came is not what it says to be. The text says why, and quotes nothing."""


class Attribute(msgspec.Struct, frozen=True):
    """An attribute. `identity` is its value in a form that tells it from others; `text` the value, if it is a text."""

    key: str
    identity: str
    text: str | None = None


class Point(msgspec.Struct, frozen=True):
    """One data point of a sum. `value` None: it had none."""

    attributes: tuple[Attribute, ...]
    began: int
    at: int
    value: float | None


class Sum(msgspec.Struct, frozen=True):
    """One metric that is a sum, of one resource."""

    name: str
    resource: tuple[Attribute, ...]
    temporality: int
    monotonic: bool
    points: Sequence[Point]


class Reported(msgspec.Struct, frozen=True):
    """What can be counted, and how many points cannot."""

    costs: tuple[Cost, ...]
    rejected: int


def counted(sums: Iterable[Sum]) -> Reported:
    """The costs among these sums. Raises UnreadableMetricsError where there are too many points."""
    costs: list[Cost] = []
    rejected = 0
    for one in sums:
        for point in one.points:
            usd = _amount(one, point)
            if usd is None:
                rejected += 1
            else:
                costs.append(_cost(one, point, usd))
            if len(costs) + rejected > MOST_POINTS:
                raise UnreadableMetricsError(f"more than {MOST_POINTS} data points")
    return Reported(tuple(costs), rejected)


def _amount(one: Sum, point: Point) -> float | None:
    fits = one.monotonic and one.temporality in (DELTA, CUMULATIVE)
    if not fits or point.value is None or not 0 <= point.began <= _LATEST or not 0 <= point.at <= _LATEST:
        return None
    return point.value if 0 <= point.value <= _MOST_USD else None  # nor is it NaN


def _cost(one: Sum, point: Point, usd: float) -> Cost:
    cumulative = one.temporality == CUMULATIVE
    model = next((found.text for found in point.attributes if found.key == "model" and found.text), _UNKNOWN)
    # Two processes may say the same of themselves: what they count up is told apart by when each began.
    parts = [one.name, _names(one.resource), _names(point.attributes), cumulative, point.began if cumulative else 0]
    series = sha256(msgspec.json.encode(parts)).hexdigest()
    return Cost(series, model[:_LONGEST_MODEL], point.began, point.at, usd, cumulative)


def _names(attributes: Sequence[Attribute]) -> list[tuple[str, str]]:
    return sorted((attribute.key, attribute.identity) for attribute in attributes)
