"""What was seen of each tool: who called it, what each argument was like, and which of its calls were denied.

Collected call by call; bounded by the number of tools, not of calls.
"""

from collections import Counter
from collections.abc import Mapping
from typing import cast

import msgspec

from mcp_guard.insight.brief import brief
from mcp_guard.insight.holes import holes
from mcp_guard.insight.layers import decided_alone
from mcp_guard.insight.recorded import ALTERED
from mcp_guard.insight.suggest.profile import Profile
from mcp_guard.policy import Policy
from mcp_guard.policy.scope_checks import scope_fault, slug_fault
from mcp_guard.policy.selectors import ScopeField, selector
from mcp_guard.policy.values import Json
from mcp_guard.redaction import recorded_arguments
from mcp_guard.redaction.patterns import kind_of_secret
from mcp_guard.store.reader import RecordedEvent

MOST_TOOLS = 5_000
MOST_NAMES = 24  # arguments of one tool
MOST_DENIED = 100  # different denied calls of one tool
_MOST_USERS = 50
_EXAMPLES = 2  # first calls that are shown, beside the last
_EXAMPLE = 140  # characters
_LARGEST_DENIED = 4_000  # bytes of one

_MOST_CALLERS = 10_000
_NOT_THE_POLICYS = "decided by the guard itself, whatever the policy"
_ALTERED_NAMES = "with names that were not recorded as they were"
_NO_POLICY = Policy.empty()


def was_let_through(event: RecordedEvent) -> bool:
    """Whether a call went on to its server: it was allowed, or the guard only observed."""
    return event.data.get("forwarded", event.decision == "allow") is True


class Observed:
    """One tool of one server."""

    def __init__(self, server: str, tool: str) -> None:
        self.server = server
        self.tool = tool
        self.calls = 0  # that were let through
        self.agents: Counter[str] = Counter()
        self.users: set[str] | None = set()  # None: too many to name
        self.all_verified = True
        self.arguments: dict[str, Profile] | None = {}  # None: not known, or too many
        self.unspeakable = False  # an argument's own name was not kept, or looks like a secret
        self.examples: list[str] = []
        self.denied: dict[bytes, RecordedEvent] = {}
        self.denied_more = 0

    def add(self, event: RecordedEvent) -> None:
        """One more call that was let through."""
        self.calls += 1
        self.agents[event.agent or ""] += 1
        self.all_verified = self.all_verified and event.agent_verified
        if self.users is not None:
            self.users.add(event.user or "")
            self.users = self.users if len(self.users) <= _MOST_USERS else None
        self._add_arguments(event)

    def _add_arguments(self, event: RecordedEvent) -> None:
        missing, kept = holes(event.data), event.data.get("arguments")
        if missing is None or not isinstance(kept, dict) or any(not hole.pointer for hole in missing):
            self.arguments = None
            return self._show(event, {}, set())
        arguments = cast("dict[str, Json]", kept)
        lost = {hole.pointer[0] for hole in missing}
        self.unspeakable = self.unspeakable or any(hole.of_name for hole in missing)
        if self.arguments is not None:
            for name, value in arguments.items():
                self._profile(self.arguments, name, value, hidden=name in lost)
            if len(self.arguments) > MOST_NAMES:
                self.arguments = None
        return self._show(event, arguments, lost)

    def _profile(self, profiles: dict[str, Profile], name: str, value: Json, *, hidden: bool) -> None:
        profile = profiles.get(name)
        if profile is None:
            self.unspeakable = self.unspeakable or kind_of_secret(name) is not None
            profile = profiles[name] = Profile(name)
        if hidden:
            profile.hide()
        else:
            profile.add(value)

    def _show(self, event: RecordedEvent, arguments: Mapping[str, Json], lost: set[str]) -> None:
        if len(self.examples) < _EXAMPLES:
            self.examples.append(example(event, arguments, lost))
        self._last = (event, arguments, lost)

    def shown(self) -> list[str]:
        """The first calls and the last one, a line each, without anything that looks like a secret."""
        last = example(*self._last)
        return self.examples if last in self.examples else [*self.examples, last]

    def deny(self, event: RecordedEvent) -> None:
        """One more call that was denied, kept if it is another than those before."""
        encoded = msgspec.json.encode(event.data.get("arguments"))
        key = msgspec.json.encode((event.agent, event.agent_verified, event.user)) + encoded
        if key in self.denied:
            return
        if len(self.denied) < MOST_DENIED and len(encoded) <= _LARGEST_DENIED:
            self.denied[key] = event
        else:
            self.denied_more += 1


def example(event: RecordedEvent, arguments: Mapping[str, Json], lost: set[str]) -> str:
    """One call in a line: its id, its tool, its arguments."""
    encoded = msgspec.json.encode(arguments)
    secret = holes(recorded_arguments(arguments, encoded, "redacted", b"")) or []
    hidden = lost | {hole.pointer[0] if hole.pointer else "" for hole in secret}
    shown = "" if "" in hidden else brief(arguments, _EXAMPLE, hidden)
    return f"{event.id} {event.tool} {shown}".rstrip()


class Seen:
    """All recorded calls. `left_out` counts those that no rule can be made of, by the reason."""

    def __init__(self) -> None:
        self.tools: dict[tuple[str, str], Observed] = {}
        self.clients: dict[str, set[str]] = {}  # how those called themselves who did not have their agent vouched for
        self.left_out: Counter[str] = Counter()
        self._callers: set[tuple[str | None, str | None]] = set()
        self.calls = 0
        self.first = self.last = ""

    def add(self, event: RecordedEvent) -> None:
        """Take in one decision."""
        self.calls += 1
        self.first, self.last = self.first or event.ts, event.ts
        place = (event.server or "", event.tool or "")
        why = _NOT_THE_POLICYS if decided_alone(event) else self._unnameable_caller(event)
        why = why or (None if place in self.tools else _unnameable(*place))
        observed = None if why else self._observed(*place)
        if why or observed is None:
            self.left_out[why or "of tools beyond the first 5,000"] += 1
        elif was_let_through(event):
            observed.add(event)
            self._note_client(event)
        else:
            observed.deny(event)

    def _unnameable_caller(self, event: RecordedEvent) -> str | None:
        """Why no policy can name who called. What was found good is remembered: callers are few."""
        agent, client = event.agent, event.data.get("client")
        caller = (agent, client if isinstance(client, str) else None)
        if caller in self._callers:
            return None
        if agent is None or slug_fault(agent) is not None:
            return "of callers that no policy can name"
        if isinstance(client, str) and any(sign in client for sign in ALTERED):
            return _ALTERED_NAMES
        if len(self._callers) < _MOST_CALLERS:
            self._callers.add(caller)
        return None

    def _observed(self, server: str, tool: str) -> Observed | None:
        found = self.tools.get((server, tool))
        if found is None and len(self.tools) < MOST_TOOLS:
            found = self.tools[server, tool] = Observed(server, tool)
        return found

    def _note_client(self, event: RecordedEvent) -> None:
        client = event.data.get("client")
        if not event.agent_verified and isinstance(client, str):
            self.clients.setdefault(event.agent or "", set()).add(client)

    def declared(self) -> dict[str, list[str]]:
        """The agents that a policy must declare, with their clients' names: those that the names alone do not give."""
        return {
            agent: sorted(clients)
            for agent, clients in sorted(self.clients.items())
            if any(_NO_POLICY.agent_for(client) != agent for client in clients)
        }


def _unnameable(server: str, tool: str) -> str | None:
    """Why no policy can name a tool."""
    if any(sign in name for sign in ALTERED for name in (server, tool)):
        return _ALTERED_NAMES
    fields: tuple[tuple[ScopeField, str], ...] = (("servers", server), ("tools", tool))
    if any(scope_fault(field, name) or selector(field, name)[0] != "name" for field, name in fields):
        return "with names that no policy can name"
    return None
