"""A server that is ready before the others: it is told so at once, and the client hears of nothing before its time."""

import pytest

from mcp_guard.gate.hub import early
from tests.gate.hub.playbook import CLIENT, Playbook, Server, Turn, asked_ahead
from tests.gate.playbook import call, notification, request, result, tool

HELLO = request(0, "initialize", protocolVersion="2025-11-25", clientInfo=CLIENT, capabilities={"roots": {}})
INITIALIZED = notification("notifications/initialized")
LOG = notification("notifications/message", level="info", data="hello")
ROOTS = request("r", "roots/list")


class Opening:
    """A quick server, which is ready, and a slow one, which has not answered the handshake."""

    def __init__(self, **quick: object) -> None:
        self.book = Playbook({"quick": Server(**(quick or {"tools": ["x"]})), "slow": Server(silent=True)})
        self.first = self.book.client(HELLO)

    def slow_answers(self, *tools: str) -> Turn:
        """The slow server answers its handshake, and from now on whatever it is asked."""
        slow = self.book.servers["slow"] = Server(tools=list(tools))
        return self.book.server("slow", slow.answer(self.first.to("slow")[0]))


def methods(messages: list[dict]) -> list[str]:
    return [message["method"] for message in messages]


def test_a_server_is_told_that_its_handshake_is_done_and_listed_while_another_ones_is_not() -> None:
    opening = Opening()
    assert opening.first.client == []
    told = methods(opening.first.to("quick"))
    assert told == ["initialize", "notifications/initialized", "tools/list", "tools/list"]
    assert methods(opening.first.to("slow")) == ["initialize"]


def test_the_clients_own_word_that_it_is_ready_goes_to_nobody_a_second_time() -> None:
    opening = Opening()
    assert methods(opening.slow_answers().to("slow"))[0] == "notifications/initialized"
    assert opening.book.client(INITIALIZED).servers == []


def test_the_first_list_is_there_when_the_slowest_server_has_given_its_own() -> None:
    opening = Opening()
    opening.slow_answers("y")
    opening.book.client(INITIALIZED)
    turn = opening.book.client(request(1, "tools/list"))
    assert turn.servers == []
    assert [entry["name"] for entry in turn.answer(1)["result"]["tools"]] == ["quick__x", "slow__y"]


def test_only_the_first_list_is_answered_without_asking() -> None:
    opening = Opening()
    opening.slow_answers()
    opening.book.client(INITIALIZED)
    opening.book.client(request(1, "tools/list"))
    assert {slug for slug, _ in opening.book.client(request(2, "tools/list")).servers} == {"quick", "slow"}


def test_a_list_that_is_being_asked_for_already_is_not_asked_for_again() -> None:
    opening = Opening(mute=("tools/list",))
    ((_, asked),) = asked_ahead(opening.first)
    opening.slow_answers()
    opening.book.client(INITIALIZED)
    assert opening.book.client(request(1, "tools/list")).servers == []
    turn = opening.book.server("quick", result(asked["id"], tools=[tool("x")]))
    assert [entry["name"] for entry in turn.answer(1)["result"]["tools"]] == ["quick__x"]


def test_what_was_listed_long_before_the_client_asks_is_listed_anew() -> None:
    opening = Opening()
    opening.slow_answers()
    opening.book.client(INITIALIZED)
    opening.book.wait(5)
    assert opening.book.client(request(1, "tools/list")).to("quick") != []


@pytest.mark.parametrize("mute", [(), ("tools/list",)], ids=["since", "meanwhile"])
def test_what_has_changed_since_it_was_listed_is_listed_anew(mute: tuple[str, ...]) -> None:
    opening = Opening(tools=["x"], mute=mute)
    opening.book.server("quick", notification("notifications/tools/list_changed"))
    for _, asked in asked_ahead(opening.first):
        if mute:
            opening.book.server("quick", result(asked["id"], tools=[tool("old")]))
    opening.slow_answers()
    opening.book.client(INITIALIZED)
    assert methods(opening.book.client(request(1, "tools/list")).to("quick")) == ["tools/list"]


def test_a_list_of_before_a_new_policy_is_not_shown_under_it() -> None:
    opening = Opening(tools=["read_x", "secret"])
    opening.slow_answers()
    opening.book.client(INITIALIZED)
    opening.book.policy("version: 1\nrules:\n  - {name: Reads, effect: allow, tools: 'read_*'}\n")
    turn = opening.book.client(request(1, "tools/list"))
    assert [entry["name"] for entry in turn.answer(1)["result"]["tools"]] == ["quick__read_x"]


def test_a_server_without_tools_is_not_asked_for_any_ahead() -> None:
    assert methods(Opening(capabilities={"prompts": {}}).first.to("quick")) == [
        "initialize",
        "notifications/initialized",
    ]


# What servers say meanwhile


def test_a_notice_waits_until_the_clients_handshake_is_answered() -> None:
    opening = Opening()
    assert opening.book.server("quick", LOG).client == []
    answer, log = opening.slow_answers().client
    assert (answer["id"], log) == (0, LOG)


def test_a_question_waits_until_the_client_says_that_it_is_ready_and_its_answer_comes_back() -> None:
    opening = Opening()
    assert opening.book.server("quick", ROOTS).client == []
    assert methods([message for message in opening.slow_answers().client if "method" in message]) == []
    (asked,) = opening.book.client(INITIALIZED).client
    assert asked["method"] == "roots/list"
    assert opening.book.client(result(asked["id"], roots=[])).to("quick") == [result("r", roots=[])]


def test_a_ping_does_not_wait() -> None:
    assert methods(Opening().book.server("quick", request("p", "ping")).client) == ["ping"]


def test_the_client_never_hears_of_a_question_that_was_taken_back_before_it_was_ready() -> None:
    opening = Opening()
    opening.book.server("quick", ROOTS)
    opening.book.server("quick", notification("notifications/cancelled", requestId="r"))
    opening.slow_answers()
    assert opening.book.client(INITIALIZED).client == []


def test_the_client_never_hears_of_a_question_whose_server_is_gone() -> None:
    opening = Opening()
    opening.book.server("quick", ROOTS)
    assert opening.book.exited("quick").client == []
    opening.slow_answers()
    assert opening.book.client(INITIALIZED).client == []


def test_a_server_that_says_too_much_too_early_is_cut_off_and_another_one_is_not(monkeypatch) -> None:
    monkeypatch.setattr(early, "MAX_LINES", 2)
    opening = Opening()
    turns = [opening.book.server("quick", LOG) for _ in range(3)]
    assert [turn.reasons for turn in turns] == [[], [], ["too much was said before the client was ready"]]
    (refused,) = opening.book.server("quick", ROOTS).to("quick")
    assert refused["error"]["message"] == "too much waits already for the client to get ready"
    assert [message.get("method") for message in opening.slow_answers().client] == [None, LOG["method"], LOG["method"]]


# What the client says too early


def test_nothing_of_the_clients_reaches_a_server_before_the_client_has_said_that_it_is_ready() -> None:
    opening = Opening()
    assert opening.book.client(call(1, "quick__x")).servers == []
    assert opening.book.client(notification("notifications/roots/list_changed")).servers == []
    assert opening.slow_answers().to("quick") == []
    assert methods(opening.book.client(INITIALIZED).to("quick")) == ["tools/call"]


def test_a_client_that_never_says_that_it_is_ready_is_told_what_is_missing() -> None:
    opening = Opening()
    opening.slow_answers()
    opening.book.client(call(1, "quick__x"))
    assert "notifications/initialized" in opening.book.wait(31).answer(1)["error"]["message"]
