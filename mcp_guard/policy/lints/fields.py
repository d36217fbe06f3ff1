"""Arguments that a condition reads and tools do not have, or may leave out.

An allowing rule passes over a call whose argument is missing, so it is of no use to tools that never have it. A denying
rule denies such a call: right where that is meant, and a trap where nobody thought of it.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec

from mcp_guard.cel.paths import Path
from mcp_guard.policy.diagnostics import closest
from mcp_guard.policy.input_schema import Segments, Shape, find
from mcp_guard.policy.lints import words
from mcp_guard.policy.lints.reach import Target
from mcp_guard.policy.lints.subjects import ARGUMENTS, Sight, Subject, inside_arguments
from mcp_guard.policy.report import Report

RARE = 5  # where it is one tool in so many that has an argument, those are named and not the others

Lack = Literal["missing", "optional"]


class Lacking(msgspec.Struct, frozen=True):
    """A path that is read and is not there: `missing` from the schema, or `optional`. `at` is where it is read."""

    path: Segments
    how: Lack
    guarded: bool
    at: int


def check(subject: Subject, report: Report) -> None:
    """Report the arguments that a rule reads in vain, or at the price of denying whoever leaves them out."""
    lacking = [(sight, one) for sight in subject.sights for one in _lacking(sight)]
    for path in dict.fromkeys(one.path for _, one in lacking):
        own = [(sight, one) for sight, one in lacking if one.path == path]
        _check_missing(subject, path, [(sight, one) for sight, one in own if one.how == "missing"], report)
        if subject.rule.effect == "deny":
            _check_optional(subject, path, [(sight, one) for sight, one in own if one.how == "optional"], report)


def _lacking(sight: Sight) -> Iterator[Lacking]:
    """What of the paths that are read before a tool is not there, each at the first step that leads nowhere."""
    guarded = {inside_arguments(path) for path in sight.reads if path.guarded}
    told: set[Segments] = set()
    for path in sight.reads:
        found = _first_gap(sight.target.shape, path, guarded)
        if found is not None and found.path not in told:
            told.add(found.path)
            yield found


def _first_gap(shape: Shape, path: Path, guarded: set[Segments]) -> Lacking | None:
    """Where a path leads nowhere, or else where it first may."""
    segments, optional = inside_arguments(path), None
    for length in range(1, len(segments) + 1):
        step = segments[:length]
        found = find(shape, step[-1:])
        if found.shape is None:
            return Lacking(step, "missing", step in guarded, path.at)
        if not found.declared:
            break
        certain = found.always or None in step or step in guarded  # an empty list is no error
        optional = optional or (None if certain else Lacking(step, "optional", False, path.at))
        shape = found.shape
    return optional


def _check_missing(subject: Subject, path: Segments, own: Sequence[tuple[Sight, Lacking]], report: Report) -> None:
    every, effect = [sight.target for sight in subject.sights], subject.rule.effect
    if own and all(one.guarded for _, one in own):
        if len(own) == len(every):
            _report_missing(subject, path, own[0][1].at, every, "the `has` is never true", report)
        return
    harmed = [(sight, one) for sight, one in own if not one.guarded and (None in path or _harms(sight, effect))]
    if harmed:
        targets = [sight.target for sight, _ in harmed]
        them = "it" if len(targets) == 1 else "them"
        denies = f"calls of {them} are denied, whatever else they say"
        consequence = denies if effect == "deny" else f"the rule never applies to {them}"
        _report_missing(subject, path, harmed[0][1].at, targets, consequence, report)


def _harms(sight: Sight, effect: str) -> bool:
    """Whether the lack of an argument makes a denial deny, or keeps an allowance from ever allowing."""
    return None in sight.outcomes if effect == "deny" else True not in sight.outcomes


def _report_missing(
    subject: Subject, path: Segments, at: int, without: Sequence[Target], consequence: str, report: Report
) -> None:
    every = [sight.target for sight in subject.sights]
    name = shown(path)
    having = [target for target in every if target not in without]
    report.warning(
        "missing-argument",
        f"{_who_lacks(name, having, without, every)}: {consequence}",
        subject.place(at, len(name)),
        _hint(path, without, bool(having)),
    )


def _who_lacks(name: str, having: Sequence[Target], without: Sequence[Target], every: Sequence[Target]) -> str:
    """Who has an argument and who has not: the shorter list by name."""
    if len(every) == 1:
        return f"{every[0].name} has no `{name}`"
    if not having:
        return f"none of the {len(every)} tools that this rule is for has `{name}` ({words.tools(without)})"
    if len(having) * RARE <= len(every):
        only = f"only {len(having)} of the {len(every)} tools that this rule is for"
        return f"{only} {'has' if len(having) == 1 else 'have'} `{name}` ({words.tools(having)}); as for the others"
    have = "has" if len(without) == 1 else "have"
    return f"{len(without)} of the {len(every)} tools that this rule is for {have} no `{name}` ({words.tools(without)})"


def _hint(path: Segments, without: Sequence[Target], others_have_it: bool) -> str:
    """The name that was meant, if one is near; else what else can be done."""
    if others_have_it:
        return f"name only the tools that have it, or begin with `has({shown(path)}) &&`"
    known = {name for target in without for name in _names_beside(target.shape, path)}
    if near := closest(str(path[-1]), known):
        return f"did you mean `{shown((*path[:-1], near))}`?"
    return f"there are: {', '.join(sorted(known)[:12])}" if known else "these tools take no arguments"


def _names_beside(shape: Shape, path: Segments) -> Iterable[str]:
    """The names that stand where the last step of a path leads nowhere."""
    parent = find(shape, path[:-1]).shape
    return parent.fields if parent is not None else ()


def _check_optional(subject: Subject, path: Segments, own: Sequence[tuple[Sight, Lacking]], report: Report) -> None:
    harmed = [(sight, one) for sight, one in own if None in sight.outcomes]
    if not harmed:
        return
    targets, name = [sight.target for sight, _ in harmed], shown(path)
    every = "every call that does" if len(targets) > 1 else "a call that does"
    message = f"`{name}` may be left out of {words.tools(targets)}, and {every} is denied"
    hint = f"begin with `has({name}) &&`; if it is meant: # mcp-guard: ignore[optional-argument]"
    report.warning("optional-argument", message, subject.place(harmed[0][1].at, len(name)), hint)


def shown(path: Segments) -> str:
    """A path as a condition reads it."""
    return str(Path((*ARGUMENTS, *path), False))
