"""Policy files to a policy: the one way in. Pure: bytes go in, a `Policy` or a `PolicyError` comes out, nothing else.

Whatever is in the bytes: reading is bounded in depth, size and time, and a policy with any error is refused whole.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from mcp_guard.policy.diagnostics import Diagnostic, Place, PolicyError, Source
from mcp_guard.policy.policy import Policy

if TYPE_CHECKING:
    from mcp_guard.policy.assembly import RuleEntry
    from mcp_guard.policy.document import PolicyDocument
    from mcp_guard.policy.rules import Rule
    from mcp_guard.policy.shapes import Checked


class Whole(msgspec.Struct, frozen=True):
    """A policy with what it was read from: its files, its rules as they stand there, and all warnings, also those that
    comments in the files silence.
    """

    policy: Policy
    files: "Sequence[Checked[PolicyDocument]]"
    rules: "Sequence[tuple[RuleEntry, Rule]]"
    found: Sequence[Diagnostic]


def load(sources: Sequence[Source]) -> Policy:
    """The policy that the files make, as one list of rules in the order given.

    Raises `PolicyError` with every finding if there is any error; warnings alone are on the policy.
    """
    return read(sources).policy


def read(sources: Sequence[Source]) -> Whole:
    """The same with what it was read from, for whoever looks a policy over."""
    from mcp_guard.digest import sha256_hex
    from mcp_guard.policy import assembly, declaring, expecting, lint
    from mcp_guard.policy.document import PolicyDocument
    from mcp_guard.policy.reading import read_all
    from mcp_guard.policy.report import Report
    from mcp_guard.policy.shapes import check

    if not sources:
        place = Place("policy", 1, 1)
        raise PolicyError([Diagnostic("error", "empty-file", "no policy file is given", place, "pass at least one")])
    report = Report()
    files = [check(tree, PolicyDocument, report) for tree in read_all(sources, report)]
    declared = declaring.declarations(files, report)
    settings = declaring.settings(files, report)
    entries = assembly.entries(files)
    rules = assembly.rules(entries, report)
    tests = expecting.tests(files, rules, declared, report)
    made = list(zip(entries, rules, strict=True))
    if not report.has_errors:
        lint.check(files, made, declared, report)
    found = in_file_order(report.found, sources)
    if report.has_errors:
        raise PolicyError(found)
    policy = Policy(
        rules,
        declared=declared,
        settings=settings,
        files=[source.path for source in sources],
        hash=sha256_hex(source.text for source in sources),
        tests=tests,
        warnings=_audible(found, files),
    )
    return Whole(policy, files, made, found)


def _audible(found: Sequence[Diagnostic], files: "Sequence[Checked[PolicyDocument]]") -> Sequence[Diagnostic]:
    """The warnings that no comment silences."""
    if not found:
        return found
    from mcp_guard.policy.silence import silences, without_silenced

    return without_silenced(found, [one for file in files for one in silences(file.tree)])[0]


def in_file_order(found: Sequence[Diagnostic], sources: Sequence[Source]) -> list[Diagnostic]:
    """The findings by where they stand: file by file, line by line."""
    order = {source.path: position for position, source in enumerate(sources)}
    return sorted(found, key=lambda one: (order.get(one.place.path, 0), one.place.line, one.place.column))
