"""How one agent stands in the registry, as plain values: what the layers of a verdict look at beside the policy.

A `Snapshot` is a snapshot of what is kept about one agent, with the registry's version at that moment. A row that is
written for a decision says which version it was made under, and the store refuses it once the registry has moved on:
so no decision can be made under a registry that was changed before.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

import msgspec

from mcp_guard.governance.credential import Credential
from mcp_guard.policy.globs import Glob

AgentStatus = Literal["active", "quarantined", "deleted"]
RiskLevel = Literal["low", "medium", "high", "critical"]
GrantEffect = Literal["allow", "deny", "approve"]
OverrideEffect = Literal["deny", "require_approval"]
BudgetWindow = Literal["minute", "hour", "day", "month"]

_MOST_PATTERNS = 1 << 15  # that are kept, read
_MOST_REMEMBERED = 4096  # tools; then all is forgotten and begun anew
_LONGEST_REMEMBERED = 256  # characters of a tool's name, which an agent or a server chooses


class ToolPattern(msgspec.Struct, frozen=True):
    """Which tools a grant or an override is about: `TOOL` on any server or `SERVER:TOOL`, each with `*` for any run.

    No tool name holds a colon (MCP 2025-11-25, "Tool Names").
    """

    server: Glob
    tool: Glob

    @staticmethod
    @lru_cache(_MOST_PATTERNS)
    def of(text: str) -> "ToolPattern":
        """The pattern as a person writes it. Snapshots are made anew with each change, of mostly the same patterns."""
        server, colon, tool = text.rpartition(":")
        return ToolPattern(Glob.of(server if colon else "*"), Glob.of(tool))

    def matches(self, server: str, tool: str) -> bool:
        """Whether a tool of this server is meant."""
        return self.tool.matches(tool) and self.server.matches(server)


class Grant(msgspec.Struct, frozen=True):
    """What somebody gave or forbade an agent, beside the policy; or approved ahead (`approve`), which satisfies what
    asks for a person's approval and allows nothing else. `expires` is microseconds since the epoch.
    """

    id: str
    pattern: str
    effect: GrantEffect
    expires: int | None = None
    reason: str = ""


class Override(msgspec.Struct, frozen=True):
    """What somebody stopped, or put behind a person's approval, for now. A `brake` (`mcp-guard stop`) stops all that an
    agent may ask for, prompts and resources too. `for_all`: it is about every agent.
    """

    id: str
    pattern: str
    effect: OverrideEffect
    expires: int | None = None
    reason: str = ""
    brake: bool = False
    for_all: bool = False


class Budget(msgspec.Struct, frozen=True):
    """What an agent may spend in one window: calls, or US dollars in a month. `resets` is when the window ends
    (microseconds since the epoch); from then on nothing of it is spent.
    """

    id: str
    window: BudgetWindow
    unit: Literal["calls", "usd"]
    limit: float
    spent: float
    resets: int


class EvalGate(msgspec.Struct, frozen=True):
    """The pass rate that an agent must have reached in its latest evaluation, and the one that it has."""

    minimum: float
    latest: float | None = None
    suite: str = ""


class Applicable(msgspec.Struct, frozen=True):
    """The grants and overrides that are about one tool."""

    denied: tuple[Grant, ...] = ()
    allowed: tuple[Grant, ...] = ()
    stopped: tuple[Override, ...] = ()
    to_approve: tuple[Override, ...] = ()
    approved: tuple[Grant, ...] = ()


NOTHING_APPLIES = Applicable()


class Snapshot:
    """One agent in the registry at one version, with the credential that it came with, if any. What it remembers per
    tool changes speed, never an answer.

    `version` is None where no registry is kept. `barred` says why every call is denied, whoever the agent is: the
    registry cannot be read, the credential is worth nothing any more. `budgets` are those that are enforced; `counted`
    says that there are any at all. `taken` is when it was looked up, and `changes_at` when the first of it expires
    (both microseconds since the epoch): then it is to be looked up again.
    """

    __slots__ = (
        "_known",
        "_patterns",
        "agent",
        "barred",
        "brake",
        "budgets",
        "changes_at",
        "counted",
        "credential",
        "eval_gate",
        "grants",
        "overrides",
        "plain",
        "risk",
        "status",
        "tags",
        "taken",
        "untroubled",
        "version",
    )

    def __init__(
        self,
        agent: str,
        version: int | None,
        taken: int = 0,
        *,
        credential: Credential | None = None,
        status: AgentStatus = "active",
        risk: RiskLevel = "medium",
        tags: tuple[str, ...] = (),
        grants: tuple[Grant, ...] = (),
        overrides: tuple[Override, ...] = (),
        budgets: tuple[Budget, ...] = (),
        counted: bool = False,
        eval_gate: EvalGate | None = None,
        barred: str | None = None,
        key_expires: int | None = None,
    ) -> None:
        self.agent, self.version, self.taken, self.credential = agent, version, taken, credential
        self.status, self.risk, self.tags, self.barred = status, risk, tags, barred
        self.grants, self.overrides, self.budgets, self.eval_gate = grants, overrides, budgets, eval_gate
        # Nothing here bears on any call, so that only the policy decides.
        self.plain = status == "active" and not (grants or overrides or budgets or eval_gate or barred)
        self.counted = counted or bool(budgets)
        self.brake = tuple(one for one in overrides if one.brake)
        # No layer has anything to say of the agent as a whole, so that only what is said of single tools bears on them.
        self.untroubled = status == "active" and not (self.brake or budgets or eval_gate or barred)
        ends = (key_expires, *(one.expires for one in (*grants, *overrides)))
        self.changes_at = min((end for end in ends if end is not None and end > taken), default=None)
        self._patterns = {text: ToolPattern.of(text) for text in {one.pattern for one in (*grants, *overrides)}}
        self._known: dict[tuple[str, str], Applicable] = {}

    @property
    def visible(self) -> tuple[object, ...]:
        """What bears on what the agent is shown: where this is the same, it is shown the same."""
        return self.status, self.barred, self.tags, self.risk, self.grants, self.overrides

    @property
    def deciding(self) -> tuple[object, ...]:
        """What bears on its calls: where this is the same, they are judged the same. Not what is spent: the store sees
        to that (`store.writing`).
        """
        budgets = tuple((one.id, one.window, one.unit, one.limit) for one in self.budgets)
        return *self.visible, self.eval_gate, budgets, self.counted

    def about(self, server: str, tool: str) -> Applicable:
        """The grants and overrides about this tool of this server, expired ones among them."""
        known = self._known.get((server, tool))
        if known is not None:
            return known
        found = self._applicable(server, tool)
        if len(tool) <= _LONGEST_REMEMBERED:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[server, tool] = found
        return found

    def _applicable(self, server: str, tool: str) -> Applicable:
        fits: Mapping[str, bool] = {text: pattern.matches(server, tool) for text, pattern in self._patterns.items()}
        if True not in fits.values():
            return NOTHING_APPLIES
        grants = [grant for grant in self.grants if fits[grant.pattern]]
        overrides = [override for override in self.overrides if fits[override.pattern]]
        return Applicable(
            denied=tuple(grant for grant in grants if grant.effect == "deny"),
            allowed=tuple(grant for grant in grants if grant.effect == "allow"),
            stopped=tuple(override for override in overrides if override.effect == "deny"),
            to_approve=tuple(override for override in overrides if override.effect == "require_approval"),
            approved=tuple(grant for grant in grants if grant.effect == "approve"),
        )
