from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_guard.store import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "audit.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store.open(str(path))
    yield store
    store.close()
