"""One tool's calls as rules: let through what was let through, and nothing that was denied.

Tried from the most readable to the tightest, until every denied call that the log has stays denied. Where nothing tells
the denied calls from the others, the tool gets no rule: every doubt is a denial.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import msgspec

from mcp_guard.insight.holes import holes
from mcp_guard.insight.judging import Judge
from mcp_guard.insight.suggest.constraint import Tightness, constraint, field, present
from mcp_guard.insight.suggest.observed import Observed
from mcp_guard.insight.suggest.profile import LONGEST_VALUE
from mcp_guard.insight.yaml_text import flow, quoted
from mcp_guard.policy import Policy
from mcp_guard.policy.values import Effect, Json
from mcp_guard.redaction import recorded_arguments
from mcp_guard.store.reader import RecordedEvent

_READS = re.compile(r"(?:^|_)(?:get|list|read|search|find|describe|show|view|count|lookup|stat|head|tree|info)(?:_|$)")
_WRITES = re.compile(
    r"(?:^|_)(?:set|put|write|create|delete|remove|update|edit|move|add|push|send|run|exec|execute|drop|insert|upsert|"
    r"merge|close|post|patch|upload|start|stop|kill|apply|grant|revoke|approve|pay|mark)(?:_|$)"
)
_LONGEST_EXACT = 300  # characters of a whole call's arguments in a condition


@dataclass(frozen=True, slots=True)
class DraftRule:
    """A rule to be written: its scope, its conditions (all must hold), and what justifies it, line by line."""

    server: str
    tools: tuple[str, ...]
    agents: tuple[str, ...]
    effect: Effect
    conditions: tuple[str, ...]
    reads: bool
    users: tuple[str, ...] | None = None
    free: tuple[str, ...] = ()
    calls: int = 0
    because: tuple[str, ...] = ()


Loader = Callable[[Sequence[DraftRule]], Policy]


def is_reading(tool: str) -> bool:
    """Whether a tool only reads, as far as its name says."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", tool).replace("-", "_").replace(".", "_").lower()
    return _READS.search(words) is not None and _WRITES.search(words) is None


def rules_for(observed: Observed, minimum: int, load: Loader) -> list[DraftRule] | str:
    """The rules of one tool, or why it gets none."""
    if observed.denied_more:
        return "too many of its calls were denied to tell them from the others"
    reads = is_reading(observed.tool) and observed.calls >= minimum
    attempts: list[DraftRule] = [_rule(observed, level, minimum, reads) for level in _levels(reads)]
    if observed.users is not None and "" not in observed.users:
        attempts.append(replace(attempts[-1], users=tuple(sorted(observed.users))))
    if observed.all_verified:
        attempts.append(replace(attempts[-1], conditions=("agent.verified", *attempts[-1].conditions)))
    for attempt in attempts:
        if not _still_allowed([attempt], observed, load):
            return [attempt]
    denials = _denials(attempts[-1], _still_allowed([attempts[-1]], observed, load), observed)
    if denials is not None and not _still_allowed([*denials, attempts[-1]], observed, load):
        return [*denials, attempts[-1]]
    return "what was kept of its calls does not tell the denied ones from the others"


def _levels(reads: bool) -> tuple[Tightness, ...]:
    return ("places", "shapes", "values") if reads else ("shapes", "values")


def _rule(observed: Observed, level: Tightness, minimum: int, reads: bool) -> DraftRule:
    profiles = observed.arguments or {}
    asked = {name: constraint(name, one, observed.calls, level, minimum) for name, one in profiles.items()}
    conditions = [condition for condition in asked.values() if condition]
    if observed.arguments is not None and not observed.unspeakable and level != "places":
        conditions.append(_no_other_names(profiles))
    free = tuple(name for name, condition in asked.items() if not condition)
    return DraftRule(
        server=observed.server,
        tools=(observed.tool,),
        agents=tuple(sorted(observed.agents)),
        effect="gated" if conditions else "allow",
        conditions=tuple(conditions),
        reads=reads and level == "places",
        free=() if observed.unspeakable else free if observed.arguments is not None else ("all arguments",),
        calls=observed.calls,
        because=tuple(observed.shown()),
    )


def _no_other_names(names: Mapping[str, object]) -> str:
    """That the call has no argument beside those that were seen."""
    if not names:
        return "size(request.args) == 0"
    return f"request.args.all(name, name in [{', '.join(map(quoted, sorted(names)))}])"


def _still_allowed(rules: Sequence[DraftRule], observed: Observed, load: Loader) -> list[RecordedEvent]:
    """The denied calls that these rules would let through, or might."""
    if not observed.denied:
        return []
    judge = Judge(load(rules))
    answers = ((event, judge.decide(event)) for event in observed.denied.values())
    return [event for event, answer in answers if isinstance(answer, str) or answer.outcome != "deny"]


def _denials(rule: DraftRule, allowed: Sequence[RecordedEvent], observed: Observed) -> list[DraftRule] | None:
    """Deny rules for calls that nothing else excludes, for the agents whose calls they were: by a value that no other
    call had, else by all arguments. None where there is neither.
    """
    by_name: dict[tuple[str, str], dict[str, str]] = {}  # agent and argument: values, each with the call that had it
    exact: dict[tuple[str, str], str] = {}  # agent and condition: the call
    for event in allowed:
        arguments = _speakable(event)
        if arguments is None:
            return None
        agent, name = event.agent or "", _telling(arguments, observed)
        if name is not None:
            by_name.setdefault((agent, name), {})[_as_cel(arguments[name])] = event.id
        else:
            exact[agent, f"request.args == {_as_cel(arguments)}"] = event.id
    conditions = {
        (agent, f"{present(name)} && {field(name)} in [{', '.join(values)}]"): ", ".join(list(values.values())[:3])
        for (agent, name), values in by_name.items()
    }
    return [
        replace(rule, agents=(agent,), effect="deny", conditions=(one,), users=None, because=(calls,), reads=False)
        for (agent, one), calls in {**conditions, **exact}.items()
    ]


def _speakable(event: RecordedEvent) -> dict[str, Json] | None:
    """The arguments of a call, where all of them are known, few, and may be written down."""
    kept = event.data.get("arguments")
    if holes(event.data) or not isinstance(kept, dict):
        return None
    arguments = cast("dict[str, Json]", kept)
    encoded = msgspec.json.encode(arguments)
    secret = "redacted" in recorded_arguments(arguments, encoded, "redacted", b"")
    return None if secret or len(encoded) > _LONGEST_EXACT else arguments


def _telling(arguments: Mapping[str, Json], observed: Observed) -> str | None:
    """An argument whose value here none of the calls had that were let through."""
    for name, profile in (observed.arguments or {}).items():
        value, known = arguments.get(name), profile.known_values
        speakable = isinstance(value, str) and len(value) <= LONGEST_VALUE
        if (
            speakable
            and known is not None
            and value not in known
            and not profile.unknown
            and "list" not in profile.types
        ):
            return name
    return None


def _as_cel(value: Json) -> str:
    """A value as the condition language writes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(name)}: {_as_cel(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_as_cel, value)) + "]"
    return quoted(value) if isinstance(value, str) else flow(value)
