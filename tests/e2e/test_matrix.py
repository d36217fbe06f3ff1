"""Every era and every transport on both sides of the guard: each feature does what it does without a guard.

The SDK's client plays all features (`features.py`) in each cell. Where client and server are of one era, the outcome
must be that of the same client with the same server and no guard. Where they are not, the guard translates: the outcome
must be that of a client of the server's own era, but for what `CARRIED` lists (docs/eras.md says why).
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import pytest
from mcp import StdioServerParameters, stdio_client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from tests.e2e.features import FEATURES, play
from tests.e2e.guard import Guard
from tests.e2e.through import REFERENCE, reference_over_http, served
from tests.e2e.wire import LEGACY, MODERN

pytestmark = pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")

PAGE = ("--page", "20")  # so that a list has more than one
SERVER_INFO = "io.modelcontextprotocol/serverInfo"
Json = Any


class Client(NamedTuple):
    """How a client speaks, and by what transport. `auto` speaks both eras, and asks which one."""

    mode: str
    transport: str


class Upstream(NamedTuple):
    """What a server speaks, and by what transport it is reached."""

    era: str
    transport: str


MODES = {"legacy": "legacy", "modern": MODERN, "auto": "auto"}
CLIENTS = [
    *(Client(mode, transport) for mode in MODES for transport in ("stdio", "http")),
    Client("legacy", "sse"),
]
UPSTREAMS = [
    *(Upstream(era, transport) for era in ("legacy", "modern", "both") for transport in ("stdio", "http")),
    Upstream("legacy", "sse"),
]


def named(cell: NamedTuple) -> str:
    return "-".join(cell)


@pytest.fixture(scope="module")
def reference() -> Iterator[str]:
    with reference_over_http(*PAGE) as url:
        yield url


@pytest.fixture(scope="module")
def direct(reference: str) -> Mapping[str, Json]:
    """What a client of each mode gets from a server of both eras, without a guard."""
    return {mode: outcome(streamable_http_client(f"{reference}/both/mcp"), mode) for mode in MODES}


class Guarded:
    """A guard in front of one upstream, for clients of every transport: two processes' worth of `mcp-guard`."""

    def __init__(self, guard: Guard, upstream: list[str], url: str) -> None:
        self._guard, self._upstream, self._url = guard, upstream, url

    def reached_by(self, transport: str) -> Any:
        if transport == "stdio":
            command = self._guard.run(self._upstream)
            return stdio_client(StdioServerParameters(command=command[0], args=command[1:]))
        if transport == "http":
            return streamable_http_client(f"{self._url}/mcp")
        return sse_client(f"{self._url}/sse")


@pytest.fixture(scope="module", params=UPSTREAMS, ids=named)
def upstream(request: pytest.FixtureRequest) -> Upstream:
    return request.param


@pytest.fixture(scope="module")
def guarded(upstream: Upstream, reference: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    guard = Guard(tmp_path_factory.mktemp(named(upstream)))
    given = {
        "stdio": ["--", *REFERENCE, "stdio", "--era", upstream.era, *PAGE],
        "http": ["--url", f"{reference}/{upstream.era}/mcp"],
        "sse": ["--url", f"{reference}/{upstream.era}/sse"],
    }[upstream.transport]
    with served(guard, given) as url:
        yield Guarded(guard, given, url)


@pytest.mark.parametrize("client", CLIENTS, ids=named)
def test_every_feature_in_every_cell(
    client: Client, upstream: Upstream, guarded: Guarded, direct: Mapping[str, Json]
) -> None:
    seen = outcome(guarded.reached_by(client.transport), client.mode)
    expected = carried(client, upstream, direct)
    assert set(seen) == set(expected) >= set(FEATURES)
    for feature, value in expected.items():
        assert seen[feature] == value, feature


@pytest.mark.parametrize("revision", LEGACY[:-1])
@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_every_older_revision(
    revision: str,
    era: str,
    reference: str,
    direct: Mapping[str, Json],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mcp.client.session.LATEST_HANDSHAKE_VERSION", revision)
    transport = "sse" if revision == LEGACY[0] else "http"  # the oldest knows no streamable HTTP
    legacy = f"{reference}/legacy"
    alone = outcome(
        sse_client(f"{legacy}/sse") if transport == "sse" else streamable_http_client(f"{legacy}/mcp"), "legacy"
    )
    with served(Guard(tmp_path), ["--url", f"{reference}/{era}/mcp"]) as url:
        through = outcome(Guarded(Guard(tmp_path), [], url).reached_by(transport), "legacy")

    assert through["revision"] == alone["revision"] == revision
    expected = carried(Client("legacy", transport), Upstream(era, "http"), {**direct, "legacy": alone})
    if era == "modern" and revision < "2025-06-18":
        expected = without_elicitation(expected)
    for feature, value in expected.items():
        assert through[feature] == value, feature


def test_without_a_guard_every_transport_gives_the_same(reference: str, direct: Mapping[str, Json]) -> None:
    """So what is compared with one of them is compared with all."""
    command = [*REFERENCE, "stdio", "--era", "both", *PAGE]
    over_stdio = {
        mode: outcome(stdio_client(StdioServerParameters(command=command[0], args=command[1:])), mode) for mode in MODES
    }
    assert over_stdio == direct
    assert outcome(sse_client(f"{reference}/legacy/sse"), "legacy") == direct["legacy"]
    assert outcome(streamable_http_client(f"{reference}/legacy/mcp"), "legacy") == direct["legacy"]
    assert outcome(streamable_http_client(f"{reference}/modern/mcp"), "modern") == direct["modern"]


def outcome(transport: Any, mode: str) -> Json:
    """What every feature comes to, without what each request of an era carries along whatever it asks."""
    return plain(anyio.run(play, transport, MODES[mode]))


# what a translated session looks like


def carried(client: Client, upstream: Upstream, direct: Mapping[str, Json]) -> Json:
    """What a client should get: what one of the server's era gets, with what cannot be carried over."""
    spoken = client.mode if upstream.era == "both" else upstream.era
    client_era = "legacy" if client.mode == "legacy" else "modern"
    if "legacy" in (client_era, spoken) and client_era != spoken:
        expected = direct[spoken] | {name: direct[client.mode][name] for name in ("revision", "hello", "ping")}
        for change in CARRIED[client_era, spoken]:
            expected = change(expected)
        return expected
    return direct[client.mode]


def without_tasks(session: Json) -> Json:
    """A task of one era is none of the other: nobody is told of them, and a call is just a call."""
    hello = session["hello"]
    capabilities = {name: value for name, value in hello["capabilities"].items() if name not in ("tasks", "extensions")}
    cake = {"content": [{"type": "text", "text": "a plum cake"}], "structuredContent": {"result": "a plum cake"}}
    tools = [{key: value for key, value in tool.items() if key != "execution"} for tool in session["tools"]["list"]]
    return session | {
        "hello": hello | {"capabilities": capabilities},
        "tasks": cake | {"isError": False},
        "tools": session["tools"] | {"list": tools},
    }


def without_elicitation(session: Json) -> Json:
    """A client of a revision that has none refuses the question; to a modern server it has cancelled it."""

    def cancelled(tool: str) -> Json:
        why = f"Error executing tool {tool}: Resolver for parameter 'size' could not resolve: elicitation was cancel"
        return {"content": [{"type": "text", "text": why}], "isError": True}

    roots = session["roots"] | {"with another question": cancelled("survey")}
    return session | {"elicitation": cancelled("order"), "roots": roots}


def with_error(feature: str, what: str, code: int) -> Callable[[Json], Json]:
    """An error under the number that it has in the client's era."""

    def change(session: Json) -> Json:
        error = session[feature][what] | {"code": code}
        return session | {feature: session[feature] | {what: error}}

    return change


CARRIED: Mapping[tuple[str, str], list[Callable[[Json], Json]]] = {  # client's era, server's era
    ("modern", "legacy"): [
        without_tasks,
        with_error("tools", "refuse", -32603),  # a number that the modern era keeps for the specification
    ],
    ("legacy", "modern"): [
        without_tasks,
        with_error("resources", "unknown", -32002),
    ],
}


def plain(value: Json) -> Json:
    """The value without the members that only say of what era and how fresh a result is, and by whom."""
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: plain(item) for key, item in value.items() if key not in ("resultType", "ttlMs", "cacheScope")}
    meta = {key: item for key, item in (kept.pop("_meta", None) or {}).items() if key != SERVER_INFO}
    return kept | ({"_meta": meta} if meta else {})
