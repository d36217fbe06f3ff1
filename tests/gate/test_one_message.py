"""One message in, one message out: nothing that a client sends can be read as another call than was judged."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_guard.gate.wire import UnreadableError, decode, encode, seal
from tests.gate.playbook import (
    ALLOW_ALL,
    FILES_POLICY,
    META,
    call,
    connected,
    modern,
    notification,
    request,
    result,
    tool,
)

SEPARATORS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"


def raw_call(params: str, envelope: str = '"jsonrpc":"2.0","id":7,"method":"tools/call"') -> bytes:
    return ("{" + envelope + ',"params":' + params + "}").encode()


@pytest.mark.parametrize("separator", SEPARATORS)
def test_no_line_separator_of_any_reader_survives_in_what_goes_upstream(separator):
    text = f"a{separator}{json.dumps(call(8, 'delete_file'))}{separator}b"
    turn = connected(FILES_POLICY).client(call(7, "read_file", text=text))
    assert turn.upstream == [call(7, "read_file", text=text)]
    assert turn.lines[0].isascii()


def test_a_carriage_return_between_tokens_does_not_survive():
    turn = connected(FILES_POLICY).client(raw_call('{"name":"read_file",\r"arguments":{}}'))
    assert turn.upstream == [call(7, "read_file")]
    assert b"\r" not in turn.lines[0]


DUPLICATES = {
    "the tool's name": raw_call('{"name":"read_file","name":"delete_file","arguments":{}}'),
    "the tool's name, the other way round": raw_call('{"name":"delete_file","name":"read_file","arguments":{}}'),
    "the name, escaped": raw_call('{"name":"delete_file","n\\u0061me":"read_file","arguments":{}}'),
    "an argument": raw_call('{"name":"write_file","arguments":{"path":"/etc/passwd","path":"/tmp/x"}}'),
    "the arguments": raw_call('{"name":"write_file","arguments":{"path":"/etc"},"arguments":{"path":"/tmp/x"}}'),
    "the params": raw_call('{"name":"delete_file"},"params":{"name":"read_file"}'),
    "the method": raw_call('{"name":"read_file"},"method":"ping"'),
    "the id": raw_call('{"name":"read_file"},"id":8'),
}


@pytest.mark.parametrize("line", DUPLICATES.values(), ids=DUPLICATES.keys())
def test_duplicate_members_leave_only_what_was_judged(line):
    turn = connected(FILES_POLICY).client(line)
    assert len(turn.upstream) <= 1
    for sent, text in zip(turn.upstream, turn.lines, strict=False):  # a denial has a line and nothing upstream
        pairs = json.loads(text, object_pairs_hook=lambda pairs: pairs)
        assert len(dict(pairs)) == len(pairs), "no duplicate survives"
        if sent["method"] == "tools/call":
            assert sent["params"]["name"] == turn.events[0].tool
            assert turn.events[0].decision == "allow"


NEAR_NAMES = {
    "Go reads Params as params": raw_call('{"name":"read_file"},"Params":{"name":"delete_file"}'),
    "Go reads METHOD as method": b'{"jsonrpc":"2.0","id":7,"method":"ping","METHOD":"tools/call","params":{}}',
    "Go reads Name as name": raw_call('{"name":"read_file","Name":"delete_file"}'),
    "Go reads ARGUMENTS as arguments": raw_call('{"name":"write_file","arguments":{"path":"/tmp"},"ARGUMENTS":{}}'),
    "long s folds to s": raw_call('{"name":"read_file"},"param\u017f":{"name":"delete_file"}'),
    "C reads up to a NUL": raw_call('{"name\\u0000":"delete_file","name":"read_file"}'),
    "C reads a method up to a NUL": b'{"jsonrpc":"2.0","id":7,"method\\u0000x":"tools/call","method":"ping"}',
    "Kelvin sign folds to k": raw_call('{"name":"read_file","tas\u212a":{}}'),
}


@pytest.mark.parametrize("line", NEAR_NAMES.values(), ids=NEAR_NAMES.keys())
def test_a_member_that_differs_only_in_case_is_refused(line):
    turn = connected(FILES_POLICY).client(line)
    assert turn.upstream == []
    assert "differs only in case" in turn.client[0]["error"]["message"]
    assert turn.types == ["message.rejected"]


@pytest.mark.parametrize("method", ["Tools/Call", "tools/CALL", " tools/call", "tools/call\n", "tools/call\0"])
@pytest.mark.parametrize("has_id", [True, False], ids=["request", "notification"])
def test_a_method_that_a_lenient_reader_takes_for_a_call_is_refused(method, has_id):
    message = notification(method, name="delete_file")
    turn = connected(FILES_POLICY).client({"id": 7, **message} if has_id else message)
    assert turn.upstream == []
    assert turn.types == ["message.rejected"]


def test_where_names_of_arguments_are_the_matter_the_denial_says_which_are_right():
    turn = connected(ALLOW_ALL).client(call(7, "read_file", Path="x", path="y"))
    assert turn.upstream == []
    assert turn.client[0]["result"]["content"][0]["text"].endswith("Give each argument once, by its declared name.")


def test_a_call_without_an_id_is_still_a_call_and_goes_nowhere():
    turn = connected(ALLOW_ALL).client(notification("tools/call", name="read_file", arguments={}))
    assert turn.upstream == []
    assert turn.client[0]["error"]["message"] == "tools/call needs an id"
    assert turn.types == ["message.rejected"]


NEAR_ARGUMENTS = [
    ({"path": "/tmp/x", "Path": "/etc/passwd"}, "two arguments"),
    ({"Path": "/etc/passwd"}, "one that is not the declared one"),
    ({"path": "/tmp/x", "a": 1, "A": 2}, "two undeclared ones"),
    ({"path\0": "/etc/passwd", "path": "/tmp/x"}, "one that is the declared one up to a NUL"),
]


@pytest.mark.parametrize(("arguments", "_"), NEAR_ARGUMENTS, ids=[name for _, name in NEAR_ARGUMENTS])
def test_arguments_whose_names_differ_only_in_case_are_denied(arguments, _):
    book = connected(ALLOW_ALL, (tool("write_file", "path", "text"),))
    turn = book.client(call(7, "write_file", **arguments))
    assert turn.upstream == []
    assert turn.events[0].decided_by == "guard"
    assert turn.client[0]["result"]["isError"] is True


def test_arguments_that_the_tool_declares_in_both_cases_pass():
    book = connected(ALLOW_ALL, (tool("plot", "x", "X"),))
    assert book.client(call(7, "plot", x="1", X="2", colour="red")).upstream


def test_nobody_learns_by_a_near_name_that_a_hidden_tool_is_there():
    book = connected(FILES_POLICY, (tool("delete_file", "path"),))
    answers = [book.client(call(7, name, path="a", Path="b")).client[0] for name in ("delete_file", "no_such_tool")]
    assert [one["error"]["message"] for one in answers] == ["Unknown tool: delete_file", "Unknown tool: no_such_tool"]


def test_two_names_that_are_one_are_denied_to_a_tool_that_was_never_listed():
    book = connected(ALLOW_ALL + "settings: {unlisted_tools: policy}\n")
    assert book.client(call(7, "anything", path="a", Path="b")).upstream == []
    assert book.client(call(8, "anything", path="a")).upstream


WITHIN = """
version: 1
rules:
  - {id: no-hr, effect: deny, tools: "*", when: 'has(request.args.issue) && request.args.issue.project == "HR"'}
  - {id: no-eve, effect: deny, prompts: "*", when: 'has(request.args.to) && request.args.to.exists(p, p.mail == "eve")'}
  - {id: hidden, effect: deny, tools: hidden}
  - {id: tools, effect: allow, tools: "*"}
  - {id: prompts, effect: allow, prompts: "*"}
"""
NEAR_MEMBERS = [
    {"issue": {"project": "ENG", "Project": "HR"}},
    {"issue": {"Project": "HR"}},
    {"issue": {"project": "ENG", "project\0": "HR"}},
    {"Issue": {"project": "HR"}},
]


@pytest.mark.parametrize("stand", [connected, modern])
@pytest.mark.parametrize("arguments", NEAR_MEMBERS)
def test_a_call_with_a_member_that_nearly_is_one_that_the_policy_reads_goes_nowhere(stand, arguments):
    meta = META if stand is modern else None
    turn = stand(WITHIN, ("create_issue",)).client(call(7, "create_issue", meta, **arguments))
    assert turn.upstream == []
    assert (turn.events[0].decision, turn.events[0].decided_by, turn.events[0].rule) == ("deny", "guard", None)
    answer = turn.client[0]["result"]
    assert answer["isError"] is True
    assert "could be read in two ways" in answer["content"][0]["text"]
    assert "HR" not in answer["content"][0]["text"]


def test_the_same_arguments_pass_where_the_policy_reads_nothing_within_them():
    arguments = NEAR_MEMBERS[0]
    assert connected(ALLOW_ALL, ("create_issue",)).client(call(7, "create_issue", **arguments)).upstream
    assert connected(WITHIN, ("create_issue",)).client(call(7, "create_issue", issue={"project": "ENG"})).upstream


def test_a_prompt_with_such_a_member_is_not_asked_for():
    book = connected(WITHIN)
    turn = book.client(request(7, "prompts/get", name="invite", arguments={"to": [{"mail": "ann", "Mail": "eve"}]}))
    assert turn.upstream == []
    assert turn.events[0].decided_by == "guard"
    assert "could be read in two ways" in turn.client[0]["error"]["message"]
    assert book.client(request(8, "prompts/get", name="invite", arguments={"to": [{"mail": "ann"}]})).upstream


def test_a_hidden_tool_stays_hidden_from_who_sends_such_a_member():
    turn = connected(WITHIN, ("hidden",)).client(call(7, "hidden", **NEAR_MEMBERS[0]))
    assert turn.client[0]["error"]["message"] == "Unknown tool: hidden"


def test_who_observes_is_told_of_such_a_member_and_lets_the_call_through():
    turn = connected(WITHIN, ("create_issue",), mode="observe").client(call(7, "create_issue", **NEAR_MEMBERS[0]))
    assert turn.upstream
    assert (turn.events[0].decision, turn.events[0].decided_by) == ("deny", "guard")


def test_another_policy_looks_for_its_own_members_from_its_first_call_on():
    book = connected(ALLOW_ALL, ("create_issue",))
    assert book.client(call(7, "create_issue", **NEAR_MEMBERS[0])).upstream
    book.policy(WITHIN)
    assert book.client(call(8, "create_issue", **NEAR_MEMBERS[0])).upstream == []


# From the upstream to the client: the text stays, what could be taken for a line end does not


@pytest.mark.parametrize("separator", ["\x85", "\u2028", "\u2029"])
def test_a_tool_result_cannot_smuggle_a_message_to_a_client_that_splits_at_other_line_ends(separator):
    book = connected(FILES_POLICY)
    book.client(call(7, "read_file", path="x"))
    text = f"{separator}{json.dumps(result(9, tools=[tool('delete_file')]))}{separator}"
    answer = result(7, content=[{"type": "text", "text": text}])
    assert book.upstream(answer).client == [answer]


def test_a_carriage_return_in_an_upstreams_line_does_not_split_it():
    book = connected(FILES_POLICY)
    book.client(call(7, "read_file", path="x"))
    inner = json.dumps(result(9, tools=[])).encode()
    turn = book.upstream(b'{"x":\r' + inner + b'\r,"jsonrpc":"2.0","id":7,"result":{}}')
    assert len(turn.client) == 1


def test_while_a_list_is_open_no_second_id_reaches_the_client():
    book = connected(FILES_POLICY)
    book.client(request(5, "tools/list"))
    book.client(call(7, "read_file", path="x"))
    line = b'{"jsonrpc":"2.0","id":5,"id":7,"result":{"tools":[{"name":"delete_file"}]}}'
    turn = book.upstream(line)
    assert turn.lines[0].count(b'"id"') == 1
    assert turn.client[0]["id"] == 7


# The encoder

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_what_is_decoded_and_encoded_is_the_same_value_on_one_ascii_line(value):
    line = encode(decode(json.dumps(value, ensure_ascii=False).encode()))
    assert json.loads(line) == value
    assert line.isascii()
    assert len(line.decode().splitlines()) == 1


@given(JSON)
def test_a_sealed_line_is_the_same_value_on_one_line_for_every_reader(value):
    line = seal(json.dumps(value, ensure_ascii=False, indent="\r").replace("\n", " ").encode())
    assert json.loads(line) == value
    assert len(line.decode().splitlines()) == 1


NUMBERS = ["0", "-0.0", "1.0", "1e2", "9007199254740993", "18446744073709551616", str(10**60), "0.1", "5e-324"]


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_keep_their_value_and_their_kind(number):
    back = json.loads(encode(decode(number.encode())))
    assert (back, type(back)) == (json.loads(number), type(json.loads(number)))


UNREADABLE = {
    "not JSON": b"{",
    "NaN": b'{"a":NaN}',
    "Infinity": b"-Infinity",
    "a number without a double": b"1e400",
    "a number of 10,000 digits": b"9" * 10_000,
    "invalid UTF-8": b'"\xff"',
    "a surrogate in UTF-8": b'"\xed\xa0\x80"',
    "half a surrogate pair, escaped": b'"\\ud800x"',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "two texts": b"{} {}",
    "a control character in a string": b'"a\x01b"',
    "a trailing comma": b"[1,]",
    "a comment": b"{/**/}",
    "single quotes": b"{'a':1}",
    "10,000 levels": b"[" * 10_000 + b"]" * 10_000,
    "100,000 levels, unclosed": b'{"a":' * 100_000,
    "nothing": b"",
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cannot_be_read_in_exactly_one_way_is_refused(text):
    with pytest.raises(UnreadableError):
        decode(text)


@settings(max_examples=300)
@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_nothing_but_the_one_error_ever_leaves_the_decoder(text):
    try:
        line = encode(decode(text))
    except UnreadableError:
        return
    assert line.isascii()
