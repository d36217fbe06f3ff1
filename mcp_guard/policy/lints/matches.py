"""Names and patterns that match nothing the catalog knows.

A catalog rarely knows every server there is. What a rule says of a server that is in it can be told to be wrong; of
others only a name that is nearly one of those known.
"""

from collections.abc import Collection, Sequence
from difflib import get_close_matches

from mcp_guard.policy.catalog import Catalog
from mcp_guard.policy.diagnostics import closest
from mcp_guard.policy.lints import words
from mcp_guard.policy.lints.reach import Target, entry_fits, fits_server
from mcp_guard.policy.lints.subjects import Subject
from mcp_guard.policy.report import Report
from mcp_guard.policy.selectors import selector

MOST_COMPARED, LIKENESS = 1_000, 0.85


def servers_known(subject: Subject, catalog: Catalog) -> bool:
    """Whether the catalog knows all servers that a rule is for."""
    declared = subject.declared.servers
    for entry in subject.rule.scope.servers or ():
        kind, name = selector("servers", entry)
        slugs = [name] if kind == "name" else [slug for slug, server in declared.items() if name in server.tags]
        if not slugs or not all(slug in catalog.servers for slug in slugs):
            return False
    return subject.rule.scope.servers is not None


def check(subject: Subject, report: Report) -> None:
    """Report entries of a rule's servers and tools that stand for nothing."""
    catalog = subject.reach.catalog
    _check_servers(subject, catalog, report)
    if subject.rule.scope.tools is None:
        return
    slugs = [slug for slug in catalog.servers if fits_server(subject.rule, slug, subject.declared)]
    own = [target for target in subject.reach.every if target.server in slugs]
    vain = [
        (position, entry)
        for position, entry in enumerate(subject.rule.scope.tools)
        if not any(entry_fits(entry, target.server, target.tool.name, subject.declared) for target in own)
    ]
    _report_tools(subject, vain, own, servers_known(subject, catalog), report)


def _check_servers(subject: Subject, catalog: Catalog, report: Report) -> None:
    for position, entry in enumerate(subject.rule.scope.servers or ()):
        kind, name = selector("servers", entry)
        if kind != "name" or name in catalog.servers or name in subject.declared.servers:
            continue
        near = closest(name, catalog.servers)
        if subject.declared.servers and not near:
            continue  # `unknown-server` says it
        hint = (
            f"did you mean `{near}`?"
            if near
            else "declare it under `servers:`, or list its tools: mcp-guard tools sync"
        )
        message = f"`{subject.rule.id}` is for a server that neither the policy nor the catalog knows: `{name}`"
        report.warning("no-such-server", message, subject.entry.place("servers", position), hint)


def _report_tools(
    subject: Subject, vain: Sequence[tuple[int, str]], own: Sequence[Target], complete: bool, report: Report
) -> None:
    """Report entries of `tools` that fit nothing: what is nearly a tool's name one by one, the rest in one finding. A
    tag that the policy gives to nothing is an `unknown-tag`; one that it gives may wait for its tools.
    """
    names = {target.tool.name for target in own}
    servers = f" of {', '.join(dict.fromkeys(target.server for target in own))}" if complete else ""
    rest: list[tuple[int, str]] = []
    for position, entry in vain:
        kind, name = selector("tools", entry)
        if kind == "name" and (near := _nearly(name, names)):
            message, place = f"no tool{servers} is called `{name}`", subject.entry.place("tools", position)
            report.warning("no-such-tool", message, place, f"did you mean `{near}`?")
        elif kind != "tag" and complete:
            rest.append((position, entry))
    if rest:
        message = f"no tool{servers} fits {words.listed([entry for _, entry in rest])}"
        place = subject.entry.place("tools", rest[0][0])
        report.warning("no-such-tool", message, place, "`mcp-guard tools list` shows what there is")


def _nearly(name: str, names: Collection[str]) -> str:
    """The name that this one is a slip of, or nothing."""
    few = sorted(names)[:MOST_COMPARED]
    return next(iter(get_close_matches(name[:64], few, n=1, cutoff=LIKENESS)), "")
