"""A server that hangs costs the client one wait: in the handshake, in the lists, in all of them together."""

import pytest

from mcp_guard.gate.hub import Tardy
from tests.gate.hub.playbook import CLIENT, Playbook, Server, Turn, asked_ahead, connected
from tests.gate.playbook import ALLOW_ALL, META, call, notification, request, result, tool

HELLO = request(0, "initialize", protocolVersion="2025-11-25", clientInfo=CLIENT, capabilities={})
LISTS = ["tools/list", "prompts/list", "resources/list", "resources/templates/list"]
UNLISTED = ALLOW_ALL + "settings: {unlisted_tools: policy}\n"
FINE = Server(tools=["t"])
POSSIBLE = {"tools", "prompts", "resources", "logging", "completions"}


def names(turn: Turn, request_id: object) -> list[str]:
    return [entry["name"] for entry in turn.answer(request_id)["result"]["tools"]]


def notices(turn: Turn) -> list[str]:
    return [message["method"] for message in turn.client if "method" in message]


def beside(other: Server, **more: object) -> Playbook:
    """A hub with a server that is fine and another one, before the client has said anything."""
    return Playbook({"fine": FINE, "other": other}, **more)


def test_a_server_that_hangs_from_its_start_costs_one_wait_for_the_handshake_and_every_list() -> None:
    book = beside(Server(silent=True))
    assert book.client(HELLO).client == []
    assert book.wait(4.9).client == []
    assert "result" in book.wait(0.1).answer(0)
    book.client(notification("notifications/initialized"))
    for number, method in enumerate(LISTS, 1):
        assert "result" in book.client(request(number, method)).answer(number), method
    assert names(book.client(request(9, "tools/list")), 9) == ["fine__t"]


def test_what_a_server_may_have_that_hangs_is_declared_so_that_it_can_come_later() -> None:
    book = Playbook({"fine": Server(capabilities={"tools": {}}), "hung": Server(silent=True)})
    book.client(HELLO)
    declared = book.wait(5).answer(0)["result"]["capabilities"]
    assert set(declared) == POSSIBLE
    assert {name for name, one in declared.items() if one.get("listChanged")} == {"tools", "prompts", "resources"}


def test_a_server_that_comes_late_is_announced_with_all_it_has_and_then_shown() -> None:
    late = Server(silent=True, tools=["u"], prompts=["p"])
    book = beside(late)
    hello = book.client(HELLO).to("other")[0]
    book.wait(5)
    book.client(notification("notifications/initialized"))
    for number, method in enumerate(LISTS, 1):
        book.client(request(number, method))
    late.silent = False
    turn = book.server("other", late.answer(hello))
    assert [message["method"] for message in turn.to("other")[:1]] == ["notifications/initialized"]
    assert set(notices(turn)) == {f"notifications/{name}/list_changed" for name in ("tools", "prompts", "resources")}
    assert names(book.client(request(8, "tools/list")), 8) == ["fine__t", "other__u"]
    assert book.client(call(9, "other__u")).to("other") == [call(9, "u")]


def test_a_server_that_is_slow_to_start_is_in_the_first_list_if_both_come_within_the_wait() -> None:
    slow = Server(silent=True, tools=["u"])
    book = beside(slow)
    hello = book.client(HELLO).to("other")[0]
    book.wait(4)
    slow.silent = False
    assert "result" in book.server("other", slow.answer(hello)).answer(0)
    book.client(notification("notifications/initialized"))
    turn = book.client(request(1, "tools/list"))
    assert (names(turn, 1), notices(turn)) == (["fine__t", "other__u"], [])


def test_the_first_list_and_the_handshake_are_in_one_wait() -> None:
    other = Server(silent=True)
    book = beside(other)
    hello = book.client(HELLO).to("other")[0]
    book.wait(4)
    other.silent, other.mute = False, ("tools/list",)
    assert "result" in book.server("other", other.answer(hello)).answer(0)
    book.client(notification("notifications/initialized"))
    assert book.client(request(1, "tools/list")).client == []
    assert names(book.wait(1), 1) == ["fine__t"]


def test_a_list_that_hangs_costs_one_wait_though_calls_of_that_server_are_answered() -> None:
    book = connected({"fine": FINE, "other": Server(mute=("tools/list",))}, UNLISTED)
    assert book.client(request(1, "tools/list")).client == []
    assert names(book.wait(5), 1) == ["fine__t"]
    book.client(call(2, "other__u"))
    book.server("other", result(2, content=[]))
    assert names(book.client(request(3, "tools/list")), 3) == ["fine__t"]


def test_a_server_that_has_answered_all_it_owed_is_waited_for_again() -> None:
    other = Server(mute=("tools/list",), tools=["u"])
    book = connected({"fine": FINE, "other": other})
    asked = dict(asked_ahead(book.client(request(1, "tools/list"))))["other"]
    book.wait(5)
    assert notices(book.server("other", result(asked["id"], tools=[tool("u")]))) == ["notifications/tools/list_changed"]
    assert book.client(request(2, "tools/list")).client == []
    assert names(book.wait(5), 2) == ["fine__t", "other__u"]


def test_lists_that_are_asked_for_without_end_make_no_server_late() -> None:
    book = connected({"fine": FINE, "other": Server(mute=("tools/list",))})
    turn = book.client(request(1, "tools/list"))
    for number in range(2, 12):
        asked = dict(asked_ahead(turn))["other"]
        book.client(request(number, "tools/list"))
        book.wait(2)
        turn = book.server("other", result(asked["id"], tools=[tool("u")]))
        assert names(turn, number - 1) == ["fine__t", "other__u"]


# What is known of a server beyond one client and one life


def test_a_second_client_does_not_wait_for_what_the_first_has_waited_for_in_vain() -> None:
    tardy = Tardy()
    first = beside(Server(silent=True), tardy=tardy)
    first.client(HELLO)
    assert "result" in first.wait(5).answer(0)
    second = beside(Server(silent=True), tardy=tardy)
    assert set(second.client(HELLO).answer(0)["result"]["capabilities"]) == POSSIBLE
    second.client(notification("notifications/initialized"))
    assert names(second.client(request(1, "tools/list")), 1) == ["fine__t"]


def test_nor_for_the_list_of_a_server_of_which_only_that_hangs() -> None:
    tardy = Tardy()
    servers = {"fine": FINE, "other": Server(mute=("tools/list",))}
    first = Playbook(servers, tardy=tardy)
    first.client(HELLO)
    first.client(notification("notifications/initialized"))
    first.client(request(1, "tools/list"))
    assert names(first.wait(5), 1) == ["fine__t"]
    second = Playbook(servers, tardy=tardy)
    assert "result" in second.client(HELLO).answer(0)
    second.client(notification("notifications/initialized"))
    assert names(second.client(request(1, "tools/list")), 1) == ["fine__t"]


def test_a_server_that_has_come_to_any_client_is_waited_for_by_the_next() -> None:
    tardy = Tardy()
    first = beside(Server(silent=True), tardy=tardy)
    hello = first.client(HELLO).to("other")[0]
    first.wait(5)
    first.server("other", Server(capabilities={}).answer(hello))
    third = beside(Server(silent=True), tardy=tardy)
    assert third.client(HELLO).client == []
    assert "result" in third.wait(5).answer(0)


def test_a_server_that_hung_is_not_waited_for_in_its_next_life() -> None:
    book = beside(Server(silent=True))
    book.client(HELLO)
    book.wait(5)
    book.client(notification("notifications/initialized"))
    book.exited("other")
    book.started("other")
    assert names(book.client(request(1, "tools/list")), 1) == ["fine__t"]


# The other ways to begin


@pytest.mark.parametrize("again", ["server/discover", *LISTS])
def test_a_modern_client_waits_once_whatever_it_asks_then(again: str) -> None:
    book = beside(Server(silent=True))
    assert book.client(request("d", "server/discover", _meta=META)).client == []
    found = book.wait(5).answer("d")["result"]
    assert (set(found["capabilities"]), found["ttlMs"]) == (POSSIBLE, 0)
    assert "result" in book.client(request(1, again, _meta=META)).answer(1)


def test_a_lazy_server_that_hangs_costs_one_wait_from_when_it_is_first_needed() -> None:
    book = connected({"fine": FINE, "lazy": Server(silent=True)}, lazy=["lazy"])
    assert book.client(request(1, "prompts/list")).client == []
    assert "result" in book.wait(5).answer(1)
    assert names(book.client(request(2, "tools/list")), 2) == ["fine__t"]


# Calls


def test_calls_of_the_others_never_wait() -> None:
    book = beside(Server(silent=True))
    book.client(HELLO)
    book.wait(5)
    book.client(notification("notifications/initialized"))
    assert book.client(call(1, "fine__t")).to("fine") == [call(1, "t")]


def test_a_call_of_a_server_that_hangs_waits_for_half_a_minute_of_its_start_and_later_ones_not_at_all() -> None:
    book = beside(Server(silent=True))
    book.client(HELLO)
    book.wait(5)
    book.client(notification("notifications/initialized"))
    assert book.client(call(1, "other__t")).client == []
    assert book.hub.holding
    text = book.wait(25).answer(1)["error"]["message"]
    assert text == "the MCP server `other` behind mcp-guard did not get ready in time"
    assert not book.hub.holding
    assert book.client(call(2, "other__t")).answer(2)["error"]["message"] == text
