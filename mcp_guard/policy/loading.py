"""Policy files to a policy: the one way in. Pure: bytes go in, a `Policy` or a `PolicyError` comes out, nothing else.

Whatever is in the bytes: reading is bounded in depth, size and time, and a policy with any error is refused whole.
"""

from collections.abc import Sequence

from mcp_guard.policy.diagnostics import Diagnostic, Place, PolicyError, Source
from mcp_guard.policy.policy import Policy


def load(sources: Sequence[Source]) -> Policy:
    """The policy that the files make, as one list of rules in the order given.

    Raises `PolicyError` with every finding if there is any error; warnings alone are on the policy.
    """
    from hashlib import sha256

    from mcp_guard.policy import assembly, declaring, lint
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
    tests = assembly.tests(files, rules, declared, report)
    if not report.has_errors:
        lint.check(files, list(zip(entries, rules, strict=True)), declared, report)
    found = _in_file_order(report.found, sources)
    if report.has_errors:
        raise PolicyError(found)
    return Policy(
        rules,
        declared=declared,
        settings=settings,
        files=[source.path for source in sources],
        hash=sha256(b"".join(source.text for source in sources)).hexdigest(),
        tests=tests,
        warnings=found,
    )


def _in_file_order(found: Sequence[Diagnostic], sources: Sequence[Source]) -> list[Diagnostic]:
    order = {source.path: position for position, source in enumerate(sources)}
    return sorted(found, key=lambda one: (order.get(one.place.path, 0), one.place.line, one.place.column))
