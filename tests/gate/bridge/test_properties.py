"""What holds whatever the two sides say through a bridge: nothing unjudged goes upstream, nothing raises, and what is
said in one era and told in the other and back is what was said.
"""

import json

from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.gate import Admitted, Forward
from mcp_guard.gate.bridge import errors, results
from mcp_guard.gate.bridge.members import plain, raw, read
from tests.gate.bridge.playbook import ABLE_META, Book, Turn, ask, legacy_book, modern_book
from tests.gate.playbook import FILES_POLICY, META, call, notification, request, result
from tests.gate.test_properties import ARGUMENTS, LINES, NAMES, VALUES

IDS = st.sampled_from([0, 1, 2, "a", "probe", "mcp-guard/C/1"])
ANSWERS = st.sampled_from([{"action": "accept", "content": {}}, {"roots": []}, {"action": "?"}, 5, None])
METHODS = st.sampled_from(["elicitation/create", "roots/list", "sampling/createMessage", "ping", "tools/call", "x"])
KINDS = st.sampled_from(["complete", "input_required", "task", 5])
ASKED = st.fixed_dictionaries({}, optional={"mode": st.just("url") | VALUES, "tools": VALUES})
QUESTION = st.fixed_dictionaries({"method": METHODS}, optional={"params": ASKED | VALUES})
INPUTS = st.dictionaries(st.sampled_from("ab"), QUESTION | VALUES, max_size=2)
RESULTS = st.fixed_dictionaries(
    {},
    optional={
        "resultType": KINDS,
        "inputRequests": INPUTS | VALUES,
        "requestState": st.sampled_from(["s", 5]),
        "_meta": VALUES,
    },
)
CALLS = st.builds(
    lambda id, name, arguments, meta: call(id, name, meta, **arguments),
    IDS,
    NAMES,
    ARGUMENTS,
    st.sampled_from([META, ABLE_META, None]),
)
CLIENT = st.one_of(
    CALLS,
    LINES,
    st.builds(lambda id, value: result(id, **value), IDS, RESULTS),
    st.builds(lambda id: notification("notifications/cancelled", requestId=id), IDS),
    st.builds(lambda id, method: request(id, method, uri="a:/x", level="info", _meta=META), IDS, st.sampled_from(
        ["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "tools/list",
         "subscriptions/listen", "server/discover", "tasks/get"])),
)  # fmt: skip
UPSTREAM = st.one_of(
    LINES,
    st.builds(lambda id, value: result(id, **value), IDS, RESULTS),
    st.builds(lambda id, method, params: ask(id, method, **params), IDS, METHODS, ASKED),
    st.builds(lambda id: notification("notifications/cancelled", requestId=id), IDS),
    st.builds(lambda id, code: {"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": "m"}}, IDS,
              st.sampled_from([-32042, -32002, -32022, 0])),
)  # fmt: skip
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("client"), CLIENT),
        st.tuples(st.just("upstream"), UPSTREAM),
        st.tuples(st.just("retry"), st.tuples(CALLS, ANSWERS)),
        st.tuples(st.just("answer"), RESULTS | ANSWERS),
        st.tuples(st.just("wait"), st.sampled_from([1, 5, 700])),
        st.tuples(st.just("refuse"), st.none()),
    ),
    max_size=12,
)


class Player:
    """Plays moves, remembering what the client was told: tokens to bring back, questions to answer."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.round: dict = {}
        self.question: object = None
        self.last = Turn()

    @property
    def bridged(self) -> bool:
        return self.book.gate.from_client != self.book.bare.from_client

    def play(self, kind: str, what: object) -> Turn:
        turn = self._turn(kind, what)
        self._remember(turn)
        self.last = turn
        return turn

    def _turn(self, kind: str, what: object) -> Turn:
        if kind == "retry":
            message, answer = what
            answers = dict.fromkeys(self.round.get("inputRequests") or {}, answer)
            message["params"] |= {"inputResponses": answers, "requestState": self.round.get("requestState")}
            return self.book.client(message)
        if kind == "answer":
            return self.book.client({"jsonrpc": "2.0", "id": self.question, "result": what})
        if kind == "wait":
            return self.book.wait(what)
        if kind == "refuse":
            self.book.refuse(self.last)
            return Turn()
        return self.book.client(what) if kind == "client" else self.book.upstream(what)

    def _remember(self, turn: Turn) -> None:
        for message in turn.client:
            if isinstance(message, dict) and isinstance(message.get("result"), dict):
                if message["result"].get("resultType") == "input_required":
                    self.round = message["result"]
            elif isinstance(message, dict) and "method" in message and "id" in message:
                self.question = message["id"]


def check(turn: Turn) -> None:
    """The invariant, for one turn: what goes upstream is judged, and is what was judged or answers for it."""
    for output in turn.outputs:
        if isinstance(output, Forward):
            message = json.loads(output.line)
            assert message.get("method") != "tools/call"
            assert message.get("result", {}) == {}  # at most an answer to a ping, none to a question
        elif isinstance(output, Admitted):
            assert output.event.decision == "allow"
            judged = json.loads(bytes(output.event.data["arguments"]))
            tool, path = output.event.tool, judged.get("path", "")
            assert tool == "read_file" or (tool == "write_file" and path.startswith("/tmp/"))
            message = json.loads(output.line)
            if "method" in message:
                assert (message["method"], message["params"]["name"]) == ("tools/call", tool)
                assert (message["params"].get("arguments") or {}) == judged
            else:
                assert isinstance(message["result"], dict)


@given(MOVES)
def test_nothing_unjudged_goes_to_a_legacy_upstream_whatever_is_said(moves):
    player = Player(modern_book(FILES_POLICY))
    for kind, what in moves:
        if player.bridged:  # until the client turns out to be a legacy one
            check(player.play(kind, what))


@given(MOVES)
def test_nothing_unjudged_goes_to_a_modern_upstream_whatever_is_said(moves):
    player = Player(legacy_book(FILES_POLICY))
    for kind, what in moves:
        check(player.play(kind, what))


@given(MOVES)
def test_nothing_unjudged_goes_upstream_before_anything_is_known(moves):
    player = Player(Book(FILES_POLICY))
    for kind, what in moves:
        for output in player.play(kind, what).outputs:
            if isinstance(output, Forward):
                assert json.loads(output.line).get("method") != "tools/call"
            elif isinstance(output, Admitted):
                assert output.event.decision == "allow"


# There and back

CACHEABLE = st.sampled_from([*sorted(results.CACHEABLE), "tools/call", "prompts/get", "future/method"])
META_VALUES = st.dictionaries(st.sampled_from(["a", "com.example/b"]), VALUES, min_size=1, max_size=2)
LEGACY_RESULTS = st.builds(
    lambda members, meta: members if meta is None else {**members, "_meta": meta},
    st.dictionaries(
        st.text(max_size=5).filter(
            lambda name: name not in ("resultType", "ttlMs", "cacheScope", "_meta", "structuredContent", "tools")
        ),
        VALUES,
        max_size=4,
    ),
    st.none() | META_VALUES,
)


@given(CACHEABLE, LEGACY_RESULTS)
def test_a_legacy_result_told_in_the_modern_era_and_back_is_the_same(method, value):
    value = plain(raw(value))  # as JSON has it: no infinity
    there = results.modern(method, raw(value), raw({"name": "s", "version": "1"}))
    assert plain(there) != value
    back = results.legacy(method, read(there))
    assert plain(back) == value


@given(st.integers(-32_800, 10) | VALUES, st.text(max_size=5), VALUES)
def test_an_error_keeps_its_text_and_data_in_either_direction(code, text, data):
    value = plain(raw({"code": code, "message": text, "data": data}))
    for told in (errors.modern("resources/read", raw(value)), errors.legacy("resources/read", raw(value))):
        assert {**plain(told), "code": None} == {**value, "code": None}
    for told in (errors.modern("x", raw(data)), errors.legacy("x", raw(data))):
        assert isinstance(data, dict) or plain(told) == value["data"]
