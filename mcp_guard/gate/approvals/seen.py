"""What a person may see of what they are asked to approve: its name or URI, its arguments, every other parameter.

The invariant: whatever would reach the server, but what belongs to one attempt, shows, or has an entry in `redacted`
that says where it is and how much of it is left out.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import cast

import msgspec

from mcp_guard.gate.approvals import binding
from mcp_guard.gate.requests import NAMED_BY, ReadCall
from mcp_guard.gate.wire import decode, encode
from mcp_guard.policy.values import Json
from mcp_guard.redaction import ArgumentsMode, recorded_arguments, shown_arguments

Entry = Mapping[str, str | int | None]

LONGEST_NAME = 8_000  # characters of a name or URI that a person can be asked about
NOTHING = msgspec.Raw(b"{}")
OF_PARAMETERS = "params"
"""What an entry is `of` whose path leads through the parameters of the request; others' lead through the arguments."""


class Seen(msgspec.Struct, frozen=True):
    """`name` is the name or URI; `arguments`, and all other parameters (`others`), are JSON text, or None where they
    are not kept.
    """

    name: str
    arguments: msgspec.Raw | None
    others: msgspec.Raw | None
    redacted: tuple[Entry, ...] = ()

    @property
    def kept(self) -> dict[str, object]:
        """What the log or the registry keeps of it beside the name."""
        kept: dict[str, object] = {"arguments": self.arguments}
        if self.others != NOTHING:
            kept["parameters"] = self.others
        return {**kept, "redacted": self.redacted} if self.redacted else kept


def seen(call: ReadCall, key: bytes) -> Seen | None:
    """What whoever approves it sees; None where its name is too long for that, or it has more than can be shown."""
    if binding.beside(call):
        return None
    name, of_name = _named(call, key)
    arguments, of_arguments = _parts(shown_arguments(call.arguments, call.encoded, key))
    others, of_others = _others(call, lambda values, encoded: shown_arguments(values, encoded, key))
    redacted = (*of_name, *of_others, *of_arguments)
    return Seen(name, arguments, others, redacted) if len(name) <= LONGEST_NAME else None


def recorded(call: ReadCall, mode: ArgumentsMode, key: bytes) -> Seen:
    """The same as the log keeps it, in this mode of its own."""
    name, of_name = _named(call, key)
    arguments, of_arguments = NOTHING, ()
    if call.kind == "tool" or call.arguments:
        arguments, of_arguments = _parts(recorded_arguments(call.arguments, call.encoded, mode, key))
    others, of_others = _others(call, lambda values, encoded: recorded_arguments(values, encoded, mode, key))
    return Seen(name, arguments, others, (*of_name, *of_others, *of_arguments))


def _named(call: ReadCall, key: bytes) -> tuple[str, tuple[Entry, ...]]:
    """The name or URI without what looks like a secret in it; one that is far too long is not looked at."""
    if len(call.tool) > 2 * LONGEST_NAME:
        return call.tool, ()
    member = NAMED_BY[call.kind]
    named: dict[str, Json] = {member: call.tool}
    kept, redacted = _parts(shown_arguments(named, encode(named), key))
    shown = decode(bytes(kept or b"{}"))
    assert isinstance(shown, dict)
    return str(shown[member]), _of_parameters(redacted)


def _others(
    call: ReadCall, kept: Callable[[Mapping[str, Json], bytes], Mapping[str, object]]
) -> tuple[msgspec.Raw | None, tuple[Entry, ...]]:
    """The other parameters, as far as they are kept."""
    others = binding.others(call)
    if not others:
        return NOTHING, ()
    text, redacted = _parts(kept(others, encode(others)))
    return text, _of_parameters(redacted)


def _of_parameters(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    return tuple({"of": OF_PARAMETERS, **entry} for entry in entries)


def _parts(kept: Mapping[str, object]) -> tuple[msgspec.Raw | None, tuple[Entry, ...]]:
    return cast("msgspec.Raw | None", kept["arguments"]), tuple(cast("list[Entry]", kept.get("redacted", ())))
