"""What a guard is told when the log cannot be used: what is wrong, how to mend it, and that nothing was recorded.

And that the next call is recorded as soon as the cause is gone.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mcp_guard.store import Store, StoreError, schema
from tests.store.making import decided, ids, python

IMPATIENT = 0.05


def refused(path: Path | str) -> StoreError:
    with pytest.raises(StoreError) as caught:
        Store.open(str(path))
    return caught.value


def not_recorded(store: Store, number: int = 99) -> StoreError:
    with pytest.raises(StoreError) as caught:
        store.record([decided(number), decided(number + 1)])
    return caught.value


# What is found at the start


def test_a_directory_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path)
    assert error.message == f"{tmp_path} is a directory"
    assert error.hint == f"give --db a file, for example {tmp_path}/audit.db"


def test_a_path_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    error = refused(tmp_path / "file" / "logs" / "audit.db")
    assert error.message.startswith(f"the audit log {tmp_path}/file/logs/audit.db cannot be used: Not a directory")


@pytest.mark.parametrize("path", ["", "logs/", "a\0b"])
def test_a_path_that_names_no_file_is_refused(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "names no file" in refused(path).message
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in (tmp_path / "pipe", Path("/dev/null")):
        assert refused(name).message == f"{name} is not a regular file"


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("Dear diary, " * 200)
    error = refused(file)
    assert error.message == f"the audit log {file} is not a database"
    assert error.hint == "name another file with --db, or move this one away"
    assert file.read_text() == "Dear diary, " * 200


def test_the_database_of_another_program_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "bookmarks.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()
    before = file.read_bytes()
    assert refused(file).message == f"{file} is the database of another program"
    assert file.read_bytes() == before


def test_a_log_of_a_newer_guard_is_refused(path: Path) -> None:
    Store.open(str(path)).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 700")
    connection.close()
    error = refused(path)
    versions = f"(its version is 700, this one knows {schema.VERSION})"
    assert error.message == f"the audit log {path} was made by a newer mcp-guard {versions}"
    assert error.hint == "update mcp-guard, or name another file with --db"


def test_an_older_log_is_brought_up_to_date_with_all_its_rows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.open(str(path))
    store.record([decided(n) for n in range(5)])
    store.close()
    steps = (
        *schema.MIGRATIONS,
        ("CREATE TABLE guests (id TEXT)", "INSERT INTO guests SELECT DISTINCT agent FROM events"),
    )
    monkeypatch.setattr(schema, "MIGRATIONS", steps)
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    store = Store.open(str(path))
    store.record([decided(5)])
    store.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT * FROM guests").fetchall() == [("claude-code",)]
        assert connection.execute("PRAGMA user_version").fetchone() == (len(steps),)
    connection.close()
    assert len(ids(path)) == 6


def test_approvals_of_an_older_log_were_of_calls(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:4])
        patch.setattr(schema, "VERSION", 4)
        Store.open(str(path)).close()
    with sqlite3.connect(path) as connection:
        names = (
            "id connection_id agent user server tool arguments call_hash pattern reason status requested_at expires_at"
        )
        columns = ", ".join(names.split())
        connection.execute(f"INSERT INTO approvals ({columns}) VALUES ({', '.join('?' * 13)})", tuple("abcdefghijklm"))
    connection.close()
    Store.open(str(path)).close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT id, method FROM approvals").fetchall() == [("a", "tools/call")]
    connection.close()


def test_a_migration_that_fails_leaves_the_older_log_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.open(str(path))
    store.record([decided()])
    store.close()
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, ("CREATE TABLE guests (id TEXT)", "NONSENSE")))
        patch.setattr(schema, "VERSION", schema.VERSION + 1)
        refused(path)
    store = Store.open(str(path))
    store.record([decided(2)])
    store.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'guests'").fetchall() == []
    connection.close()
    assert ids(path) == ["conn-1", "conn-2"]


def test_a_damaged_log_is_refused(path: Path) -> None:
    store = Store.open(str(path))
    store.record([decided(n) for n in range(100)])
    store.close()
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 20_000)
    error = refused(path)
    assert error.message == f"the audit log {path} is damaged"
    assert error.hint.startswith("move it away and a new one is started")


UNREADABLE = """
import os, sys
from mcp_guard.store import StoreError
from mcp_guard.store.catalog import read_catalog
from mcp_guard.store.reader import Filters, read_events
from mcp_guard.store.registry import agents
from mcp_guard.store.registry.looking import Looking
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
name = sys.argv[1]
events, registry = lambda: list(read_events(name, Filters())), lambda: agents.listed(Looking(name))
for look in (events, registry, lambda: read_catalog(name)):
    try:
        look()
        print("read", name)
    except StoreError as error:
        print(error.hint)
"""


UNWRITABLE = """
import fcntl, os, sys  # what is imported later, this user may not be able to read
from mcp_guard.store import Store, StoreError
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
for name in sys.argv[1:]:
    try:
        Store.open(name).close()
        print("opened", name)
    except StoreError as error:
        print(error.message)
"""


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A directory that any user may enter, which pytest's own is not."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


def test_who_may_not_read_is_told_of_that_right_and_of_no_other(open_to_all: Path) -> None:
    log = open_to_all / "audit.db"
    Store.open(str(log)).close()
    log.chmod(0o200)
    with python(UNREADABLE, log) as process:
        printed, _ = process.communicate()
    hint = "give this user the right to read the file, or name another file with --db"
    assert printed.splitlines() == [hint] * 3


def test_what_this_user_may_not_write_is_refused(open_to_all: Path) -> None:
    log = open_to_all / "audit.db"
    Store.open(str(log)).close()
    for file in open_to_all.iterdir():
        file.chmod(0o444)
    (open_to_all / "audit.db.key").chmod(0o666)
    keyless = open_to_all / "keyless.db"
    keyless.touch(0o444)
    open_to_all.chmod(0o555)
    unreachable = open_to_all / "new" / "audit.db"
    try:
        with python(UNWRITABLE, log, keyless, unreachable) as process:
            printed, _ = process.communicate()
    finally:
        open_to_all.chmod(0o755)
    assert printed.splitlines() == [
        f"the audit log {log} is read-only",
        f"the audit log's key {keyless}.key cannot be used: Permission denied",
        f"cannot create the directory {unreachable.parent}: Permission denied",
    ]


# What happens while the guard runs


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_guard.store.store.BUSY_TIMEOUT", IMPATIENT)


def test_a_locked_log_is_said_to_be_and_used_again_once_it_is_free(store: Store, path: Path, impatient: None) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    error = not_recorded(store)
    assert error.message == f"the audit log {path} is locked by another program"
    assert "the next call tries again" in error.hint
    other.execute("COMMIT")
    store.record([decided(1)])
    other.close()
    assert ids(path) == ["conn-1"]


def test_a_short_lock_is_waited_for(store: Store, path: Path) -> None:
    code = """
import sqlite3, sys
other = sqlite3.connect(sys.argv[1], isolation_level=None)
other.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
other.execute("COMMIT")
"""
    with python(code, path) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "locked\n"
        process.stdin.write("go on\n")
        process.stdin.flush()
        store.record([decided(1)])
    assert ids(path) == ["conn-1"]


def test_a_full_disk_is_said_to_be_and_used_again_once_there_is_room(store: Store, path: Path) -> None:
    connection = store._cursor.connection
    assert connection is not None
    store.record([decided(0)])
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    large = {"arguments": "x" * 50_000}
    with pytest.raises(StoreError) as caught:
        store.record([decided(1), decided(2, data=large)])
    assert caught.value.message == f"the audit log {path} cannot be written: the disk is full"
    assert ids(path) == ["conn-0"]
    with pytest.raises(StoreError):
        store.record([decided(n, data=large) for n in range(20)])
    assert ids(path) == ["conn-0"]
    connection.execute("PRAGMA max_page_count = 1000000")
    store.record([decided(3, data=large)])
    assert ids(path) == ["conn-0", "conn-3"]


LIMITED = """
import resource, sys
sys.path.insert(0, ".")
from mcp_guard.store import Store, StoreError
from tests.store.making import decided
store = Store.open(sys.argv[1])
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, most))
kept, number = [], 0
try:
    while True:
        store.record([decided(number)])
        kept.append(f"conn-{number}")
        number += 1
except StoreError as error:
    print(error.message)
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
store.record([decided(1_000_000)])
store.close()
print(",".join(kept))
"""


def test_a_disk_that_takes_no_more_loses_no_row_that_was_recorded(path: Path) -> None:
    with python(LIMITED, path) as process:
        message, kept = process.communicate()[0].splitlines()
    assert message.startswith(f"the audit log {path} cannot be written: the disk")
    assert ids(path) == [*kept.split(","), "conn-1000000"]
    assert len(ids(path)) > 10


RECOVERING = """
import resource, sys
sys.path.insert(0, ".")
from mcp_guard.store import Store, StoreError
from tests.store.making import decided
store = Store.open(sys.argv[1])
kept = []
def record(number):
    try:
        store.record([decided(number)])
        kept.append(f"conn-{number}")
    except StoreError:
        store._looked = 0.0
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
for number in range(20):
    record(number)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
for number in range(20, 25):
    record(number)
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
for number in range(25, 30):
    record(number)
store.close()
print(",".join(kept))
"""


def test_rows_in_the_write_ahead_log_outlive_a_disk_that_takes_nothing_for_a_while(path: Path) -> None:
    with python(RECOVERING, path) as process:
        kept = process.communicate()[0].strip().split(",")
    assert ids(path) == kept
    assert kept[:20] == [f"conn-{number}" for number in range(20)]
    assert kept[-4:] == [f"conn-{number}" for number in range(26, 30)]


@pytest.fixture
def watchful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at each call whether the file is still there, not once in some milliseconds."""
    monkeypatch.setattr("mcp_guard.store.store._LOOK_AGAIN", 0.0)


def test_a_deleted_log_is_noticed_and_begun_anew(store: Store, path: Path, watchful: None) -> None:
    store.record([decided(1)])
    path.unlink()
    error = not_recorded(store)
    assert error.message == f"the audit log {path} was moved, replaced or deleted while in use"
    store.record([decided(2)])
    assert ids(path) == ["conn-2"]


def test_a_log_deleted_with_all_beside_it_is_noticed_and_begun_anew(store: Store, path: Path, watchful: None) -> None:
    key = store.redaction_key()
    store.record([decided(1)])
    for name in path.parent.iterdir():
        name.unlink()
    not_recorded(store)
    store.record([decided(2)])
    assert ids(path) == ["conn-2"]
    assert store.redaction_key() == key


def test_a_log_that_is_moved_away_keeps_every_row(store: Store, path: Path, tmp_path: Path, watchful: None) -> None:
    store.record([decided(n) for n in range(50)])
    old = tmp_path / "november.db"
    path.rename(old)
    not_recorded(store)
    store.record([decided(50)])
    store.close()
    assert ids(old) == [f"conn-{n}" for n in range(50)]
    assert ids(path) == ["conn-50"]


def test_a_log_that_is_replaced_by_another_is_noticed(store: Store, path: Path, tmp_path: Path, watchful: None) -> None:
    other = Store.open(str(tmp_path / "other.db"))
    other.record([decided(n) for n in range(100, 110)])
    other.close()
    store.record([decided(1)])
    os.replace(tmp_path / "other.db", path)
    not_recorded(store)
    store.record([decided(2)])
    store.close()
    assert ids(path) == [*(f"conn-{n}" for n in range(100, 110)), "conn-2"]


def test_guards_on_a_log_that_is_moved_away_meet_again_on_the_new_one(
    path: Path, tmp_path: Path, watchful: None
) -> None:
    stores = [Store.open(str(path)) for _ in range(3)]
    for number, store in enumerate(stores):
        store.record([decided(number)])
    old = tmp_path / "november.db"
    path.rename(old)
    for store in stores:
        not_recorded(store)
    for number, store in enumerate(stores, 10):
        store.record([decided(number)])
    for store in stores:
        store.close()
    assert ids(old) == ["conn-0", "conn-1", "conn-2"]
    assert ids(path) == ["conn-10", "conn-11", "conn-12"]


def test_a_write_ahead_log_that_is_deleted_loses_no_row(store: Store, path: Path, watchful: None) -> None:
    store.record([decided(1)])
    Path(f"{path}-wal").unlink()
    not_recorded(store)
    store.record([decided(2)])
    store.close()
    assert ids(path) == ["conn-1", "conn-2"]


ALONGSIDE = """
import sys
sys.path.insert(0, ".")
from mcp_guard.store import Store
from tests.store.making import decided
store = Store.open(sys.argv[1])
store.record([decided(2)])
print("recorded", flush=True)
sys.stdin.readline()
store.close()
"""


def test_an_index_that_is_deleted_loses_no_row_that_others_cannot_see(store: Store, path: Path, watchful: None) -> None:
    store.record([decided(1)])
    Path(f"{path}-shm").unlink()
    with python(ALONGSIDE, path) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "recorded\n"
        not_recorded(store)
        store.record([decided(3)])
        store.close()
        other.communicate("go on\n")
    assert ids(path) == ["conn-1", "conn-2", "conn-3"]


def test_a_log_that_is_emptied_is_noticed_and_begun_anew(store: Store, path: Path, watchful: None) -> None:
    store.record([decided(n) for n in range(100)])
    store.close()
    store.record([decided(100)])
    os.truncate(path, 0)
    not_recorded(store)
    store.record([decided(101)])
    store.close()
    assert ids(path) == ["conn-101"]


def test_a_write_ahead_log_that_is_emptied_takes_no_later_row_with_it(store: Store, path: Path, watchful: None) -> None:
    store.record([decided(n) for n in range(100)])
    store.close()
    for number in (100, 101):
        store.record([decided(number)])
    os.truncate(f"{path}-wal", 0)
    store.record([decided(102)])
    store.close()
    assert ids(path) == [*(f"conn-{n}" for n in range(100)), "conn-102"]


def test_a_log_that_somebody_made_smaller_the_right_way_is_written_on(store: Store, path: Path, watchful: None) -> None:
    store.record([decided(n, data={"arguments": "x" * 5_000}) for n in range(100)])
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("INSERT INTO retention (ran_at, before) VALUES ('', '9')")
        other.execute("DELETE FROM events WHERE seq < 100")
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        store.record([decided(100)])
        before = path.stat().st_size
        other.execute("VACUUM")
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert path.stat().st_size < before
    store.record([decided(101)])
    store.close()
    assert ids(path) == ["conn-99", "conn-100", "conn-101"]


def test_a_log_whose_directory_is_gone_is_begun_anew(store: Store, path: Path, watchful: None) -> None:
    for name in path.parent.iterdir():
        name.unlink()
    path.parent.rmdir()
    not_recorded(store)
    store.record([decided(2)])
    assert ids(path) == ["conn-2"]


def test_a_place_that_becomes_unusable_is_said_to_be_until_it_is_mended(
    store: Store, path: Path, tmp_path: Path, watchful: None
) -> None:
    path.parent.rename(tmp_path / "moved")
    path.parent.write_text("in the way")
    for _ in range(3):
        assert "Not a directory" in not_recorded(store).message
    path.parent.unlink()
    (tmp_path / "moved").rename(path.parent)
    store.record([decided(2)])
    assert ids(path) == ["conn-2"]


def test_a_log_overwritten_while_in_use_is_said_to_be_damaged(store: Store, path: Path, watchful: None) -> None:
    store.record([decided(n) for n in range(200)])
    store._maintenance._look()
    sqlite3.connect(path).execute("PRAGMA wal_checkpoint(TRUNCATE)").connection.close()
    with path.open("r+b") as file:
        file.write(b"\xff" * path.stat().st_size)
    store._maintenance._look()
    for _ in range(2):
        assert not_recorded(store).message == f"the audit log {path} is not a database"
    path.rename(path.with_name("broken.db"))
    store.record([decided(1)])
    assert ids(path) == ["conn-1"]
