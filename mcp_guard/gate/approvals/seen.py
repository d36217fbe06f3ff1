"""What a person may see of what they are asked to approve: its name or URI, and its arguments.

The invariant: whatever would reach the server shows, or has an entry in `redacted` that says where it is and how much
of it is left out.
"""

from collections.abc import Mapping
from typing import cast

import msgspec

from mcp_guard.gate.requests import ReadCall
from mcp_guard.gate.wire import decode, encode
from mcp_guard.policy.values import Json, OfferKind
from mcp_guard.redaction import ArgumentsMode, recorded_arguments, shown_arguments

Entry = Mapping[str, str | int | None]

LONGEST_NAME = 8_000  # characters of a name or URI that a person can be asked about
OF_PARAMETERS = "params"
"""What an entry is `of` whose path leads through the parameters of the request; others' lead through the arguments."""

_NAMED_BY: Mapping[OfferKind, str] = {"tool": "name", "prompt": "name", "resource": "uri"}


class Seen(msgspec.Struct, frozen=True):
    """`name` is the name or URI; `arguments` are JSON text, or None where they are not kept."""

    name: str
    arguments: msgspec.Raw | None
    redacted: tuple[Entry, ...] = ()

    @property
    def kept(self) -> dict[str, object]:
        """What the log or the registry keeps of it beside the name."""
        return {"arguments": self.arguments, **({"redacted": self.redacted} if self.redacted else {})}


def seen(call: ReadCall, key: bytes) -> Seen | None:
    """What whoever approves it sees; None where its name is too long for that."""
    name, redacted = _named(call, key)
    arguments, more = _parts(shown_arguments(call.arguments, call.encoded, key))
    return Seen(name, arguments, (*redacted, *more)) if len(name) <= LONGEST_NAME else None


def recorded(call: ReadCall, mode: ArgumentsMode, key: bytes) -> Seen:
    """The same as the log keeps it, in this mode of its own."""
    name, redacted = _named(call, key)
    if call.kind != "tool" and not call.arguments:
        return Seen(name, msgspec.Raw(b"{}"), redacted)
    arguments, more = _parts(recorded_arguments(call.arguments, call.encoded, mode, key))
    return Seen(name, arguments, (*redacted, *more))


def _named(call: ReadCall, key: bytes) -> tuple[str, tuple[Entry, ...]]:
    """The name or URI without what looks like a secret in it; one that is far too long is not looked at."""
    if len(call.tool) > 2 * LONGEST_NAME:
        return call.tool, ()
    member = _NAMED_BY[call.kind]
    named: dict[str, Json] = {member: call.tool}
    kept, redacted = _parts(shown_arguments(named, encode(named), key))
    shown = decode(bytes(kept or b"{}"))
    assert isinstance(shown, dict)
    return str(shown[member]), tuple({"of": OF_PARAMETERS, **entry} for entry in redacted)


def _parts(kept: Mapping[str, object]) -> tuple[msgspec.Raw | None, tuple[Entry, ...]]:
    return cast("msgspec.Raw | None", kept["arguments"]), tuple(cast("list[Entry]", kept.get("redacted", ())))
