"""What holds whatever the two sides send: nothing unjudged goes upstream, nothing raises, every line is one message."""

import json

from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.gate import Admitted, Forward
from tests.gate.playbook import FILES_POLICY, FILES_TOOLS, META, Turn, connected, modern

SCALARS = st.none() | st.booleans() | st.integers(-2, 3) | st.floats(allow_nan=False) | st.text(max_size=4)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
METHODS = [
    "tools/call",
    "tools/list",
    "initialize",
    "ping",
    "notifications/cancelled",
    "notifications/initialized",
    "x",
]
NAMES = st.sampled_from([*FILES_TOOLS, "ghost", "Read_File", ""])
ARGUMENTS = st.dictionaries(
    st.sampled_from(["path", "Path", "text"]), st.sampled_from(["/tmp/x", "/etc", 1]), max_size=3
)
PARAMS = st.fixed_dictionaries(
    {},
    optional={
        "name": NAMES | VALUES,
        "arguments": ARGUMENTS | VALUES,
        "requestId": VALUES,
        "_meta": st.just(META) | VALUES,
        "Name": NAMES,
        "protocolVersion": st.sampled_from(["2025-03-26", "2025-11-25"]) | VALUES,
        "clientInfo": VALUES,
    },
)
LISTS = st.fixed_dictionaries({}, optional={"tools": st.lists(st.fixed_dictionaries({"name": NAMES}))})
IDS = st.sampled_from([1, 2, 3, "a", "b", 1.0, True, None, {}])
MESSAGES = st.fixed_dictionaries(
    {"jsonrpc": st.sampled_from(["2.0", "2.0", "2.0", "1.0"])},
    optional={
        "id": IDS,
        "method": st.sampled_from(METHODS) | VALUES,
        "params": PARAMS | VALUES,
        "result": st.fixed_dictionaries({}, optional={"tools": st.lists(st.fixed_dictionaries({"name": NAMES}))})
        | VALUES,
        "error": VALUES,
        "Method": st.just("tools/call"),
    },
)
CALLS = st.builds(
    lambda number, name, arguments, more: {
        "jsonrpc": "2.0",
        "id": number,
        "method": "tools/call",
        "params": {"name": name, "arguments": arguments, **more},
    },
    st.integers(10, 13),
    NAMES,
    ARGUMENTS,
    st.sampled_from([{}, {"_meta": META}, {"Name": "read_file"}, {"task": {}}]),
)
LINES = (
    CALLS | st.lists(CALLS, max_size=2) | MESSAGES | st.lists(MESSAGES, max_size=3) | VALUES | st.binary(max_size=30)
)
STEPS = st.lists(st.tuples(st.sampled_from(["client", "upstream"]), LINES), max_size=8)


def check(turn: Turn) -> None:
    """The invariant, for one turn: what goes upstream is judged, and is what was judged."""
    for output in turn.outputs:
        if isinstance(output, Forward):
            assert json.loads(output.line).get("method") != "tools/call"
        elif isinstance(output, Admitted):
            params = json.loads(output.line)["params"]
            assert output.event.decision == "allow"
            assert output.event.tool == params["name"]
            assert json.loads(bytes(output.event.data["arguments"])) == (params.get("arguments") or {})
            path = (params.get("arguments") or {}).get("path", "")
            assert params["name"] == "read_file" or (params["name"] == "write_file" and path.startswith("/tmp/"))
    for sent in turn.client:
        for message in sent if isinstance(sent, list) else [sent]:
            if message.get("id") == "list" and "result" in message:
                assert "delete_file" not in [entry["name"] for entry in message["result"]["tools"]]


@given(st.sampled_from([connected, modern]), STEPS)
def test_nothing_unjudged_goes_upstream_whatever_is_said(stand, steps):
    book = stand(FILES_POLICY)
    for side, line in steps:
        check(book.client(line) if side == "client" else book.upstream(line))


@given(STEPS)
def test_a_list_that_was_asked_for_is_filtered_whatever_else_is_said(steps):
    book = connected(FILES_POLICY)
    book.client({"jsonrpc": "2.0", "id": "list", "method": "tools/list"})
    for side, line in steps:
        check(book.client(line) if side == "client" else book.upstream(line))
    tools = [{"name": "delete_file"}, {"name": "read_file"}]
    check(book.upstream({"jsonrpc": "2.0", "id": "list", "result": {"tools": tools}}))
