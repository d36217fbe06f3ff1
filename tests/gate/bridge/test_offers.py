"""Prompts and resources under a policy, between eras: judged on the modern side, whichever side that is."""

from tests.gate.bridge.playbook import ABLE_META, legacy_book, modern_book
from tests.gate.playbook import request, result
from tests.gate.test_offers import POLICY

HIDDEN = {"code": -32002, "message": "Resource not found", "data": {"uri": "file:///etc/passwd"}}


def test_a_legacy_client_of_a_modern_upstream_reads_what_it_may():
    book = legacy_book(POLICY)
    turn = book.client(request(1, "resources/read", uri="file:///etc/passwd"))
    assert turn.upstream == []
    assert turn.client[0]["error"] == HIDDEN
    [sent] = book.client(request(2, "resources/read", uri="file:///data/a")).upstream
    assert sent["params"]["uri"] == "file:///data/a"


def test_it_is_told_why_a_prompt_is_denied():
    turn = legacy_book(POLICY).client(request(1, "prompts/get", name="review", arguments={"language": "c"}))
    assert turn.client[0]["error"]["code"] == -31403
    assert turn.client[0]["error"]["data"] == {"dev.mcp-guard/decision": turn.events[0].id}


def test_its_lists_are_filtered():
    book = legacy_book(POLICY)
    [asked] = book.client(request(1, "prompts/list")).upstream
    answer = result(asked["id"], resultType="complete", prompts=[{"name": "review"}, {"name": "other"}])
    assert book.upstream(answer).client[0]["result"] == {"prompts": [{"name": "review"}]}


def test_a_modern_client_of_a_legacy_upstream_subscribes_to_what_it_may_read():
    book = modern_book(POLICY)
    wanted = {"resourceSubscriptions": ["file:///etc/passwd", "file:///data/a"]}
    turn = book.client(request("sub", "subscriptions/listen", _meta=ABLE_META, notifications=wanted))
    assert [sent["params"] for sent in turn.upstream] == [{"uri": "file:///data/a"}]
    assert [(event.tool, event.decision) for event in turn.events] == [
        ("file:///etc/passwd", "deny"),
        ("file:///data/a", "allow"),
    ]


def test_and_reads_no_more():
    turn = modern_book(POLICY).client(request(1, "resources/read", _meta=ABLE_META, uri="file:///etc/passwd"))
    assert turn.upstream == []
    assert turn.client[0]["error"] == {**HIDDEN, "code": -32602}
