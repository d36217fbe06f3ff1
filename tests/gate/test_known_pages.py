"""A page of tools that came before is known again under another id; whatever differs in anything else is read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.gate import known_pages
from mcp_guard.gate.known_pages import KnownPages
from mcp_guard.gate.pages import read_page
from tests.gate.playbook import ALLOW_ALL, FILES_POLICY, connected, notification, request, result, tool

LIST = json.dumps([tool("read_file", "path"), tool("delete_file")], separators=(",", ":"))
LONG = json.dumps([tool(f"read_{number}", description="d" * 100) for number in range(100)], separators=(",", ":"))


@pytest.fixture(autouse=True)
def _short_lines_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_pages, "SHORTEST", 0)


def known(*lines: str) -> KnownPages:
    pages = KnownPages()
    for line in lines:
        pages.keep(line.encode(), read_page(line.encode(), "tools"))
    return pages


FORMS = {
    "the id before the result": '{"jsonrpc":"2.0","id":<id>,"result":{"tools":<tools>}}',
    "the id behind the result": '{"result":{"tools":<tools>},"jsonrpc":"2.0","id":<id>}',
    "a cursor and meta": '{"jsonrpc":"2.0","id":<id>,"result":{"_meta":{"id":1},"tools":<tools>,"nextCursor":"2"}}',
}
USUAL = FORMS["the id before the result"]


def answer(form: str, request_id: str, tools: str = LIST) -> str:
    return form.replace("<id>", request_id).replace("<tools>", tools)


@pytest.mark.parametrize("request_id", ["2", "-3", "0", '"x"', '"mcp-guard/C/7"', '""', '"ä"', "123456789012345678901"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_a_page_is_known_again_under_any_plain_id(form, request_id):
    line = answer(form, request_id).encode()
    found = known(answer(form, "1")).find(line)
    assert found is not None
    assert found[0] == json.loads(request_id)
    assert described(found[1]) == described(read_page(line, "tools"))


NOT_THE_SAME = {
    "another tool": answer(USUAL, "2", LIST.replace("read_file", "read_fil3")),
    "another byte at the end": '{"jsonrpc":"2.0","id":2,"result":{"tools":<tools>} ',
    "another byte at the start": '[{"jsonrpc":"2.0","id":2,"result":{"tools":<tools>}}',
    "a second id": '{"jsonrpc":"2.0","id":2,"id":3,"result":{"tools":<tools>}}',
    "a second result": '{"jsonrpc":"2.0","id":2,"result":{"tools":[]},"result":{"tools":<tools>}}',
    "an error beside it": '{"jsonrpc":"2.0","id":2,"error":{"code":1},"result":{"tools":<tools>}}',
    "two texts": '{"jsonrpc":"2.0","id":"a""b","result":{"tools":<tools>}}',
    "an id without an end": '{"jsonrpc":"2.0","id":"a,"result":{"tools":<tools>}}',
    "no id": '{"jsonrpc":"2.0","id":,"result":{"tools":<tools>}}',
    "an object for an id": '{"jsonrpc":"2.0","id":{"id":2},"result":{"tools":<tools>}}',
    "null for an id": '{"jsonrpc":"2.0","id":null,"result":{"tools":<tools>}}',
    "true for an id": '{"jsonrpc":"2.0","id":true,"result":{"tools":<tools>}}',
    "a fraction": '{"jsonrpc":"2.0","id":2.0,"result":{"tools":<tools>}}',
    "an exponent": '{"jsonrpc":"2.0","id":2e0,"result":{"tools":<tools>}}',
    "a space before the id": '{"jsonrpc":"2.0","id": 2,"result":{"tools":<tools>}}',
    "an escape in the id": '{"jsonrpc":"2.0","id":"\\u0061","result":{"tools":<tools>}}',
    "a line separator in the id": '{"jsonrpc":"2.0","id":"a\u2028b","result":{"tools":<tools>}}',
    "a next line in the id": '{"jsonrpc":"2.0","id":"a\x85b","result":{"tools":<tools>}}',
    "a very long id": '{"jsonrpc":"2.0","id":"<long>","result":{"tools":<tools>}}'.replace("<long>", "x" * 2_000),
    "the start alone": '{"jsonrpc":"2.0","id":2',
    "the end alone": ',"result":{"tools":<tools>}}',
    "start and end in one another": '{"jsonrpc":"2.0","id":"result":{"tools":<tools>}}',
}


@pytest.mark.parametrize("line", NOT_THE_SAME.values(), ids=NOT_THE_SAME.keys())
def test_a_line_that_differs_in_more_than_a_plain_id_has_to_be_read(line):
    assert known(answer(USUAL, "1")).find(answer(line, "2").encode()) is None


NOT_KEPT = {
    "its id twice": '{"jsonrpc":"2.0","id":1,"id":1,"result":{"tools":<tools>}}',
    "its id before and behind": '{"jsonrpc":"2.0","id":1,"result":{"tools":<tools>},"id":1}',
    "its id escaped as well": '{"jsonrpc":"2.0","id":1,"\\u0069d":1,"result":{"tools":<tools>}}',
    "its result twice": '{"jsonrpc":"2.0","id":1,"result":{"tools":[]},"result":{"tools":<tools>}}',
    "its list twice": '{"jsonrpc":"2.0","id":1,"result":{"tools":[],"tools":<tools>}}',
    "something beside the result": '{"jsonrpc":"2.0","id":1,"future":1,"result":{"tools":<tools>}}',
    "another protocol": '{"jsonrpc":"1.0","id":1,"result":{"tools":<tools>}}',
    "what a call's answer has": '{"jsonrpc":"2.0","id":1,"result":{"tools":<tools>,"isError":true}}',
    "spaces": '{"jsonrpc": "2.0", "id": 1, "result": {"tools":<tools>}}',
    "more members than memory": '{"jsonrpc":"2.0","id":1,"result":{"tools":<tools>,<members>}}'.replace(
        "<members>", ",".join(f'"{number}":1' for number in range(known_pages.MOST_MEMBERS))
    ),
}


@pytest.mark.parametrize("form", NOT_KEPT.values(), ids=NOT_KEPT.keys())
def test_a_line_of_which_it_is_not_plain_where_its_one_id_is_is_not_kept(form):
    line = answer(form, "1")
    assert known(line).find(line.encode()) is None


def test_the_oldest_pages_make_room(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(known_pages, "MEMO_PAGES", 2)
    lines = [answer(USUAL, "1", json.dumps([tool(name)])) for name in ("a", "b", "c")]
    assert [known(*lines).find(line.encode()) is not None for line in lines] == [False, True, True]


def test_pages_are_kept_up_to_so_many_bytes_together(monkeypatch: pytest.MonkeyPatch):
    lines = [answer(USUAL, "1", json.dumps([tool(name)])) for name in ("a", "b", "c")]
    monkeypatch.setattr(known_pages, "MEMO_BYTES", 2 * len(lines[0]))
    assert [known(*lines).find(line.encode()) is not None for line in lines] == [False, True, True]


PIECES = ['{"jsonrpc":"2.0",', '"id":', "1", "2", ",", '"result":', '{"tools":[]}', '{"tools":[{"name":"a"}]}', "}"]


@given(
    st.lists(st.sampled_from(PIECES), max_size=12).map("".join),
    st.sampled_from(list(FORMS.values())),
    st.text('0123456789"\\,:{}[] aid\u2028', max_size=12),
)
def test_whatever_is_known_again_is_what_reading_it_would_give(odd, form, request_id):
    pages = known(*(answer(form, "1", tools) for form in FORMS.values() for tools in ("[]", '[{"name":"a"}]')))
    for line in (odd.encode(), answer(form, request_id, "[]").encode()):
        found = pages.find(line)
        if found is not None:
            read = read_page(line, "tools")
            assert described(found[1]) == described(read)
            assert json.loads(line)["id"] == found[0]


def described(page) -> tuple:
    """A page as plain values; the order of members counts."""
    envelope, members = (
        [(name, bytes(value)) for name, value in part.items()] for part in (page.envelope, page.result)
    )
    return envelope, members, page.member, page.listed, page.cursor, page.sealed


# In a conversation, with lists as long as those that are kept


def lists(book, request_id, tools: str = LONG) -> dict:
    book.client(request(request_id, "tools/list"))
    (answered,) = book.upstream(answer(USUAL, json.dumps(request_id), tools).encode()).client
    return answered


def names(answered: dict) -> list[str]:
    return [entry["name"] for entry in answered["result"]["tools"]]


def test_what_the_guard_listed_itself_is_what_the_client_gets_under_its_own_id():
    book = connected(FILES_POLICY)
    (own,) = book.upstream(notification("notifications/tools/list_changed")).upstream
    with_hidden = LONG[:-1] + "," + json.dumps(tool("delete_file"), separators=(",", ":")) + "]"
    book.upstream(answer(USUAL, json.dumps(own["id"]), with_hidden).encode())
    for request_id in (1, "2", 3):
        assert lists(book, request_id, with_hidden) == result(request_id, tools=json.loads(LONG))


def test_a_line_separator_in_the_id_under_which_a_page_comes_again_does_not_end_the_line_at_the_client():
    book = connected(FILES_POLICY)
    lists(book, 1)
    book.client(request("a\u2028b", "tools/list"))
    turn = book.upstream(answer(USUAL, '"a\u2028b"', LONG).encode())
    assert [line.splitlines() == [line] and line.isascii() for line in turn.lines] == [True]
    assert turn.client == [result("a\u2028b", tools=json.loads(LONG))]


def test_a_policy_that_changed_between_two_pages_that_are_the_same_counts():
    book = connected(ALLOW_ALL)
    assert len(names(lists(book, 1))) == 100
    book.policy(FILES_POLICY.replace("read_*", "read_7"))
    assert names(lists(book, 2)) == ["read_7"]


def test_a_page_that_nobody_asked_for_under_that_id_is_passed_to_nobody():
    book = connected(ALLOW_ALL)
    lists(book, 1)
    turn = book.upstream(answer(USUAL, "1", LONG).encode())
    assert (turn.client, turn.types) == ([], ["message.rejected"])


def test_a_page_of_tools_that_answers_something_else_is_no_list():
    book = connected(FILES_POLICY)
    lists(book, 1)
    book.client(request(2, "ping"))
    line = answer(USUAL, "2", LONG)
    assert book.upstream(line.encode()).client == [json.loads(line)]


def test_tools_that_were_gone_and_come_back_on_the_same_page_can_be_called_again():
    book = connected(ALLOW_ALL)
    for tools, known_then in ((LONG, True), ("[]", False), (LONG, True)):
        (own,) = book.upstream(notification("notifications/tools/list_changed")).upstream
        book.upstream(answer(USUAL, json.dumps(own["id"]), tools).encode())
        turn = book.client(request("c", "tools/call", name="read_7", arguments={}))
        assert bool(turn.upstream) is known_then
        book.upstream(result("c", content=[]))
