"""What the gate lets go upstream, opened up for a bridge behind it; and what that bridge wants done.

A `Bound` request travels on in the very output that the gate made of it (`carrying`): an `Admitted` stays one, so its
row is committed before its line goes, whatever the line has become.
"""

from typing import TypeAlias

import msgspec

from mcp_guard.gate.bridge import members
from mcp_guard.gate.bridge.members import Members
from mcp_guard.gate.messages import RequestId
from mcp_guard.gate.outputs import Admitted, Forward, Output, Record


class Answer(msgspec.Struct, frozen=True):
    """Tell the gate this (one message, in the modern era's words), as if the upstream had said it. `quiet`: what the
    gate would tell the client of it is not told.
    """

    line: bytes
    quiet: bool = False


Step: TypeAlias = Output | Answer


class Bound(msgspec.Struct, frozen=True):
    """A request on its way upstream: the output it came in, and its parts. `meta` is its envelope."""

    output: Forward | Admitted
    id: RequestId
    method: str
    message: Members
    params: Members
    meta: Members

    def carrying(self, line: bytes) -> Forward | Admitted:
        """The gate's own output, with another line."""
        return msgspec.structs.replace(self.output, line=line)

    def answered(self, value: object) -> list[Step]:
        """Nothing of it goes upstream: its row is written all the same, and the client gets this result."""
        return [*self._recorded(), Answer(members.down(members.result(self.id, value)))]

    def failed(self, code: int, text: str, data: object = None) -> list[Step]:
        """Nothing of it goes upstream: its row is written all the same, and the client gets this error."""
        return [*self._recorded(), Answer(members.down(members.failure(self.id, code, text, data)))]

    def kept_back(self) -> list[Step]:
        """Nothing of it goes upstream, and its answer comes later."""
        return self._recorded()

    def _recorded(self) -> list[Step]:
        if not isinstance(self.output, Admitted):
            return []
        event = self.output.event
        return [Record(msgspec.structs.replace(event, data={**event.data, "forwarded": False}))]


def read_bound(output: Forward | Admitted, message: Members) -> Bound | None:
    """The request in an output of the gate's; None where it holds none."""
    request_id, method = members.id_of(message), members.text_of(message, "method")
    if request_id is None or method is None:
        return None
    params = members.read(message.get("params")) or {}
    meta = members.read(params.get("_meta")) or {}
    return Bound(output, request_id, method, message, params, meta)
