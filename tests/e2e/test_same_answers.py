"""Through the guard, under a policy that allows everything, every server answers as it does without one.

Each scripted session is played twice in every protocol revision: direct, and through the guard. The messages are
compared as JSON values, ids and order included. What differs by design is listed below, and nothing else may.
"""

import re
import shutil
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.guard import Guard, server
from tests.e2e.npm import node_server
from tests.e2e.sessions import EVERYTHING, FILESYSTEM, REFERENCE, REFERENCE_MODERN, Session
from tests.e2e.wire import LEGACY, MODERN, Message, Wire, wire

CASES = [
    *((revision, session) for revision in LEGACY for session in (EVERYTHING, FILESYSTEM, REFERENCE)),
    (MODERN, REFERENCE_MODERN),
]
CLOCK = re.compile(r"\b\d{1,2}:\d\d:\d\d( [AP]M)?|\bv1\.[\w-]{20,}")  # times of day, sealed request states


@pytest.mark.parametrize(("revision", "session"), CASES, ids=[f"{s.name}-{revision}" for revision, s in CASES])
def test_every_answer_is_the_direct_one(revision: str, session: Session, guard: Guard, tmp_path: Path) -> None:
    root = tmp_path / "root"
    command = {
        "everything": lambda: node_server("everything"),
        "filesystem": lambda: [*node_server("filesystem"), str(root)],
        "reference": lambda: server("reference"),
    }[session.name]()
    direct = play(session, revision, command, root)
    guarded = play(session, revision, guard.command(command), root)

    assert without_clock(guarded) == without_clock(as_the_guard_says_it(direct))


def play(session: Session, revision: str, command: Sequence[str], root: Path) -> list[Message]:
    """The transcript of the session: every message of the server, in order."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    (root / "old.txt").write_text("there before")
    with wire(command, stubborn=True) as connection:
        connection.answers["roots/list"] = {"roots": [{"uri": root.as_uri(), "name": "root"}]}
        rooted = Rooted(connection, str(root))
        connection.open(revision)
        for step in session.steps:
            step(rooted)  # type: ignore[arg-type]  (stands for the connection)
        return connection.seen


class Rooted:
    """A connection in whose arguments `{root}` is the directory of this very session."""

    def __init__(self, connection: Wire, root: str) -> None:
        self._connection, self._root = connection, root

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def call(self, tool: str, arguments: Message, **more: Any) -> Message:
        return self._connection.call(tool, replaced(arguments, "{root}", self._root), **more)


def as_the_guard_says_it(transcript: list[Message]) -> list[Message]:
    """A direct transcript with the differences that are by design.

    The guard announces policy changes itself, so wherever there are tools it declares `listChanged`; and a modern list
    of tools is one agent's own and soon stale, whatever the server says.
    """
    transcript = deepcopy(transcript)
    for message in transcript:
        result = message.get("result", {})
        if "tools" in result.get("capabilities", {}):
            result["capabilities"]["tools"]["listChanged"] = True
        if "tools" in result and "ttlMs" in result:
            result["cacheScope"], result["ttlMs"] = "private", min(result["ttlMs"], 30_000)
    return transcript


def without_clock(value: Any) -> Any:
    """The value without the times of day that the servers put into some of their texts."""
    if isinstance(value, str):
        return CLOCK.sub("…", value)
    if isinstance(value, list):
        return [without_clock(item) for item in value]
    if isinstance(value, dict):
        return {key: without_clock(item) for key, item in value.items()}
    return value


def replaced(value: Any, what: str, by: str) -> Any:
    if isinstance(value, str):
        return value.replace(what, by)
    if isinstance(value, list):
        return [replaced(item, what, by) for item in value]
    if isinstance(value, dict):
        return {key: replaced(item, what, by) for key, item in value.items()}
    return value
