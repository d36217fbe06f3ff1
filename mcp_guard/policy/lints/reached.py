"""Rules that are never asked, wholly or in part, because a rule above has decided; and allowing above what is denied.

A rule that narrows the one below it (deny `delete_*`, then allow `*`) is how policies are written, and so is an
exception above a wider rule: neither is a finding.
"""

from collections.abc import Iterator, Sequence

from mcp_guard.policy.declarations import Declarations
from mcp_guard.policy.lints import words
from mcp_guard.policy.lints.matches import servers_known
from mcp_guard.policy.lints.scopes import (
    MOST_CELLS,
    Cell,
    cells,
    count_cells,
    decides_all_of,
    for_all_people_of,
    may_meet,
)
from mcp_guard.policy.lints.subjects import Subject
from mcp_guard.policy.report import Report
from mcp_guard.policy.rules import OUTCOMES, Rule
from mcp_guard.policy.selectors import OFFER_FIELDS, SCOPE_FIELDS, ScopeField

RESTRICTS = frozenset(("deny", "require_approval"))
DOES = {"deny": "denies", "require_approval": "holds back"}


def check(every: Sequence[Subject], report: Report) -> None:
    """Report each rule that others keep calls from."""
    for position, subject in enumerate(every):
        above = [one for one in every[:position] if decides_before(one, subject)]
        if above and not _check_scope(subject, [one.rule for one in above], report):
            if subject.fitting and not subject.targets and servers_known(subject, subject.reach.catalog):
                settling = [one.rule for one in above if one.unconditional and one.fitting & subject.fitting]
                _report_whole(subject, settling, report)
            else:
                _check_crossing(subject, above, report)


def decides_before(above: Subject, subject: Subject) -> bool:
    """Whether a rule leaves nothing to another of the same scope: it has no condition, or the very same one."""
    if above.unconditional:
        return may_meet(above.rule, subject.rule)
    before, condition = above.rule.condition, subject.rule.condition
    if before is None or condition is None or before.source != condition.source:
        return False
    return (
        subject.rule.effect != "deny" or above.rule.effect == "deny"
    )  # a denial decides where the condition fails too


def _check_scope(subject: Subject, above: Sequence[Rule], report: Report) -> bool:
    """Report what of a rule's scope lies within those above it. Gives whether anything does."""
    rule, declared = subject.rule, subject.declared
    if count_cells(rule) > MOST_CELLS:
        return False
    deciders = [(cell, _decider(cell, above, declared)) for cell in cells(rule)]
    if all(decider is not None for _, decider in deciders):
        _report_whole(subject, [decider for _, decider in deciders if decider is not None], report)
        return True
    found = list(_dead_entries(rule, deciders))
    for field, position, entry, decider in found:
        _report_entry(subject, field, position, entry, decider, report)
    return bool(found)


def _decider(cell: Cell, above: Sequence[Rule], declared: Declarations) -> Rule | None:
    return next((rule for rule in above if decides_all_of(rule, cell, declared)), None)


def _dead_entries(
    rule: Rule, deciders: Sequence[tuple[Cell, Rule | None]]
) -> Iterator[tuple[ScopeField, int, str, Rule]]:
    """Each entry of a rule's scope that no call gets to, with the rule that decides first."""
    for field in SCOPE_FIELDS:
        entries: tuple[str, ...] = getattr(rule.scope, field) or ()
        for position, entry in enumerate(entries):
            own = [decider for cell, decider in deciders if _entries(cell, field) == (entry,)]
            if len(entries) > 1 and own and own[0] is not None and None not in own:
                yield field, position, entry, own[0]


def _entries(cell: Cell, field: ScopeField) -> tuple[str, ...] | None:
    if field in OFFER_FIELDS.values():
        return cell.offers if OFFER_FIELDS[cell.kind] == field else None
    return getattr(cell, field)


def opens(above: Rule, rule: Rule) -> bool:
    """Whether a rule lets through what the one below it would hold back."""
    return OUTCOMES[above.effect] == "allow" and rule.effect in RESTRICTS


def _report_whole(subject: Subject, deciders: Sequence[Rule], report: Report) -> None:
    rule, by_id = subject.rule, {one.id: one for one in deciders}
    names, places = words.listed(list(by_id)), [one.place for one in by_id.values()]
    if any(opens(one, rule) for one in deciders):
        message = f"`{rule.id}` never {DOES[rule.effect]} anything: {names} above it allows all that it is for"
        hint = "what restricts stands above what opens: move it up"
        report.warning("allow-above-deny", message, rule.place, hint, places)
        return
    message, hint = f"never reached: {names} above it decides every call that it is for", "move it up, or take it out"
    report.warning("unreachable", message, rule.place, hint, places)


def _report_entry(
    subject: Subject, field: ScopeField, position: int, entry: str, decider: Rule, report: Report
) -> None:
    rule, place = subject.rule, subject.entry.place(field, position)
    if opens(decider, rule):
        message = f"`{rule.id}` never {DOES[rule.effect]} `{entry}`: `{decider.id}` above it allows that"
        report.warning("allow-above-deny", message, place, f"move it above `{decider.id}`", [decider.place])
    elif OUTCOMES[decider.effect] != OUTCOMES[rule.effect]:
        message = f"`{rule.id}` is never asked about `{entry}`: `{decider.id}` above it decides that"
        hint = f"take it out, or move the rule above `{decider.id}`"
        report.warning("shadowed", message, place, hint, [decider.place])


def _check_crossing(subject: Subject, above: Sequence[Subject], report: Report) -> None:
    """Report tools of the catalog that a rule restricts and one above allows, where that one is no exception to it."""
    rule = subject.rule
    for one in above:
        if not one.unconditional or not opens(one.rule, rule):
            continue
        taken, is_exception = subject.fitting & one.fitting, not one.fitting & ~subject.fitting
        if taken and not is_exception and for_all_people_of(one.rule, rule, subject.declared):
            tools, every_one = subject.reach.targets(taken), words.count(subject.fitting.bit_count(), "tool")
            which = f"{len(tools)} of the {every_one} that it is for ({words.tools(tools)})"
            message = f"`{rule.id}` never {DOES[rule.effect]} {which}: `{one.rule.id}` above allows that"
            report.warning("allow-above-deny", message, rule.place, f"move it above `{one.rule.id}`", [one.rule.place])
            return
