"""What servers ask the client and tell it, and their lives: late, lazy, hung, dead, back again."""

import pytest

from tests.gate.hub.playbook import Playbook, Server, connected, modern
from tests.gate.playbook import META, call, notification, request, result

# What they ask


def test_two_servers_may_ask_under_the_same_id_and_each_gets_its_own_answer() -> None:
    book = connected(["a", "b"])
    numbers = {slug: book.server(slug, request(0, "roots/list", of=slug)).client[0]["id"] for slug in ("a", "b")}
    assert numbers["a"] != numbers["b"]
    assert book.client(result(numbers["b"], roots=[])).servers == [("b", result(0, roots=[]))]
    assert book.client(result(numbers["a"], roots=[])).servers == [("a", result(0, roots=[]))]
    turn = book.client(result(numbers["a"], roots=[]))
    assert (turn.servers, turn.types) == ([], ["message.rejected"])


def test_a_request_passes_with_all_that_is_in_it() -> None:
    book = connected(["a", "b"])
    question = request("q", "elicitation/create", message="?", requestedSchema={"type": "object"}, _meta={"x": 1})
    (asked,) = book.server("a", question).client
    assert {**asked, "id": "q"} == question


def test_a_server_withdraws_its_own_question_and_no_one_elses() -> None:
    book = connected(["a", "b"])
    number = book.server("a", request(5, "sampling/createMessage")).client[0]["id"]
    assert book.server("b", notification("notifications/cancelled", requestId=5)).client == []
    assert book.server("b", notification("notifications/cancelled", requestId=number)).client == []
    assert book.server("a", notification("notifications/cancelled", requestId=5)).client == [
        notification("notifications/cancelled", requestId=number)
    ]


WITHDRAWALS = [
    ("with a boolean, which some languages take for a number", True),
    ("with a number of another type", 1.0),
    ("with a text of the same digits", "1"),
]


@pytest.mark.parametrize("withdrawn", [case[1] for case in WITHDRAWALS], ids=[case[0] for case in WITHDRAWALS])
def test_a_question_stays_open_whatever_else_a_server_withdraws_and_is_not_asked_again(withdrawn: object) -> None:
    book = connected(["a", "b"])
    number = book.server("a", request(1, "roots/list")).client[0]["id"]
    assert book.server("a", notification("notifications/cancelled", requestId=withdrawn)).client == []
    again = book.server("a", request(1, "roots/list"))
    assert (again.client, again.reasons) == ([], ["a request under the id of one that is still open"])
    (taken_back,) = [m for m in book.exited("a").client if m["method"] == "notifications/cancelled"]
    assert taken_back["params"]["requestId"] == number


def test_a_question_under_an_id_of_the_hubs_own_is_taken_back_once_like_any_other() -> None:
    book, ids = listening({"a": Server(), "b": Server()}, toolsListChanged=True)
    asks, withdraws = request(ids["a"], "roots/list"), notification("notifications/cancelled", requestId=ids["a"])
    told = [message for said in (asks, withdraws, asks, withdraws) for message in book.server("a", said).client]
    told += book.exited("a").client
    assert [message["method"] for message in told] == ["roots/list", "notifications/cancelled"]


def test_a_questions_progress_goes_back_under_the_servers_own_token() -> None:
    book = connected(["a", "b"])
    tokens = {}
    for slug in ("a", "b"):
        (asked,) = book.server(slug, request(1, "sampling/createMessage", _meta={"progressToken": "t"})).client
        tokens[slug] = asked["params"]["_meta"]["progressToken"]
    turn = book.client(notification("notifications/progress", progressToken=tokens["b"], progress=3))
    assert turn.servers == [("b", notification("notifications/progress", progressToken="t", progress=3))]
    assert book.client(notification("notifications/progress", progressToken="t", progress=3)).servers == []


def test_a_server_only_learns_of_tasks_that_the_client_made_for_it() -> None:
    book = connected(["a", "b"])
    (asked,) = book.server("a", request(1, "sampling/createMessage", task={})).client
    book.client(result(asked["id"], task={"taskId": "T"}))
    assert book.server("b", request(2, "tasks/result", taskId="T")).to("b")[0]["error"]["code"] == -32602
    assert book.server("b", request(3, "tasks/list")).to("b")[0]["error"]["code"] == -32601
    assert book.server("a", request(2, "tasks/result", taskId="T")).client[0]["method"] == "tasks/result"


def test_log_messages_and_unknown_notifications_pass() -> None:
    book = connected(["a", "b"])
    for message in (
        notification("notifications/message", level="info", data={"x": [1]}, logger="L"),
        notification("notifications/future/thing", anything=None),
    ):
        assert book.server("b", message).client == [message]


def test_questions_of_a_server_that_ended_are_taken_back() -> None:
    book = connected(["a", "b"])
    number = book.server("a", request(0, "roots/list")).client[0]["id"]
    (notice, *_) = book.exited("a").client
    assert (notice["method"], notice["params"]["requestId"]) == ("notifications/cancelled", number)
    turn = book.client(result(number, roots=[]))
    assert (turn.servers, turn.types) == ([], ["message.rejected"])


# Their lives


def test_a_server_that_ends_answers_what_it_owed_and_touches_nothing_else() -> None:
    book = connected({"a": Server(tools=["t"]), "b": Server(tools=["t"])})
    book.client(call(1, "a__t"))
    book.client(call(2, "b__t"))
    turn = book.exited("a")
    assert turn.answer(1)["error"]["message"] == "the MCP server `a` behind mcp-guard exited with status 3"
    assert turn.types == ["upstream.exited", "agent.disconnected"]
    assert book.server("b", result(2, content=[])).answer(2)


REASONS = [("", "the upstream is gone"), ("the client ended its session", "the client ended its session")]


@pytest.mark.parametrize(("left", "why"), REASONS, ids=["by itself", "because the client left"])
def test_a_server_that_ends_disconnects_the_agent_for_the_reason_that_it_ends_for(left: str, why: str) -> None:
    book = connected(["a", "b"])
    book.hub.client_leaves(left)
    assert [event.data["why"] for event in book.exited("a").events if event.type == "agent.disconnected"] == [why]


def test_tools_of_a_server_that_ended_are_not_listed_and_the_client_hears_of_it() -> None:
    book = connected({"a": Server(tools=["t"]), "b": Server(tools=["t"])})
    book.client(request(1, "tools/list"))
    assert [message["method"] for message in book.exited("a").client] == ["notifications/tools/list_changed"]
    found = book.client(request(2, "tools/list")).answer(2)["result"]["tools"]
    assert [entry["name"] for entry in found] == ["b__t"]
    assert [message["method"] for message in book.started("a").client] == ["notifications/tools/list_changed"]
    found = book.client(request(3, "tools/list")).answer(3)["result"]["tools"]
    assert [entry["name"] for entry in found] == ["a__t", "b__t"]


def test_a_server_that_is_back_is_greeted_again_and_gets_what_waited() -> None:
    book = connected({"a": Server(tools=["t"]), "b": Server()})
    book.exited("a")
    assert book.client(call(1, "a__t")).servers == []
    methods = [message["method"] for message in book.started("a").to("a")]
    assert methods == ["initialize", "notifications/initialized", "tools/list", "tools/call"]
    assert book.lives == 3


def test_a_server_that_does_not_come_back_is_named_in_an_error() -> None:
    book = connected(["a", "b"])
    book.exited("a", "was killed by SIGKILL")
    book.client(call(1, "a__t"))
    turn = book.wait(5)
    assert turn.answer(1)["error"]["message"] == "the MCP server `a` behind mcp-guard was killed by SIGKILL"
    assert "error" in book.client(call(2, "a__t")).answer(2)


def test_nobody_waits_for_a_server_that_could_not_even_be_started() -> None:
    book = Playbook(["a", "b"])
    book.exited("a", "could not be started: no such file")
    book.client(request(0, "initialize", protocolVersion="2025-11-25", clientInfo={}, capabilities={}))
    text = book.client(call(1, "a__t")).answer(1)["error"]["message"]
    assert text == "the MCP server `a` behind mcp-guard could not be started: no such file"


def test_what_waits_for_a_server_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr("mcp_guard.gate.hub.arm.MAX_QUEUED", 2)
    book = connected(["a", "b"])
    book.exited("a")
    for number in (1, 2):
        assert book.client(call(number, "a__t")).client == []
    assert "too much waits" in book.client(call(3, "a__t")).answer(3)["error"]["message"]


def test_a_lazy_server_is_left_alone_until_a_list_or_a_call_needs_it() -> None:
    book = connected({"a": Server(tools=["t"]), "lazy": Server(tools=["u"])}, lazy=["lazy"])
    assert book.hello["result"]["capabilities"].keys() >= {"tools", "prompts", "resources"}
    assert book.client(call(1, "a__t")).to("lazy") == []
    turn = book.client(request(2, "tools/list"))
    assert turn.to("lazy")[0]["method"] == "initialize"
    assert [entry["name"] for entry in turn.answer(2)["result"]["tools"]] == ["a__t", "lazy__u"]
    assert [message for message in turn.client if "method" in message] == []
    book = connected({"a": Server(), "lazy": Server(tools=["u"])}, lazy=["lazy"])
    assert book.client(call(1, "lazy__u")).to("lazy")[-1] == call(1, "u")


def test_a_lazy_server_is_greeted_once_though_it_reports_its_start() -> None:
    book = connected({"a": Server(), "lazy": Server(silent=True)}, lazy=["lazy"])
    turn = book.client(call(1, "lazy__t"))
    turn += book.started("lazy")
    assert [message["method"] for message in turn.to("lazy")] == ["initialize"]


def test_subscriptions_are_renewed_at_a_server_that_is_back() -> None:
    book = connected({"a": Server(resources=["r://1"]), "b": Server()})
    book.client(request(1, "resources/subscribe", uri="r://1"))
    book.server("a", result(1))
    book.exited("a")
    again = [message for message in book.started("a").to("a") if message["method"] == "resources/subscribe"]
    assert [message["params"] for message in again] == [{"uri": "r://1"}]


def test_a_flood_of_garbage_from_one_server_reaches_nobody() -> None:
    book = connected(["a", "b"])
    for line in (b"", b"{", b"[]", b"7", b'{"id":1}', b'{"jsonrpc":"2.0","id":1,"result":{}}', b"\xff" * 1_000):
        turn = book.server("a", line)
        assert (turn.client, [slug for slug, _ in turn.servers]) == ([], [])
    assert book.client(call(1, "b__t")).client or book.hub.holding


def test_a_server_that_floods_lists_keeps_to_itself(monkeypatch) -> None:
    monkeypatch.setattr("mcp_guard.gate.hub.lists.MAX_ENTRIES", 3)
    book = connected({"a": Server(tools=[f"t{number}" for number in range(10)]), "b": Server(tools=["u"])})
    turn = book.client(request(1, "tools/list"))
    assert [entry["name"] for entry in turn.answer(1)["result"]["tools"]] == ["a__t0", "a__t1", "a__t2", "b__u"]
    assert turn.reasons == ["tools/list: the list is too long, its end is left out"]


# Modern subscriptions

TAG = "io.modelcontextprotocol/subscriptionId"


def listening(servers: dict[str, Server], **wanted: object) -> tuple[Playbook, dict[str, str]]:
    """A modern playbook with one open subscription, and the id that it has at each server."""
    book = modern(servers)
    turn = book.client(request("L", "subscriptions/listen", notifications=wanted, _meta=META))
    ids = {slug: message["id"] for slug, message in turn.servers if message["method"] == "subscriptions/listen"}
    return book, ids


def acknowledge(book: Playbook, slug: str, request_id: str, **agreed: object) -> list[dict]:
    params = {"_meta": {TAG: request_id}, "notifications": agreed}
    return book.server(slug, notification("notifications/subscriptions/acknowledged", **params)).client


def test_a_subscription_is_acknowledged_when_every_server_has_done_so() -> None:
    servers = {"a": Server(resources=["r://a"]), "b": Server(resources=["r://b"])}
    book, ids = listening(servers, toolsListChanged=True, resourceSubscriptions=["r://a", "r://b", "r://none"])
    assert acknowledge(book, "a", ids["a"], resourceSubscriptions=["r://a", "r://b"]) == []
    (said,) = acknowledge(book, "b", ids["b"], resourceSubscriptions=["r://b"])
    assert said["params"] == {
        "_meta": {TAG: "L"},
        "notifications": {"toolsListChanged": True, "resourceSubscriptions": ["r://a", "r://b"]},
    }


def test_each_server_is_only_asked_for_its_own_resources() -> None:
    book = modern({"a": Server(resources=["r://a"]), "b": Server(resources=["r://b"])})
    wanted = {"resourceSubscriptions": ["r://a", "r://b"], "future": 1}
    turn = book.client(request("L", "subscriptions/listen", notifications=wanted, _meta=META))
    parts = {slug: m["params"]["notifications"] for slug, m in turn.servers if m["method"] == "subscriptions/listen"}
    assert parts == {
        "a": {"resourceSubscriptions": ["r://a"], "future": 1},
        "b": {"resourceSubscriptions": ["r://b"], "future": 1},
    }


def test_notices_come_after_the_acknowledgment_under_the_clients_own_id() -> None:
    book, ids = listening({"a": Server(resources=["r://a"]), "b": Server()}, resourceSubscriptions=["r://a"])
    news = notification("notifications/resources/updated", uri="r://a", _meta={TAG: ids["a"]})
    assert book.server("a", news).client == []
    acknowledge(book, "a", ids["a"], resourceSubscriptions=["r://a"])
    first, second = acknowledge(book, "b", ids["b"])
    assert first["method"] == "notifications/subscriptions/acknowledged"
    assert second == notification("notifications/resources/updated", uri="r://a", _meta={TAG: "L"})
    assert book.server("b", news).client == []  # not its subscription
    assert book.server("a", notification("notifications/resources/updated", uri="r://a")).client == []  # nobodys


def test_a_server_tells_of_no_resource_that_is_watched_at_another_though_nobody_lists_it() -> None:
    servers = {"a": Server(resources=["r://a"]), "b": Server(templates=["b://{x}"])}
    book, ids = listening(servers, resourceSubscriptions=["r://a", "b://1"])
    acknowledge(book, "a", ids["a"], resourceSubscriptions=["r://a"])
    acknowledge(book, "b", ids["b"], resourceSubscriptions=["b://1"])
    told = [
        book.server(slug, notification("notifications/resources/updated", uri="b://1", _meta={TAG: ids[slug]})).client
        for slug in ("a", "b")
    ]
    assert told == [[], [notification("notifications/resources/updated", uri="b://1", _meta={TAG: "L"})]]


def test_a_subscription_names_so_many_resources_and_no_more(monkeypatch) -> None:
    monkeypatch.setattr("mcp_guard.gate.hub.listen.MAX_RESOURCES", 2)
    book = modern(["a", "b"])
    for count, code in ((2, None), (3, -32602)):
        wanted = {"resourceSubscriptions": [f"r://{number}" for number in range(count)]}
        turn = book.client(request(count, "subscriptions/listen", notifications=wanted, _meta=META))
        assert [message["error"]["code"] for message in turn.client] == ([code] if code else [])


def test_what_all_subscriptions_name_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr("mcp_guard.gate.hub.listen.MAX_BYTES", 2_500)
    book = modern(["a", "b"])
    wanted = {"resourceSubscriptions": ["r://" + "x" * 900]}
    turns = [book.client(request(id, "subscriptions/listen", notifications=wanted, _meta=META)) for id in (1, 2, 3)]
    assert [[message["id"] for message in turn.client if "error" in message] for turn in turns] == [[], [], [3]]


def test_what_waits_for_lists_is_bounded_by_its_bytes_too(monkeypatch) -> None:
    monkeypatch.setattr("mcp_guard.gate.hub.lists.MAX_HELD_BYTES", 1_000)
    book = connected({"a": Server(tools=["t"]), "hung": Server(tools=["u"])})
    book.servers["hung"].silent = True
    turns = [book.client(request(id, "tools/list", _meta={"note": "x" * 600})) for id in (1, 2, 3)]
    assert [[message["id"] for message in turn.client if "error" in message] for turn in turns] == [[], [], [3]]


def test_a_hung_server_does_not_keep_a_subscription_from_being_acknowledged() -> None:
    book, ids = listening({"a": Server(), "hung": Server()}, toolsListChanged=True)
    acknowledge(book, "a", ids["a"], toolsListChanged=True)
    (said,) = book.wait(5).client
    assert said["params"]["notifications"] == {"toolsListChanged": True}


def test_a_server_that_comes_or_goes_is_told_to_subscribers_and_subscribed_at() -> None:
    book, ids = listening({"a": Server(tools=["t"]), "b": Server()}, toolsListChanged=True)
    for slug, own in ids.items():
        acknowledge(book, slug, own, toolsListChanged=True)
    book.client(request(1, "tools/list", _meta=META))
    change = notification("notifications/tools/list_changed", _meta={TAG: "L"})
    assert book.exited("a").client == [change]
    turn = book.started("a")
    assert turn.client == [change]
    assert turn.to("a")[0]["method"] == "server/discover"
    assert "subscriptions/listen" in [message["method"] for message in turn.to("a")]


def test_a_cancelled_subscription_ends_everywhere_and_nothing_comes_of_it_any_more() -> None:
    book, ids = listening({"a": Server(), "b": Server()}, toolsListChanged=True)
    turn = book.client(notification("notifications/cancelled", requestId="L"))
    assert {slug: message["params"]["requestId"] for slug, message in turn.servers} == ids
    late = notification("notifications/tools/list_changed", _meta={TAG: ids["a"]})
    assert book.server("a", late).client == []


def test_a_server_that_ends_its_part_leaves_the_others() -> None:
    book, ids = listening({"a": Server(), "b": Server()}, toolsListChanged=True)
    book.server("a", result(ids["a"], resultType="complete"))
    (said,) = acknowledge(book, "b", ids["b"], toolsListChanged=True)
    assert said["params"]["notifications"] == {"toolsListChanged": True}
    change = notification("notifications/tools/list_changed", _meta={TAG: ids["b"]})
    assert book.server("b", change).client == [notification("notifications/tools/list_changed", _meta={TAG: "L"})]
    assert book.hub.asked_under("b", ids["b"]) == "L"
    assert book.hub.asked_under("b", 7) == 7


def test_a_new_policy_is_told_once_to_each_subscription() -> None:
    book, ids = listening({"a": Server(tools=["t"]), "b": Server(tools=["t"])}, toolsListChanged=True)
    for slug, own in ids.items():
        acknowledge(book, slug, own, toolsListChanged=True)
    turn = book.policy("version: 1\nrules:\n  - {name: Others, effect: allow, tools: u}\n")
    changes = [message for message in turn.client if message["method"] == "notifications/tools/list_changed"]
    assert changes == [notification("notifications/tools/list_changed", _meta={TAG: "L"})]


def test_a_question_inside_a_result_and_its_retry_pass_and_are_judged_again() -> None:
    book = modern({"a": Server(tools=["t"]), "b": Server()})
    book.client(call(1, "a__t", META))
    asks = result(1, resultType="input_required", inputRequests={"q": {"method": "roots/list"}}, requestState="s")
    assert book.server("a", asks).client == [asks]
    again = call(2, "a__t", META)
    again["params"] |= {"requestState": "s", "inputResponses": {"q": {"roots": []}}}
    turn = book.client(again)
    assert turn.to("a")[0]["params"]["requestState"] == "s"
    assert turn.types == ["tool.decided"]
