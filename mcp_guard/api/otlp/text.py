"""ExportMetricsServiceRequest as JSON (OTLP, "JSON Protobuf Encoding"): 64-bit integers come as texts or numbers."""

from typing import Any

import msgspec

from mcp_guard.api.otlp.reported import COST_METRICS, Attribute, Point, Sum, UnreadableMetricsError


class _Message(msgspec.Struct, frozen=True, rename="camel"):
    """A message of which only some fields are looked at."""


class _KeyValue(_Message, frozen=True):
    key: str = ""
    value: msgspec.Raw = msgspec.Raw(b"{}")


class _Point(_Message, frozen=True):
    attributes: list[_KeyValue] = []
    start_time_unix_nano: int | str = 0
    time_unix_nano: int | str = 0
    as_double: float | str | None = None
    as_int: int | str | None = None


class _Sum(_Message, frozen=True):
    data_points: list[_Point] = []
    aggregation_temporality: int | str = 0
    is_monotonic: bool = False


class _Metric(_Message, frozen=True):
    name: str = ""
    sum: _Sum | None = None


class _Scope(_Message, frozen=True):
    metrics: list[_Metric] = []


class _Resource(_Message, frozen=True):
    attributes: list[_KeyValue] = []


class _OfResource(_Message, frozen=True):
    resource: _Resource = _Resource()
    scope_metrics: list[_Scope] = []


class _Request(_Message, frozen=True):
    resource_metrics: list[_OfResource] = []


_decode = msgspec.json.Decoder(_Request).decode
_decode_value = msgspec.json.Decoder(dict[str, Any]).decode
_TEMPORALITIES = {"AGGREGATION_TEMPORALITY_DELTA": 1, "AGGREGATION_TEMPORALITY_CUMULATIVE": 2}
_UNREADABLE = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError)  # UnicodeDecodeError is a ValueError


def read(body: bytes) -> list[Sum]:
    """The sums of a request that are costs. Raises UnreadableMetricsError."""
    try:
        request = _decode(body)
        return [
            _sum(metric.name, metric.sum, resource)
            for one in request.resource_metrics
            for resource in [tuple(_attribute(pair) for pair in one.resource.attributes)]
            for scope in one.scope_metrics
            for metric in scope.metrics
            if metric.name in COST_METRICS and metric.sum is not None
        ]
    except _UNREADABLE:
        raise UnreadableMetricsError("no valid OTLP in JSON") from None


def _sum(name: str, found: _Sum, resource: tuple[Attribute, ...]) -> Sum:
    said = found.aggregation_temporality
    temporality = _TEMPORALITIES.get(said, 0) if isinstance(said, str) else said
    return Sum(name, resource, temporality, found.is_monotonic, [_point(point) for point in found.data_points])


def _point(point: _Point) -> Point:
    value = point.as_double if point.as_double is not None else point.as_int
    attributes = tuple(_attribute(pair) for pair in point.attributes)
    began, at = int(point.start_time_unix_nano), int(point.time_unix_nano)
    return Point(attributes, began, at, None if value is None else float(value))


def _attribute(pair: _KeyValue) -> Attribute:
    value = _decode_value(pair.value)
    text = value.get("stringValue")
    return Attribute(
        pair.key, msgspec.json.encode(value, order="sorted").decode(), text if isinstance(text, str) else None
    )


def partial_success(rejected: int, why: str) -> bytes:
    """ExportMetricsServiceResponse: all was taken, or so many points were rejected."""
    if not rejected:
        return b"{}"
    return msgspec.json.encode({"partialSuccess": {"rejectedDataPoints": str(rejected), "errorMessage": why}})
