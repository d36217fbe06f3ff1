"""A policy, loaded and looked over: the one way to all lints, and what the comments in the file silence of them."""

from collections.abc import Sequence

import msgspec

from mcp_guard.policy.catalog import Catalog
from mcp_guard.policy.codes import WARNINGS
from mcp_guard.policy.diagnostics import Diagnostic, Source
from mcp_guard.policy.lints import comparisons, constants, ends, fields, matches, reached
from mcp_guard.policy.lints.reach import Reach
from mcp_guard.policy.lints.subjects import Subject, subjects
from mcp_guard.policy.loading import Whole, in_file_order, read
from mcp_guard.policy.policy import Policy
from mcp_guard.policy.report import Report
from mcp_guard.policy.silence import in_vain, silences, without_silenced

REPLACED = frozenset(("unreachable",))
"""What loading tells in the plainest case, and lints tell in all."""


class Examined(msgspec.Struct, frozen=True):
    """A policy with all that was found about it, in the order of the files."""

    policy: Policy
    findings: tuple[Diagnostic, ...]
    whole: Whole
    subjects: tuple[Subject, ...]


def examine(sources: Sequence[Source], catalog: Catalog | None = None) -> Examined:
    """Load a policy and look it over; without a catalog, only for what can be told without one. Raises PolicyError."""
    whole = read(sources)
    declared = whole.policy.declared
    every = subjects(whole.rules, declared, Reach(catalog or Catalog(), declared))
    report = Report()
    reached.check(every, report)
    for subject in every:
        _examine_rule(subject, report)
    found = [*(one for one in whole.found if one.code not in REPLACED), *report.found]
    return Examined(whole.policy, _audible(found, whole, sources), whole, tuple(every))


def _examine_rule(subject: Subject, report: Report) -> None:
    catalog = subject.reach.catalog
    if catalog.servers:
        matches.check(subject, report)
    before = len(report.found)
    fields.check(subject, report)
    comparisons.check(subject, report)
    ends.check(subject, report)
    constants.check(subject, len(report.found) > before, matches.servers_known(subject, catalog), report)


def _audible(found: Sequence[Diagnostic], whole: Whole, sources: Sequence[Source]) -> tuple[Diagnostic, ...]:
    """The findings that no comment silences, and those about comments. What hangs on a catalog is not called unused:
    other people's servers list other tools.
    """
    silenced = [one for file in whole.files for one in silences(file.tree)]
    left, used = without_silenced(found, silenced)
    told = {code for code, one in WARNINGS.items() if one.needs == "nothing"}
    return tuple(in_file_order([*left, *in_vain(silenced, used, told, WARNINGS)], sources))
