"""What changes while a connection stands: the policy, the upstream's life, the client's."""

import pytest

from tests.gate.playbook import (
    ALLOW_ALL,
    FILES_POLICY,
    META,
    Playbook,
    call,
    connected,
    modern,
    notification,
    request,
    result,
    tool,
)

DENY_ALL = "version: 1\nname: deny-all\nrules: [{id: none, name: Nothing, effect: deny}]\n"
CHANGED = notification("notifications/tools/list_changed")


def test_a_new_policy_takes_effect_on_the_next_call_and_the_client_is_told():
    book = connected(ALLOW_ALL)
    assert book.client(call(1, "read_file")).upstream
    turn = book.policy(DENY_ALL)
    assert turn.client == [CHANGED]
    assert turn.types == ["policy.loaded"]
    denied = book.client(call(2, "read_file"))
    assert denied.upstream == []
    assert denied.events[0].policy_hash == turn.events[0].policy_hash != ""


def test_before_the_handshake_nobody_is_told():
    assert Playbook(ALLOW_ALL).policy(DENY_ALL).client == []


def test_in_observe_mode_nothing_that_the_client_sees_changes():
    assert connected(ALLOW_ALL, mode="observe").policy(DENY_ALL).client == []


def listening(**wanted: object) -> Playbook:
    book = modern(FILES_POLICY)
    book.client(request("sub", "subscriptions/listen", _meta=META, notifications=wanted))
    return book


def test_in_the_modern_era_each_subscription_that_asked_is_told_under_its_id():
    turn = listening(toolsListChanged=True).policy(DENY_ALL)
    meta = {"io.modelcontextprotocol/subscriptionId": "sub"}
    assert turn.client == [notification("notifications/tools/list_changed", _meta=meta)]


@pytest.mark.parametrize("wanted", [{}, {"resourceSubscriptions": []}, {"toolsListChanged": "yes"}], ids=str)
def test_a_subscription_that_did_not_ask_is_not_told(wanted):
    assert listening(**wanted).policy(DENY_ALL).client == []


@pytest.mark.parametrize(
    "ended",
    [
        lambda book: book.client(notification("notifications/cancelled", requestId="sub")),
        lambda book: book.upstream(notification("notifications/cancelled", requestId="sub")),
        lambda book: book.upstream(result("sub", resultType="complete")),
    ],
    ids=["by the client", "by the upstream", "by its result"],
)
def test_a_subscription_that_has_ended_is_not_told(ended):
    book = listening(toolsListChanged=True)
    ended(book)
    assert book.policy(DENY_ALL).client == []


@pytest.mark.parametrize("asked", [True, False])
def test_the_acknowledgment_names_tool_changes_where_the_client_asked_for_them(asked):
    book = listening(toolsListChanged=asked)
    meta = {"io.modelcontextprotocol/subscriptionId": "sub"}
    sent = notification("notifications/subscriptions/acknowledged", _meta=meta, notifications={"x": True})
    (passed,) = book.upstream(sent).client
    assert passed["params"]["notifications"] == ({"x": True, "toolsListChanged": True} if asked else {"x": True})


def test_a_policy_that_was_refused_is_recorded_and_the_old_one_stays():
    book = connected(ALLOW_ALL)
    turn = book.turn(book.gate.policy_rejected(["p.yaml"], ["p.yaml:1:1: error[x]: y"], 5))
    assert turn.types == ["policy.rejected"]
    assert turn.client == []
    assert book.client(call(1, "read_file")).upstream


def test_when_the_upstream_dies_every_open_request_is_told_how():
    book = connected(ALLOW_ALL)
    book.client(call(1, "read_file"))
    book.client(request("two", "tools/list"))
    book.client(request(3, "slow"))
    book.client(notification("notifications/cancelled", requestId=3))
    turn = book.turn(book.gate.upstream_exited("was killed by SIGKILL", 5))
    assert [answer["id"] for answer in turn.client] == [1, "two"]
    assert all("was killed by SIGKILL" in answer["error"]["message"] for answer in turn.client)
    assert turn.types == ["upstream.exited"]


def test_when_the_upstream_dies_waiting_calls_and_batches_are_answered_too():
    book = Playbook(ALLOW_ALL)
    book.client(request(0, "initialize", protocolVersion="2025-03-26", clientInfo={"name": "c"}, capabilities={}))
    book.upstream(result(0, protocolVersion="2025-03-26", capabilities={"tools": {}}))
    book.client(notification("notifications/initialized"))
    book.client([call(1, "read_file"), request(2, "ping")])
    book.client(call(3, "read_file"))
    turn = book.turn(book.gate.upstream_exited("exited with status 3", 5))
    assert [[answer["id"] for answer in turn.client[0]], turn.client[1]["id"]] == [[1, 2], 3]


def test_the_end_of_a_connection_is_recorded_even_where_it_never_stood():
    book = Playbook(ALLOW_ALL)
    book.client(request(0, "initialize", protocolVersion="2025-11-25", clientInfo={"name": "c"}, capabilities={}))
    turn = book.turn(book.gate.client_closed("the client closed its end", 5))
    assert turn.types == ["agent.connected", "agent.disconnected"]


def test_what_ends_before_it_stood_is_recorded_in_order():
    book = Playbook(ALLOW_ALL)
    ended = book.turn(book.gate.upstream_exited("exited with status 3", 5))
    left = book.turn(book.gate.client_closed("the upstream is gone", 6))
    assert ended.types + left.types == ["agent.connected", "upstream.exited", "agent.disconnected"]


def test_a_line_over_the_limit_is_an_error_of_its_sender():
    book = connected(ALLOW_ALL)
    turn = book.turn(book.gate.client_oversized(100, 64, 5))
    assert "limit of 64 bytes" in turn.client[0]["error"]["message"]
    turn = book.turn(book.gate.upstream_oversized(100, 64, 5))
    assert (turn.client, turn.types) == ([], ["message.rejected"])


def test_a_side_that_floods_fills_no_log_and_hides_nothing_of_the_other():
    book = connected(ALLOW_ALL)
    rows = [book.turn(book.gate.upstream_oversized(100, 64, 5)) for _ in range(1_001)]
    assert [turn.types for turn in rows] == [["message.rejected"]] * 1_000 + [[]]
    assert "further messages rejected on this connection are counted" in rows[-2].events[-1].data["reason"]
    assert book.turn(book.gate.client_oversized(100, 64, 5)).types == ["message.rejected"]
    counted = book.turn(book.gate.client_closed("the client closed its end", 6)).events[0]
    assert counted.data == {"from": "upstream", "reason": "1 messages rejected since the last row", "bytes": 100}


def test_a_server_that_lists_other_tools_each_time_does_not_fill_the_guard():
    book = connected(ALLOW_ALL)
    tools = book.gate._session.tools
    for number in range(50):
        (own,) = book.upstream(CHANGED).upstream
        book.upstream(result(own["id"], tools=[tool(f"other_{number}")]))
        book.wait(100)
        assert book.client(call(number, f"other_{number}")).upstream
    assert [entry.name for entry in tools.catalog] == list(tools._visible) == ["other_49"]
