"""How the findings of `mcp-guard policy` look: lines for a person, aligned and coloured on a terminal; JSON else."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from mcp_guard.cli import findings
from mcp_guard.cli.findings import print_counts, print_findings
from mcp_guard.cli.output import console, counted, print_json
from mcp_guard.policy.catalog import Catalog
from mcp_guard.policy.diagnostics import Diagnostic
from mcp_guard.policy.inline_tests import TestResult
from mcp_guard.policy.policy import Policy
from mcp_guard.policy.values import Call, Decision, OfferKind, RuleTrace, Visibility, VisibilityLevel

if TYPE_CHECKING:
    from mcp_guard.policy.rules import Rule

STYLES = {
    "allow": "green",
    "deny": "red",
    "require_approval": "yellow",
    "allowed": "green",
    "denied": "red",
    "conditional": "yellow",
    "ok": "green",
    "FAIL": "bold red",
    "matched": "bold",
    "condition could not be evaluated": "yellow",
}
OUTCOMES = {
    "matched": "matched",
    "out_of_scope": "out of scope",
    "condition_false": "condition is false",
    "condition_error": "condition could not be evaluated",
    "condition_unknown": "depends on the arguments",
}
AT_DISCOVERY = {
    "allowed": "shown: every {} of it is allowed",
    "denied": "hidden: no {} of it can be allowed",
    "conditional": "shown: each {} is judged on its arguments",
}
USES: dict[OfferKind, str] = {"tool": "call", "prompt": "use", "resource": "reading"}
Row = Sequence[str]


def print_check(
    diagnostics: Sequence[Diagnostic], policy: Policy | None, catalog: Catalog | None = None, *, as_json: bool
) -> None:
    """What `policy check` found; `policy` is None where it was refused, `catalog` what it was looked over with."""
    tools = sum(len(tools) for tools in catalog.servers.values()) if catalog else 0
    if as_json:
        size = {"servers": len(catalog.servers), "tools": tools} if catalog else None
        print_json({"ok": policy is not None, "diagnostics": findings.as_json(diagnostics), "catalog": size})
        return
    print_findings(diagnostics)
    against = f", against {counted(tools, 'tool')} of {counted(len(catalog.servers), 'server')}" if catalog else ""
    held = f"{counted(len(policy.rules), 'rule')}, {counted(len(policy.tests), 'test')}{against}: " if policy else ""
    print_counts(diagnostics, held)


def print_tests(results: Sequence[TestResult], *, as_json: bool) -> None:
    """What `policy test` found: a line for each test, and why a failed one failed."""
    failed = sum(not result.passed for result in results)
    if as_json:
        tests = [_test(result) for result in results]
        print_json({"passed": len(results) - failed, "failed": failed, "tests": tests})
        return
    shown = [
        ("ok" if result.passed else "FAIL", result.decision.outcome, _decider(result.decision), result.test.name)
        for result in results
    ]
    out = console()
    for result, line in zip(results, _aligned(shown), strict=True):
        out.print(line, soft_wrap=True)
        place = result.test.place
        for failure in result.failures:
            out.print(Text(f"      {place.path}:{place.line}: {failure}"), soft_wrap=True)
    out.print(Text(f"{len(results) - failed} passed, {failed} failed", style="red" if failed else "green"))


def print_explanation(policy: Policy, call: Call, *, as_json: bool) -> None:
    """What `policy explain` shows: the decision, how the tool is listed, and the rules up to the one that decided."""
    decision = policy.decide(call, trace=True)
    visibility = policy.preview(call.principal, call.server, call.name, kind=call.kind)
    if as_json:
        print_json(_explanation(decision, visibility))
        return
    by_id = {rule.id: rule for rule in policy.rules}
    out = console()
    out.print(Text.assemble(("decision    ", "dim"), (decision.outcome, STYLES[decision.outcome])))
    out.print(Text.assemble(("decided by  ", "dim"), _decided_by(decision, by_id)))
    out.print(Text.assemble(("reason      ", "dim"), decision.reason), soft_wrap=True)
    if decision.message:
        out.print(Text.assemble(("message     ", "dim"), decision.message), soft_wrap=True)
    level = visibility.level
    out.print(Text.assemble(("discovery   ", "dim"), (level, STYLES[level]), f" ({_at_discovery(level, call.kind)})"))
    if decision.trace:
        out.print()
        for line in _aligned([("RULE", "EFFECT", "ITS PART"), *(_part(part, by_id) for part in decision.trace)]):
            out.print(line, soft_wrap=True)
    if later := len(policy.rules) - len(decision.trace):
        out.print(Text(f"{counted(later, 'later rule')} not asked", style="dim"))


def _at_discovery(level: VisibilityLevel, kind: OfferKind) -> str:
    if level == "conditional" and kind == "resource":
        return "shown: a person must approve each reading"
    return AT_DISCOVERY[level].format(USES[kind])


def _aligned(rows: Sequence[Row]) -> list[Text]:
    """The rows as lines whose columns stand under each other; a word with a style of its own gets it."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    lines: list[Text] = []
    for row in rows:
        line = Text()
        for cell, width in zip(row, widths, strict=True):
            line.append(cell.ljust(width + 2), STYLES.get(cell))
        line.rstrip()
        lines.append(line)
    return lines


def _part(part: RuleTrace, by_id: "dict[str, Rule]") -> Row:
    if part.outcome == "inactive":
        return part.rule, part.effect, by_id[part.rule].status
    error = f": {part.error}" if part.error else ""
    return part.rule, part.effect, OUTCOMES[part.outcome] + error


def _decided_by(decision: Decision, by_id: "dict[str, Rule]") -> str:
    if decision.rule is None:
        return decision.decided_by
    place = by_id[decision.rule].place
    return f"rule {decision.rule} ({place.path}:{place.line})"


def _decider(decision: Decision) -> str:
    return decision.rule or f"({decision.decided_by})"


def _test(result: TestResult) -> dict[str, object]:
    test = result.test
    return {
        "name": test.name,
        "file": test.place.path,
        "line": test.place.line,
        "passed": result.passed,
        "decision": result.decision.outcome,
        "decided_by": result.decision.decided_by,
        "rule": result.decision.rule,
        "visibility": result.visibility,
        "failures": result.failures,
    }


def _explanation(decision: Decision, visibility: Visibility) -> dict[str, object]:
    return {
        "decision": decision.outcome,
        "decided_by": decision.decided_by,
        "rule": decision.rule,
        "reason": decision.reason,
        "visibility": visibility.level,
        "trace": [
            {"rule": part.rule, "effect": part.effect, "outcome": part.outcome, "error": part.error}
            for part in decision.trace
        ],
    }
