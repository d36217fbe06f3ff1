"""Lists of all servers as one: in the configured order, each name once, all pages of each, never later than need be."""

import json

from mcp_guard.gate.hub import pages
from tests.gate.hub.playbook import Server, connected, modern
from tests.gate.playbook import META, notification, request, result, tool

READS_ONLY = "version: 1\nrules:\n  - {name: Reads, effect: allow, servers: [a], tools: 'read_*'}\n"


def names(answer: dict, member: str = "tools", key: str = "name") -> list[str]:
    return [entry[key] for entry in answer["result"][member]]


def test_tools_come_in_the_configured_order_and_then_in_the_servers_own() -> None:
    book = connected({"z": Server(tools=["b", "a"]), "a": Server(tools=["c"])})
    assert names(book.client(request(1, "tools/list")).answer(1)) == ["z__b", "z__a", "a__c"]


def test_only_the_name_of_a_tool_is_changed() -> None:
    definition = {
        "name": "t",
        "title": "Ünïcode",
        "inputSchema": {"type": "object", "properties": {"n": {"maximum": 123456789012345678901234567890, "x": 1.50}}},
        "annotations": {"readOnlyHint": True},
        "future": [None, {}],
        "_meta": {"k": "v"},
    }
    book = connected({"a": Server(tools=[definition]), "b": Server()})
    assert book.client(request(1, "tools/list")).answer(1)["result"]["tools"] == [{**definition, "name": "a__t"}]


def test_prompts_get_a_prefix_and_resources_do_not() -> None:
    book = connected({"a": Server(prompts=["p"], resources=["r://1"], templates=["r://{x}"]), "b": Server()})
    assert names(book.client(request(1, "prompts/list")).answer(1), "prompts") == ["a__p"]
    assert names(book.client(request(2, "resources/list")).answer(2), "resources", "uri") == ["r://1"]
    found = book.client(request(3, "resources/templates/list")).answer(3)
    assert names(found, "resourceTemplates", "uriTemplate") == ["r://{x}"]


def test_the_policy_sees_each_tool_under_its_own_server_and_name() -> None:
    book = connected({"a": Server(tools=["read_x", "kill_x"]), "b": Server(tools=["read_x"])}, READS_ONLY)
    assert names(book.client(request(1, "tools/list")).answer(1)) == ["a__read_x"]


def test_every_page_of_a_server_is_fetched() -> None:
    book = connected({"a": Server(tools=["x"]), "b": Server(mute=("tools/list",))})
    asked = book.client(request(1, "tools/list")).to("b")
    hub_page = next(message for message in asked if message["id"].startswith("mcp-guard/hub/"))
    turn = book.server("b", result(hub_page["id"], tools=[tool("one")], nextCursor="more"))
    (following,) = turn.to("b")
    assert following["params"] == {"cursor": "more"}
    turn = book.server("b", result(following["id"], tools=[tool("two")]))
    assert names(turn.answer(1)) == ["a__x", "b__one", "b__two"]


def test_a_server_that_never_stops_paging_is_cut_off(monkeypatch) -> None:
    monkeypatch.setattr("mcp_guard.gate.hub.lists.MAX_PAGES", 3)
    book = connected({"a": Server(tools=["x"]), "b": Server(mute=("tools/list",))})
    turn = book.client(request(1, "tools/list"))
    for number in range(3):
        (page,) = [message for message in turn.to("b") if message["id"].startswith("mcp-guard/hub/")]
        turn = book.server("b", result(page["id"], tools=[tool(f"t{number}")], nextCursor=f"{number}"))
    assert names(turn.answer(1)) == ["a__x", "b__t0", "b__t1", "b__t2"]
    assert turn.reasons == ["tools/list: the list is too long, its end is left out"]


def test_a_long_list_is_given_in_pages_of_the_hubs_own(monkeypatch) -> None:
    monkeypatch.setattr(pages, "PAGE_ENTRIES", 2)
    book = connected({"a": Server(tools=["1", "2", "3"]), "b": Server(tools=["4", "5"])})
    found = book.client(request(1, "tools/list")).answer(1)
    seen = names(found)
    for number in (2, 3):
        turn = book.client(request(number, "tools/list", cursor=found["result"]["nextCursor"]))
        assert turn.servers == []
        found = turn.answer(number)
        seen += names(found)
    assert seen == ["a__1", "a__2", "a__3", "b__4", "b__5"]
    assert "nextCursor" not in found["result"]


def test_a_cursor_that_was_never_given_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(pages, "PAGE_ENTRIES", 2)
    book = connected({"a": Server(tools=["1", "2", "3"]), "b": Server()})
    book.client(request(1, "tools/list"))
    forged = ["", "1", "1-0", "1-99", "2-2", "-1-2", "1--2", "1-2-3", "9" * 5_000, "١-٢", 2, None, {}, "tools-1-2"]
    for number, cursor in enumerate(forged, 2):
        assert book.client(request(number, "tools/list", cursor=cursor)).answer(number)["error"]["code"] == -32602


def test_a_hung_server_delays_a_list_once_and_then_no_more() -> None:
    book = connected({"a": Server(tools=["x"]), "hung": Server(mute=("tools/list",), tools=["y"])})
    assert book.client(request(1, "tools/list")).client == []
    assert names(book.wait(5).answer(1)) == ["a__x"]
    assert names(book.client(request(2, "tools/list")).answer(2)) == ["a__x"]


def test_a_list_that_comes_late_is_announced_once_and_then_shown() -> None:
    book = connected({"a": Server(tools=["x"]), "slow": Server(mute=("tools/list",), tools=["y"])})
    turn = book.client(request(1, "tools/list"))
    asked = next(message for message in turn.to("slow") if message["id"].startswith("mcp-guard/hub/"))
    book.wait(5)
    turn = book.server("slow", result(asked["id"], tools=[tool("y")]))
    assert [message["method"] for message in turn.client] == ["notifications/tools/list_changed"]
    turn = book.client(request(2, "tools/list"))
    asked = next(message for message in turn.to("slow") if message["id"].startswith("mcp-guard/hub/"))
    assert names(book.wait(5).answer(2)) == ["a__x", "slow__y"]
    assert book.server("slow", result(asked["id"], tools=[tool("y")])).client == []


def test_many_lists_at_once_ask_each_server_once_at_a_time() -> None:
    book = connected({"a": Server(mute=("tools/list",)), "b": Server()})
    turns = [book.client(request(number, "tools/list")) for number in range(1, 21)]
    asked = [message for turn in turns for message in turn.to("a") if message["id"].startswith("mcp-guard/hub/")]
    assert len(asked) == 1
    turn = book.server("a", result(asked[0]["id"], tools=[tool("old")]))
    assert names(turn.answer(1)) == ["a__old"]
    (again,) = turn.to("a")
    turn = book.server("a", result(again["id"], tools=[tool("new")]))
    assert [names(message) for message in turn.client] == [["a__new"]] * 19


def test_a_server_without_a_kind_of_things_is_not_asked_for_them() -> None:
    book = connected({"a": Server(capabilities={"tools": {}}), "b": Server(prompts=["p"])})
    turn = book.client(request(1, "prompts/list"))
    assert turn.to("a") == []
    assert names(turn.answer(1), "prompts") == ["b__p"]


def test_what_no_server_offers_is_an_unknown_method() -> None:
    book = connected({"a": Server(capabilities={"tools": {}}), "b": Server(capabilities={"tools": {}})})
    assert book.client(request(1, "prompts/list")).answer(1)["error"]["code"] == -32601


def test_an_error_is_passed_on_only_where_no_server_has_a_list() -> None:
    book = connected({"a": Server(mute=("tools/list",)), "b": Server(mute=("tools/list",))})
    turn = book.client(request(1, "tools/list"))
    asks = {
        slug: next(message["id"] for message in turn.to(slug) if message["id"].startswith("mcp-guard/hub/"))
        for slug in ("a", "b")
    }
    book.server("a", {"jsonrpc": "2.0", "id": asks["a"], "error": {"code": -5, "message": "a"}})
    turn = book.server("b", {"jsonrpc": "2.0", "id": asks["b"], "error": {"code": -6, "message": "b"}})
    assert turn.answer(1)["error"] == {"code": -5, "message": "a"}


def test_elements_that_could_be_read_in_two_ways_are_left_out() -> None:
    book = connected({"a": Server(mute=("tools/list",)), "b": Server(tools=["t"])})
    turn = book.client(request(1, "tools/list"))
    asked = next(message["id"] for message in turn.to("a") if message["id"].startswith("mcp-guard/hub/"))
    elements = [
        '{"name": "fine", "inputSchema": {}}',
        '{"name": "b__t", "name": "twice", "inputSchema": {}}',
        '{"name": "folded", "Name": "b__t", "inputSchema": {}}',
        '{"name": "cut", "name\\u0000": "b__t", "inputSchema": {}}',
        '{"name": 7}',
        '{"title": "no name"}',
        "null",
        '{"name": "fine", "inputSchema": {"again": true}}',
    ]
    line = f'{{"jsonrpc":"2.0","id":{json.dumps(asked)},"result":{{"tools":[{",".join(elements)}]}}}}'
    turn = book.server("a", line.encode())
    assert names(turn.answer(1)) == ["a__fine", "b__t"]
    said = b"".join(output.line for _, output in turn.outputs if hasattr(output, "line"))
    assert said.count(b"b__t") == 1
    assert not [name for name in (b"twice", b"folded", b"cut") if name in said]


def test_without_prefixes_the_first_server_keeps_a_name_and_the_second_is_recorded() -> None:
    book = connected({"a": Server(tools=["t", "u"]), "b": Server(tools=["t", "v"])}, prefix="")
    turn = book.client(request(1, "tools/list"))
    assert names(turn.answer(1)) == ["t", "u", "v"]
    assert turn.reasons == ["tools/list: `t` belongs to another server, which stands before this one"]
    assert turn.events[-1].server == "b"
    assert book.client(request(2, "tools/list")).reasons == []


def test_a_notice_that_a_list_has_changed_passes() -> None:
    book = connected(["a", "b"])
    turn = book.server("b", notification("notifications/prompts/list_changed"))
    assert turn.client == [notification("notifications/prompts/list_changed")]


def test_a_new_policy_is_told_once_however_many_servers_there_are() -> None:
    book = connected({slug: Server(tools=["read_x", "y"]) for slug in ("a", "b", "c")})
    turn = book.policy(READS_ONLY)
    assert turn.types == ["policy.loaded"] * 3
    assert [message["method"] for message in turn.client].count("notifications/tools/list_changed") == 1
    assert names(book.client(request(1, "tools/list")).answer(1)) == ["a__read_x"]


def test_a_list_that_is_waited_for_while_the_policy_changes_is_all_under_the_new_one() -> None:
    book = connected({"a": Server(tools=["read_x", "y"]), "slow": Server(mute=("tools/list",))})
    asked = book.client(request(1, "tools/list")).to("slow")[-1]
    turn = book.policy(READS_ONLY)
    assert turn.to("a")[-1]["method"] == "tools/list"
    old = book.server("slow", result(asked["id"], tools=[tool("secret")]))
    assert [message for message in old.client if "method" not in message] == []
    assert names(book.wait(5).answer(1)) == ["a__read_x"]


def test_a_slow_list_does_not_come_from_before_the_policy_changed() -> None:
    book = connected({"a": Server(tools=["read_x"]), "slow": Server(mute=("tools/list",))})
    asked = book.client(request(1, "tools/list")).to("slow")[-1]
    book.policy(READS_ONLY)
    (again,) = book.server("slow", result(asked["id"], tools=[tool("secret")])).to("slow")
    turn = book.server("slow", result(again["id"], tools=[tool("secret")]))
    assert names(turn.answer(1)) == ["a__read_x"]


def test_what_an_old_policy_let_see_is_not_shown_by_a_slow_server() -> None:
    book = connected({"a": Server(tools=["read_x"]), "b": Server(tools=["secret"])})
    book.client(request(1, "tools/list"))
    book.policy(READS_ONLY)
    book.servers["b"].mute = ("tools/list",)
    book.client(request(2, "tools/list"))
    assert names(book.wait(5).answer(2)) == ["a__read_x"]


def test_a_modern_list_is_private_and_lives_as_long_as_the_shortest() -> None:
    book = modern({"a": Server(tools=["t"]), "b": Server(tools=["t"])})
    found = book.client(request(1, "prompts/list", _meta=META)).answer(1)["result"]
    assert (found["cacheScope"], found["ttlMs"], found["resultType"]) == ("private", 5_000, "complete")
    book.servers["b"].silent = True
    book.client(request(2, "prompts/list", _meta=META))
    assert book.wait(5).answer(2)["result"]["ttlMs"] == 5_000
    book.exited("b")
    assert book.client(request(3, "prompts/list", _meta=META)).answer(3)["result"]["ttlMs"] == 0


def test_fifty_servers_of_forty_tools_are_one_list() -> None:
    book = connected({f"s{number}": Server(tools=[f"t{one}" for one in range(40)]) for number in range(50)})
    found = names(book.client(request(1, "tools/list")).answer(1))
    assert found == [f"s{number}__t{one}" for number in range(50) for one in range(40)]
