"""One principal before one server, and what has been worked out for it: the policy as this agent meets it here.

What does not depend on the tool is worked out once: which rules are for this principal at all, and how those stand
whose conditions do not look at the tool. So a plan for the next tool costs little, and a server may have a thousand.
"""

from collections.abc import Iterator, Sequence
from typing import cast

from mcp_guard.policy.declarations import Declarations
from mcp_guard.policy.index import RuleIndex, RuleSet, positions
from mcp_guard.policy.plan import Course, Plan, make_course
from mcp_guard.policy.rules import Rule
from mcp_guard.policy.situation import Tool, caller, tool
from mcp_guard.policy.standing import Standing, stand
from mcp_guard.policy.values import Decision, Json, Principal

Facts = dict[str, Json]
REMEMBERED_COURSES = 1024


class Rules:
    """The rules of a policy, with their index and what they refer to."""

    __slots__ = ("all", "declared", "index", "looking_at_tools", "no_rule")

    def __init__(self, rules: Sequence[Rule], declared: Declarations, no_rule: Decision) -> None:
        self.all = rules
        self.declared = declared
        self.index = RuleIndex(rules)
        self.no_rule = no_rule
        self.looking_at_tools: RuleSet = sum(1 << position for position, rule in enumerate(rules) if rule.reads.tool)


class Standpoint:
    """The plans for one principal before one server. The memory of them is the only thing that ever changes here."""

    __slots__ = ("_caller", "_courses", "_rules", "_server", "_standings", "_within", "plans")

    def __init__(self, rules: Rules, principal: Principal, server: str) -> None:
        self._rules = rules
        self._server = server
        self._caller = caller(rules.declared, principal, server)
        self._within = rules.index.for_caller(self._caller)
        self._standings: dict[int, Standing] = {}
        self._courses: dict[RuleSet, Course] = {}
        self.plans: dict[str, Plan] = {}

    def plan(self, name: str) -> Plan:
        """The plan for a tool, made anew."""
        here = tool(self._rules.declared, self._server, name)
        scope, facts = self._scope(here), self._facts(here)
        course = self._courses.get(scope)
        if course is None:
            course = make_course((standing for _, standing in self._walk(scope, facts)), self._rules.no_rule)
            if not scope & self._rules.looking_at_tools and len(self._courses) < REMEMBERED_COURSES:
                self._courses[scope] = course
        return Plan(facts, course)

    def walk(self, name: str) -> Iterator[tuple[int, Standing]]:
        """How each rule in scope stands, by position, up to the first that decides whatever the arguments are."""
        here = tool(self._rules.declared, self._server, name)
        return self._walk(self._scope(here), self._facts(here))

    def in_scope(self, name: str) -> tuple[list[Rule], Facts]:
        """All active rules whose scope fits, and the variables of their conditions without `request`."""
        here = tool(self._rules.declared, self._server, name)
        return [self._rules.all[position] for position in positions(self._scope(here))], self._facts(here)

    def _scope(self, here: Tool) -> RuleSet:
        return self._rules.index.for_tool(here, self._within)

    def _walk(self, scope: RuleSet, facts: Facts) -> Iterator[tuple[int, Standing]]:
        for position in positions(scope):
            standing = self._standings.get(position) or self._stand(position, facts)
            yield position, standing
            if standing.decision is not None:
                return

    def _stand(self, position: int, facts: Facts) -> Standing:
        rule = self._rules.all[position]
        standing = stand(position, rule, facts)
        if not rule.reads.tool:
            self._standings[position] = standing
        return standing

    def _facts(self, here: Tool) -> Facts:
        known = self._caller.facts
        return cast(Facts, {**known, "mcp": {**known["mcp"], "tool": here.facts}})
