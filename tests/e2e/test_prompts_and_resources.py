"""Prompts and resources of a real server under a policy: the npm everything server, which normalises URIs it reads."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.e2e.guard import Guard
from tests.e2e.npm import node_server
from tests.e2e.wire import LEGACY, Wire, wire

POLICY = """\
version: 1
rules:
  - {id: tools, effect: allow}
  - id: ulm
    name: The weather in Ulm
    effect: gated
    prompts: args-prompt
    when: request.args.city == "Ulm"
    message: Only Ulm has weather.
  - {id: plain, effect: allow, prompts: [simple-prompt, completable-prompt]}
  - {id: blobs, effect: deny, resources: "demo://resource/dynamic/blob/*"}
  - {id: architecture, effect: deny, resources: "demo://resource/static/document/architecture.md"}
  - {id: demo, effect: allow, resources: "demo://*"}
"""
DOCUMENT = "demo://resource/static/document"


@pytest.fixture(params=(LEGACY[0], LEGACY[-1]))
def session(guard: Guard, request: pytest.FixtureRequest) -> Iterator[Wire]:
    guard.policy.write_text(POLICY)
    with wire(guard.command(node_server("everything"), slug="demo")) as connection:
        connection.open(request.param)
        connection.until(lambda message: message.get("method") == "roots/list")  # which it asks for a moment later
        yield connection


def names(session: Wire, method: str, member: str, name: str) -> set[str]:
    return {element[name] for element in session.request(method)["result"][member]}


def test_the_agent_is_shown_what_it_may_use(session: Wire) -> None:
    prompts = names(session, "prompts/list", "prompts", "name")
    assert prompts == {"simple-prompt", "args-prompt", "completable-prompt"}
    resources = names(session, "resources/list", "resources", "uri")
    assert f"{DOCUMENT}/features.md" in resources
    assert f"{DOCUMENT}/architecture.md" not in resources
    templates = names(session, "resources/templates/list", "resourceTemplates", "uriTemplate")
    assert templates == {"demo://resource/dynamic/text/{resourceId}"}


def test_prompts_are_judged_on_their_arguments(session: Wire) -> None:
    allowed = session.request("prompts/get", {"name": "args-prompt", "arguments": {"city": "Ulm"}})
    assert "Ulm" in allowed["result"]["messages"][0]["content"]["text"]
    denied = session.request("prompts/get", {"name": "args-prompt", "arguments": {"city": "Bonn"}})["error"]
    assert denied["code"] == -31403
    assert 'where `request.args.city == "Ulm"`' in denied["message"]
    hidden = session.request("prompts/get", {"name": "resource-prompt"})["error"]
    assert hidden == {"code": -32602, "message": "Unknown prompt: resource-prompt"}


READ_AS_ARCHITECTURE = [
    f"{DOCUMENT}/architecture.md",
    "DEMO://resource/static/document/architecture.md",
    "demo://resource/static/../static/document/architecture.md",
    "demo://resource/static/document/x/%2e%2e/architecture.md",
    "demo://resource/static/./document/architecture.md",
]


def test_a_resource_is_hidden_under_each_name_by_which_the_server_would_find_it(session: Wire) -> None:
    with wire(node_server("everything"), stubborn=True) as direct:
        direct.open(LEGACY[-1])
        for uri in READ_AS_ARCHITECTURE:
            assert "contents" in direct.request("resources/read", {"uri": uri})["result"]
    for uri in READ_AS_ARCHITECTURE:
        answer = session.request("resources/read", {"uri": uri})
        assert answer["error"] == {"code": -32002, "message": "Resource not found", "data": {"uri": uri}}


def test_what_is_read_subscribed_to_and_completed_is_in_the_log(session: Wire, guard: Guard) -> None:
    text = "demo://resource/dynamic/text/1"
    template = {"type": "ref/resource", "uri": "demo://resource/dynamic/blob/{resourceId}"}
    assert session.request("resources/read", {"uri": text})["result"]["contents"][0]["uri"] == text
    assert session.request("resources/subscribe", {"uri": text})["result"] == {}
    refused = session.request("resources/subscribe", {"uri": "demo://resource/dynamic/blob/1"})
    assert refused["error"]["message"] == "Resource not found"
    argument = {"name": "resourceId", "value": "1"}
    assert "error" in session.request("completion/complete", {"ref": template, "argument": argument})
    session.finish()
    with closing(sqlite3.connect(guard.database)) as log:
        rows = log.execute("SELECT resource, method, decision, rule, is_error, bytes > 0 FROM decisions").fetchall()
        counted = log.execute("SELECT calls, prompts, resources, denied FROM connections").fetchone()
    assert rows == [
        (text, "resources/read", "allow", "demo", 0, 1),
        (text, "resources/subscribe", "allow", "demo", 0, 1),
        ("demo://resource/dynamic/blob/1", "resources/subscribe", "deny", "blobs", None, None),
        (template["uri"], "completion/complete", "deny", None, None, None),
    ]
    assert counted == (0, 0, 4, 2)


def test_a_new_policy_opens_and_closes_them_while_the_connection_stands(session: Wire, guard: Guard) -> None:
    guard.policy.write_text("version: 1\nrules: [{id: all, effect: allow, tools: '*'}]\n")
    told: set[str] = set()
    while not {"notifications/prompts/list_changed", "notifications/resources/list_changed"} <= told:
        told.add(session.receive().get("method", ""))
    assert "resource-prompt" in names(session, "prompts/list", "prompts", "name")
    assert f"{DOCUMENT}/architecture.md" in names(session, "resources/list", "resources", "uri")
