"""What it costs to have the client at hand: only what the next connection needs is loaded."""

import subprocess
import sys

LATE = ("urllib.request", "http.client", "email", "idna", "mcp", "httpx2", "anyio")


def loaded_by(code: str) -> set[str]:
    told = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(told.stdout.split())


def test_the_way_to_a_server_on_this_machine_loads_nothing_of_proxies_and_other_scripts() -> None:
    link = "from mcp_guard.transports.http_upstream.link import Link; Link('http://127.0.0.1:1/mcp')._client()"
    loaded = loaded_by(f"import mcp_guard.transports.http_upstream.either\n{link}")
    assert "mcp_guard.transports.http_client.connection" in loaded
    assert loaded.isdisjoint(LATE)


def test_other_scripts_are_loaded_where_one_is_met() -> None:
    assert "idna" in loaded_by(
        "from mcp_guard.transports.http_client.url import parse; parse('http://bücher.example/')"
    )
