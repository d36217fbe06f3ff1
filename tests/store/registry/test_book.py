"""What can be changed in the registry, what is refused, and that each change is told and moves the version."""

from collections.abc import Callable
from contextlib import closing

import pytest

from mcp_guard.identity.errors import CredentialError
from mcp_guard.store import Store
from mcp_guard.store.registry import agents, budgets, credentials, evals, grants, overrides, profile
from mcp_guard.store.registry.book import Book, ConflictError, InvalidError, NotFoundError

HOUR = 3_600_000_000


def version(book: Book) -> int:
    found = book.one("SELECT version FROM registry")
    assert found is not None
    return found["version"]


def told(book: Book) -> list[str]:
    return [row["type"] for row in book.rows("SELECT type FROM events ORDER BY seq")]


CHANGES: dict[str, tuple[Callable[[Book], object], str]] = {
    "an agent is created": (lambda book: agents.create(book, "cursor"), "agent.created"),
    "an agent is changed": (lambda book: agents.update(book, "known", risk="high"), "agent.updated"),
    "an agent is quarantined": (lambda book: agents.quarantine(book, "known"), "agent.quarantined"),
    "an agent is deleted": (lambda book: agents.delete(book, "known"), "agent.deleted"),
    "a grant is added": (lambda book: grants.add(book, "known", "get_*", "allow"), "grant.added"),
    "an override is added": (lambda book: overrides.add(book, None, "*", "deny"), "override.added"),
    "everything is stopped": (lambda book: overrides.stop(book, None), "calls.stopped"),
    "a budget is set": (lambda book: budgets.put(book, "known", "hour", "calls", 3), "budget.set"),
    "an evaluation is recorded": (lambda book: evals.record(book, "known", 0.9, "smoke"), "eval.recorded"),
    "a pass rate is required": (lambda book: evals.require(book, "known", 0.9), "eval.required"),
    "a key is issued": (lambda book: credentials.issue(book, "known"), "credential.issued"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_moves_the_version_and_is_told_with_who_made_it(book: Book, name: str) -> None:
    agents.create(book, "known")
    before, (change, kind) = version(book), CHANGES[name]
    change(book)
    assert version(book) > before
    last = book.one("SELECT type, json_extract(data, '$.by') AS by FROM events ORDER BY seq DESC LIMIT 1")
    assert last == {"type": kind, "by": "kim"}


KEY = "mcpg_01M7YXWRSC4FE8VAYJT0G6F8X3_pW4q-Zt8_Yx1Lk0sVb2nRc7dEa5fGh9jKm3oPu6iQsT"
PASTED: dict[str, Callable[[Book], object]] = {
    "as a description": lambda book: agents.create(book, "cursor", description=f"has {KEY}", name=KEY, owner=KEY),
    "as a tag": lambda book: agents.update(book, "known", tags=[KEY]),
    "as the reason of a grant": lambda book: grants.add(book, "known", "get_*", "allow", reason=KEY),
    "as the reason of a stop": lambda book: overrides.stop(book, None, reason=KEY),
    "as the reason to go on": lambda book: (overrides.stop(book, "known"), overrides.resume(book, "known", KEY)),
    "as the reason of a quarantine": lambda book: agents.quarantine(book, "known", KEY),
    "as a suite": lambda book: evals.record(book, "known", 0.9, KEY),
}


@pytest.mark.parametrize("name", PASTED)
def test_a_key_that_somebody_pastes_is_kept_nowhere(book: Book, name: str) -> None:
    agents.create(book, "known")
    PASTED[name](book)
    for table in ("agents", "grants", "overrides", "evals", "events"):
        assert KEY[32:] not in str(book.rows(f"SELECT * FROM {table}"))
    assert "[redacted]" in str(book.rows("SELECT data FROM events"))


REFUSED: dict[str, tuple[Callable[[Book], object], type[Exception]]] = {
    "a slug that is none": (lambda book: agents.create(book, "Not A Slug"), InvalidError),
    "a slug too short": (lambda book: agents.create(book, "ab"), InvalidError),
    "a key for what can be no agent": (lambda book: credentials.issue(book, " cursor"), InvalidError),
    "a grant to what can be no agent": (lambda book: grants.add(book, "AB", "x", "allow"), InvalidError),
    "a budget of nobody": (lambda book: budgets.put(book, "", "hour", "calls", 3), InvalidError),
    "an agent that is there": (lambda book: agents.create(book, "known"), ConflictError),
    "an agent that is not there": (lambda book: agents.update(book, "nobody", name="x"), NotFoundError),
    "a risk that is none": (lambda book: agents.update(book, "known", risk="huge"), InvalidError),
    "a field that is none": (lambda book: agents.update(book, "known", colour="red"), InvalidError),
    "a status of its own": (lambda book: agents.restore(book, "known"), ConflictError),
    "a grant twice": (lambda book: grants.add(book, "known", "held", "deny"), ConflictError),
    "a grant of nothing": (lambda book: grants.add(book, "known", "", "allow"), InvalidError),
    "a pattern with a space": (lambda book: grants.add(book, "known", "a b", "allow"), InvalidError),
    "a secret that is granted": (lambda book: grants.add(book, "known", f"files:{KEY}", "allow"), InvalidError),
    "a secret that is stopped": (lambda book: overrides.add(book, None, KEY, "deny"), InvalidError),
    "a grant that is over": (lambda book: grants.add(book, "known", "x", "allow", expires=book.now), InvalidError),
    "an approval ahead without an end": (lambda book: grants.add(book, "known", "x", "approve"), InvalidError),
    "an effect that is none": (lambda book: overrides.add(book, None, "x", "allow"), InvalidError),
    "nothing to resume": (lambda book: overrides.resume(book, None), NotFoundError),
    "dollars by the hour": (lambda book: budgets.put(book, "known", "hour", "usd", 3), InvalidError),
    "half a call": (lambda book: budgets.put(book, "known", "hour", "calls", 0.5), InvalidError),
    "no number": (lambda book: budgets.put(book, "known", "month", "usd", float("nan")), InvalidError),
    "more than all": (lambda book: evals.record(book, "known", 1.1, "smoke"), InvalidError),
    "a pass rate of nobody": (lambda book: evals.require(book, "nobody", 0.5), NotFoundError),
    "a grant that is not there": (lambda book: grants.revoke(book, "x"), NotFoundError),
    "a budget that is not there": (lambda book: budgets.remove(book, "x"), NotFoundError),
    "a key that is not there": (lambda book: credentials.revoke(book, "x"), NotFoundError),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_and_changes_nothing(book: Book, name: str) -> None:
    agents.create(book, "known")
    grants.add(book, "known", "held", "allow")
    before = version(book), told(book)
    change, error = REFUSED[name]
    with pytest.raises(error) as refused:
        change(book)
    assert KEY not in str(refused.value)
    assert (version(book), told(book)) == before


@pytest.mark.parametrize("pattern", ["token-server:get_it", "api_key:rotate_all", "get_secret_value", "mcpg_*"])
def test_a_pattern_may_name_what_secrets_are_called(book: Book, pattern: str) -> None:
    assert grants.add(book, "known", pattern, "deny")["pattern"] == pattern


def test_an_expired_grant_makes_room_for_another_of_the_same_pattern(book: Book, clock) -> None:
    first = grants.add(book, "cursor", "get_*", "allow", expires=book.now + HOUR)
    clock.pass_seconds(3600)
    assert grants.listed(book) == []
    second = grants.add(book, "cursor", "get_*", "deny")
    assert grants.listed(book, expired=True) == [second]
    assert second["id"] != first["id"]


def test_a_deleted_agent_stays_for_the_record_and_can_be_created_again(book: Book) -> None:
    agents.create(book, "cursor", owner="platform")
    agents.delete(book, "cursor")
    assert agents.listed(book) == []
    assert [row["status"] for row in agents.listed(book, deleted=True)] == ["deleted"]
    assert agents.create(book, "cursor")["owner"] == ""


def test_a_brake_that_is_removed_as_an_override_is_told_of_as_released(book: Book) -> None:
    overrides.remove(book, overrides.stop(book, None)["id"])
    assert told(book)[-2:] == ["calls.stopped", "calls.resumed"]


def test_resuming_an_agent_does_not_release_the_brake_of_all(book: Book) -> None:
    overrides.stop(book, None)
    overrides.stop(book, "cursor")
    overrides.add(book, "cursor", "delete_*", "deny")
    assert len(overrides.resume(book, "cursor")) == 1
    assert sorted(row["brake"] for row in overrides.listed(book)) == [False, True]
    assert len(overrides.resume(book, None)) == 1


def test_setting_a_budget_again_changes_it(book: Book) -> None:
    first = budgets.put(book, "cursor", "day", "calls", 5)
    assert budgets.put(book, "cursor", "day", "calls", 9)["id"] == first["id"]
    assert [row["amount"] for row in budgets.listed(book)] == [9]


def test_a_key_is_nowhere_in_the_database(book: Book, path: str) -> None:
    key, kept = credentials.issue(book, "cursor")
    secret = key.rpartition("_")[2]
    assert secret not in str(kept)
    book.rows("PRAGMA wal_checkpoint(FULL)")
    with open(path, "rb") as file:
        assert secret.encode() not in file.read()


def test_an_agent_that_came_under_no_slug_once_can_still_be_seen_and_barred(book: Book) -> None:
    with book.changing() as change:
        change.insert("agents", slug="BAD SLUG", created_at=change.at, updated_at=change.at)
    assert [row["slug"] for row in agents.listed(book)] == ["BAD SLUG"]
    assert agents.quarantine(book, "BAD SLUG")["status"] == "quarantined"
    assert profile.of(book, "BAD SLUG")["agent"]["slug"] == "BAD SLUG"  # pyright: ignore[reportIndexIssue]
    assert agents.delete(book, "BAD SLUG")["status"] == "deleted"


def test_a_key_that_was_made_for_what_can_be_no_agent_proves_nothing(book: Book) -> None:
    key, kept = credentials.issue(book, "cursor")
    with book.changing() as change:
        change.execute("UPDATE credentials SET agent = ' cursor' WHERE id = ?", (kept["id"],))
    with closing(Store.open(book.path)) as store, pytest.raises(CredentialError, match="cannot be an agent"):
        store.prove(key)
