"""Whatever a client sends, it gets a JSON-RPC error, the log gets an event, and the session lives on.

The real process is asked: what the gate makes of each message is in `tests/gate`.
"""

from collections.abc import Iterator

import pytest

from tests.e2e.guard import Guard, server
from tests.e2e.wire import Wire, text_of, wire

PARSE_ERROR, INVALID_REQUEST, INVALID_PARAMS = -32700, -32600, -32602
CALL = b'{"jsonrpc":"2.0","id":77,"method":"tools/call","params":'

CASES = [  # what is sent, the code and the id of the one error that answers it
    ("a line that is not UTF-8", b'{"jsonrpc":"2.0","id":1,"method":"\xff\xfe"}', PARSE_ERROR, None),
    ("half a message", b'{"jsonrpc":"2.0","id":1', PARSE_ERROR, None),
    ("a word", b"hello", PARSE_ERROR, None),
    ("NaN", CALL + b'{"name":"answer","arguments":{"x":NaN}}}', PARSE_ERROR, None),
    ("ten thousand levels", b"[" * 10_000 + b"]" * 10_000, PARSE_ERROR, None),
    ("ten thousand levels of arguments", CALL + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"}", PARSE_ERROR, None),
    ("an array", b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', INVALID_REQUEST, None),
    ("an empty array", b"[]", INVALID_REQUEST, None),
    ("a number", b"42", INVALID_REQUEST, None),
    ("null", b"null", INVALID_REQUEST, None),
    ("an empty object", b"{}", INVALID_REQUEST, None),
    ("an id that is an object", b'{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}', INVALID_REQUEST, None),
    ("an id that is null", b'{"jsonrpc":"2.0","id":null,"method":"ping"}', INVALID_REQUEST, None),
    ("an id that is a fraction", b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', INVALID_REQUEST, None),
    ("another JSON-RPC", b'{"jsonrpc":"1.0","id":77,"method":"ping"}', INVALID_REQUEST, 77),
    ("params that are an array", b'{"jsonrpc":"2.0","id":77,"method":"ping","params":[]}', INVALID_PARAMS, 77),
    ("a call without a name", CALL + b'{"arguments":{}}}', INVALID_PARAMS, 77),
    ("arguments that are an array", CALL + b'{"name":"answer","arguments":[]}}', INVALID_PARAMS, 77),
]


@pytest.fixture(scope="module")
def long_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Wire, Guard]]:
    """One session that has to live through all of it."""
    guard = Guard(tmp_path_factory.mktemp("long"))
    with wire(guard.command(server("odd"))) as connection:
        connection.open("2025-11-25")
        yield connection, guard


@pytest.mark.parametrize(("line", "code", "id"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_it_is_answered_with_an_error_and_the_session_lives_on(
    long_session: tuple[Wire, Guard], line: bytes, code: int, id: int | None
) -> None:
    session, guard = long_session
    session.send(line + b"\n")
    answer = session.receive()
    assert (answer["error"]["code"], answer["id"]) == (code, id)

    assert text_of(session.call("answer")) == "ok"
    rejected = guard.events("message.rejected")[-1]  # written with the call's row, which is there before its answer
    assert rejected["data"]["from"] == "client"
    assert rejected["data"]["bytes"] == len(line)


@pytest.fixture
def session(guard: Guard) -> Iterator[Wire]:
    with wire(guard.command(server("odd"))) as connection:
        connection.open("2025-11-25")
        yield connection


def test_a_line_of_100_mb_is_answered_with_an_error_and_the_session_lives_on(session: Wire, guard: Guard) -> None:
    line = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"answer","arguments":{"x":"'
    mebibyte = b"x" * (1 << 20)
    session.send(line)
    for _ in range(100):
        session.send(mebibyte)
    session.send(b'"}}}\n')

    answer = session.receive()
    assert (answer["error"]["code"], answer["id"]) == (INVALID_REQUEST, None)
    assert str(64 << 20) in answer["error"]["message"]
    assert text_of(session.call("answer")) == "ok"
    session.finish()
    [rejected] = guard.events("message.rejected")
    assert rejected["data"]["bytes"] > 100 << 20


def test_an_id_that_is_still_open_is_not_taken_twice(session: Wire, guard: Guard) -> None:
    session.ask("tools/call", {"name": "hang", "arguments": {}}, id=7)
    session.ask("tools/call", {"name": "answer", "arguments": {}}, id=7)

    answer = session.receive()
    assert answer["error"]["code"] == INVALID_REQUEST
    assert text_of(session.call("answer")) == "ok"
    assert [row["tool"] for row in guard.events("tool.decided")] == ["hang", "answer"]


def test_half_a_line_at_the_end_is_an_event_and_reaches_nobody(session: Wire, guard: Guard) -> None:
    session.send(b'{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"answer"')
    session.close_input()
    [answer] = session.rest()
    assert (answer["error"]["code"], answer["id"]) == (PARSE_ERROR, None)
    assert session.wait() == 0
    assert guard.events("tool.decided") == []
    assert len(guard.events("message.rejected")) == 1


def test_what_hides_a_second_message_reaches_the_server_as_one(session: Wire, guard: Guard) -> None:
    """Line ends that only some readers see, and members that stand twice, are gone from what is passed on."""
    text = "one\u2028two\x85three\rfour"
    session.send(
        b'{"jsonrpc":"2.0","method":"tools/call","id":70,\r\t"params":{"name":"hang","name":"answer","arguments":{"t":'
        + f'"{text}"'.replace("\r", "\\r").encode()
        + b"}}}\n"
    )
    assert text_of(session.response(70)) == "ok"
    [decided] = guard.events("tool.decided")
    assert decided["tool"] == "answer"
    assert decided["data"]["arguments"] == {"t": text}
