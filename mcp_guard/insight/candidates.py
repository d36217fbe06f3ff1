"""A policy to be asked, as a value that travels between processes: its files, and a rule that is switched for the sake
of a comparison.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from mcp_guard.errors import GuardError
from mcp_guard.policy import Policy, Source, load
from mcp_guard.policy.diagnostics import suggestion
from mcp_guard.policy.rules import Rule, Status


@dataclass(frozen=True, slots=True)
class Candidate:
    """The files of a policy; `switched` gives one rule another status than it has there."""

    sources: tuple[Source, ...]
    switched: tuple[str, Status] | None = None

    def load(self) -> Policy:
        """The policy. Raises PolicyError, and GuardError where there is no such rule."""
        policy = load(self.sources)
        return policy if self.switched is None else with_status(policy, *self.switched)


def with_status(policy: Policy, rule_id: str, status: Status) -> Policy:
    """The same policy with one rule active, a draft or disabled. Raises GuardError where there is no such rule."""
    find_rule(policy, rule_id)
    rules = [msgspec.structs.replace(rule, status=status) if rule.id == rule_id else rule for rule in policy.rules]
    return with_rules(policy, rules)


def with_rules(policy: Policy, rules: Sequence[Rule]) -> Policy:
    """A policy of other rules, with all else as in this one."""
    return Policy(
        rules,
        declared=policy.declared,
        settings=policy.settings,
        files=policy.files,
        hash=policy.hash,
        tests=policy.tests,
        warnings=policy.warnings,
    )


def find_rule(policy: Policy, rule_id: str) -> Rule:
    """The rule of this id. Raises GuardError where there is none."""
    for rule in policy.rules:
        if rule.id == rule_id:
            return rule
    hint = suggestion(rule_id, [rule.id for rule in policy.rules])
    raise GuardError(f"no rule has the id {rule_id!r}", hint or "`mcp-guard policy check` says what is in a file")
