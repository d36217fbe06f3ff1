"""All tools' rules as the text of a policy, with what justifies each rule above it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mcp_guard.insight.suggest.observed import Observed, Seen
from mcp_guard.insight.suggest.rules import DraftRule, rules_for
from mcp_guard.insight.yaml_text import flow, scalar
from mcp_guard.policy import Policy, Source, load
from mcp_guard.policy.declarations import slug_of
from mcp_guard.redaction import safe_text

_MOST_EXAMPLES = 4  # of one rule
_COMMENT = 200  # characters of a line of comment
_LONG = 100  # characters of a condition that stays on one line

Declared = Mapping[str, Sequence[str]]


def draft(seen: Seen, minimum: int, heading: Sequence[str]) -> str:
    """The text of a policy that lets through what was let through. `heading` becomes its first lines, as comments."""
    declared = seen.declared()
    rules: list[DraftRule] = []
    without: list[str] = []
    for observed in _in_order(seen):
        made = rules_for(observed, minimum, lambda some: _load(some, declared))
        if isinstance(made, str):
            without.append(f"{observed.server}/{observed.tool} ({_calls(observed.calls)}): {made}")
        else:
            rules += made
    more = [f"Left out: {_calls(count)} {why}." for why, count in sorted(seen.left_out.items())]
    more += [f"No rule for {one}." for one in without]
    return text(_merged(rules), declared, [*heading, *more])


def _in_order(seen: Seen) -> list[Observed]:
    return [observed for _, observed in sorted(seen.tools.items()) if observed.calls]


def _load(rules: Sequence[DraftRule], declared: Declared) -> Policy:
    return load([Source("draft.yaml", text(rules, declared, []).encode())])


def _merged(rules: Iterable[DraftRule]) -> list[DraftRule]:
    """Rules that differ in their tools alone are one, where the last of them is: so the denials of each tool stay above
    what they restrict.
    """
    made: dict[object, DraftRule] = {}
    for number, rule in enumerate(rules):
        alike = (rule.server, rule.agents, rule.users, rule.effect, rule.conditions, rule.reads)
        key = (number,) if rule.effect == "deny" else alike
        known = made.pop(key, None)
        made[key] = rule if known is None else _joined(known, rule)
    return list(made.values())


def _joined(one: DraftRule, other: DraftRule) -> DraftRule:
    return replace(
        one,
        tools=(*one.tools, *other.tools),
        calls=one.calls + other.calls,
        free=tuple(dict.fromkeys((*one.free, *other.free))),
        because=(*one.because, *other.because),
    )


def text(rules: Sequence[DraftRule], declared: Declared, heading: Sequence[str]) -> str:
    """The text of the policy."""
    lines = [*map(_comment, heading), "version: 1", "name: draft-from-recorded-calls"]
    if declared:
        lines.append("agents:")
        lines += [f"  {scalar(slug)}: {{clients: {flow(list(clients))}}}" for slug, clients in declared.items()]
    ids: Counter[str] = Counter()
    lines.append("rules:" if rules else "rules: []")
    for rule in rules:
        lines += ["", *_written(rule, _unique(_base(rule), ids))]
    return "\n".join(lines) + "\n"


def _written(rule: DraftRule, rule_id: str) -> list[str]:
    lines = [f"  {_comment(line)}" for line in _justification(rule)]
    lines += [f"  - id: {scalar(rule_id)}", f"    effect: {rule.effect}", f"    agents: {flow(list(rule.agents))}"]
    if rule.users is not None:
        lines.append(f"    users: {flow(list(rule.users))}")
    lines += [f"    servers: {scalar(rule.server)}", f"    tools: {flow(list(rule.tools))}"]
    return [*lines, "    when: |", *_condition(rule.conditions)] if rule.conditions else lines


def _condition(conditions: Sequence[str]) -> list[str]:
    """The conditions, each on a line of its own where they do not fit on one."""
    whole = " && ".join(conditions)
    if len(whole) <= _LONG:
        return [f"      {whole}"]
    return [f"      {one}{'' if number == len(conditions) - 1 else ' &&'}" for number, one in enumerate(conditions)]


def _justification(rule: DraftRule) -> list[str]:
    if rule.effect == "deny":
        return ["Denied when it was recorded, and like the calls below in all else: " + ", ".join(rule.because)]
    what = "that only read, as their names say" if rule.reads else "in all"
    lines = [f"{_calls(rule.calls)} {what}, by {', '.join(rule.agents)}:"]
    lines += [f"  {one}" for one in rule.because[:_MOST_EXAMPLES]]
    if rule.free:
        lines.append(f"Not restricted: {', '.join(rule.free)}")
    return lines


def _calls(count: int) -> str:
    return f"{count:,} {'call' if count == 1 else 'calls'}"


def _comment(line: str) -> str:
    return f"# {safe_text(line, _COMMENT)}"


def _base(rule: DraftRule) -> str:
    what = "denied-" + rule.tools[0] if rule.effect == "deny" else rule.tools[0]
    if len(rule.tools) > 1:
        what = "reads" if rule.reads else "calls"
    return slug_of(f"{rule.server}-{what}", otherwise="rule")


def _unique(base: str, taken: Counter[str]) -> str:
    taken[base] += 1
    made = base if taken[base] == 1 else f"{base}-{taken[base]}"
    if made != base:
        taken[made] += 1
    return made
