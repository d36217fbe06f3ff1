"""What becomes of a call: it runs, it is denied with reasons, or its tool is not there."""

import pytest

from mcp_guard.gate import Refusal, calls
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

UNLISTED_BY_POLICY = ALLOW_ALL + "settings: {unlisted_tools: policy}\n"


def test_an_allowed_call_goes_upstream_as_it_came_and_its_row_comes_first():
    book = connected(FILES_POLICY)
    message = call(7, "write_file", path="/tmp/a", text="hello")
    turn = book.client(message)
    assert turn.upstream == [message]
    assert turn.client == []
    (event,) = turn.events
    assert (event.type, event.decision, event.decided_by, event.rule) == ("tool.decided", "allow", "policy", "sandbox")
    assert (event.agent, event.user, event.server, event.tool) == ("claude-code", "kim", "files", "write_file")
    assert event.data["forwarded"] is True


def test_the_answer_of_an_allowed_call_comes_back_untouched_and_is_recorded():
    book = connected(FILES_POLICY)
    decided = book.client(call(7, "read_file", path="x")).events[0]
    answer = result(7, content=[{"type": "text", "text": "ok"}], isError=True, future={"field": [1, 2.5]})
    turn = book.upstream(answer)
    assert turn.client == [answer]
    assert turn.types == ["tool.completed"]
    data = turn.events[0].data
    assert (data["decision"], data["is_error"], data["duration_us"]) == (decided.id, True, 1_000)


def test_a_call_denied_by_its_arguments_gets_a_result_that_a_model_can_act_on():
    turn = connected(FILES_POLICY).client(call(7, "write_file", path="/etc/passwd"))
    assert turn.upstream == []
    (answer,) = turn.client
    assert answer["id"] == 7
    assert answer["result"]["isError"] is True
    assert answer["result"]["_meta"] == {"dev.mcp-guard/decision": turn.events[0].id}
    assert "resultType" not in answer["result"]
    text = answer["result"]["content"][0]["text"]
    assert "write_file" in text
    assert "denied" in text
    assert "/etc/passwd" not in text
    assert (turn.events[0].decision, turn.events[0].decided_by) == ("deny", "default")


def test_a_denial_in_the_modern_era_carries_a_result_type():
    turn = modern(FILES_POLICY).client(call(7, "write_file", META, path="/etc/passwd"))
    assert turn.client[0]["result"]["resultType"] == "complete"


def test_a_rule_that_requires_approval_denies_and_says_that_a_person_is_needed():
    turn = connected(FILES_POLICY).client(call(7, "send_mail", to="a@b.example"))
    assert turn.upstream == []
    assert "approval" in turn.client[0]["result"]["content"][0]["text"]
    assert turn.events[0].decision == "require_approval"


@pytest.mark.parametrize("name", ["delete_file", "no_such_tool"], ids=["hidden", "never listed"])
def test_a_hidden_tool_and_one_that_does_not_exist_look_the_same(name):
    turn = connected(FILES_POLICY).client(call(7, name))
    assert turn.upstream == []
    assert turn.client == [{"jsonrpc": "2.0", "id": 7, "error": {"code": -32602, "message": f"Unknown tool: {name}"}}]
    assert turn.events[0].decision == "deny"


def test_an_unlisted_tool_is_denied_by_the_guard_even_where_every_call_is_allowed():
    turn = connected(ALLOW_ALL).client(call(7, "no_such_tool"))
    assert turn.events[0].decided_by == "guard"
    assert turn.upstream == []


def test_an_unlisted_tool_is_judged_where_the_policy_asks_for_that():
    turn = connected(UNLISTED_BY_POLICY).client(call(7, "no_such_tool"))
    assert turn.upstream == [call(7, "no_such_tool")]
    assert turn.events[0].data["unlisted"] is True
    assert "unlisted" not in connected(UNLISTED_BY_POLICY).client(call(7, "read_file", path="x")).events[0].data


ABSENT = object()


@pytest.mark.parametrize("arguments", [ABSENT, None, {}], ids=["absent", "null", "empty"])
def test_a_call_without_arguments_is_judged_on_an_empty_object_and_passes_as_it_came(arguments):
    params = {"name": "read_file"} if arguments is ABSENT else {"name": "read_file", "arguments": arguments}
    message = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}
    turn = connected(FILES_POLICY).client(message)
    assert turn.upstream == [message]
    assert turn.events[0].data["request_id"] == 7


def test_what_a_call_carries_besides_its_arguments_passes():
    message = call(7, "read_file", path="x")
    message["params"] |= {"_meta": {"progressToken": 1}, "task": {"ttl": 5}, "inputResponses": {}, "future": [1]}
    message["future"] = {"a": 1}
    assert connected(FILES_POLICY).client(message).upstream == [message]


def test_a_retry_with_input_responses_is_judged_again():
    book = modern(FILES_POLICY)
    message = call(8, "write_file", META, path="/etc/passwd")
    message["params"] |= {"requestState": "s", "inputResponses": {"q": {"action": "accept"}}}
    assert book.client(message).upstream == []


def test_a_call_whose_row_could_not_be_written_is_denied_and_its_answer_is_not_waited_for():
    book = connected(FILES_POLICY)
    admitted = book.client(call(7, "read_file", path="x")).outputs[0]
    denied = book.gate.refuse(admitted, Refusal("the disk is full"))
    turn = book.turn([denied])
    assert turn.client[0]["result"]["isError"] is True
    assert "the disk is full" in turn.client[0]["result"]["content"][0]["text"]
    event = turn.events[0]
    assert (event.id, event.decision, event.decided_by, event.rule) == (admitted.event.id, "deny", "guard", None)
    assert event.data["forwarded"] is False
    assert book.upstream(result(7)).types == ["message.rejected"]


# Calls that come before the upstream's tools are known


def test_a_call_before_the_tools_are_known_waits_for_them_and_is_then_judged():
    book = Playbook(FILES_POLICY)
    book.client(request(0, "initialize", protocolVersion="2025-11-25", clientInfo={"name": "c"}, capabilities={}))
    book.upstream(result(0, protocolVersion="2025-11-25", capabilities={"tools": {}}))
    listing = book.client(notification("notifications/initialized")).upstream[1]
    for message in (call(1, "read_file", path="x"), call(2, "write_file", path="/etc"), call(3, "ghost")):
        turn = book.client(message)
        assert (turn.upstream, turn.client, turn.events) == ([], [], [])
    turn = book.upstream(result(listing["id"], tools=[tool("read_file"), tool("write_file")]))
    assert turn.upstream == [call(1, "read_file", path="x")]
    assert [answer["id"] for answer in turn.client] == [2, 3]
    assert turn.types == ["tools.listed", "agent.connected", *["tool.decided"] * 3]


def test_a_waiting_call_cannot_be_answered_before_it_was_judged():
    book = Playbook(ALLOW_ALL)
    listing = book.client(notification("notifications/initialized")).upstream[1]
    book.client(call(1, "read_file"))
    turn = book.upstream(result(1, content=[]))
    assert (turn.client, turn.types) == ([], ["message.rejected"])
    turn = book.upstream(result(listing["id"], tools=[tool("read_file")]))
    assert turn.upstream == [call(1, "read_file")]
    assert turn.types[-1] == "tool.decided"


def test_only_so_many_bytes_of_calls_wait_until_the_tools_are_known(monkeypatch):
    monkeypatch.setattr(calls, "MAX_HELD", 400)
    book = Playbook(ALLOW_ALL)
    listing = book.client(notification("notifications/initialized")).upstream[1]
    assert book.client(call(1, "read_file", text="x" * 500)).client == []
    turn = book.client(call(2, "read_file"))
    assert (turn.client[0]["id"], turn.types) == (2, ["message.rejected"])
    assert book.upstream(result(listing["id"], tools=[tool("read_file")])).upstream[0]["id"] == 1
    assert book.client(call(2, "read_file")).upstream


def test_a_waiting_call_is_answered_when_the_upstream_does_not_list_in_time():
    book = Playbook(ALLOW_ALL)
    book.client(notification("notifications/initialized"))
    book.client(call(1, "read_file"))
    assert book.wait(29).client == []
    turn = book.wait(2)
    assert turn.client[0]["error"]["message"] == "Unknown tool: read_file"
    assert "message.rejected" in turn.types


def test_a_waiting_call_that_is_cancelled_is_never_judged():
    book = Playbook(ALLOW_ALL)
    listing = book.client(notification("notifications/initialized")).upstream[1]
    book.client(call(1, "read_file"))
    assert book.client(notification("notifications/cancelled", requestId=1)).upstream == []
    turn = book.upstream(result(listing["id"], tools=[tool("read_file")]))
    assert turn.upstream == []
    assert "tool.decided" not in turn.types


def test_after_a_failed_listing_the_next_call_makes_the_guard_list_again():
    book = Playbook(ALLOW_ALL)
    listing = book.client(notification("notifications/initialized")).upstream[1]
    error = {"jsonrpc": "2.0", "id": listing["id"], "error": {"code": -32603, "message": "busy"}}
    book.upstream(error)
    again = book.client(call(1, "read_file")).upstream[0]
    assert again["method"] == "tools/list"
    assert book.upstream(result(again["id"], tools=[tool("read_file")])).upstream == [call(1, "read_file")]


# Observe mode


@pytest.mark.parametrize("name", ["read_file", "write_file", "delete_file", "send_mail", "no_such_tool"])
def test_observe_mode_decides_and_records_and_forwards_everything(name):
    enforced = connected(FILES_POLICY).client(call(7, name, path="/etc")).events[0]
    turn = connected(FILES_POLICY, mode="observe").client(call(7, name, path="/etc"))
    assert turn.upstream == [call(7, name, path="/etc")]
    assert (turn.events[0].decision, turn.events[0].rule) == (enforced.decision, enforced.rule)
    assert (turn.events[0].data["mode"], turn.events[0].data["forwarded"]) == ("observe", True)
