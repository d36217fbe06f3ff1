"""What holds for prompts and resources whatever the two sides send: what may not be used is never asked for upstream,
and never listed.
"""

import json

from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.gate import Admitted, Forward
from tests.gate.playbook import META, Turn, connected, modern

POLICY = """
version: 1
rules:
  - {id: tools, effect: allow}
  - {id: python, effect: gated, prompts: review, when: request.args.language == "python"}
  - {id: data, effect: allow, resources: "file:///data/*"}
"""
JUDGED = ("prompts/get", "resources/read", "resources/subscribe", "completion/complete")
NAMES = st.sampled_from(["review", "Review", "other", "", 1])
URIS = st.sampled_from(
    ["file:///data/a", "file:///data/../etc", "FILE:///data/a", "file:///data/%2e%2e/etc", "x:y", "file:///etc", None]
)
LANGUAGES = st.sampled_from(["python", "c", None, ["python"]])
PARAMS = st.fixed_dictionaries(
    {},
    optional={
        "name": NAMES,
        "Name": NAMES,
        "uri": URIS,
        "URI": URIS,
        "arguments": st.fixed_dictionaries({}, optional={"language": LANGUAGES, "Language": LANGUAGES}) | NAMES,
        "ref": st.fixed_dictionaries(
            {"type": st.sampled_from(["ref/prompt", "ref/resource", "ref/x"])}, optional={"name": NAMES, "uri": URIS}
        ),
        "notifications": st.fixed_dictionaries(
            {}, optional={"resourceSubscriptions": st.lists(URIS, max_size=3), "ResourceSubscriptions": st.just([])}
        ),
        "_meta": st.just(META),
    },
)
METHODS = st.sampled_from([*JUDGED, "Prompts/get", "resources/list", "prompts/list", "subscriptions/listen", "ping"])
ASKED = st.builds(
    lambda number, method, params: {"jsonrpc": "2.0", "id": number, "method": method, "params": params},
    st.integers(10, 13),
    METHODS,
    PARAMS,
)
TOLD = st.builds(lambda method, params: {"jsonrpc": "2.0", "method": method, "params": params}, METHODS, PARAMS)
LISTED = st.lists(st.fixed_dictionaries({}, optional={"uri": URIS, "name": NAMES}), max_size=4)
ANSWERS = st.builds(
    lambda number, listed: {"jsonrpc": "2.0", "id": number, "result": {"resources": listed}},
    st.integers(10, 13) | st.just("list"),
    LISTED,
)
UPDATES = st.builds(
    lambda uri: {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": uri}}, URIS
)
STEPS = st.lists(
    st.tuples(st.just("client"), ASKED | TOLD | st.lists(ASKED, max_size=2))
    | st.tuples(st.just("upstream"), ANSWERS | UPDATES),
    max_size=8,
)
READABLE = ("file:///data/a",)


def check(turn: Turn) -> None:
    for output in turn.outputs:
        if not isinstance(output, Forward | Admitted):
            continue
        message = json.loads(output.line)
        method, params = message["method"], message.get("params", {})
        assert isinstance(output, Admitted) or method not in JUDGED
        if method == "prompts/get":
            assert (params["name"], params["arguments"]) == ("review", {"language": "python"})
        elif method in ("resources/read", "resources/subscribe"):
            assert params["uri"] in READABLE
        elif method == "completion/complete":
            assert params["ref"].get("name") == "review" or params["ref"].get("uri") in READABLE
        elif method == "subscriptions/listen":
            assert set((params.get("notifications") or {}).get("resourceSubscriptions", [])) <= set(READABLE)
    for sent in turn.client:
        for message in sent if isinstance(sent, list) else [sent]:
            if message.get("method") == "notifications/resources/updated":
                assert message["params"]["uri"] in READABLE
            if message.get("id") == "list" and "result" in message:
                assert {entry.get("uri") for entry in message["result"]["resources"]} <= set(READABLE)


@given(st.sampled_from([connected, modern]), STEPS)
def test_what_may_not_be_used_is_never_asked_for(stand, steps):
    book = stand(POLICY)
    for side, message in steps:
        check(book.client(message) if side == "client" else book.upstream(message))


@given(st.sampled_from([connected, modern]), STEPS, LISTED)
def test_a_list_of_resources_is_filtered_whatever_else_is_said(stand, steps, listed):
    book = stand(POLICY)
    book.client({"jsonrpc": "2.0", "id": "list", "method": "resources/list"})
    for side, message in steps:
        check(book.client(message) if side == "client" else book.upstream(message))
    check(book.upstream({"jsonrpc": "2.0", "id": "list", "result": {"resources": listed}}))
