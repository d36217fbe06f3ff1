"""A modern client's subscriptions on a legacy upstream: acknowledged first, then every notice that each one wants."""

import pytest

from mcp_guard.gate import Admitted
from mcp_guard.gate.bridge.subscriptions import MAX_RESOURCES
from tests.gate.bridge.playbook import Book, error, modern_book
from tests.gate.playbook import ALLOW_ALL, META, notification, request, result

TAG = "io.modelcontextprotocol/subscriptionId"
ALL_LISTS = {"toolsListChanged": True, "promptsListChanged": True, "resourcesListChanged": True}


def listen(request_id: object, **wanted: object) -> dict:
    return request(request_id, "subscriptions/listen", notifications=wanted, _meta=META)


def acknowledged(request_id: object, **honoured: object) -> dict:
    return notification("notifications/subscriptions/acknowledged", _meta={TAG: request_id}, notifications=honoured)


def tagged(request_id: object, method: str, **params: object) -> dict:
    return notification(method, **params, _meta={TAG: request_id})


def watching(*uris: str) -> Book:
    """A book with one subscription, 1, to these resources."""
    book = modern_book()
    for message in book.client(listen(1, resourceSubscriptions=list(uris))).upstream:
        book.upstream(result(message["id"]))
    return book


OFFERS = [
    ({}, ALL_LISTS, {}),
    ({"tools": {"listChanged": True}, "prompts": {}}, ALL_LISTS, {"toolsListChanged": True}),
    ({"tools": {}, "prompts": {"listChanged": True}}, {"promptsListChanged": True}, {"promptsListChanged": True}),
    ({"prompts": {"listChanged": True}}, {"promptsListChanged": 1, "toolsListChanged": "yes"}, {}),
    ({"resources": {"listChanged": True}}, {"resourceSubscriptions": ["a:/x"]}, {}),
    ({"resources": {"subscribe": True}}, {"resourceSubscriptions": [5, None]}, {}),
    ({"resources": {"subscribe": True}}, {"resourceSubscriptions": []}, {}),
]


@pytest.mark.parametrize(("offered", "wanted", "honoured"), OFFERS)
def test_an_acknowledgment_says_what_of_it_the_upstream_honours(offered, wanted, honoured):
    turn = modern_book(capabilities=offered).client(listen("s", **wanted))
    assert turn.upstream == []
    [told] = turn.client
    agreed = {name: value for name, value in told["params"]["notifications"].items() if name not in offered}
    expected = {"toolsListChanged": True} if wanted.get("toolsListChanged") is True else {}  # the guard's own
    assert (told["params"]["_meta"], agreed) == ({TAG: "s"}, {**honoured, **expected})


def test_a_listing_that_is_no_filter_is_acknowledged_as_nothing():
    turn = modern_book().client(request(1, "subscriptions/listen", notifications=[1], _meta=META))
    assert turn.client == [acknowledged(1)]


def test_a_resource_is_acknowledged_when_the_upstream_has_agreed_to_watch_it():
    book = modern_book()
    turn = book.client(listen(1, resourceSubscriptions=["a:/x"]))
    [asked] = turn.upstream
    assert (asked["method"], asked["params"]) == ("resources/subscribe", {"uri": "a:/x"})
    assert turn.client == []
    assert book.upstream(result(asked["id"])).client == [acknowledged(1, resourceSubscriptions=["a:/x"])]


def test_a_resource_that_the_upstream_refuses_is_not_acknowledged():
    book = modern_book()
    [asked] = book.client(listen(1, resourceSubscriptions=["a:/x"])).upstream
    assert book.upstream(error(asked["id"], -32002)).client == [acknowledged(1)]


def test_an_upstream_that_takes_too_long_is_acknowledged_without():
    book = modern_book()
    [asked] = book.client(listen(1, resourceSubscriptions=["a:/x"])).upstream
    assert book.wait(1).client == []
    assert book.wait(5).client == [acknowledged(1)]
    assert book.upstream(result(asked["id"])).outputs == []


def test_several_resources_are_acknowledged_together():
    book = modern_book()
    asked = book.client(listen(1, resourceSubscriptions=["a:/x", "a:/y", "a:/x"])).upstream
    assert [message["params"]["uri"] for message in asked] == ["a:/x", "a:/y"]
    assert book.upstream(result(asked[0]["id"])).client == []
    [told] = book.upstream(error(asked[1]["id"], -32602)).client
    assert told["params"]["notifications"] == {"resourceSubscriptions": ["a:/x"]}


def test_a_resource_that_is_watched_already_is_not_asked_for_again():
    book = watching("a:/x")
    turn = book.client(listen(2, resourceSubscriptions=["a:/x"]))
    assert turn.upstream == []
    assert turn.client == [acknowledged(2, resourceSubscriptions=["a:/x"])]


def test_a_resource_that_is_being_asked_for_is_acknowledged_to_both():
    book = modern_book()
    [asked] = book.client(listen(1, resourceSubscriptions=["a:/x"])).upstream
    assert book.client(listen(2, resourceSubscriptions=["a:/x"])).outputs == []
    told = book.upstream(result(asked["id"])).client
    assert told == [acknowledged(number, resourceSubscriptions=["a:/x"]) for number in (1, 2)]


NOTICES = [
    ("notifications/tools/list_changed", {}),
    ("notifications/prompts/list_changed", {}),
    ("notifications/resources/list_changed", {}),
]


@pytest.mark.parametrize(("method", "params"), NOTICES)
def test_a_change_of_a_list_goes_to_each_subscription_that_asked_for_it(method, params):
    book = modern_book()
    book.client(listen("a", **ALL_LISTS))
    book.client(listen("b", **ALL_LISTS))
    book.client(listen("c"))
    assert book.upstream(notification(method)).client == [tagged("a", method), tagged("b", method)]


def test_changed_tools_are_listed_anew_whoever_hears_of_it():
    book = modern_book()
    turn = book.upstream(notification("notifications/tools/list_changed"))
    assert turn.client == []
    assert [message["method"] for message in turn.upstream] == ["tools/list"]


UPDATES = [("a:/x", True), ("a:/x/part", True), ("a:/xy", False), ("a:/y", False), (5, False)]


@pytest.mark.parametrize(("uri", "heard"), UPDATES)
def test_an_update_goes_to_who_watches_the_resource_or_what_it_is_part_of(uri, heard):
    book = watching("a:/x")
    update = notification("notifications/resources/updated", uri=uri, _meta={"m": 1})
    expected = [notification("notifications/resources/updated", uri=uri, _meta={"m": 1, TAG: 1})] if heard else []
    assert book.upstream(update).client == expected


def test_nothing_is_heard_before_the_acknowledgment():
    book = modern_book()
    book.client(listen(1, resourceSubscriptions=["a:/x"], **ALL_LISTS))
    assert book.upstream(notification("notifications/prompts/list_changed")).client == []


def test_a_cancelled_subscription_hears_nothing_and_its_resources_are_let_go():
    book = watching("a:/x", "a:/y")
    book.client(listen(2, resourceSubscriptions=["a:/y"]))
    turn = book.client(notification("notifications/cancelled", requestId=1))
    assert [(message["method"], message["params"]) for message in turn.upstream] == [
        ("resources/unsubscribe", {"uri": "a:/x"})
    ]
    assert book.upstream(notification("notifications/resources/updated", uri="a:/x")).client == []
    assert book.upstream(notification("notifications/resources/updated", uri="a:/y")).client == [
        tagged(2, "notifications/resources/updated", uri="a:/y")
    ]


def test_a_resource_that_was_let_go_is_asked_for_again():
    book = watching("a:/x")
    book.client(notification("notifications/cancelled", requestId=1))
    [asked] = book.client(listen(2, resourceSubscriptions=["a:/x"])).upstream
    assert asked["method"] == "resources/subscribe"


def test_a_new_policy_tells_the_subscriptions_that_asked_for_changed_tools():
    book = modern_book()
    book.client(listen("a", toolsListChanged=True))
    book.client(listen("b", promptsListChanged=True))
    assert book.policy(ALLOW_ALL).client == [tagged("a", "notifications/tools/list_changed")]


def test_resources_that_are_watched_are_bounded():
    book = modern_book()
    uris = [f"a:/{number}" for number in range(MAX_RESOURCES + 5)]
    asked = book.client(listen(1, resourceSubscriptions=uris)).upstream
    assert len(asked) == MAX_RESOURCES


WATCHED = """
version: 1
name: watched
rules:
  - {id: public, name: Public things, effect: allow, resources: "a://public/*"}
"""


def test_a_judged_subscription_goes_upstream_with_its_row_and_what_follows_waits_for_it():
    book = modern_book(WATCHED)
    wanted = ["a://public/1", "a://secret", "a://public/2"]
    turn = book.client(listen(1, resourceSubscriptions=wanted))
    [asked] = turn.upstream
    assert asked["params"] == {"uri": "a://public/1"}
    assert [type(output) for output in turn.outputs if getattr(output, "line", None) and output.line in turn.lines] == [
        Admitted
    ]
    [second] = book.wait(1).upstream
    assert second["params"] == {"uri": "a://public/2"}


def test_a_judged_subscription_whose_row_cannot_be_written_watches_nothing():
    book = modern_book(WATCHED)
    turn = book.client(listen(1, resourceSubscriptions=["a://public/1", "a://public/2"]))
    assert len(book.refuse(turn)) == 1
    assert book.wait(1).upstream == []
    assert book.wait(6).client == []
