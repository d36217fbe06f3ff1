"""The demonstration itself: what it asks for, and what came back. Printing it is the command line's.

Everything in a `Report` came over the wire or out of the log; nothing is made up here, whatever the outcome.
"""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Literal, cast

import msgspec

from mcp_guard.demo.client import Client, Json, connected

POLICY = Path(__file__).with_name("policy.yaml")
_MODULE = (sys.executable, "-P", "-m")  # -P: none of the directory in which somebody sees the demonstration
UPSTREAM = (*_MODULE, "mcp_guard.demo.upstream")

Outcome = Literal["allowed", "denied", "hidden"]

STEPS: tuple[tuple[str, str, dict[str, str]], ...] = (  # what the agent is up to, the tool, the arguments
    ("The agent reads a mail", "read_mail", {"id": "1"}),
    ("and the file that it asks for", "read_file", {"path": "reports/q3.md"}),
    (
        "and answers a colleague.",
        "send_mail",
        {"to": "finance@acme.com", "subject": "Q3", "body": "Revenue is up 12 percent."},
    ),
    ("The next mail was written for agents.", "read_mail", {"id": "2"}),
    ("Misled, it reaches for the payroll,", "read_file", {"path": "secrets/payroll.csv"}),
    ("writes to the stranger,", "send_mail", {"to": "claims@deals.example", "subject": "Payroll", "body": "As asked."}),
    ("and would cover the traces.", "delete_mail", {"id": "2"}),
)


class Answer(msgspec.Struct, frozen=True):
    """One call and what the agent got for it: `response` is the whole JSON-RPC message, `text` what a model reads."""

    story: str
    tool: str
    arguments: dict[str, str]
    outcome: Outcome
    text: str
    response: Json


class Report(msgspec.Struct, frozen=True):
    """Everything that the demonstration saw. `log` holds rows of the audit log, as they stand in SQLite."""

    policy: str
    direct: list[str]
    guarded: list[str]
    calls: list[Answer]
    log: list[dict[str, str | int | None]]


def perform(database: Path) -> Report:
    """Run the session, first without the guard, then through it. Raises GuardError where a process fails."""
    with connected(UPSTREAM) as client:
        direct = client.tools()
    with connected(guarded(UPSTREAM, database)) as client:
        listed = client.tools()
        calls = [_call(client, *step) for step in STEPS]
    return Report(POLICY.read_text("utf-8"), direct, listed, calls, _rows(database))


def guarded(upstream: tuple[str, ...], database: Path) -> tuple[str, ...]:
    """The command that puts the real guard in front of an upstream, as a client's config would."""
    options = ("--policy", str(POLICY), "--server", "office", "--db", str(database))
    return (*_MODULE, "mcp_guard", "run", *options, "--", *upstream)


def _call(client: Client, story: str, tool: str, arguments: dict[str, str]) -> Answer:
    response = client.request("tools/call", {"name": tool, "arguments": arguments})
    outcome, text = _reading(response)
    return Answer(story, tool, arguments, outcome, text, response)


def _reading(response: Json) -> tuple[Outcome, str]:
    """What a response amounts to: an error is how a hidden tool looks, and a denial bears the decision's id."""
    if "error" in response:
        return "hidden", str(cast(Json, response["error"])["message"])
    result = cast(Json, response["result"])
    text = "\n".join(str(block["text"]) for block in cast(list[Json], result["content"]))
    denied = "dev.mcp-guard/decision" in cast(Json, result.get("_meta", {}))
    return "denied" if denied else "allowed", text


def _rows(database: Path) -> list[dict[str, str | int | None]]:
    query = "SELECT seq, ts, type, agent, tool, decision, decided_by, rule, data FROM events ORDER BY ts, seq"
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as log:
        log.row_factory = sqlite3.Row
        return [dict(row) for row in log.execute(query)]
