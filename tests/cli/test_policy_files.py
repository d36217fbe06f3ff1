"""Noticing that a policy file changed, however it is written, and reading it."""

import os
import threading

import pytest

from mcp_guard.cli import policy_files
from mcp_guard.cli.policy_files import PolicyFiles, sources_hash
from mcp_guard.errors import GuardError


@pytest.fixture(autouse=True)
def _each_look_counts(monkeypatch):
    monkeypatch.setattr(policy_files, "_FRESH", 0)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text("version: 1\n")
    return path


def replaced(path) -> None:
    other = path.with_suffix(".new")
    other.write_text("version: 1\n")
    os.replace(other, path)


def written_in_place(path) -> None:
    path.write_text("version: 1 #\n")


def linked_elsewhere(path) -> None:
    path.unlink()
    target = path.with_name("target.yaml")
    target.write_text("version: 1\n")
    path.symlink_to(target)


@pytest.mark.parametrize("change", [replaced, written_in_place, linked_elsewhere, os.unlink], ids=lambda f: f.__name__)
def test_a_change_is_noticed_once(file, change):
    files = PolicyFiles([str(file)])
    assert not files.changed()
    change(file)
    assert files.changed()
    assert not files.changed()


def test_a_file_that_is_being_written_is_read_only_when_its_writer_is_done(file):
    files = PolicyFiles([str(file)])
    text = "version: 1\nname: " + "x" * 20_000 + "\n"
    started = threading.Event()

    def write_slowly() -> None:
        with open(file, "w") as out:
            for start in range(0, len(text), 1000):
                out.write(text[start : start + 1000])
                out.flush()
                started.set()
                threading.Event().wait(0.002)

    writer = threading.Thread(target=write_slowly)
    writer.start()
    started.wait(5)
    assert files.changed()
    assert files.read() == [(str(file), text.encode())]
    writer.join()


def test_calls_that_come_at_once_share_a_look(file, monkeypatch):
    monkeypatch.setattr(policy_files, "_FRESH", 10**15)
    files = PolicyFiles([str(file)])
    assert not files.changed()
    replaced(file)
    assert not files.changed()
    monkeypatch.setattr(policy_files, "_FRESH", 0)
    assert files.changed()


def test_a_missing_file_and_a_directory_are_errors_that_name_the_path(tmp_path):
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(GuardError, match=str(path)):
            PolicyFiles([str(path)]).read()
    with pytest.raises(GuardError, match="names no file"):
        PolicyFiles(["a\0b"]).read()


def test_the_hash_is_of_the_bytes_in_order():
    assert sources_hash([("a", b"1"), ("b", b"2")]) == sources_hash([("c", b"12")])
    assert sources_hash([("a", b"1"), ("b", b"2")]) != sources_hash([("b", b"2"), ("a", b"1")])
