"""A policy, loaded: its rules, and the two questions it answers, `decide` and `preview`.

Both read the same plan. Plans are kept for each principal and tool, in a bounded memo; the memo changes speed, never an
answer. Everything else here is as it was read and never changes.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from mcp_guard.policy.declarations import Declarations
from mcp_guard.policy.diagnostics import Diagnostic
from mcp_guard.policy.index import RuleIndex, positions
from mcp_guard.policy.inline_tests import InlineTest
from mcp_guard.policy.plan import NO_RULE, Heard, Plan, Standing, judge, make_plan, standings
from mcp_guard.policy.rules import Rule
from mcp_guard.policy.situation import situation
from mcp_guard.policy.values import Call, Decision, Json, Principal, RuleTrace, Visibility

REMEMBERED_PLANS = 2048
LONGEST_REMEMBERED_NAMES = 1024  # characters of user, server and tool together
DENIED_BY_DEFAULT = Decision("deny", "default", None, NO_RULE)
DENIED_WITHOUT_POLICY = Decision(
    "deny",
    "guard",
    None,
    "No policy is loaded, so every call is denied: start the guard with `--policy FILE`.",
)


class Settings(msgspec.Struct, frozen=True):
    """How the guard behaves beyond the rules (policy file: `settings`)."""

    unlisted_tools: Literal["deny", "policy"] = "deny"
    audit_arguments: Literal["full", "redacted", "hashed", "none"] = "redacted"


NOTHING_DECLARED = Declarations()
DEFAULT_SETTINGS = Settings()


class Policy:
    """All rules of one or several files as one list, with what they refer to.

    `files` are the paths as given, `hash` is the SHA-256 of the files' bytes, one after another, `tests` are the inline
    tests, `warnings` the findings that do not refuse the policy.
    """

    def __init__(
        self,
        rules: Sequence[Rule] = (),
        *,
        declared: Declarations = NOTHING_DECLARED,
        settings: Settings = DEFAULT_SETTINGS,
        files: Sequence[str] = (),
        hash: str = "",
        tests: Sequence[InlineTest] = (),
        warnings: Sequence[Diagnostic] = (),
        no_rule: Decision = DENIED_BY_DEFAULT,
    ) -> None:
        self.rules = tuple(rules)
        self.declared = declared
        self.settings = settings
        self.files = tuple(files)
        self.hash = hash
        self.tests = tuple(tests)
        self.warnings = tuple(warnings)
        self._no_rule = no_rule
        self._index = RuleIndex(self.rules)
        self._plans: dict[tuple[Principal, str, str], Plan] = {}

    @classmethod
    def empty(cls) -> "Policy":
        """What holds where no policy was given: everything is denied, by the guard itself."""
        return cls(no_rule=DENIED_WITHOUT_POLICY)

    def agent_for(self, client_name: str) -> str:
        """The agent slug for the name that a client gives itself; see `Declarations.agent_for`."""
        return self.declared.agent_for(client_name)

    def decide(self, call: Call, *, trace: bool = False) -> Decision:
        """The decision on one call. With `trace`, also each rule's part in it, up to the rule that decided."""
        plan = self._plan(call.principal, call.server, call.tool)
        if not trace:
            return judge(plan, call.arguments)
        heard: Heard = {}
        decision = judge(plan, call.arguments, heard)
        parts = self._trace(call.principal, call.server, call.tool, heard, decision.rule)
        return msgspec.structs.replace(decision, trace=parts)

    def preview(self, principal: Principal, server: str, tool: str, *, trace: bool = False) -> Visibility:
        """How a tool is shown to this principal: what any arguments could reach. With `trace`, also each part."""
        level = self._plan(principal, server, tool).level
        return Visibility(level, self._trace(principal, server, tool, {}, None) if trace else ())

    def in_scope(self, call: Call) -> tuple[list[Rule], dict[str, Json]]:
        """The active rules whose scope fits a call, and the variables of their conditions for it."""
        here = situation(self.declared, call.principal, call.server, call.tool)
        rules = [self.rules[position] for position in positions(self._index.in_scope(here))]
        return rules, {**here.facts, "request": {"args": dict(call.arguments)}}

    def _plan(self, principal: Principal, server: str, tool: str) -> Plan:
        key = (principal, server, tool)
        plan = self._plans.get(key)
        if plan is None:
            here = situation(self.declared, principal, server, tool)
            in_scope = self._index.in_scope(here)
            plan = make_plan(standings(self.rules, in_scope, here.facts), here.facts, self._no_rule)
            self._remember(key, plan)
        return plan

    @property
    def remembered(self) -> int:
        """How many plans are kept."""
        return len(self._plans)

    def forget(self) -> None:
        """Drop all plans that are kept; for measurements."""
        self._plans.clear()

    def _remember(self, key: tuple[Principal, str, str], plan: Plan) -> None:
        """Keep a plan, unless its key is longer than any honest one; start anew when there are too many."""
        principal, server, tool = key
        if len(tool) + len(server) + len(principal.user) > LONGEST_REMEMBERED_NAMES:
            return
        if len(self._plans) >= REMEMBERED_PLANS:
            self._plans.clear()
        self._plans[key] = plan

    def _trace(
        self, principal: Principal, server: str, tool: str, heard: Heard, decider: str | None
    ) -> tuple[RuleTrace, ...]:
        """Each rule's part: as heard on a call, else as it stands before any argument is known."""
        here = situation(self.declared, principal, server, tool)
        in_scope = self._index.in_scope(here)
        stands = {standing.position: standing for standing in standings(self.rules, in_scope, here.facts)}
        parts: list[RuleTrace] = []
        for position, rule in enumerate(self.rules):
            parts.append(heard.get(position) or _part(rule, stands.get(position)))
            standing = stands.get(position)
            if rule.id == decider or (standing and standing.decision):
                break
        return tuple(parts)


def _part(rule: Rule, standing: Standing | None) -> RuleTrace:
    if standing is not None:
        return RuleTrace(rule.id, rule.effect, standing.outcome, standing.error)
    return RuleTrace(rule.id, rule.effect, "out_of_scope" if rule.status == "active" else "inactive")
