"""The merged list as bytes: what an encoder would make of all the servers' own entries; and nothing in it outlives what
it was filtered by.
"""

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.gate import Connection, Gate, Output, Reply
from mcp_guard.gate.hub import pages
from mcp_guard.gate.hub.merging import SERVER_INFO, SERVER_META
from mcp_guard.gate.outputs import Listed
from mcp_guard.gate.wire import encode, seal
from mcp_guard.governance.snapshot import Override
from mcp_guard.policy import Policy
from tests.gate.hub.playbook import CLIENT, Playbook, Server, Turn, connected, modern
from tests.gate.playbook import META, notification, policy_of, request, result, tool
from tests.gate.test_governance import Registry

SLUGS = ("a", "a--b", "c")
HALF = "version: 1\nrules:\n  - {name: Not these, effect: deny, tools: '*x'}\n  - {name: The rest, effect: allow}\n"

odd_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
odd_name = st.sampled_from(("t", "b__t", "x", "", "ü", "\u2028", "a\u0085b", '"', "\\", "name")) | odd_text
odd_value = st.recursive(
    st.none() | st.booleans() | st.integers() | odd_text | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(odd_text, inner, max_size=3),
    max_leaves=6,
)
KNOWN = {"name", "title", "icons", "_meta"}  # members that are left to what MCP says of them
odd_tool = st.builds(
    lambda name, more, schema: {**more, "name": name, "inputSchema": {"type": "object", "properties": schema}},
    odd_name,
    st.dictionaries(odd_text.filter(lambda key: key.casefold() not in KNOWN), odd_value, max_size=3),
    st.dictionaries(odd_text, st.booleans() | st.dictionaries(odd_text, odd_value, max_size=2), max_size=2),
)
odd_lists = st.fixed_dictionaries({slug: st.lists(odd_tool, max_size=5) for slug in SLUGS})


def spelled(message: dict, indent: int | None, ascii_only: bool) -> bytes:
    """One message as a server might write it: on one line, with whatever is no line feed between its tokens."""
    return json.dumps(message, indent=indent, ensure_ascii=ascii_only).replace("\n", "\r").encode()


def by_an_encoder(request_id: object, lines: dict[str, bytes]) -> bytes:
    """The merged list that an encoder makes of what the servers answered."""
    entries: dict[str, msgspec.Raw] = {}
    for slug, line in lines.items():
        for element in msgspec.json.decode(msgspec.json.decode(line, type=Answer).result.tools, type=list[msgspec.Raw]):
            members = msgspec.json.decode(element, type=dict[str, msgspec.Raw])
            name = f"{slug}__{msgspec.json.decode(members['name'])}"
            members["name"] = msgspec.Raw(encode(name))
            entries.setdefault(name, msgspec.Raw(msgspec.json.encode(members)))
    message = {"jsonrpc": "2.0", "id": request_id, "result": {"tools": list(entries.values())}}
    return seal(msgspec.json.encode(message))


class Result(msgspec.Struct):
    tools: msgspec.Raw


class Answer(msgspec.Struct):
    result: Result


@given(odd_lists, st.sampled_from((None, 1)), st.booleans(), odd_text, st.booleans())
def test_it_is_byte_for_byte_what_an_encoder_makes_of_it_the_first_time_and_again(
    lists, indent, ascii_only, own_id, bridged
):
    book = connected({slug: Server(mute=("tools/list",)) for slug in SLUGS}, bridged=bridged)
    for request_id in (f"!{own_id}", 2):
        turn = book.client(request(request_id, "tools/list"))
        lines: dict[str, bytes] = {}
        for slug, asked in turn.servers:
            lines[slug] = spelled(result(asked["id"], tools=lists[slug]), indent, ascii_only)
            turn = book.server(slug, lines[slug])
        assert [one for _, one in turn.outputs if isinstance(one, Reply)] == [Reply(by_an_encoder(request_id, lines))]


class Plain(Gate):
    """A gate that says of its answers only the lines."""

    def from_upstream(self, line: bytes, now: int) -> list[Output]:
        return [Reply(one.line) if isinstance(one, Listed) else one for one in super().from_upstream(line, now)]


class OfPlainGates(Playbook):
    def _open_gate(self, slug: str, prefix: str, policy: Policy) -> Gate:
        self.lives += 1
        return Plain(Connection(id=f"C{self.lives}", server=slug, user="kim", prefix=prefix), policy)


@given(odd_lists, st.booleans(), st.sampled_from((None, 0, 7, 2.5, "x", 10**30)))
def test_a_list_that_a_gate_hands_over_as_it_read_it_is_the_one_in_its_line(lists, is_modern, ttl):
    servers = {slug: Server(mute=("tools/list",)) for slug in SLUGS}
    answers: list[list[bytes]] = []
    for book in (Playbook(servers, HALF), OfPlainGates(servers, HALF)):
        turn = greet(book, is_modern=is_modern)
        more: dict = {"_meta": META} if is_modern else {}
        turn += book.client(request(1, "tools/list", **more))
        for slug, asked in turn.servers:
            if asked["method"] == "tools/list" and asked["id"].startswith("mcp-guard/hub/"):
                turn = book.server(slug, result(asked["id"], tools=lists[slug], ttlMs=ttl, nextCursor=None))
        answers.append([one.line for _, one in turn.outputs if isinstance(one, Reply)])
    assert answers[0] == answers[1]
    assert len(answers[0]) == 1


def greet(book: Playbook, *, is_modern: bool) -> Turn:
    for slug in book.servers:
        book.started(slug)
    if is_modern:
        return book.client(request("d", "server/discover", _meta=META))
    hello = request(0, "initialize", protocolVersion="2025-11-25", clientInfo=CLIENT, capabilities={})
    return book.client(hello) + book.client(notification("notifications/initialized"))


@given(odd_lists, st.integers(1, 4), st.integers(1, 400), st.booleans())
def test_its_pages_hold_all_of_it_in_order_and_no_more_than_fits(lists, most, size, is_modern):
    whole = [
        f"{slug}__{name}" for slug in SLUGS for name in dict.fromkeys(definition["name"] for definition in lists[slug])
    ]
    servers = {slug: Server(tools=lists[slug]) for slug in SLUGS}
    book, params = (modern(servers), {"_meta": META}) if is_modern else (connected(servers), {})
    kept = pages.PAGE_ENTRIES, pages.PAGE_BYTES
    pages.PAGE_ENTRIES, pages.PAGE_BYTES = most, size
    try:
        seen: list[str] = []
        found = book.client(request(1, "tools/list", **params)).answer(1)["result"]
        while True:
            texts = [len(msgspec.json.encode(entry)) for entry in found["tools"]]
            assert len(texts) <= most
            assert len(texts) < 2 or sum(texts[:-1]) < max(size, 1) + 200  # spelled shorter there, perhaps
            seen += [entry["name"] for entry in found["tools"]]
            if is_modern:
                assert (found["cacheScope"], found["_meta"]) == ("private", {SERVER_META: SERVER_INFO})
            if "nextCursor" not in found:
                break
            found = book.client(request(2, "tools/list", cursor=found["nextCursor"], **params)).answer(2)["result"]
    finally:
        pages.PAGE_ENTRIES, pages.PAGE_BYTES = kept
    assert seen == whole


# What is shown is decided when it is asked


class Governed(Playbook):
    """A hub whose gates all ask one registry of the test's own."""

    def __init__(self, *arguments: object, **more: object) -> None:
        self.registry = Registry()
        super().__init__(*arguments, **more)

    def _open_gate(self, slug: str, prefix: str, policy: Policy) -> Gate:
        self.lives += 1
        return Gate(Connection(id=f"C{self.lives}", server=slug, user="kim", prefix=prefix), policy, self.registry)

    def changed(self, **facts: object) -> None:
        self.registry.change(**facts)
        self.turn(self.hub.registry_changed(self._tick()))


def listing(policy: str = "version: 1\nrules:\n  - {name: All, effect: allow}\n") -> tuple[Governed, dict[str, Server]]:
    """A client that has been given the list twice, so that all that can be remembered of it is."""
    servers = {"a": Server(tools=["x", "y"]), "b": Server(tools=["x", "z"])}
    book = Governed(servers, policy)
    greet(book, is_modern=False)
    assert shown(book) == shown(book) == ["a__x", "a__y", "b__x", "b__z"]
    return book, servers


def shown(book: Playbook) -> list[str]:
    return [entry["name"] for entry in book.client(request(9, "tools/list")).answer(9)["result"]["tools"]]


def test_another_policy_shows_at_once_and_so_does_the_old_one_again() -> None:
    book, _ = listing()
    book.turn(book.hub.replace_policy(policy_of(HALF), book._tick()))
    assert shown(book) == ["a__y", "b__z"]
    book.turn(book.hub.replace_policy(policy_of(HALF.replace("*x", "y")), book._tick()))
    assert shown(book) == ["a__x", "b__x", "b__z"]


def test_a_change_of_the_registry_shows_at_once_and_so_does_its_end() -> None:
    book, _ = listing()
    book.changed(overrides=(Override("O", "b:x", "deny"),))
    assert shown(book) == ["a__x", "a__y", "b__z"]
    book.changed()
    assert shown(book) == ["a__x", "a__y", "b__x", "b__z"]


def test_what_the_registry_says_of_the_agent_shows_at_once() -> None:
    rules = "rules:\n  - {name: T, effect: deny, tools: x, when: '\"trusted\" in agent.tags'}\n"
    book, _ = listing(f"version: 1\n{rules}  - {{name: All, effect: allow}}\n")
    book.changed(tags=("trusted",))
    assert shown(book) == ["a__y", "b__z"]
    book.changed(tags=())
    assert shown(book) == ["a__x", "a__y", "b__x", "b__z"]


def test_another_client_on_the_same_line_is_shown_its_own_list_at_once() -> None:
    rules = "rules:\n  - {name: C, effect: deny, tools: x, when: 'agent.slug == \"cursor\"'}\n"
    servers = {"a": Server(tools=["x", "y"]), "b": Server(tools=["x"])}
    book = modern(servers, f"version: 1\n{rules}  - {{name: All, effect: allow}}\n")

    def shown_to(name: str) -> list[str]:
        meta = {**META, "io.modelcontextprotocol/clientInfo": {"name": name, "version": "1"}}
        found = book.client(request(9, "tools/list", _meta=meta)).answer(9)["result"]
        return [entry["name"] for entry in found["tools"]]

    assert shown_to("codex") == shown_to("codex") == ["a__x", "a__y", "b__x"]
    assert shown_to("cursor") == ["a__y"]
    assert shown_to("codex") == ["a__x", "a__y", "b__x"]


def test_one_servers_other_list_shows_at_once_however_small_the_difference() -> None:
    book, servers = listing()
    servers["b"].tools = [tool("x", title="X"), tool("z")]
    entries = book.client(request(3, "tools/list")).answer(3)["result"]["tools"]
    assert [entry.get("title") for entry in entries] == [None, None, "X", None]
    servers["b"].tools = [tool("x", title="Y"), tool("z")]
    entries = book.client(request(4, "tools/list")).answer(4)["result"]["tools"]
    assert [entry.get("title") for entry in entries] == [None, None, "Y", None]
    servers["b"].tools = ["z", "x"]
    assert shown(book) == ["a__x", "a__y", "b__z", "b__x"]
    servers["b"].tools = []
    assert shown(book) == ["a__x", "a__y"]
