"""A policy, loaded: its rules, and the two questions it answers, `decide` and `preview`.

Both read the same plan. Plans are kept for each principal and tool, prompt or resource, in a bounded memo; the memo
changes speed, never an answer. Everything else here is as it was read and never changes.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from mcp_guard.policy.declarations import Declarations
from mcp_guard.policy.diagnostics import Diagnostic
from mcp_guard.policy.index import RuleIndex
from mcp_guard.policy.inline_tests import InlineTest
from mcp_guard.policy.members import NEAR_MEMBERS, Level, Members
from mcp_guard.policy.plan import Heard, Plan, judge
from mcp_guard.policy.rules import Rule
from mcp_guard.policy.standing import Standing
from mcp_guard.policy.standpoint import Rules, Standpoint
from mcp_guard.policy.values import Call, Decision, Json, OfferKind, Principal, RuleTrace, Visibility
from mcp_guard.policy.wording import NO_RULE, UNGOVERNED, WORDS

REMEMBERED = 8192  # plans and standpoints; then all is forgotten and begun anew
LONGEST_REMEMBERED_NAME = 256  # characters of a name or URI
DENIED_BY_DEFAULT: Mapping[OfferKind, Decision] = {
    kind: Decision("deny", "default", None, NO_RULE.format(words=words)) for kind, words in WORDS.items()
}
UNGOVERNED_ALLOWED: Mapping[OfferKind, Decision] = {
    kind: Decision("allow", "default", None, UNGOVERNED.format(words=words)) for kind, words in WORDS.items()
}
DENIED_WITHOUT_POLICY = Decision(
    "deny",
    "guard",
    None,
    "No policy is loaded, so every call is denied: start the guard with `--policy FILE`.",
)

NO_EXPANSION = Decision("deny", "default", None, "No policy rule allows any URI that this template could expand to.")
COMPLETED = Decision("allow", "policy", None, "Arguments may be completed for whatever the agent is shown.")


UnlistedTools = Literal["deny", "policy"]
Ungoverned = Literal["allow", "deny"]
ApprovalsAsked = Literal["client", "store"]
ArgumentsKept = Literal["full", "redacted", "hashed", "none"]


class Settings(msgspec.Struct, frozen=True):
    """How the guard behaves beyond the rules (policy file: `settings`)."""

    unlisted_tools: UnlistedTools = "deny"
    ungoverned_prompts: Ungoverned = "allow"
    ungoverned_resources: Ungoverned = "allow"
    audit_arguments: ArgumentsKept = "redacted"
    require_verified: bool = False
    require_grant: bool = False
    approvals: ApprovalsAsked = "client"
    approval_timeout: int = 300  # seconds


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
        no_rule: Decision = DENIED_BY_DEFAULT["tool"],
    ) -> None:
        self.rules = tuple(rules)
        self.declared = declared
        self.settings = settings
        self.files = tuple(files)
        self.hash = hash
        self.tests = tuple(tests)
        self.warnings = tuple(warnings)
        index = RuleIndex(self.rules)
        self._rules = Rules(self.rules, index, declared, _otherwise(no_rule, index.named, settings))
        self._standpoints: dict[tuple[Principal, str, OfferKind], Standpoint] = {}
        self.remembered = 0
        self._members = Members.of(self.rules)
        self._costs = {rule.id: rule.cost for rule in self.rules if rule.cost is not None}
        self.priced = bool(self._costs) or any(server.costs for server in declared.servers.values())

    @classmethod
    def empty(cls) -> "Policy":
        """What holds where no policy was given: every tool is denied, by the guard itself."""
        return cls(
            no_rule=DENIED_WITHOUT_POLICY, settings=Settings(ungoverned_prompts="deny", ungoverned_resources="deny")
        )

    def agent_for(self, client_name: str) -> str:
        """The agent slug for the name that a client gives itself; see `Declarations.agent_for`."""
        return self.declared.agent_for(client_name)

    def decide(self, call: Call, *, trace: bool = False) -> Decision:
        """The decision on one call. With `trace`, also each rule's part in it, up to the rule that decides by what it
        reads; what could be read in another way as well is denied all the same.
        """
        plan = self._plan(call.principal, call.server, call.name, call.kind)
        misread = self._members is not None and self._members.are_misread(call.arguments, plan.course.steps)
        if not trace:
            return NEAR_MEMBERS if misread else judge(plan, call.arguments)
        heard: Heard = {}
        decision = judge(plan, call.arguments, heard)
        parts = self._trace(self._standpoint(call.principal, call.server, call.kind), call.name, heard, decision.rule)
        return msgspec.structs.replace(NEAR_MEMBERS if misread else decision, trace=parts)

    def reads_within(self, call: Call) -> Level | None:
        """What the conditions that a call is judged by read within its arguments, if anything."""
        if self._members is None:
            return None
        return self._members.level(self._plan(call.principal, call.server, call.name, call.kind).course.steps)

    def preview(
        self, principal: Principal, server: str, name: str, *, kind: OfferKind = "tool", trace: bool = False
    ) -> Visibility:
        """How a tool, prompt or resource is shown to this principal: what any arguments could reach. With `trace`, also
        each part.
        """
        course = self._plan(principal, server, name, kind).course
        falls_through = course.final.outcome == "deny" and course.final.decided_by == "default"
        parts = self._trace(self._standpoint(principal, server, kind), name, {}, None) if trace else ()
        return Visibility(course.level, parts, falls_through)

    def shows_template(self, principal: Principal, server: str, template: str) -> bool:
        """Whether a template of resources is shown to this principal: a URI that it could expand to may be allowed."""
        if "{" not in template:
            return self.preview(principal, server, template, kind="resource").level != "denied"
        return self._standpoint(principal, server, "resource").may_expand(template)

    def decide_completion(self, call: Call) -> Decision:
        """The decision on a request to complete the arguments of a prompt, or of a template of resources (`name`): it
        passes where the prompt or template is shown. `call` has no arguments.
        """
        if call.kind == "resource":
            shown, hidden = self.shows_template(call.principal, call.server, call.name), NO_EXPANSION
        else:
            level = self.preview(call.principal, call.server, call.name, kind=call.kind).level
            shown, hidden = level != "denied", self.decide(call)
        return COMPLETED if shown else hidden

    def governs(self, principal: Principal, server: str, kind: OfferKind) -> bool:
        """Whether the policy has a say in what is of this kind, for this principal at this server. Where it has none,
        all of it is allowed.
        """
        return self._standpoint(principal, server, kind).governed

    def otherwise(self, kind: OfferKind) -> Decision:
        """The decision on what is of this kind and no rule matches, without what would pass."""
        return self._rules.otherwise[kind]

    def in_scope(self, call: Call) -> tuple[list[Rule], dict[str, Json]]:
        """The active rules whose scope fits a call, and the variables of their conditions for it."""
        rules, facts = self._standpoint(call.principal, call.server, call.kind).in_scope(call.name)
        return rules, {**facts, "request": {"args": dict(call.arguments)}}

    def cost(self, rule: str | None, server: str, tool: str) -> float:
        """What a call costs, in US dollars: what the rule says that let it through, else what is said of the tool."""
        by_rule = self._costs.get(rule) if rule is not None else None
        return self.declared.server(server).tool_cost(tool) if by_rule is None else by_rule

    def forget(self) -> None:
        """Drop all that is remembered."""
        self._standpoints.clear()
        self.remembered = 0

    def _plan(self, principal: Principal, server: str, name: str, kind: OfferKind) -> Plan:
        standpoint = self._standpoints.get((principal, server, kind)) or self._standpoint(principal, server, kind)
        return standpoint.plans.get(name) or self._new_plan(standpoint, name)

    def _standpoint(self, principal: Principal, server: str, kind: OfferKind) -> Standpoint:
        known = self._standpoints.get((principal, server, kind))
        if known is not None:
            return known
        self._count_one()
        made = self._standpoints[principal, server, kind] = Standpoint(self._rules, principal, server, kind)
        return made

    def _new_plan(self, standpoint: Standpoint, name: str) -> Plan:
        plan = standpoint.plan(name)
        if len(name) <= LONGEST_REMEMBERED_NAME:
            self._count_one()
            standpoint.plans[name] = plan
        return plan

    def _count_one(self) -> None:
        """Make room for one more thing to remember."""
        if self.remembered >= REMEMBERED:
            self.forget()
        self.remembered += 1

    def _trace(self, standpoint: Standpoint, name: str, heard: Heard, decider: str | None) -> tuple[RuleTrace, ...]:
        """Each rule's part: as heard on a call, else as it stands before any argument is known."""
        stands = dict(standpoint.walk(name))
        parts: list[RuleTrace] = []
        for position, rule in enumerate(self.rules):
            standing = stands.get(position)
            parts.append(heard.get(position) or _part(rule, standing))
            if rule.id == decider or (standing and standing.decision):
                break
        return tuple(parts)


def _otherwise(no_rule: Decision, named: frozenset[OfferKind], settings: Settings) -> Mapping[OfferKind, Decision]:
    """What no rule matches, by kind. Tools are denied; prompts and resources as soon as an active rule names any."""

    def default(kind: OfferKind, ungoverned: str) -> Decision:
        return (DENIED_BY_DEFAULT if kind in named or ungoverned == "deny" else UNGOVERNED_ALLOWED)[kind]

    return {
        "tool": no_rule,
        "prompt": default("prompt", settings.ungoverned_prompts),
        "resource": default("resource", settings.ungoverned_resources),
    }


def _part(rule: Rule, standing: Standing | None) -> RuleTrace:
    if standing is not None:
        return RuleTrace(rule.id, rule.effect, standing.outcome, standing.error)
    return RuleTrace(rule.id, rule.effect, "out_of_scope" if rule.status == "active" else "inactive")
