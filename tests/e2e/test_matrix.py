"""Every era and every transport on both sides of the guard: each feature does what it does without a guard.

The SDK's client plays all features (`features.py`) in each cell. Where client and server are of one era, the outcome
must be that of the same client with the same server and no guard. Where they are not, the guard translates: the outcome
must be that of a client of the server's own era, but for what docs/eras.md says cannot be carried over.
"""

from collections.abc import Iterator

import anyio
import pytest
from mcp import StdioServerParameters, stdio_client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from tests.e2e.features import play
from tests.e2e.through import REFERENCE, reference_over_http

pytestmark = pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")

PAGE = ("--page", "7")  # so that every list has more than one
UPSTREAMS = [
    *((era, transport) for era in ("legacy", "modern", "both") for transport in ("stdio", "http")),
    ("legacy", "sse"),
]


@pytest.fixture(scope="module")
def reference() -> Iterator[str]:
    with reference_over_http(*PAGE) as url:
        yield url


def transport_to(era: str, transport: str, reference: str):
    if transport == "stdio":
        command = [*REFERENCE, "stdio", "--era", era, *PAGE]
        return stdio_client(StdioServerParameters(command=command[0], args=command[1:]))
    if transport == "http":
        return streamable_http_client(f"{reference}/{era}/mcp")
    return sse_client(f"{reference}/{era}/sse")


def test_direct(reference: str) -> None:
    results = {}
    for era, transport in UPSTREAMS:
        seen = anyio.run(play, transport_to(era, transport, reference), "auto" if transport != "sse" else "legacy")
        results.setdefault(seen["revision"], seen)
        assert seen == results[seen["revision"]]
