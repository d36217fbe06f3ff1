"""Recorded calls as the tests of a policy file, so that real traffic becomes regression tests.

Calls that differ only in what no rule looks at are one test. Each expects what the replayed policy decides; the
invariant: `policy test` of that policy with the file written here passes. What looks like a secret is never written.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

import msgspec

from mcp_guard.insight.brief import brief
from mcp_guard.insight.holes import Hole, Pointer, holes
from mcp_guard.insight.interest import Interest, Reading
from mcp_guard.insight.recorded import ALTERED, OFFERS, principal_of
from mcp_guard.insight.replay import NotReplayable, Replayed, Result
from mcp_guard.insight.yaml_text import flow, quoted
from mcp_guard.policy import Call, Policy, Principal
from mcp_guard.policy.scope_checks import slug_fault
from mcp_guard.policy.values import Json, OfferKind
from mcp_guard.redaction import recorded_arguments

OF_A_KIND = 5  # tests of the same caller, tool, rule and outcome
MOST_TESTS = 2000
_LARGEST = 2000  # bytes of a call's arguments
_DEEPEST = 40  # levels of them
_REMEMBERED = 2048  # callers with their tools
_NAME = 100  # characters of the arguments in a test's name
_MAY = {"allow": "may call", "deny": "may not call", "require_approval": "needs approval for"}

Kind = tuple[str, ...]
Arguments = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Specimen:
    """One call as a test: who and what, with the arguments that were kept, and what is expected of it."""

    caller: Arguments
    server: str
    kind: OfferKind
    name: str
    arguments: Arguments
    without: tuple[str, ...]
    outcome: str


class Specimens:
    """The calls of a replay that make different tests, collected one by one. `left_out` says why others do not."""

    def __init__(self, policy: Policy) -> None:
        self._policy: Policy | None = policy
        self._interest = Interest(policy)
        self._readings: dict[Kind, list[Reading]] = {}
        self.found: dict[Kind, dict[bytes, Specimen]] = {}
        self.left_out: set[str] = set()
        self._size = 0

    def __getstate__(self) -> dict[str, object]:
        """What travels between processes: no policy, so what has travelled can only be merged and read."""
        return {"_policy": None, "_readings": {}, "found": self.found, "left_out": self.left_out, "_size": self._size}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)

    def add(self, result: Result) -> None:
        """Take in one result, if it makes a test that there is not yet."""
        assert self._policy is not None
        if isinstance(result, NotReplayable):
            self.left_out.add("cannot be replayed")
            return
        event = result.event
        principal = principal_of(event, self._policy)
        caller = _caller(principal, event.data.get("client"), self._policy, self._interest)
        about = OFFERS.get(event.type, "tool")
        who, decider = msgspec.json.encode(caller).decode(), result.now.rule or ""
        kind = (event.server or "", about, event.tool or "", who, result.now.outcome, decider)
        known = self.found.get(kind, {})
        if len(known) >= OF_A_KIND:
            return
        key = _looked_at(event.data.get("arguments"), self._readings_for(kind, principal))
        if key not in known:
            made = _specimen(result, caller, about, self._policy)
            self.left_out.add(made) if isinstance(made, str) else self._keep(kind, key, made)

    def merge(self, later: "Specimens") -> None:
        """Add what a later part of the log has."""
        for kind, specimens in later.found.items():
            for key, specimen in specimens.items():
                self._keep(kind, key, specimen)
        self.left_out |= later.left_out

    def _keep(self, kind: Kind, key: bytes, specimen: Specimen) -> None:
        known = self.found.setdefault(kind, {}) if self._size < MOST_TESTS else self.found.get(kind, {})
        if key not in known and len(known) < OF_A_KIND and self._size < MOST_TESTS:
            known[key] = specimen
            self._size += 1

    def _readings_for(self, kind: Kind, principal: Principal) -> list[Reading]:
        """The paths that the rules in scope of such a call read."""
        found = self._readings.get(kind)
        if found is None:
            assert self._policy is not None
            server, about, name, *_ = kind
            call = Call(principal, server, name, kind=cast("OfferKind", about))
            rules, _ = self._policy.in_scope(call)
            paths = {reading for rule in rules for reading in self._interest.readings[rule.id]}
            if len(self._readings) >= _REMEMBERED:
                self._readings.clear()
            found = self._readings[kind] = sorted(paths, key=str)
        return found

    def __iter__(self) -> Iterator[Specimen]:
        """The tests, by server and name, in the order in which they were first made."""
        kinds = sorted(self.found, key=lambda kind: kind[:3])
        return (specimen for kind in kinds for specimen in self.found[kind].values())


def _looked_at(arguments: object, paths: list[Reading]) -> bytes:
    """What these paths lead to in the arguments: equal for calls that no rule tells apart."""
    return msgspec.json.encode([(path, _at(arguments, path)) for path in paths])


def _at(value: object, path: Reading) -> list[object]:
    """What a path leads to, if anything; all that is there, from where on it may lead to anything."""
    for step in path:
        if step is None or not isinstance(value, dict):
            return [value]
        members = cast("dict[str, Json]", value)
        if step not in members:
            return []
        value = members[step]
    return [value]


def _specimen(result: Replayed, caller: Arguments, kind: OfferKind, policy: Policy) -> Specimen | str:
    """The test that a call makes, or why it makes none."""
    event = result.event
    kept, missing = event.data.get("arguments"), holes(event.data)
    if event.data.get("method") == "completion/complete":
        return "ask for completions"
    if missing is None or not isinstance(kept, dict):
        return "had arguments that were not kept"
    arguments = cast("dict[str, Json]", kept)
    encoded = msgspec.json.encode(arguments)
    if len(encoded) > _LARGEST or encoded.count(b"{") + encoded.count(b"[") > _DEEPEST:
        return "are too large to read"
    secrets = holes(recorded_arguments(arguments, encoded, "redacted", b"")) or []
    shown = _without(arguments, [*missing, *secrets])
    if shown is None:
        return "had arguments that were not kept"
    without = tuple(dict.fromkeys("/".join(hole.pointer) for hole in (*missing, *secrets)))
    made = Specimen(caller, event.server or "", kind, event.tool or "", shown, without, result.now.outcome)
    if not _can_be_written(made) or policy.decide(_call(made, policy)).outcome != made.outcome:
        return "hang on what a test cannot say"
    return made


def _caller(principal: Principal, client: object, policy: Policy, interest: Interest) -> dict[str, Json]:
    """Who calls, as far as any rule tells callers apart."""
    caller: dict[str, Json] = {}
    if interest.agents:
        patterns = any(agent.clients for agent in policy.declared.agents.values())
        if not principal.verified and patterns and isinstance(client, str):
            caller["client"] = client
        else:
            caller["agent"] = principal.agent
    if interest.users:
        caller["user"] = principal.user
        if principal.groups:
            caller["groups"] = list(principal.groups)
    if (interest.agents and principal.verified) or (interest.users and principal.user_verified):
        caller["verified"] = True
    return caller


def _call(specimen: Specimen, policy: Policy) -> Call:
    """The call as `policy test` will read it."""
    caller = specimen.caller
    agent = caller.get("agent", policy.agent_for(cast("str", caller.get("client", ""))))
    groups = tuple(cast("list[str]", caller.get("groups", [])))
    verified = caller.get("verified") is True
    principal = Principal(cast("str", agent), cast("str", caller.get("user", "")), groups, "", verified, verified)
    return Call(principal, specimen.server, specimen.name, specimen.arguments, specimen.kind)


def _can_be_written(specimen: Specimen) -> bool:
    """Whether a policy file can hold it."""
    agent = specimen.caller.get("agent")
    if any(sign in text for sign in ALTERED for text in (specimen.name, specimen.server)):
        return False
    return agent is None or (isinstance(agent, str) and slug_fault(agent) is None)


def _without(arguments: Arguments, missing: list[Hole]) -> dict[str, Json] | None:
    """The arguments without the members that were not kept; None where a hole is none of a member."""
    made = dict(arguments)
    for hole in missing:
        if not hole.pointer or not _remove(made, hole.pointer):
            return None
    return made


def _remove(members: dict[str, Json], pointer: Pointer) -> bool:
    name, *below = pointer
    if not below:
        members.pop(name, None)
        return True
    inner = members.get(name)
    if not isinstance(inner, dict):
        return name not in members
    copy = members[name] = dict(inner)
    return _remove(copy, tuple(below))


def policy_file(specimens: Specimens, heading: str) -> str:
    """The text of a policy file that holds the tests, and no rule."""
    lines = [*(f"# {line}" for line in heading.splitlines()), "version: 1", "name: recorded-traffic", "tests:"]
    names: Counter[str] = Counter()
    for specimen in specimens:
        name = _name(specimen)
        names[name] += 1
        unique = name if names[name] == 1 else f"{name} ({names[name]})"
        lines += [
            f"  - name: {quoted(unique)}",
            f"    call: {_written_call(specimen)}",
            f"    expect: {specimen.outcome}",
        ]
        if specimen.without:
            lines.append(f"    # not kept in the log, and so not here: {flow(list(specimen.without))}")
    return "\n".join(lines if len(specimens.found) else [*lines[:-1], "tests: []"]) + "\n"


def _written_call(specimen: Specimen) -> str:
    call: dict[str, Json] = {**specimen.caller, "server": specimen.server, specimen.kind: specimen.name}
    return flow({**call, "args": dict(specimen.arguments)} if specimen.arguments else call)


def _name(specimen: Specimen) -> str:
    caller = specimen.caller
    who = str(caller.get("agent") or caller.get("client") or "any agent")
    user = f" of {caller['user']}" if caller.get("user") else ""
    arguments = brief(specimen.arguments, _NAME)
    return (
        f"{who}{user} {_MAY[specimen.outcome]} {specimen.server}/{specimen.name}{': ' if arguments else ''}{arguments}"
    )
