"""Conditions that come to the same for every call that gets to them: a `when` that is always true, or never."""

from collections.abc import Iterator
from itertools import islice, product

from mcp_guard.cel.outcomes import ALWAYS, FAILS, NEVER, NOTHING, Outcomes
from mcp_guard.cel.values import UNKNOWN, Value
from mcp_guard.policy.declarations import Declarations
from mcp_guard.policy.lints import words
from mcp_guard.policy.lints.scopes import Entries
from mcp_guard.policy.lints.subjects import Subject
from mcp_guard.policy.report import Report
from mcp_guard.policy.selectors import ScopeField, selector
from mcp_guard.policy.situation import caller, offer
from mcp_guard.policy.values import Principal

MOST_SITUATIONS = 256


def check(subject: Subject, told: bool, complete: bool, report: Report) -> None:
    """Report a condition that decides nothing. `told`: why it never holds has been reported; `complete`: the catalog
    knows all servers that the rule is for.
    """
    if subject.rule.condition is None:
        return
    outcomes = NOTHING.union(*(subject.outcomes(facts) for facts in _situations(subject)))
    where = ""
    if not _is_settled(outcomes) and complete and subject.targets:
        outcomes = _before_tools(subject)
        where = f" for {words.all_of(len(subject.targets), 'tool')} that this rule is for"
        if told and outcomes != ALWAYS:
            return
    _report(subject, outcomes, where, report)


def _is_settled(outcomes: Outcomes) -> bool:
    return outcomes == ALWAYS or outcomes <= NEVER | FAILS


def _before_tools(subject: Subject) -> Outcomes:
    """What the condition comes to before the tools of the catalog."""
    seen = {outcome for sight in subject.sights for outcome in sight.outcomes}
    return frozenset(seen | {False} if len(subject.sights) < len(subject.targets) else seen)


def _report(subject: Subject, outcomes: Outcomes, where: str, report: Report) -> None:
    rule, place = subject.rule, subject.entry.place("when")
    can_deny = rule.effect == "deny"
    if outcomes == ALWAYS:
        hint = "say what it should ask, or leave `when` out"
        hint += " and write `effect: allow`" if rule.effect == "gated" else ""
        report.warning("always-true", f"the condition is always true{where}", place, hint)
    elif outcomes == NEVER or (outcomes <= NEVER | FAILS and not can_deny):
        why = "can never be evaluated" if outcomes == FAILS else "is never true"
        message = f"the condition {why}{where}: `{rule.id}` decides nothing"
        report.warning("never-true", message, place, "say what it should ask, or take the rule out")
    elif outcomes == FAILS:
        message = f"the condition can never be evaluated{where}: `{rule.id}` denies all that it is for"
        report.warning("never-true", message, place, "say what it should ask, or leave `when` out")


def _situations(subject: Subject) -> Iterator[dict[str, Value]]:
    """What is known of the calls that a rule is for, by what its scope names; of all else nothing is."""
    scope, declared = subject.rule.scope, subject.declared
    named = (_names("agents", scope.agents), _names("servers", scope.servers), _names("tools", scope.tools))
    for agent, server, tool in islice(product(*named), MOST_SITUATIONS):
        yield _known(declared, agent, server, tool)


def _names(field: ScopeField, entries: Entries) -> list[str | None]:
    """The names that a scope field asks for, or one None where it may be others as well."""
    chosen = [selector(field, entry) for entry in entries or ()]
    return [name for _, name in chosen] if chosen and all(kind == "name" for kind, _ in chosen) else [None]


def _known(declared: Declarations, agent: str | None, server: str | None, tool: str | None) -> dict[str, Value]:
    """The variables of which something is known; a variable that is left out is unknown."""
    here = caller(declared, Principal(agent or "", ""), server or "").facts
    known: dict[str, Value] = {}
    if agent is not None:
        known["agent"] = {**here["agent"], "verified": UNKNOWN}
    if server is not None:
        inside: dict[str, Value] = {"tool": UNKNOWN, "prompt": UNKNOWN, "resource": UNKNOWN}
        if tool is not None:
            inside = {"tool": dict(offer(declared, server, "tool", tool).facts)}
        known["mcp"] = {**here["mcp"], **inside}
    return known
