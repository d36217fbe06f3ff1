"""Every route does what it says, says no in the right way, and is described; nobody without the role gets in."""

import json
import re
import sqlite3
from pathlib import Path
from urllib.parse import quote

import pytest
from jsonschema import Draft202012Validator

from mcp_guard.api.api import Api
from mcp_guard.api.description import EXAMPLES, described
from mcp_guard.api.table import ROUTES
from mcp_guard.events import ToolsListed
from mcp_guard.store import Store
from mcp_guard.store.registry import agents, credentials
from mcp_guard.store.registry.book import Book
from mcp_guard.store.rows import timestamp
from mcp_guard.transports.http_server.requests import refusal
from tests.api.calling import Calls

FOREVER = "2099-01-01T00:00:00Z"
NOBODY = "01AAAAAAAAAAAAAAAAAAAAAAAA"


def test_an_agent_is_registered_described_quarantined_restored_and_deleted(call: Calls) -> None:
    made = call("POST", "/api/agents", {"slug": "cursor", "name": "Cursor", "tags": ["ide"], "risk": "high"})
    assert made[0] == 201
    assert (made[1]["slug"], made[1]["tags"], made[1]["risk"], made[1]["status"]) == (
        "cursor",
        ["ide"],
        "high",
        "active",
    )
    assert call("PATCH", "/api/agents/cursor", {"owner": "ann"})[1]["owner"] == "ann"
    assert call("POST", "/api/agents/cursor/quarantine", {"reason": "odd"})[1]["status"] == "quarantined"
    assert call("POST", "/api/agents/cursor/quarantine")[0] == 409
    assert call("POST", "/api/agents/cursor/restore")[1]["status"] == "active"
    assert call("PUT", "/api/agents/cursor/eval-minimum", {"minimum": 0.9})[1]["eval_minimum"] == 0.9
    assert call("GET", "/api/agents/cursor/profile")[1]["agent"]["owner"] == "ann"
    assert call("DELETE", "/api/agents/cursor?reason=gone")[1]["status"] == "deleted"
    assert call("GET", "/api/agents")[1] == {"items": [], "next": None}
    assert len(call("GET", "/api/agents?deleted=true")[1]["items"]) == 1


def test_a_key_is_shown_once_and_proves_the_agent_until_it_is_revoked(call: Calls, book: Book) -> None:
    agents.create(book, "cursor")
    status, made = call("POST", "/api/agents/cursor/credentials", {"expires_at": FOREVER})
    assert (status, made["expires_at"]) == (201, "2099-01-01T00:00:00.000000Z")
    connection = sqlite3.connect(book.path)
    assert credentials.prove(connection, made["token"], timestamp(book.now)).agent == "cursor"
    assert "token" not in call("GET", f"/api/credentials/{made['id']}")[1]
    assert made["token"] not in json.dumps(call("GET", "/api/credentials?agent=cursor")[1])
    assert call("DELETE", f"/api/credentials/{made['id']}")[1]["revoked_at"] is not None
    with pytest.raises(credentials.CredentialError):
        credentials.prove(connection, made["token"], timestamp(book.now))
    connection.close()


def test_grants_overrides_budgets_and_evaluations_come_and_go(call: Calls) -> None:
    grant = {"agent": "cursor", "pattern": "get_*", "effect": "allow", "expires_at": FOREVER}
    status, made = call("POST", "/api/permissions", grant)
    assert (status, made["granted_by"]) == (201, "api:ann")
    assert call("POST", "/api/permissions", grant)[0] == 409
    assert call("DELETE", f"/api/permissions/{made['id']}")[1] == made
    assert call("GET", f"/api/permissions/{made['id']}")[0] == 404

    made = call("POST", "/api/overrides", {"pattern": "delete_*", "effect": "deny"})[1]
    assert (made["agent"], made["brake"]) == (None, False)
    assert call("DELETE", f"/api/overrides/{made['id']}")[1] == made
    assert call("POST", "/api/stop", {"agent": "cursor"})[1]["brake"] is True
    assert [one["agent"] for one in call("POST", "/api/resume", {"agent": None})[1]] == ["cursor"]
    assert call("POST", "/api/resume", {"agent": None})[0] == 404

    made = call("PUT", "/api/budgets", {"agent": "cursor", "window": "month", "amount": 20.5})[1]
    assert (made["unit"], made["spent"]) == ("usd", 0)
    assert call("GET", "/api/budgets?agent=cursor")[1]["items"] == [made]
    assert call("DELETE", f"/api/budgets/{made['id']}")[0] == 200

    status, made = call("POST", "/api/evals", {"agent": "cursor", "pass_rate": 0.93, "suite": "nightly"})
    assert (status, made["recorded_by"]) == (201, "api:ann")
    assert call("GET", "/api/evals")[1]["items"] == [made]


@pytest.fixture
def waiting(book: Book) -> str:
    """The id of a call that waits for a person."""
    row = {"id": "A1", "connection_id": "c", "agent": "cursor", "user": "bo", "server": "files", "tool": "write_file"}
    row |= {
        "arguments": '{"arguments": {"path": "/srv/a"}}',
        "call_hash": "h",
        "pattern": "files:write_file",
        "reason": "a rule",
    }
    row |= {"status": "pending", "requested_at": "2026-01-01T00:00:00.000000Z", "expires_at": FOREVER}
    with book.changing() as change:
        change.insert("approvals", **row)
    return row["id"]


def test_a_call_that_waits_is_shown_and_approved_once(call: Calls, book: Book, waiting: str) -> None:
    (shown,) = call("GET", "/api/approvals?status=pending")[1]["items"]
    assert (shown["id"], shown["arguments"], shown["tool"]) == (waiting, {"path": "/srv/a"}, "write_file")
    assert "call_hash" not in shown
    status, decided = call("POST", f"/api/approvals/{waiting}/approve", {"scope": "session", "comment": "as agreed"})
    assert (status, decided["status"], decided["scope"], decided["decided_by"]) == (
        200,
        "approved",
        "session",
        "api:ann",
    )
    assert call("POST", f"/api/approvals/{waiting}/deny")[0] == 409
    assert call("GET", "/api/approvals?status=pending")[1]["items"] == []
    assert call("GET", f"/api/approvals/{waiting}")[1] == decided


def test_a_standing_approval_needs_an_end_and_becomes_a_grant(call: Calls, waiting: str) -> None:
    assert call("POST", f"/api/approvals/{waiting}/approve", {"scope": "grant"})[0] == 422
    asked = {"scope": "grant", "expires_at": FOREVER}
    assert call("POST", f"/api/approvals/{waiting}/approve", asked)[1]["scope"] == "grant"
    (grant,) = call("GET", "/api/permissions?agent=cursor")[1]["items"]
    assert (grant["pattern"], grant["effect"], grant["granted_by"]) == ("files:write_file", "approve", "api:ann")


def test_a_call_that_waits_is_denied_with_a_comment(call: Calls, waiting: str) -> None:
    decided = call("POST", f"/api/approvals/{waiting}/deny", {"comment": "not on a Friday"})[1]
    assert (decided["status"], decided["comment"]) == ("denied", "not on a Friday")


def test_the_catalog_of_tools_is_what_servers_listed(call: Calls, book: Book) -> None:
    store = Store.open(book.path)
    definition = b'{"name":"read_file","description":"Reads.","inputSchema":{"type":"object"}}'
    listed = ToolsListed(
        id="c-1", ts=1, type="tools.listed", connection_id="c", server="files", definitions=(("h", definition),)
    )
    store.learn(listed)
    store.close()
    (tool,) = call("GET", "/api/tools?server=files")[1]["items"]
    assert (tool["tool"], tool["listed"], tool["definition"]["description"]) == ("read_file", True, "Reads.")
    assert call("GET", "/api/tools?server=other")[1]["items"] == []


def test_every_change_says_in_the_log_who_made_it(call: Calls, book: Book) -> None:
    call("POST", "/api/stop", {"agent": None, "reason": "incident"})
    (event,) = book.rows("SELECT type, data FROM events")
    assert event["type"] == "calls.stopped"
    assert json.loads(event["data"])["by"] == "api:ann"


def test_a_list_is_read_page_by_page_whatever_goes_in_between(call: Calls, book: Book) -> None:
    for number in range(7):
        agents.create(book, f"agent-{number}")
    seen: list[str] = []
    after = ""
    while True:
        page = call("GET", f"/api/agents?limit=3{after}")[1]
        seen += [agent["slug"] for agent in page["items"]]
        if page["next"] is None:
            break
        agents.delete(book, page["next"])
        after = f"&after={page['next']}"
    assert seen == [f"agent-{number}" for number in range(7)]


KEY = f"mcpg_{'01M7YXWRSC4FE8VAYJT0G6F8X3'}_{'k' * 43}"
REFUSED = [
    ("no such thing", "GET", "/api/nothing", None, 404),
    ("no such agent", "GET", "/api/agents/nobody", None, 404),
    ("the API itself", "GET", "/api", None, 404),
    ("no such key", "DELETE", f"/api/credentials/{NOBODY}", None, 404),
    ("no such instance", "POST", f"/api/instances/{NOBODY}/disconnect", {}, 404),
    ("a key for nobody", "POST", "/api/agents/nobody/credentials", {}, 404),
    ("another method", "PUT", "/api/agents", {}, 405),
    ("a method nobody knows", "TRACE", "/api/stop", None, 405),
    ("no JSON", "POST", "/api/agents", b"{", 400),
    ("JSON of no object", "POST", "/api/agents", [], 422),
    ("a path that is no text", "GET", "/api/agents/%ff", None, 400),
    ("a query twice", "GET", "/api/agents?limit=1&limit=2", None, 400),
    ("a query that nobody knows", "GET", "/api/agents?colour=red", None, 400),
    ("null", "GET", "/api/agents?status=null", None, 400),
    ("a page of none", "GET", "/api/agents?limit=0", None, 400),
    ("a field that nobody knows", "POST", "/api/agents", {"slug": "abc", "admin": True}, 422),
    ("a slug that is none", "POST", "/api/agents", {"slug": "A B"}, 422),
    ("a risk that is none", "POST", "/api/agents", {"slug": "abc", "risk": "some"}, 422),
    ("a field left out", "POST", "/api/stop", {}, 422),
    ("an expiry in the past", "POST", "/api/stop", {"agent": None, "expires_at": "2001-01-01T00:00:00Z"}, 422),
    ("an expiry in no time zone", "POST", "/api/stop", {"agent": None, "expires_at": "2099-01-01T00:00:00"}, 422),
    ("half a call", "PUT", "/api/budgets", {"agent": "abc", "window": "hour", "amount": 1.5}, 422),
    ("more than all", "POST", "/api/evals", {"agent": "abc", "pass_rate": 1.1, "suite": "s"}, 422),
    ("an option for a pattern", "POST", "/api/overrides", {"pattern": "--deny", "effect": "deny"}, 422),
    ("a key for a pattern", "POST", "/api/overrides", {"pattern": KEY, "effect": "deny"}, 422),
    ("a key that is granted", "POST", "/api/permissions", {"agent": "abc", "pattern": KEY, "effect": "allow"}, 422),
    ("too much", "POST", "/api/agents", b" " * ((1 << 20) + 1), 413),
]


@pytest.mark.parametrize(("what", "method", "target", "body", "status"), REFUSED, ids=[case[0] for case in REFUSED])
def test_what_cannot_be_is_a_problem(
    call: Calls, what: str, method: str, target: str, body: object, status: int
) -> None:
    answer = call.raw(method, target, body)
    assert (answer.status, answer.content_type) == (status, "application/problem+json")
    problem = json.loads(answer.body)
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert KEY not in problem["detail"]


def test_all_that_begins_like_the_api_is_answered_by_it(call: Calls) -> None:
    assert all(call.api.serves(path) for path in ("/api", "/api/", "/api/nothing"))
    assert not any(call.api.serves(path) for path in ("/", "/apis", "/mcp"))


def test_a_deleted_agent_is_not_quarantined(call: Calls, book: Book) -> None:
    agents.create(book, "old-bot")
    agents.delete(book, "old-bot")
    assert call("POST", "/api/agents/old-bot/quarantine", {})[0] == 409
    assert call("GET", "/api/agents/old-bot")[1]["status"] == "deleted"


def test_a_method_that_is_not_for_a_path_is_told_those_that_are(call: Calls) -> None:
    assert ("allow", "GET, POST, HEAD") in call.raw("PUT", "/api/agents").fields


def test_only_json_is_taken(call: Calls, book: Book) -> None:
    assert call("POST", "/api/stop", b'{"agent": null}', content_type="text/plain")[0] == 415
    assert not book.rows("SELECT 1 FROM overrides")


# Roles


def path_of(route: str) -> str:
    return re.sub(r"\{\w+\}", "abc", route)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_an_auditor_reads_and_writes_nothing_and_others_do_neither(api: Api, book: Book, route) -> None:
    example = EXAMPLES[route.takes] if route.takes else None
    as_auditor = Calls(api, "auditor")(route.method, path_of(route.path), example)[0]
    assert as_auditor in ((200, 404) if route.method == "GET" else (403,))
    assert Calls(api, None)(route.method, path_of(route.path), example)[0] == 403
    stranger = refusal(401, "a bearer token is needed", (("www-authenticate", "Bearer"),))
    answer = Calls(api, refused=stranger).raw(route.method, path_of(route.path), example)
    assert (answer.status, answer.content_type) == (401, "application/problem+json")
    assert ("www-authenticate", "Bearer") in answer.fields
    assert not book.rows("SELECT 1 FROM events")


def test_without_any_token_with_a_role_there_is_no_api(path: str) -> None:
    api = Api(path, lambda text: None, on=False, others={})
    assert Calls(api, None)("GET", "/api/agents")[0] == 404
    assert Calls(api, None)("POST", "/api/stop", {"agent": None})[0] == 404
    api.close()


# Description


def test_the_description_says_what_the_table_does(call: Calls) -> None:
    status, said = call("GET", "/api/openapi.json")
    assert status == 200
    assert said == json.loads(json.dumps(described(ROUTES)))
    assert said["openapi"] == "3.1.0"
    named = {(method.upper(), path) for path, methods in said["paths"].items() for method in methods}
    assert named == {(route.method, route.path) for route in ROUTES}
    operations = [operation for methods in said["paths"].values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)


@pytest.mark.parametrize("route", [route for route in ROUTES if route.takes], ids=lambda route: route.path)
def test_every_documented_example_is_taken(call: Calls, book: Book, route) -> None:
    agents.create(book, "abc")
    status, answer = call(route.method, path_of(route.path), EXAMPLES[route.takes])
    expected = {route.status, *(refused for refused in route.refuses if refused in (404, 409))}
    assert status in expected, answer


def test_the_documentation_has_the_table_of_routes() -> None:
    text = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
    rows = [f"| {route.method} | `{route.path}` | {route.does} | {route.role} |" for route in ROUTES]
    assert "\n".join(rows) in text


@pytest.mark.parametrize(
    ("window", "amount", "good"),
    [("hour", 2, True), ("hour", 2.0, True), ("hour", 1.9, False), ("month", 1.9, True), ("minute", -1, False)],
)
def test_the_description_says_that_there_are_no_parts_of_calls(
    call: Calls, window: str, amount: float, good: bool
) -> None:
    body = {"agent": "cursor", "window": window, "amount": amount}
    schema = described(ROUTES)["components"]["schemas"]["NewBudget"]
    assert Draft202012Validator(schema).is_valid(body) is good
    assert (call("PUT", "/api/budgets", body)[0] == 200) is good


ENDS = [
    ({}, True),
    ({"scope": "session"}, True),
    ({"scope": "once", "expires_at": None}, True),
    ({"scope": "grant", "expires_at": "2099-01-31T00:00:00Z"}, True),
    ({"expires_at": "2099-01-31T00:00:00Z"}, False),
    ({"scope": "session", "expires_at": "2099-01-31T00:00:00Z"}, False),
    ({"scope": "grant"}, False),
    ({"scope": "grant", "expires_at": None}, False),
]


@pytest.mark.parametrize(("body", "good"), ENDS)
def test_the_description_says_which_approvals_have_an_end(
    call: Calls, waiting: str, body: dict[str, object], good: bool
) -> None:
    schema = described(ROUTES)["components"]["schemas"]["Approve"]
    assert Draft202012Validator(schema).is_valid(body) is good
    assert (call("POST", f"/api/approvals/{waiting}/approve", body)[0] == 200) is good


AHEAD = [
    ({"effect": "allow"}, True),
    ({"effect": "deny", "expires_at": FOREVER}, True),
    ({"effect": "approve", "expires_at": FOREVER}, True),
    ({"effect": "approve"}, False),
    ({"effect": "approve", "expires_at": None}, False),
]


@pytest.mark.parametrize(("body", "good"), AHEAD)
def test_nothing_is_approved_ahead_without_an_end(call: Calls, body: dict[str, object], good: bool) -> None:
    asked = {"agent": "cursor", "pattern": "send_*", **body}
    schema = described(ROUTES)["components"]["schemas"]["NewPermission"]
    assert Draft202012Validator(schema).is_valid(asked) is good
    assert (call("POST", "/api/permissions", asked)[0] == 201) is good


@pytest.mark.parametrize("status", ["", "&status=pending"])
def test_calls_that_wait_are_read_page_by_page_with_what_would_run(call: Calls, waiting: str, status: str) -> None:
    (shown,) = call("GET", f"/api/approvals?limit=1{status}")[1]["items"]
    assert (shown["id"], shown["status"], shown["arguments"]) == (waiting, "pending", {"path": "/srv/a"})
    assert call("GET", f"/api/approvals?after={waiting}{status}")[1] == {"items": [], "next": None}


def test_no_tool_is_out_of_reach_behind_one_of_a_long_name(call: Calls, book: Book) -> None:
    names = ["a", "b" * 70_000, "b" * 70_000 + "c", "d"]
    store = Store.open(book.path)
    given = tuple((name[-9:], json.dumps({"name": name}).encode()) for name in names)
    store.learn(ToolsListed(id="c-1", ts=1, type="tools.listed", connection_id="c", server="files", definitions=given))
    store.close()
    seen, after = list[str](), ""
    while after is not None:
        page = call("GET", f"/api/tools?limit=1{after and '&after=' + quote(after)}")[1]
        seen += [tool["tool"] for tool in page["items"]]
        after = page["next"]
    assert sorted(seen) == sorted(names)
