"""An API over a registry of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_guard.api.api import Api
from mcp_guard.store.registry.book import Book
from tests.api.calling import Calls


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "guard.db")


@pytest.fixture
def book(path: str) -> Iterator[Book]:
    """The registry, beside the API."""
    with Book(path, "tester") as opened:
        yield opened


@pytest.fixture
def api(path: str, book: Book) -> Iterator[Api]:
    opened = Api(path, _never, on=True, others={})
    yield opened
    opened.close()


@pytest.fixture
def call(api: Api) -> Calls:
    return Calls(api)


def _never(text: str) -> None:
    raise AssertionError(text)
