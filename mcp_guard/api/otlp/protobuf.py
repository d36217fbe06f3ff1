"""ExportMetricsServiceRequest as protobuf (opentelemetry-proto, metrics v1): a reader of the fields that costs are in.

It goes to a fixed depth, copies nothing before it is known to be wanted, and takes nothing that protobuf does not
allow. Field numbers stand beside their names, as in the .proto files.
"""

import struct
from collections.abc import Iterator

from mcp_guard.api.otlp.reported import COST_METRICS, MOST_POINTS, Attribute, Point, Sum, UnreadableMetricsError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types; groups (3, 4) are of no message here
_FIXED = {_FIXED64: 8, _FIXED32: 4}
_MOST_VARINT = 10  # bytes

_REQUEST_RESOURCE_METRICS = 1
_RESOURCE_METRICS_RESOURCE, _RESOURCE_METRICS_SCOPE_METRICS = 1, 2
_RESOURCE_ATTRIBUTES = 1
_SCOPE_METRICS_METRICS = 2
_METRIC_NAME, _METRIC_SUM = 1, 7
_SUM_DATA_POINTS, _SUM_TEMPORALITY, _SUM_MONOTONIC = 1, 2, 3
_POINT_BEGAN, _POINT_AT, _POINT_DOUBLE, _POINT_INT, _POINT_ATTRIBUTES = 2, 3, 4, 6, 7
_KEY, _VALUE = 1, 2
_STRING_VALUE = 1

Value = int | memoryview


def read(body: bytes) -> list[Sum]:
    """The sums of a request that are costs. Raises UnreadableMetricsError."""
    try:
        return [
            found for resource in _all(memoryview(body), _REQUEST_RESOURCE_METRICS) for found in _resource(resource)
        ]
    except UnicodeDecodeError:
        raise UnreadableMetricsError("a text is not UTF-8") from None


def _resource(message: memoryview) -> Iterator[Sum]:
    resource = tuple(
        _attribute(pair)
        for found in _all(message, _RESOURCE_METRICS_RESOURCE)
        for pair in _all(found, _RESOURCE_ATTRIBUTES)
    )
    for scope in _all(message, _RESOURCE_METRICS_SCOPE_METRICS):
        for metric in _all(scope, _SCOPE_METRICS_METRICS):
            name = _text(_last(metric, _METRIC_NAME))
            if name in COST_METRICS:
                yield from (_sum(found, name, resource) for found in _all(metric, _METRIC_SUM))


def _sum(message: memoryview, name: str, resource: tuple[Attribute, ...]) -> Sum:
    points: list[Point] = []
    temporality = monotonic = 0
    for number, value in _fields(message):
        if number == _SUM_DATA_POINTS and isinstance(value, memoryview):
            points.append(_point(value))
        elif number == _SUM_TEMPORALITY and isinstance(value, int):
            temporality = value
        elif number == _SUM_MONOTONIC and isinstance(value, int):
            monotonic = value
        if len(points) > MOST_POINTS:
            raise UnreadableMetricsError(f"more than {MOST_POINTS} data points")
    return Sum(name, resource, temporality, bool(monotonic), points)


def _point(message: memoryview) -> Point:
    attributes: list[Attribute] = []
    began = at = 0
    amount: float | None = None
    for number, value in _fields(message):
        if isinstance(value, memoryview):
            if number == _POINT_ATTRIBUTES:
                attributes.append(_attribute(value))
        elif number == _POINT_BEGAN:
            began = value
        elif number == _POINT_AT:
            at = value
        elif number == _POINT_DOUBLE:
            (amount,) = struct.unpack("<d", struct.pack("<Q", value))
        elif number == _POINT_INT:
            amount = float(value - (1 << 64) if value >> 63 else value)
    return Point(tuple(attributes), began, at, amount)


def _attribute(message: memoryview) -> Attribute:
    key, value = _text(_last(message, _KEY)), _last(message, _VALUE)
    said = value if isinstance(value, memoryview) else memoryview(b"")
    text = _last(said, _STRING_VALUE)
    return Attribute(key, bytes(said).hex(), _text(text) if isinstance(text, memoryview) else None)


def _all(message: memoryview, number: int) -> Iterator[memoryview]:
    """The messages of a repeated field."""
    return (value for found, value in _fields(message) if found == number and isinstance(value, memoryview))


def _last(message: memoryview, number: int) -> Value | None:
    """The value of a field: the last one counts."""
    last: Value | None = None
    for found, value in _fields(message):
        if found == number:
            last = value
    return last


def _text(value: Value | None) -> str:
    return str(value, "utf-8") if isinstance(value, memoryview) else ""


def _fields(message: memoryview) -> Iterator[tuple[int, Value]]:
    """The fields of a message in order: their numbers, and integers, fixed ones unsigned, or bytes."""
    at, end = 0, len(message)
    while at < end:
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if number == 0 or number >= 1 << 29:
            raise UnreadableMetricsError("no valid protobuf: a field without a number")
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind == _BYTES:
            size, at = _varint(message, at)
        elif kind in _FIXED:
            size = _FIXED[kind]
        else:
            raise UnreadableMetricsError("no valid protobuf: a field of an unknown kind")
        if size > end - at:
            raise UnreadableMetricsError("no valid protobuf: it ends too early")
        piece, at = message[at : at + size], at + size
        yield number, piece if kind == _BYTES else int.from_bytes(piece, "little")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for place, byte in enumerate(message[at : at + _MOST_VARINT]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value & (1 << 64) - 1, at + place + 1
    raise UnreadableMetricsError("no valid protobuf: a number without an end")


def partial_success(rejected: int, why: str) -> bytes:
    """ExportMetricsServiceResponse: all was taken, or so many points were rejected."""
    if not rejected:
        return b""
    text = why.encode()
    partial = b"\x08" + _number(rejected) + b"\x12" + _number(len(text)) + text
    return b"\x0a" + _number(len(partial)) + partial


def _number(value: int) -> bytes:
    pieces = bytearray()
    while value > 0x7F:
        pieces.append(value & 0x7F | 0x80)
        value >>= 7
    pieces.append(value)
    return bytes(pieces)
