# ruff: noqa: D102  (the properties of `Recorded` are the columns of the log)
"""Recorded calls decided again under another policy: what would change, and by which rule. One call at a time.

The invariant: a call is only said to be unchanged or changed where its arguments are known as far as the rules that had
a say could read them. What the log does not hold is not guessed.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias, cast

from mcp_guard.policy import Call, Decision, Policy, Principal
from mcp_guard.policy.rules import Rule
from mcp_guard.policy.values import Json

_ALTERED = ("\\", "…", "[redacted]")  # what `safe_text` leaves where it changed a text
_REMEMBERED = 2048  # principals with their tools
_ARGUMENTS = ("request", "args")  # where the arguments are among a condition's variables


class Recorded(Protocol):
    """A `tool.decided` event, as the log gives it."""

    @property
    def id(self) -> str: ...
    @property
    def ts(self) -> str: ...
    @property
    def connection_id(self) -> str: ...
    @property
    def agent(self) -> str | None: ...
    @property
    def agent_verified(self) -> bool: ...
    @property
    def user(self) -> str | None: ...
    @property
    def server(self) -> str | None: ...
    @property
    def tool(self) -> str | None: ...
    @property
    def decision(self) -> str | None: ...
    @property
    def decided_by(self) -> str | None: ...
    @property
    def rule(self) -> str | None: ...
    @property
    def policy_hash(self) -> str | None: ...
    @property
    def data(self) -> Mapping[str, object]: ...


@dataclass(frozen=True, slots=True)
class Replayed:
    """A call and what the other policy decides about it."""

    event: Recorded
    now: Decision

    @property
    def changed(self) -> bool:
        """Whether the outcome is another one; the same outcome by another rule is no change."""
        return self.now.outcome != self.event.decision


@dataclass(frozen=True, slots=True)
class NotReplayable:
    """A call that cannot be decided again, and why: one sentence, without values."""

    event: Recorded
    why: str


Result: TypeAlias = Replayed | NotReplayable

Pointer: TypeAlias = tuple[str, ...]
Reading: TypeAlias = "tuple[str | None, ...]"  # the path of a read below the arguments; None: any item, a computed key


def replay(events: Iterable[Recorded], policy: Policy) -> Iterator[Result]:
    """Decide each recorded call again, in order. Events that are no decisions are passed over."""
    sight = _Sight(policy)
    for event in events:
        if event.decision is not None:
            yield _replay(event, policy, sight)


def _replay(event: Recorded, policy: Policy, sight: "_Sight") -> Result:
    if event.decided_by == "guard" and event.policy_hash:
        return NotReplayable(event, f"the guard itself decided it, whatever the policy: {event.data.get('reason', '')}")
    if any(sign in (event.tool or "") for sign in _ALTERED):
        return NotReplayable(event, "its tool's name was not recorded as it was")
    arguments = event.data.get("arguments")
    redacted = _redacted(event.data)
    if redacted is None or not (isinstance(arguments, dict) or () in redacted):
        return NotReplayable(event, "its row cannot be read")
    values = cast("dict[str, Json]", arguments or {})
    call = Call(_principal(event, policy), event.server or "", event.tool or "", values)
    decision = policy.decide(call)
    blind = sight.lost(call, decision, redacted) if redacted else None
    return Replayed(event, decision) if blind is None else NotReplayable(event, blind)


def _principal(event: Recorded, policy: Policy) -> Principal:
    """Who called. What a client called itself is given its agent by the policy that is asked."""
    data = event.data
    client = data.get("client")
    named = policy.agent_for(client) if isinstance(client, str) and not event.agent_verified else None
    groups = data.get("groups")
    instance = data.get("instance")
    return Principal(
        agent=named or event.agent or "",
        user=event.user or "",
        groups=tuple(map(str, cast("list[object]", groups))) if isinstance(groups, list) else (),
        instance=instance if isinstance(instance, str) else event.connection_id,
        verified=event.agent_verified,
        user_verified=data.get("user_verified") is True,
    )


class _Sight:
    """Which parts of the arguments the rules of a policy read, remembered for each principal and tool."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._readings = {rule.id: _readings(rule) for rule in policy.rules}
        self._hesitant: dict[tuple[Principal, str, str], list[str]] = {}

    def lost(self, call: Call, decision: Decision, redacted: list[Pointer]) -> str | None:
        """Why the decision is none: a rule that was asked, up to the one that decided, reads what was not kept."""
        for rule in self._hesitant_rules(call):
            for pointer in redacted:
                if any(_touches(reading, pointer) for reading in self._readings[rule]):
                    where = "/" + "/".join(pointer) if pointer else "none of them was"
                    return f'rule "{rule}" reads arguments that were not kept: {where}'
            if rule == decision.rule:
                return None
        return None

    def _hesitant_rules(self, call: Call) -> list[str]:
        """The rules that depend on the arguments, for this principal and tool, in order."""
        key = (call.principal, call.server, call.tool)
        found = self._hesitant.get(key)
        if found is None:
            trace = self._policy.preview(*key, trace=True).trace
            found = [part.rule for part in trace if part.outcome == "condition_unknown"]
            if len(self._hesitant) >= _REMEMBERED:
                self._hesitant.clear()
            self._hesitant[key] = found
        return found


def _readings(rule: Rule) -> list[Reading]:
    """The paths below the arguments that a rule's condition reads; `()` for all of them."""
    paths = [path.segments for path in rule.condition.paths] if rule.condition else []
    return [path[len(_ARGUMENTS) :] for path in paths if _touches(path, _ARGUMENTS)]


def _touches(reading: Reading, pointer: Pointer) -> bool:
    """Whether one of the two is in, above or at the other."""
    return all(step is None or step == token for step, token in zip(reading, pointer, strict=False))


def _redacted(data: Mapping[str, object]) -> list[Pointer] | None:
    """Where the arguments were not kept; None where the row does not say it in a way that can be read."""
    try:
        return [_tokens(entry["path"]) for entry in cast("list[dict[str, str]]", data.get("redacted", []))]
    except (TypeError, KeyError, AttributeError):
        return None


def _tokens(pointer: str) -> Pointer:
    """A JSON Pointer (RFC 6901) as the tokens that it names."""
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])
