"""Ends that are closed give open requests a moment; in these tests a short one."""

import pytest


@pytest.fixture(autouse=True)
def short_goodbyes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_guard.transports.http_upstream.end.LAST_ANSWERS", 0.1)
