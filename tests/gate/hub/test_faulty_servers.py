"""What one faulty server says of itself costs the client nothing of what the others offer."""

import json
import tracemalloc

import pytest
from mcp import types

from mcp_guard.gate.hub import merging
from mcp_guard.gate.hub.shapes import fits
from tests.gate.hub.playbook import CLIENT, Server, connected, modern
from tests.gate.playbook import META, call, notification, request, result

SCHEMA = {"type": "object"}
LISTS = {
    "tools": ("tools/list", types.ListToolsResult),
    "prompts": ("prompts/list", types.ListPromptsResult),
    "resources": ("resources/list", types.ListResourcesResult),
}
MISSHAPEN = [
    ("tools", {"name": "x"}),
    ("tools", {"name": "x", "inputSchema": 5}),
    ("tools", {"name": "x", "inputSchema": {"type": "string"}}),
    ("tools", {"name": "x", "inputSchema": {"type": "object", "properties": []}}),
    ("tools", {"name": "x", "inputSchema": SCHEMA, "description": {"en": "x"}}),
    ("tools", {"name": "x", "inputSchema": SCHEMA, "annotations": {"readOnlyHint": "perhaps"}}),
    ("tools", {"name": "x", "inputSchema": SCHEMA, "outputSchema": "x"}),
    ("tools", {"name": "x", "inputSchema": SCHEMA, "icons": [{"sizes": []}]}),
    ("tools", {"name": "x", "inputSchema": SCHEMA, "_meta": []}),
    ("prompts", {"name": "x", "arguments": {"a": 1}}),
    ("prompts", {"name": "x", "arguments": [{"description": "no name"}]}),
    ("resources", {"uri": "r://x"}),
    ("resources", {"uri": "r://x", "name": "x", "size": "large"}),
    ("resources", {"uri": "r://x", "name": "x", "mimeType": 5}),
]
WELL_SHAPED = [
    ("tools", {"name": "x", "inputSchema": {}}),
    ("tools", {"name": "x", "inputSchema": SCHEMA, "description": None, "annotations": None}),
    ("tools", {"name": "x", "inputSchema": {**SCHEMA, "properties": {"a": {"type": ["null"]}, "b": True}}, "new": [1]}),
    ("prompts", {"name": "x", "arguments": [{"name": "a", "required": True, "new": 1}]}),
    ("resources", {"uri": "r://x", "name": "x", "size": 1.0, "annotations": {"priority": 0.5, "audience": ["user"]}}),
    ("tasks", {"taskId": 5}),
]


@pytest.mark.parametrize(("kind", "entry"), MISSHAPEN, ids=lambda value: json.dumps(value))
def test_an_entry_over_which_a_client_refuses_the_list_is_left_out_and_recorded_once(kind: str, entry: dict) -> None:
    method, model = LISTS[kind]
    good = Server(tools=["good"], prompts=["good"], resources=["r://good"])
    book = connected({"a": good, "b": Server(mute=(method,))})
    reasons: list[str] = []
    for number in (1, 2):
        (asked,) = book.client(request(number, method)).to("b")
        turn = book.server("b", result(asked["id"], **{kind: [entry]}))
        listed = turn.answer(number)["result"]
        model.model_validate(listed)
        assert [one["name"] for one in listed[kind]] == ["r://good" if kind == "resources" else "a__good"]
        reasons += turn.reasons
    (reason,) = reasons
    assert reason.startswith(f"{method}: `{'r://x' if kind == 'resources' else 'x'}` is left out")


@pytest.mark.parametrize(("kind", "entry"), WELL_SHAPED, ids=lambda value: json.dumps(value))
def test_what_merely_lacks_something_or_has_more_is_listed(kind: str, entry: dict) -> None:
    assert fits(kind, json.dumps(entry).encode())


def test_bytes_that_are_no_text_reach_the_client_as_the_character_for_that() -> None:
    book = connected({"a": Server(tools=["t"]), "b": Server(mute=("tools/list",))})
    log = b'{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"caf\xe9"}}'
    assert book.server("b", log).client[0]["params"]["data"] == "caf\ufffd"
    book.client(call(1, "a__t"))
    answer = b'{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"caf\xe9"}]}}'
    assert book.server("a", answer).answer(1)["result"]["content"][0]["text"] == "caf\ufffd"
    (asked,) = book.client(request(2, "tools/list")).to("b")
    tool = b'{"name":"x","inputSchema":{},"description":"caf\xe9"}'
    said = b'{"jsonrpc":"2.0","id":%b,"result":{"tools":[%b]}}' % (json.dumps(asked["id"]).encode(), tool)
    assert book.server("b", said).answer(2)["result"]["tools"][1]["description"] == "caf\ufffd"


def test_capabilities_of_the_wrong_type_are_left_out_and_the_others_stay() -> None:
    odd = {
        "tools": {"listChanged": "perhaps"},
        "prompts": 7,
        "resources": {"subscribe": "perhaps", "future": "x"},
        "experimental": {"x": 5, "y": {"z": 1}},
        "logging": {},
    }
    servers = {"odd": Server(capabilities=odd), "good": Server(tools=["t"], capabilities={"tools": {}})}
    hello = connected(servers).hello["result"]
    types.InitializeResult.model_validate(hello)
    assert hello["capabilities"] == {
        "tools": {"listChanged": True},
        "resources": {"future": "x", "listChanged": True},
        "experimental": {"y": {"z": 1}},
        "logging": {},
    }


def test_a_revision_that_is_no_text_is_none() -> None:
    assert merging.versions([[5, "2026-07-28", {}]]) == ["2026-07-28"]


def test_a_list_that_was_asked_for_before_a_new_handshake_changes_nothing_when_it_comes() -> None:
    book = modern({"a": Server(mute=("prompts/list",)), "b": Server(tools=["t"])})
    (asked,) = book.client(request(1, "prompts/list", _meta=META)).to("a")
    book.servers["a"].capabilities = {"tools": {}}
    book.client(request(2, "initialize", protocolVersion="2025-11-25", clientInfo=CLIENT, capabilities={}))
    book.client(notification("notifications/initialized"))
    turn = book.server("a", result(asked["id"], prompts=[{"name": "p"}]))
    assert (turn.client, turn.events) == ([], [])


def test_names_of_any_length_do_not_stay_in_memory() -> None:
    long = "x" * 1_000_000
    book = connected({"a": Server(mute=("prompts/list",)), "b": Server(tools=["t"], capabilities={"tools": {}})})
    tracemalloc.start()
    try:
        for number in range(20):
            (asked,) = book.client(request(number + 1, "prompts/list")).to("a")
            book.server("a", result(asked["id"], prompts=[{"name": f"{number}{long}", "arguments": 5}]))
            (asked,) = book.client(call(number + 100, "b__t")).to("b")
            book.server("b", result(asked["id"], task={"taskId": f"{number}{long}"}))
            book.client(request(number + 200, "resources/subscribe", uri=f"r://{number}{long}"))
            (asked,) = book.client(request(number + 300, "tasks/get", taskId=f"{number}{long}")).to("b")
            book.server("b", result(asked["id"], status="working"))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 10_000_000
