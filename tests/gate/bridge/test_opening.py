"""The beginning of a connection: who speaks which era, and who stands between them then."""

import json

import pytest

from mcp_guard.gate.bridge import Bridged
from mcp_guard.gate.bridge.waiting import MAX_LINES
from tests.gate.bridge.playbook import ABLE_META, NOT_FOUND, OFFERED, Book, discovered, error, initialized, modern_book
from tests.gate.playbook import META, Turn, call, notification, request, result, tool

VERSION = "io.modelcontextprotocol/protocolVersion"
INFO = {"name": "claude-code", "version": "2.1"}
INITIALIZE = request(0, "initialize", protocolVersion="2025-11-25", clientInfo=INFO, capabilities={})
INITIALIZED = notification("notifications/initialized")
PROBE = request("p", "server/discover", _meta=ABLE_META)
FIRST = request(1, "resources/list", _meta=META)
UNSUPPORTED = {"supported": ["2027-01-01"], "requested": "2026-07-28"}
ONLY_LEGACY = {"supported": ["2025-11-25"], "requested": "2026-07-28"}


def passes(book: Book) -> bool:
    """Whether nothing stands between the two sides but the gate."""
    return book.gate.from_client == book.bare.from_client


NO_JSON = b'{"jsonrpc":"2.0","id":%b,"result":{"x":NaN}}'


def test_an_answer_that_is_no_json_is_taken_for_the_refusal_that_it_comes_to():
    book = Book()
    book.client(INITIALIZE)
    [probe] = book.upstream(NO_JSON % b"0").upstream
    assert probe["method"] == "server/discover"
    [answer] = book.upstream(error(probe["id"], -32601)).client
    assert answer["error"]["message"] == "mcp-guard: the server's answer is no JSON"

    book = Book()
    book.client(PROBE)
    [handshake] = book.upstream(NO_JSON % b'"p"').upstream
    assert handshake["method"] == "initialize"
    [answer] = book.upstream(NO_JSON % json.dumps(handshake["id"]).encode()).client
    assert answer["error"]["message"] == "mcp-guard: the server's answer is no JSON"

    book = modern_book()
    [asked] = book.client(call(1, "read_file", ABLE_META)).upstream
    [answer] = book.upstream(NO_JSON % json.dumps(asked["id"]).encode()).client
    assert (answer["id"], answer["error"]["message"]) == (1, "mcp-guard: the server's answer is no JSON")


# One era


def test_two_legacy_sides_get_each_others_words_and_then_the_gate_alone():
    book = Book()
    assert book.client(INITIALIZE).upstream == [INITIALIZE]
    assert not passes(book)
    [answer] = book.upstream(initialized(0)).client
    assert answer["result"]["protocolVersion"] == "2025-11-25"
    assert passes(book)


def test_what_a_legacy_client_sends_before_it_is_answered_goes_on_as_without_a_bridge():
    book = Book()
    book.client(INITIALIZE)
    assert book.client(request(1, "ping")).upstream == [request(1, "ping")]
    assert book.client(INITIALIZED).upstream[0] == INITIALIZED
    assert book.client(request(2, "resources/list")).upstream == [request(2, "resources/list")]


def test_a_modern_probe_that_is_answered_settles_it():
    book = Book()
    assert book.client(PROBE).upstream == [PROBE]
    turn = book.upstream(discovered("p"))
    assert turn.client[0]["id"] == "p"
    assert turn.upstream[0]["method"] == "tools/list"
    assert passes(book)


MODERN_ANSWERS = {
    "a DiscoverResult": discovered("p"),
    "a DiscoverResult of revisions to come": discovered("p", versions=("2031-01-01",)),
    "a DiscoverResult of both eras": discovered("p", versions=("2025-11-25", "2026-07-28")),
    "another revision is needed": error("p", -32022, data=UNSUPPORTED),
    "another revision is needed, without naming one": error("p", -32022),
    "a capability is missing": error("p", -32021, data={"requiredCapabilities": {}}),
    "a header does not match": error("p", -32020),
}


@pytest.mark.parametrize("answer", MODERN_ANSWERS.values(), ids=MODERN_ANSWERS.keys())
def test_any_modern_answer_to_a_probe_passes_and_settles_it(answer):
    book = Book()
    book.client(PROBE)
    [told] = book.upstream(answer).client
    assert (told["id"], told.get("error")) == ("p", answer.get("error"))
    assert passes(book)


def test_a_modern_client_that_does_not_probe_makes_the_guard_do_it_and_waits():
    book = Book()
    [probe] = book.client(FIRST).upstream
    assert (probe["method"], probe["params"]["_meta"]) == ("server/discover", META)
    assert book.client(call(2, "read_file", META)).upstream == []
    assert book.gate.holding
    turn = book.upstream(discovered(probe["id"]))
    assert turn.client == []
    assert [message["method"] for message in turn.upstream] == ["tools/list", "resources/list"]
    assert passes(book)
    listing = turn.upstream[0]["id"]
    turn = book.upstream(result(listing, resultType="complete", tools=[tool("read_file")]))
    assert turn.upstream == [call(2, "read_file", META)]


def test_messages_that_tell_no_era_go_to_the_gate():
    book = Book()
    assert book.client(request(1, "ping")).upstream == [request(1, "ping")]
    assert book.client(b"{").client[0]["error"]["code"] == -32700
    assert book.upstream(notification("notifications/x")).client == [notification("notifications/x")]
    assert book.client(INITIALIZE).upstream == [INITIALIZE]


MALFORMED = [
    {**PROBE, "Method": "tools/call"},
    {**FIRST, "jsonrpc": "1.0"},
    {**INITIALIZE, "PARAMS": {}},
    b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":1e999}}}',
]


@pytest.mark.parametrize("line", MALFORMED, ids=str)
def test_an_opening_that_the_gate_refuses_opens_nothing(line):
    book = Book()
    turn = book.client(line)
    assert turn.upstream == []
    assert len(turn.client) == 1
    assert "error" in turn.client[0]
    assert book.client(INITIALIZE).upstream == [INITIALIZE]
    assert book.upstream(initialized(0)).client
    assert passes(book)


# A modern client, a legacy upstream

LEGACY_ANSWERS = {
    "method not found": error("p", -32601),
    "invalid params": error("p", -32602),
    "any other error": error("p", 17),
    "an error that is none": {"jsonrpc": "2.0", "id": "p", "error": None},
    "a result that is none": result("p"),
    "a DiscoverResult of legacy revisions alone": discovered("p", versions=("2025-11-25",)),
    "only legacy revisions are supported": error("p", -32022, data=ONLY_LEGACY),
}


@pytest.mark.parametrize("answer", LEGACY_ANSWERS.values(), ids=LEGACY_ANSWERS.keys())
def test_any_other_answer_to_a_probe_makes_the_guard_do_the_handshake(answer):
    book = Book()
    book.client(PROBE)
    turn = book.upstream(answer)
    assert turn.client == []
    [handshake] = turn.upstream
    assert handshake["method"] == "initialize"
    assert handshake["params"]["protocolVersion"] == "2025-11-25"
    assert handshake["params"]["clientInfo"] == META["io.modelcontextprotocol/clientInfo"]
    assert set(handshake["params"]["capabilities"]) == {"elicitation", "roots", "sampling"}


def test_the_handshake_done_the_probe_is_answered_as_a_modern_upstream_does():
    book = Book()
    book.client(PROBE)
    [handshake] = book.upstream(error("p", -32601)).upstream
    turn = book.upstream(initialized(handshake["id"], capabilities={**OFFERED, "tasks": {"list": {}}}))
    assert [message["method"] for message in turn.upstream] == ["notifications/initialized", "tools/list"]
    assert turn.upstream[1].get("params") is None
    [answer] = turn.client
    assert answer["id"] == "p"
    assert answer["result"] == {
        "resultType": "complete",
        "supportedVersions": ["2026-07-28"],
        "capabilities": OFFERED,
        "instructions": "i",
        "ttlMs": 0,
        "cacheScope": "private",
        "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "files", "version": "1"}},
    }


def test_silence_is_a_legacy_answer_and_a_late_refusal_of_the_probe_changes_nothing():
    book = Book()
    book.client(PROBE)
    assert book.wait(1).upstream == []
    [handshake] = book.wait(4).upstream
    assert handshake["method"] == "initialize"
    assert book.upstream(error("p", -32601)).client == []
    [answer] = book.upstream(initialized(handshake["id"])).client
    assert answer["result"]["supportedVersions"] == ["2026-07-28"]


def test_silence_is_noticed_also_where_the_client_never_stops_talking():
    book = Book()
    book.client(PROBE)
    book.now += 5_000_000
    assert book.client(FIRST).upstream[0]["method"] == "initialize"


def test_an_upstream_that_was_only_slow_is_modern_after_all():
    book = Book()
    book.client(PROBE)
    [handshake] = book.wait(5).upstream
    book.client(FIRST)
    turn = book.upstream(discovered("p"))
    assert [message["id"] for message in turn.client] == ["p"]
    assert turn.upstream[-1] == FIRST
    assert passes(book)
    assert book.upstream(error(handshake["id"], -32022)).client == []


def test_messages_wait_for_the_handshake_and_go_on_in_order():
    book = Book()
    [probe] = book.client(FIRST).upstream
    [handshake] = book.upstream(error(probe["id"], -32601)).upstream
    assert book.client(request(2, "prompts/list", _meta=META)).outputs == []
    turn = book.upstream(initialized(handshake["id"]))
    methods = [message["method"] for message in turn.upstream]
    assert methods == ["notifications/initialized", "tools/list", "resources/list", "prompts/list"]
    assert turn.client == []


@pytest.mark.parametrize(
    "answer",
    [lambda id: error(id, -32602), lambda id: initialized(id, "2031-01-01"), lambda id: result(id)],
    ids=["an error", "an unknown revision", "nothing of a handshake"],
)
def test_an_upstream_that_refuses_both_is_heard_as_without_a_bridge(answer):
    book = Book()
    book.client(PROBE)
    [handshake] = book.upstream(error("p", -32601, "no such method")).upstream
    book.client(FIRST)
    turn = book.upstream(answer(handshake["id"]))
    assert turn.client == [error("p", -32601, "no such method")]
    assert turn.upstream[-1] == FIRST
    assert book.client(INITIALIZE).upstream == [INITIALIZE]
    book.upstream(initialized(0))
    assert passes(book)


def test_an_upstream_that_never_answered_the_probe_and_refuses_the_handshake_is_named_as_such():
    book = Book()
    book.client(PROBE)
    [handshake] = book.wait(5).upstream
    [told] = book.upstream(error(handshake["id"], -32602)).client
    assert (told["id"], told["error"]["code"]) == ("p", -32603)
    assert "neither server/discover nor initialize" in told["error"]["message"]


def test_before_the_handshake_is_done_an_upstream_may_ping_and_nothing_else():
    book = Book()
    book.client(PROBE)
    book.upstream(error("p", -32601))
    assert book.upstream(request(7, "ping")).upstream == [result(7)]
    [refused] = book.upstream(request(8, "roots/list")).upstream
    assert refused["error"]["code"] == -32601
    assert book.upstream(notification("notifications/message", level="info", data="x")).outputs == []
    assert book.upstream(b"Listening").types == ["message.rejected"]
    assert book.upstream(result("nobody")).types == ["message.rejected"]


# A client of both eras


def test_a_client_that_gives_the_probe_up_before_it_is_answered_is_a_legacy_one():
    book = Book()
    book.client(PROBE)
    assert book.client(INITIALIZE).upstream == [INITIALIZE]
    assert book.upstream(initialized(0)).client[0]["id"] == 0
    assert passes(book)


def test_a_client_that_gives_the_probe_up_while_the_guard_shakes_hands_gets_that_handshake():
    book = Book()
    book.client(PROBE)
    [handshake] = book.wait(5).upstream
    assert book.client(INITIALIZE).outputs == []
    assert book.client(INITIALIZED).outputs == []
    turn = book.upstream(initialized(handshake["id"]))
    answers = {message["id"]: message for message in turn.client}
    assert answers[0]["result"]["protocolVersion"] == "2025-11-25"
    assert "initialize" not in [message["method"] for message in turn.upstream]
    assert passes(book)
    assert book.upstream(request(3, "roots/list")).client == [request(3, "roots/list")]


def test_a_client_may_turn_legacy_after_the_bridge_stands():
    book = Book()
    book.client(PROBE)
    [handshake] = book.upstream(error("p", -32601)).upstream
    book.upstream(initialized(handshake["id"]))
    turn = book.client(INITIALIZE)
    assert turn.upstream == []
    assert turn.client[0]["result"]["serverInfo"]["name"] == "files"
    assert passes(book)


# A legacy client, a modern upstream


@pytest.mark.parametrize("code", [-32601, -32602, -32022, -32600, 1])
def test_an_upstream_that_refuses_the_handshake_is_asked_whether_it_is_modern(code):
    book = Book()
    book.client(INITIALIZE)
    turn = book.upstream(error(0, code))
    assert turn.client == []
    [probe] = turn.upstream
    assert probe["method"] == "server/discover"
    meta = probe["params"]["_meta"]
    assert (meta[VERSION], meta["io.modelcontextprotocol/clientInfo"]) == ("2026-07-28", INFO)


@pytest.mark.parametrize(("asked", "given"), [("2024-11-05", "2024-11-05"), ("1999-01-01", "2025-11-25")])
def test_a_modern_upstream_makes_the_handshake_succeed(asked, given):
    book = Book()
    book.client({**INITIALIZE, "params": {**INITIALIZE["params"], "protocolVersion": asked}})
    [probe] = book.upstream(error(0, -32601)).upstream
    turn = book.upstream(discovered(probe["id"]))
    [answer] = turn.client
    assert answer == initialized(0, given)
    assert turn.upstream[0]["method"] == "tools/list"
    assert turn.upstream[0]["params"]["_meta"][VERSION] == "2026-07-28"


def late(book: Book) -> Turn:
    book.now += 5_000_000
    return book.client(b"")


REFUSALS = {
    "it does not know the probe": lambda book, probe: book.upstream(error(probe, -32601)),
    "it knows only revisions to come": lambda book, probe: book.upstream(discovered(probe, versions=("2031-01-01",))),
    "it says nothing": lambda book, probe: book.wait(5),
    "it says nothing, and the client never stops talking": lambda book, probe: late(book),
}


@pytest.mark.parametrize("refuse", REFUSALS.values(), ids=REFUSALS.keys())
def test_an_upstream_that_is_not_modern_either_is_heard_as_without_a_bridge(refuse):
    book = Book()
    book.client(INITIALIZE)
    [probe] = book.upstream(error(0, -32602, "Unsupported protocol version")).upstream
    assert book.client(request(1, "ping")).outputs == []
    turn = refuse(book, probe["id"])
    assert turn.client[0] == error(0, -32602, "Unsupported protocol version")
    assert turn.upstream[-1] == request(1, "ping")
    again = {**INITIALIZE, "id": 9}
    assert book.client(again).upstream == [again]
    assert book.upstream(initialized(9)).client[0]["id"] == 9
    assert passes(book)


def test_an_upstream_that_was_only_out_of_order_is_asked_anew_with_the_next_handshake():
    book = Book()
    book.client(INITIALIZE)
    [probe] = book.upstream(error(0, -32603, "not there")).upstream
    book.upstream(error(probe["id"], -32603, "not there"))
    book.client({**INITIALIZE, "id": 9})
    [probe] = book.upstream(error(9, -32601)).upstream
    assert book.upstream(discovered(probe["id"])).client[0]["result"]["protocolVersion"] == "2025-11-25"


# Ends and bounds


def test_what_waits_is_bounded():
    book = Book()
    book.client(FIRST)
    for number in range(MAX_LINES - 1):
        assert book.client(notification("x", number=number)).outputs == []
    turn = book.client(request(5, "x", _meta=META))
    assert (turn.client[0]["id"], turn.client[0]["error"]["code"], turn.types) == (5, -32603, ["message.rejected"])
    assert book.client(notification("x")).types == ["message.rejected"]


def test_an_upstream_that_dies_before_it_is_known_answers_everything_that_waits():
    book = Book()
    book.client(FIRST)
    book.client(request(2, "x", _meta=META))
    turn = book.turn(book.gate.upstream_exited("exited with status 3", 5))
    assert [(message["id"], "exited with status 3" in message["error"]["message"]) for message in turn.client] == [
        (1, True),
        (2, True),
    ]


def test_an_upstream_that_dies_in_the_handshake_answers_the_probe_and_what_waits():
    book = Book()
    book.client(PROBE)
    book.upstream(error("p", -32601))
    book.client(FIRST)
    turn = book.turn(book.gate.upstream_exited("exited with status 3", 5))
    assert [message["id"] for message in turn.client] == ["p", 1]


def test_an_upstream_that_dies_after_it_refused_leaves_the_client_its_refusal():
    book = Book()
    book.client(INITIALIZE)
    book.upstream(error(0, -32601, "no"))
    turn = book.turn(book.gate.upstream_exited("exited with status 3", 5))
    assert turn.client == [error(0, -32601, "no")]


def test_another_upstream_may_be_of_another_era():
    book = Book()
    book.client(PROBE)
    book.upstream(discovered("p"))
    book.gate.upstream_exited("exited with status 3", 5)
    book.client(request("q", "server/discover", _meta=META))
    assert book.upstream({"jsonrpc": "2.0", "id": "q", "error": NOT_FOUND}).upstream[0]["method"] == "initialize"


def test_a_short_key_is_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        Bridged(Book().bare, b"short")


def test_a_mistake_of_a_bridges_own_is_an_error_that_names_no_data_and_the_session_lives_on(monkeypatch):
    book = modern_book()
    with monkeypatch.context() as broken:
        broken.setattr("mcp_guard.gate.bridge.legacy_upstream.carry", lambda *_: {}["secret-key"])
        broken.setattr("mcp_guard.gate.bridge.legacy_upstream.hear", lambda *_: {}["secret-key"])
        turn = book.client(call(1, "read_file", META, token="secret-value"))
        assert turn.upstream == []
        assert turn.client == [error(1, -32603, "mcp-guard: internal error (KeyError)")]
        assert "secret" not in str(turn.events)
        assert book.upstream(result(1)).types == ["message.rejected"]
    assert book.client(call(2, "read_file", META)).upstream


def test_what_waits_is_told_to_the_transport():
    book = Book()
    book.client(INITIALIZE)
    book.upstream(error(0, -32601))
    assert not book.gate.holding
    book.client(INITIALIZED)
    assert book.gate.holding


def test_nothing_long_goes_ahead_before_the_eras_are_known():
    book = Book()
    assert book.gate.may_go_ahead(b'{"jsonrpc"')
    book.client(PROBE)
    assert not book.gate.may_go_ahead(b'{"jsonrpc"')
    book.upstream(error("p", -32601))
    assert not book.gate.may_go_ahead(b'{"jsonrpc"')


def test_a_legacy_upstream_is_asked_with_the_name_and_the_number_that_every_client_has():
    book = Book()
    meta = {VERSION: "2026-07-28", "io.modelcontextprotocol/clientInfo": {"name": "n"}}
    book.client(request("p", "server/discover", _meta=meta))
    [handshake] = book.upstream(error("p", -32601)).upstream
    assert handshake["params"]["clientInfo"] == {"name": "n", "version": "0"}
