"""An order that a connection ends: every instance of its client hears of it with the next look, at the price of one."""

from collections.abc import Iterator

import pytest

from mcp_guard.events import Event
from mcp_guard.store import LiveRegistry, SameClient, Store
from mcp_guard.store.registry import agents, instances
from mcp_guard.store.registry.book import Book

INSTANCES = ("at a", "at b", "at c")


@pytest.fixture
def store(book: Book, path: str) -> Iterator[Store]:
    opened = Store.open(path)
    for instance in (*INSTANCES, "another"):
        opened.follow(Event(id="0", ts=0, type="agent.connected", connection_id=instance, agent="cursor"))
    yield opened
    opened.close()


def of_one_client(store: Store, *connections: str) -> tuple[LiveRegistry, SameClient]:
    registry, client = LiveRegistry(store), SameClient()
    for instance in connections:
        registry.joined(client, instance)
    return registry, client


@pytest.mark.parametrize("ordered", INSTANCES)
def test_an_order_about_one_instance_is_heard_of_at_all_of_them_at_once(store: Store, book: Book, ordered: str) -> None:
    registry, _client = of_one_client(store, *INSTANCES)
    assert [registry.ended(instance) for instance in INSTANCES] == [None] * 3
    instances.disconnect(book, ordered, "enough")
    assert [registry.ended(instance) for instance in INSTANCES] == ["enough"] * 3
    assert registry.ended("another") is None


def test_an_instance_that_joins_brings_an_order_with_it(store: Store, book: Book) -> None:
    instances.disconnect(book, "at c", "enough")
    registry, client = of_one_client(store, "at a", "at b")
    assert registry.ended("at a") is None
    registry.joined(client, "at c")
    assert registry.ended("at a") == "enough"


def test_while_nothing_changes_the_instances_are_looked_up_once(
    store: Store, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, _client = of_one_client(store, *INSTANCES)
    looked_up: list[str] = []
    ask = store.instance_ended
    monkeypatch.setattr(store, "instance_ended", lambda instance: looked_up.append(instance) or ask(instance))
    for _ in range(2):
        assert [registry.ended(instance) for instance in INSTANCES] == [None] * 3
    assert looked_up == list(INSTANCES)
    agents.create(book, "codex")
    assert registry.ended("at b") is None
    assert looked_up == list(INSTANCES) * 2
