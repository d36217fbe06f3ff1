"""The views that an auditor queries with SQL of their own."""

import sqlite3
from pathlib import Path
from typing import Any

from mcp_guard.store import Store
from tests.store.making import NOON, decided, event

CLIENT = {"client": {"name": "claude-code", "version": "2.1"}, "protocol": "2025-11-25"}


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_a_decision_is_one_row_with_the_completion_of_its_call(store: Store, path: Path) -> None:
    answer = {"decision": "conn-1", "duration_us": 1500, "is_error": True, "bytes": 42}
    denial = {"arguments": None, "reason": "No.", "mode": "observe", "forwarded": True}
    store.record([decided(1)])
    store.record([decided(2, decision="deny", rule=None, decided_by="default", data=denial)])
    store.record([event("tool.completed", 3, tool="get_issue", data=answer)])
    sql = """SELECT id, decision, rule, mode, forwarded, arguments, duration_us, is_error, bytes
             FROM decisions ORDER BY seq"""
    assert rows(path, sql) == [
        ("conn-1", "allow", "read-only", "enforce", 1, '{"n":1}', 1500, 1, 42),
        ("conn-2", "deny", None, "observe", 1, None, None, None, None),
    ]


def test_what_is_asked_of_prompts_and_resources_is_a_decision_too(store: Store, path: Path) -> None:
    asked = {"method": "resources/read", "arguments": {}, "reason": "Yes."}
    got = {"method": "prompts/get", "arguments": {}, "reason": "No."}
    store.record([decided(1), event("prompt.decided", 2, tool="review", decision="deny", data=got)])
    store.record([event("resource.decided", 3, tool="file:///a", decision="allow", data=asked)])
    store.record([event("resource.completed", 4, tool="file:///a", data={"decision": "conn-3", "bytes": 9})])
    sql = "SELECT kind, tool, prompt, resource, method, decision, bytes FROM decisions ORDER BY seq"
    assert rows(path, sql) == [
        ("tool", "get_issue", None, None, "tools/call", "allow", None),
        ("prompt", None, "review", None, "prompts/get", "deny", None),
        ("resource", None, None, "file:///a", "resources/read", "allow", 9),
    ]
    assert rows(path, "SELECT calls, prompts, resources, denied FROM connections") == [(1, 1, 1, 1)]


def test_a_connection_is_one_row_with_its_client_and_its_calls(store: Store, path: Path) -> None:
    store.record([event("policy.loaded", 1), event("agent.connected", 2, data=CLIENT)])
    store.record([decided(3), decided(4, decision="deny"), decided(5, decision="require_approval")])
    store.record([event("agent.disconnected", 6, data={"why": "done"})])
    store.record([decided(7, connection_id="second")])
    sql = """SELECT connection_id, agent, user, server, client_name, client_version, protocol,
             connected_at, disconnected_at, calls, denied FROM connections ORDER BY connected_at"""
    who = ("claude-code", "alice@acme.com", "github")
    began, ended = "2026-11-21T12:00:00.000002Z", "2026-11-21T12:00:00.000006Z"
    assert rows(path, sql) == [
        ("conn", *who, "claude-code", "2.1", "2025-11-25", began, ended, 3, 2),
        ("second", *who, None, None, None, "2026-11-21T12:00:00.000007Z", None, 1, 0),
    ]


def test_a_client_that_introduces_itself_twice_is_still_one_connection(store: Store, path: Path) -> None:
    renamed = {"client": {"name": "cursor"}, "protocol": "2025-11-25"}
    store.record([event("agent.connected", 1, data=CLIENT), event("agent.connected", 2, agent="cursor", data=renamed)])
    sql = "SELECT agent, client_name, connected_at FROM connections"
    assert rows(path, sql) == [("cursor", "cursor", "2026-11-21T12:00:00.000001Z")]


def test_the_views_look_each_completion_up(store: Store, path: Path) -> None:
    store.record([decided(n, ts=NOON + n) for n in range(10)])
    plan = [detail for *_, detail in rows(path, "EXPLAIN QUERY PLAN SELECT * FROM decisions")]
    assert [step for step in plan if "SEARCH completed USING AUTOMATIC COVERING INDEX" in step]
