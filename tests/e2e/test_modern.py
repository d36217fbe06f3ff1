"""A policy in the modern era (2026-07-28), on a server of the Python SDK: no session, everything in every request."""

from collections.abc import Iterator

import pytest

from tests.e2e.guard import ALLOW_ALL, Guard, server
from tests.e2e.test_changes import replace
from tests.e2e.wire import MODERN, Wire, text_of, wire

POLICY = """\
version: 1
rules:
  - {id: no-waiting, name: No waiting, effect: deny, tools: [wait_for_ever]}
  - id: no-gold
    name: No gold
    effect: deny
    tools: [order]
    when: request.args.item == "gold"
    message: Silver will do.
  - {id: the-rest, name: The rest, effect: allow}
"""
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"


@pytest.fixture
def session(guard: Guard) -> Iterator[Wire]:
    guard.policy.write_text(POLICY)
    with wire(guard.command(server("reference"))) as connection:
        connection.revision = MODERN
        yield connection


def test_a_filtered_list_is_one_agents_own_and_soon_stale(session: Wire) -> None:
    discovered = session.open(MODERN)["result"]
    assert discovered["capabilities"]["tools"]["listChanged"] is True
    listed = session.request("tools/list")["result"]
    assert "wait_for_ever" not in {tool["name"] for tool in listed["tools"]}
    assert (listed["resultType"], listed["cacheScope"], listed["ttlMs"] <= 30_000) == ("complete", "private", True)


def test_the_first_request_may_be_a_call(session: Wire, guard: Guard) -> None:
    assert text_of(session.call("echo", {"text": "no word before"})) == "no word before"
    session.finish()
    [connected] = guard.events("agent.connected")
    assert (connected["agent"], connected["data"]["protocol"]) == ("wire", MODERN)


def test_a_denial_is_a_complete_result_that_says_why(session: Wire, guard: Guard) -> None:
    denied = session.call("order", {"item": "gold"})["result"]
    assert (denied["resultType"], denied["isError"]) == ("complete", True)
    assert "Silver will do." in denied["content"][0]["text"]
    [row] = guard.events("tool.decided")
    assert (row["id"], row["rule"]) == (denied["_meta"]["dev.mcp-guard/decision"], "no-gold")

    hidden = session.call("wait_for_ever")["error"]
    assert hidden == {"code": -32602, "message": "Unknown tool: wait_for_ever"}


def test_the_retry_of_a_call_that_asked_back_is_judged_on_its_own_arguments(session: Wire, guard: Guard) -> None:
    asked = session.call("order", {"item": "silver"})["result"]
    assert asked["resultType"] == "input_required"
    answers = {key: session.answers[question["method"]] for key, question in asked["inputRequests"].items()}
    more = {"inputResponses": answers, "requestState": asked["requestState"]}

    swapped = session.call("order", {"item": "gold"}, **more)["result"]
    assert "Silver will do." in swapped["content"][0]["text"]
    assert text_of(session.call("order", {"item": "silver"}, **more)) == "silver in 42"
    assert [row["decision"] for row in guard.events("tool.decided")] == ["allow", "deny", "allow"]


def test_a_subscription_hears_of_a_new_policy(session: Wire, guard: Guard) -> None:
    session.request("tools/list")
    subscription = session.ask("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
    acknowledged = session.receive()
    assert acknowledged["params"]["notifications"] == {"toolsListChanged": True}

    replace(guard.policy, ALLOW_ALL)
    told = session.until(lambda message: message.get("method") == "notifications/tools/list_changed")
    assert told["params"]["_meta"][SUBSCRIPTION] == subscription
    listed = session.request("tools/list")["result"]["tools"]
    assert "wait_for_ever" in {tool["name"] for tool in listed}
