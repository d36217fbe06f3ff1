"""The audit log as it grows: what `tail -F` is to a file, also across one that is moved away and made anew."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace

from mcp_guard.store.errors import StoreError
from mcp_guard.store.reader import Filters, RecordedEvent, newest_seq, read_events

_Look = tuple[int, int, int]  # inode, time of change, size


def follow(path: str, filters: Filters, wait: Callable[[], None]) -> Iterator[RecordedEvent]:
    """The events after `filters.after` that fit, as they are committed, without end. Raises StoreError.

    `wait` is called whenever there is nothing new; between two calls of it an idle log costs two looks at its files.
    """
    seen: tuple[_Look | None, _Look | None] = (None, None)
    after = filters.after
    while True:
        found = (_look(path), _look(path + "-wal"))
        if found[0] is not None and found != seen:
            if seen[0] is not None and seen[0][0] != found[0][0]:
                after = 0  # another file is there now
            last = _newest(path, after)
            for event in read_events(path, replace(filters, after=after)) if last > after else ():
                last = max(last, event.seq)
                yield event
            after, seen = last, found
        wait()


def _newest(path: str, after: int) -> int:
    """The end of the log; `after` where it cannot be read just now, because it is being replaced."""
    try:
        return newest_seq(path)
    except StoreError:
        if os.path.exists(path):
            raise
        return after


def _look(path: str) -> _Look | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
