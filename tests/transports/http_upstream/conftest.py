"""Ends that are closed give open requests a moment; in these tests a short one."""

import pytest


@pytest.fixture(autouse=True)
def short_goodbyes(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("streamable", "old_sse"):
        monkeypatch.setattr(f"mcp_guard.transports.http_upstream.{module}.LAST_ANSWERS", 0.1)
