"""Prompts and resources of several servers under one policy: each judged by its own server's gate."""

from collections.abc import Callable

import pytest

from tests.gate.hub.playbook import Playbook, Server, Turn, connected, modern
from tests.gate.playbook import META, request

POLICY = """
version: 1
rules:
  - {id: tools, effect: allow}
  - {id: a-prompts, effect: allow, servers: a, prompts: "*"}
  - {id: b-prompts, effect: gated, servers: b, prompts: review, when: request.args.x == 1}
  - {id: a-only, effect: allow, servers: a, resources: "file:///a/*"}
  - {id: shared, effect: allow, resources: "file:///shared/*"}
"""
SERVERS = {
    "a": Server(prompts=["review", "plan"], resources=["file:///a/1", "file:///shared/1"], templates=["file:///a/{x}"]),
    "b": Server(prompts=["review", "plan"], resources=["file:///b/1", "file:///shared/2"], templates=["file:///b/{x}"]),
}
Asking = Callable[..., Turn]


@pytest.fixture(params=[connected, modern], ids=["legacy", "modern"])
def asking(request: pytest.FixtureRequest) -> Asking:
    book: Playbook = request.param(SERVERS, POLICY)
    more = {"_meta": META} if request.param is modern else {}
    return lambda method, **params: ask(book, method, {**params, **more})


def ask(book: Playbook, method: str, params: dict) -> Turn:
    return book.client(request(7, method, **params))


def listed(asking: Asking, method: str, member: str, name: str) -> list[str]:
    return [element[name] for element in asking(method).answer(7)["result"][member]]


def test_each_servers_list_is_filtered_by_what_it_may_be_used_for(asking: Asking) -> None:
    assert listed(asking, "prompts/list", "prompts", "name") == ["a__review", "a__plan", "b__review"]
    uris = ["file:///a/1", "file:///shared/1", "file:///shared/2"]
    assert listed(asking, "resources/list", "resources", "uri") == uris
    assert listed(asking, "resources/templates/list", "resourceTemplates", "uriTemplate") == ["file:///a/{x}"]


def test_a_prompt_is_judged_under_its_servers_own_name(asking: Asking) -> None:
    turn = asking("prompts/get", name="b__review", arguments={"x": 1})
    assert [message["params"]["name"] for message in turn.to("b")] == ["review"]
    [event] = turn.events
    assert (event.type, event.server, event.tool, event.rule) == ("prompt.decided", "b", "review", "b-prompts")


def test_a_denied_one_reaches_no_server(asking: Asking) -> None:
    turn = asking("prompts/get", name="b__review", arguments={"x": 2})
    assert turn.servers == []
    error = turn.answer(7)["error"]
    assert error["code"] == -31403
    assert error["message"].startswith("Getting the prompt b__review was denied by policy.")


def test_a_hidden_one_is_unknown_under_the_name_that_the_client_used(asking: Asking) -> None:
    assert asking("prompts/get", name="b__plan").answer(7)["error"]["message"] == "Unknown prompt: b__plan"


def test_a_resource_is_read_from_the_server_that_has_it_where_it_may_be(asking: Asking) -> None:
    asking("resources/list")
    assert asking("resources/read", uri="file:///shared/2").to("b")


def test_one_that_may_not_be_read_is_nobodys(asking: Asking) -> None:
    asking("resources/list")
    turn = asking("resources/read", uri="file:///b/1")
    assert [message for _, message in turn.servers if message["method"] == "resources/read"] == []
    assert turn.answer(7)["error"]["message"].startswith("Resource not found")
