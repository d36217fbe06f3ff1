"""What a guard imports and when: a client waits for its start, and for the answers to its first messages."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.guard import Guard, server
from tests.e2e.wire import LEGACY, MODERN, wire

AT_THE_UPSTREAMS_START = """
import os, sys
from mcp_guard.__main__ import main
from mcp_guard.transports.process import Upstream

def start(upstream):
    print(*sorted(sys.modules), flush=True)
    os._exit(0)

Upstream.start = start
main()
"""
WHILE_IT_SERVES = """
import sys
from mcp_guard.__main__ import main
from mcp_guard.transports.stdio import Pump

def run(pump):
    before = set(sys.modules)
    try:
        return serve(pump)
    finally:
        print("imported:", *sorted(set(sys.modules) - before), file=sys.stderr)

serve, Pump.run = Pump.run, run
main()
"""

HEAVY = {"argparse", "asyncio", "dataclasses", "httptools", "inspect", "mcp", "pathlib", "pydantic", "rich", "socket",
         "ssl", "subprocess", "threading", "typer", "typing_extensions", "urllib"}  # fmt: skip
LATER = {
    "hashlib",
    "json",
    "mcp_guard.gate",
    "mcp_guard.governance",
    "mcp_guard.redaction",
    "mcp_guard.transports.stdio",
}
READING = {"mcp_guard.cel", "mcp_guard.policy", "mcp_guard.store.store", "msgspec", "yaml"}
CONDITION = """\
version: 1
rules:
  - {name: one, effect: allow, when: 'request.args.path.matches("^/srv/")'}
"""


def imported_before_the_upstream(command: list[str]) -> set[str]:
    """The modules that are there at the moment in which the upstream is started."""
    _python, _module, _package, *words = command
    line = [sys.executable, "-c", AT_THE_UPSTREAMS_START, *words]
    return set(subprocess.run(line, capture_output=True, text=True, check=True, timeout=60).stdout.split())


def test_with_a_new_policy_only_what_judges_the_policy_and_makes_the_log_comes_before_the_upstream(
    guard: Guard,
) -> None:
    guard.policy.write_text(CONDITION)
    imported = imported_before_the_upstream(guard.command(["cat"]))
    assert imported >= READING
    assert imported & (HEAVY | LATER) == set()


def test_with_a_policy_that_it_has_seen_the_upstream_comes_before_anything_is_read(guard: Guard) -> None:
    with wire(guard.command(server("patient"))) as client:
        client.open(LEGACY[-1])
        client.finish()
    assert imported_before_the_upstream(guard.command(["cat"])) & (HEAVY | LATER | READING) == set()


def test_nothing_heavy_finds_the_users_own_policy_and_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "MCP_GUARD_DB"):
        monkeypatch.delenv(variable, raising=False)
    imported = imported_before_the_upstream([sys.executable, "-m", "mcp_guard", "run", "--", "cat"])
    assert imported & (HEAVY | LATER) == set()


@pytest.mark.parametrize("revision", [LEGACY[-1], MODERN])
def test_no_message_waits_for_an_import(guard: Guard, revision: str) -> None:
    _python, _module, _package, *words = guard.command(server("reference"), "--agent", "claude-code")
    with wire([sys.executable, "-c", WHILE_IT_SERVES, *words]) as client:
        client.open(revision)
        tools = client.request("tools/list")["result"]["tools"]
        client.call(tools[0]["name"], {})
        client.finish()
        said = client.stderr()
    assert said.splitlines()[-1] == "imported:"
