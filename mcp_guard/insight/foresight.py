"""All that `policy impact` knows, put together from a log and one or two policies."""

from collections.abc import Sequence
from dataclasses import dataclass

from mcp_guard.insight import impact
from mcp_guard.insight.candidates import Candidate, find_rule
from mcp_guard.insight.impact import At, RuleChanges, RuleImpact, Shown
from mcp_guard.insight.tally import Tally
from mcp_guard.insight.world import Presence, known_tools, presences
from mcp_guard.policy import Policy
from mcp_guard.policy.catalog import Catalog
from mcp_guard.policy.rules import Rule
from mcp_guard.store.reader import Filters


@dataclass(frozen=True, slots=True)
class Comparison:
    """A policy and what it is compared with, another one or (None) what was recorded; `rule`, where one is meant."""

    policy: Candidate
    against: Candidate | None
    rule: Rule | None = None


@dataclass(frozen=True, slots=True)
class Foresight:
    """What a policy or a rule touches. `touched` are the tools that anyone gets by other rules than before."""

    rule: Rule | None
    policy: Policy
    catalog: Catalog
    presences: Sequence[Presence]
    impacts: Sequence[RuleImpact]
    changes: RuleChanges | None
    touched: Sequence[At] | None
    shown: Sequence[Shown]


def comparison(files: Candidate, rule_id: str | None, against: Candidate | None) -> Comparison:
    """What to compare. A rule is compared with the policy without it; one that is no active rule, with it in force.

    Raises PolicyError, and GuardError where there is no such rule.
    """
    if rule_id is None:
        return Comparison(files, against)
    rule = find_rule(files.load(), rule_id)
    active, without = Candidate(files.sources, (rule_id, "active")), Candidate(files.sources, (rule_id, "disabled"))
    return Comparison(active, against or without, rule)


def foresee(path: str, asked: Comparison, filters: Filters) -> Foresight:
    """What is touched, by what the log at `path` knows; `filters` says whose connections count. Raises StoreError."""
    policy = asked.policy.load()
    against = asked.against.load() if asked.against else None
    catalog = known_tools(path)
    here = impact.present(presences(path, filters), catalog, policy)
    changes = impact.rule_changes(policy, against) if against and asked.rule is None else None
    wanted = [asked.rule.id] if asked.rule else [*changes.added, *changes.changed] if changes else _active(policy)
    return Foresight(
        rule=asked.rule,
        policy=policy,
        catalog=catalog,
        presences=here,
        impacts=impact.rule_impacts(policy, wanted, here, catalog),
        changes=changes,
        touched=impact.decided_otherwise(policy, against, here, catalog) if against else None,
        shown=impact.shown_otherwise(policy, against, here, catalog),
    )


def _active(policy: Policy) -> list[str]:
    return [rule.id for rule in policy.rules if rule.status == "active"]


@dataclass(frozen=True, slots=True)
class Report:
    """What is touched, and what it does to the calls of the last days."""

    foresight: Foresight
    days: int
    calls: Tally
