"""An event as a row: the columns in the order of the event's fields, times as text that sorts as they do."""

import sqlite3
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard import events
from mcp_guard.store import rows
from mcp_guard.store.opening import writable
from tests.store.making import decided

KINDS = [events.Event, *events.Event.__subclasses__()]
LAST = 253_402_300_799_999_999  # microseconds: the end of the year 9999


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_columns_are_the_first_fields_of_every_kind_of_event_in_their_order(kind):
    columns = rows.COLUMNS.split(", ")
    assert list(kind.__struct_fields__[: len(columns)]) == columns


def test_a_row_has_what_the_event_has():
    event = decided()
    row = dict(zip(rows.COLUMNS.split(", "), rows.row(event), strict=True))
    same = {name: getattr(event, name) for name in row if name not in ("ts", "data")}
    assert {name: row[name] for name in same} == same
    assert row["ts"] == rows.timestamp(event.ts)


@given(st.integers(0, LAST))
def test_a_time_is_text_that_can_be_read_back(microseconds):
    text = rows.timestamp(microseconds)
    assert rows.moment(text) == microseconds
    assert len(text) == len("2026-11-21T07:12:03.000001Z")
    assert datetime.fromisoformat(text).tzinfo is UTC


@given(st.lists(st.integers(0, LAST), max_size=5))
def test_times_sort_as_texts(times):
    assert [rows.timestamp(one) for one in sorted(times)] == sorted(map(rows.timestamp, times))


def test_what_is_nothing_and_what_is_true_are_stored_as_such(tmp_path):
    path = tmp_path / "audit.db"
    path.touch()
    connection: sqlite3.Connection = writable(str(path))
    try:
        stored = connection.execute("SELECT ?1, typeof(?1), ?2, typeof(?2), ?3", (None, True, False)).fetchone()
    finally:
        connection.close()
    assert stored == (None, "null", 1, "integer", 0)
