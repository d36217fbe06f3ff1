"""How an impact looks: one screen for a person, section by section; or JSON with everything in it."""

from collections.abc import Iterable, Sequence

from rich.text import Text

from mcp_guard.cli.columns import Columns
from mcp_guard.cli.output import console, counted, print_json
from mcp_guard.cli.replay_report import print_changes, print_reasons
from mcp_guard.insight.foresight import Foresight, Report
from mcp_guard.insight.impact import At, RuleChanges, RuleImpact, Shown
from mcp_guard.insight.tally import Tally
from mcp_guard.insight.world import Presence
from mcp_guard.redaction import safe_text

_MOST = 8  # items of a list in a line
_ROWS = 15  # lines of a table
_KINDS, _EXAMPLES = 8, 4  # of the recorded calls that change
_NAME = 60  # characters
_INSTANCES = 100  # the latest connections of one caller, in JSON
NOTHING_KNOWN = (
    "The log knows no tools yet: a guard learns them at its first connection, or fill them in with "
    "`mcp-guard tools sync -- CMD …`."
)


def print_impact(report: Report, policy: str, against: str | None) -> None:
    """For a person."""
    seen = report.foresight
    out = console()
    out.print(Text(_heading(seen, policy, against), style="bold"), soft_wrap=True)
    if not seen.catalog.servers:
        out.print(Text(NOTHING_KNOWN, style="yellow"), soft_wrap=True)
    if seen.rule is not None and seen.impacts:
        _print_rule(seen, seen.impacts[0], report.calls)
    else:
        _print_changes(seen.changes)
        _print_rules(seen, report.calls)
    _print_shown(seen.shown)
    _print_calls(report)


def _heading(seen: Foresight, policy: str, against: str | None) -> str:
    rule = seen.rule
    if rule is None:
        return f"{policy}, compared with {against or 'what was recorded'}"
    status = "" if rule.status == "active" else f", {rule.status}: as if it were active"
    place = f"{rule.place.path}:{rule.place.line}"
    return f"rule {rule.id} ({rule.effect}, {place}{status}), compared with {against or 'the policy without it'}"


def _print_rule(seen: Foresight, found: RuleImpact, calls: Tally) -> None:
    servers = dict.fromkeys(at.server for at in found.tools)
    lines = [("tools", f"{_name(server)}: {_tools_of(seen, found, server)}") for server in servers]
    lines = lines or [("tools", "none that any server listed")]
    lines.append(("callers", _callers(found.callers) or "none that ever connected"))
    for overlap in found.overlaps[:_MOST]:
        side = "above it" if overlap.above else "below it"
        lines.append(("overlaps", f"{overlap.rule} ({overlap.effect}, {side}) on {_ats(overlap.tools)}"))
    if len(found.overlaps) > _MOST:
        lines.append(("overlaps", f"and {len(found.overlaps) - _MOST} more rules"))
    lines.append(("decides", f"{calls.deciders[found.rule.id]:,} of {calls.replayed:,} recorded calls"))
    _labelled(lines)


def _tools_of(seen: Foresight, found: RuleImpact, server: str) -> str:
    names = [at.tool for at in found.tools if at.server == server]
    return f"{len(names)} of {len(seen.catalog.tools(server))}: {_some(names)}"


def _labelled(lines: Iterable[tuple[str, str]]) -> None:
    """Lines with a label before them, each label once."""
    out, last = console(), ""
    for label, text in lines:
        out.print(Text.assemble((f"  {'' if label == last else label:<10}", "dim"), text), soft_wrap=True)
        last = label


def _print_changes(changes: RuleChanges | None) -> None:
    if changes is not None:
        told = [(name, getattr(changes, name)) for name in ("added", "removed", "changed", "moved")]
        _labelled([(name, _some(rules)) for name, rules in told if rules] or [("rules", "the same")])


def _print_rules(seen: Foresight, calls: Tally) -> None:
    rows = [
        (
            found.rule.id,
            found.rule.effect,
            str(len(found.tools)),
            str(len({caller.identity for caller in found.callers})),
            f"{calls.deciders[found.rule.id]:,}",
            _some([overlap.rule for overlap in found.overlaps], 4) or "·",
        )
        for found in seen.impacts
    ]
    if rows:
        console().print()
        Columns(("RULE", "EFFECT", "TOOLS", "CALLERS", "DECIDES", "MEETS"), rows[:_ROWS])
        _more(len(rows) - _ROWS, "rules")
    if seen.touched is not None:
        console().print()
        _labelled(
            [("touched", _ats(seen.touched) if seen.touched else "no tool is decided by other rules than before")]
        )


def _print_shown(shown: Sequence[Shown]) -> None:
    if shown:
        console().print()
        rows = [(_at(one.at), one.was, one.now, _callers(one.callers)) for one in shown]
        Columns(("SHOWN OTHERWISE", "WAS", "NOW", "TO"), rows[:_ROWS])
        _more(len(rows) - _ROWS, "tools")


def _print_calls(report: Report) -> None:
    calls = report.calls
    lost = calls.reasons.total()
    console().print()
    changes = f"the rule changes {calls.changed:,}" if report.foresight.rule else f"{calls.changed:,} would change"
    told = f"the last {report.days} days: {calls.replayed:,} calls replayed, {changes}"
    told += f", {lost:,} cannot be replayed" if lost else ""
    console().print(Text(told, style="yellow" if calls.changed else "green"))
    if calls.changed:
        print_changes(calls, _KINDS, _EXAMPLES)
    if lost:
        console().print()
        print_reasons(calls, 3)


def _more(count: int, things: str) -> None:
    if count > 0:
        console().print(f"… and {count} more {things} (all: --json)")


def _some(names: Sequence[str], most: int = _MOST) -> str:
    shown = ", ".join(map(_name, names[:most]))
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def _ats(tools: Sequence[At]) -> str:
    return _some([f"{at.server}/{at.tool}" for at in tools])


def _at(at: At) -> str:
    return _name(f"{at.server}/{at.tool}")


def _callers(callers: Sequence[Presence]) -> str:
    """Each agent with its user and how often it connected."""
    counts: dict[str, int] = {}
    for one in callers:
        user = f" of {one.identity.user}" if one.identity.user else ""
        who = _name(f"{one.identity.agent}{user}")
        counts[who] = counts.get(who, 0) + one.connections
    return _some([f"{who} ({counted(count, 'connection')})" for who, count in counts.items()], 4)


def _name(text: str) -> str:
    return safe_text(text, _NAME)


def print_json_impact(report: Report, policy: Sequence[str], against: str | None) -> None:
    """For a program."""
    seen, calls = report.foresight, report.calls
    changes = seen.changes
    names = ("added", "removed", "changed", "moved")
    print_json(
        {
            "policy": list(policy),
            "against": against,
            "rule": seen.rule.id if seen.rule else None,
            "rule_changes": {name: list(getattr(changes, name)) for name in names} if changes else None,
            "rules": [_rule_data(found, calls) for found in seen.impacts],
            "touched": None if seen.touched is None else [_at_data(at) for at in seen.touched],
            "visibility": [
                {**_at_data(one.at), "was": one.was, "now": one.now, "callers": _caller_data(one.callers)}
                for one in seen.shown
            ],
            "days": report.days,
            "calls": _calls_data(calls),
        }
    )


def _rule_data(found: RuleImpact, calls: Tally) -> dict[str, object]:
    return {
        "rule": found.rule.id,
        "effect": found.rule.effect,
        "status": found.rule.status,
        "tools": [_at_data(at) for at in found.tools],
        "callers": _caller_data(found.callers),
        "overlaps": [
            {
                "rule": overlap.rule,
                "effect": overlap.effect,
                "above": overlap.above,
                "tools": [_at_data(at) for at in overlap.tools],
            }
            for overlap in found.overlaps
        ],
        "decides": calls.deciders[found.rule.id],
    }


def _at_data(at: At) -> dict[str, str]:
    return {"server": at.server, "tool": at.tool}


def _caller_data(callers: Sequence[Presence]) -> list[dict[str, object]]:
    return [
        {
            "agent": one.identity.agent,
            "verified": one.identity.verified,
            "user": one.identity.user,
            "groups": list(one.identity.groups),
            "server": one.server,
            "connections": one.connections,
            "instances": one.instances[-_INSTANCES:],
        }
        for one in callers
    ]


def _calls_data(calls: Tally) -> dict[str, object]:
    kinds = [
        {
            "calls": count,
            "was": kind.was,
            "now": kind.now,
            "server": kind.server,
            "tool": kind.tool,
            "rule_was": kind.rule_was,
            "rule_now": kind.rule_now,
            "examples": [example.id for example in calls.examples[kind]],
        }
        for kind, count in calls.kinds.most_common()
    ]
    lost = [{"calls": count, "why": why} for why, count in calls.reasons.most_common()]
    return {"replayed": calls.replayed, "changed": calls.changed, "kinds": kinds, "not_replayable": lost}
