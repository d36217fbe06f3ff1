from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_guard.store.registry.book import Book


class Clock:
    """Stands still until it is moved. Microseconds since the epoch."""

    def __init__(self) -> None:
        self.now = 1_790_000_000_000_000

    def __call__(self) -> int:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += int(seconds * 1_000_000)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "audit.db")


@pytest.fixture
def book(path: str, clock: Clock) -> Iterator[Book]:
    with Book(path, "kim", clock) as opened:
        yield opened
