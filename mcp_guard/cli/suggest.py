"""`mcp-guard policy suggest`: a draft of a policy out of recorded calls. Reads options, asks, prints."""

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from mcp_guard.cli.options import Database, OfAgent, OfTool, Since, ToServer, Until, period
from mcp_guard.cli.output import EXIT_DONE, EXIT_FINDING, bad_input

if TYPE_CHECKING:
    from mcp_guard.insight.suggest.observed import Seen
    from mcp_guard.insight.suggest.verification import Verification
    from mcp_guard.store.reader import Filters

EPILOG = "Example: mcp-guard policy suggest --since 7d --out draft.yaml"


def suggest(
    since: Since = None,
    until: Until = None,
    agent: OfAgent = None,
    server: ToServer = None,
    tool: OfTool = None,
    minimum: Annotated[
        int, typer.Option("--minimum", metavar="N", min=2, help="Generalise from at least so many different values.")
    ] = 3,
    out: Annotated[str | None, typer.Option(metavar="FILE", help="Write the draft there; default: print it.")] = None,
    db: Database = None,
) -> None:
    """Draft the tightest readable policy that allows what was let through. Read it before you use it."""
    from mcp_guard.cli.replaying import write_file
    from mcp_guard.insight.suggest.draft import draft
    from mcp_guard.store.location import default_database

    filters = replace(period(since, until), agent=agent, server=server, tool=tool)
    path = db or default_database()
    seen = _seen(path, filters)
    if not seen.calls:
        hint = "let a guard observe for a while first (mcp-guard run --mode observe), or ask for other calls"
        bad_input("no such calls are recorded", hint)
    text = draft(seen, minimum, _heading(seen, out))
    found = _verify(path, filters, text)
    if out is None:
        sys.stdout.write(text)
    else:
        write_file(out, text, "--out")
    _say(found)
    raise SystemExit(EXIT_DONE if found.exact else EXIT_FINDING)


def _seen(path: str, filters: "Filters") -> "Seen":
    from mcp_guard.cli.progress import with_bar
    from mcp_guard.insight.parallel import read_decisions
    from mcp_guard.insight.suggest.observed import Seen

    seen = Seen()
    for events in with_bar(read_decisions(path, filters), "reading"):
        for event in events:
            seen.add(event)
    return seen


def _heading(seen: "Seen", out: str | None) -> list[str]:
    file, days = out or "FILE", f"{seen.first[:10]} to {seen.last[:10]}"
    return [
        f"DRAFT, made by `mcp-guard policy suggest` out of {seen.calls:,} recorded calls, {days}.",
        "Nobody has read it yet. It allows what was let through, and nothing else: look at each rule, tighten what was",
        "a mistake, loosen what is too narrow. Prompts and resources pass, as long as no rule names any. Then, before",
        "it is in force:",
        f"  mcp-guard policy check {file} && mcp-guard replay --policy {file}",
    ]


def _verify(path: str, filters: "Filters", text: str) -> "Verification":
    from mcp_guard.cli.progress import with_bar
    from mcp_guard.insight.candidates import Candidate
    from mcp_guard.insight.parallel import Question, parts
    from mcp_guard.insight.suggest.verification import Verification
    from mcp_guard.policy import Source

    candidate = Candidate((Source("draft.yaml", text.encode()),))
    whole = Verification()
    for part in with_bar(parts(Question(path, filters, candidate, None, Verification.begin)), "verifying"):
        whole.merge(part)
    return whole


def _say(found: "Verification") -> None:
    """What became of the very calls, on stderr: the draft itself may be on stdout."""
    lines = [f"replayed: {found.allowed:,} let through and allowed by the draft, {found.denied:,} denied by both"]
    told = (
        (found.wrongly_denied, "let through, and denied by the draft: calls like them were denied, too"),
        (found.wrongly_allowed, "denied, and allowed by the draft: look at the rules of their tools"),
        (found.not_judged, "not replayed: `mcp-guard replay --policy FILE` says why"),
    )
    lines += [f"{count:,} {what}" for count, what in told if count]
    sys.stderr.write("".join(f"mcp-guard: {line}\n" for line in lines))
