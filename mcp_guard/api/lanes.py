"""Where requests wait for their turn: a lane is one thread with the registry open, and a bounded queue before it.

There is one for each kind of right, so that whoever has less never stands before who has more: whatever agents report
and auditors read, the emergency brake is pulled at once.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, get_args

from mcp_guard.api.kept import KeptBook
from mcp_guard.transports.http_server.requests import Answer

Name = Literal["reported", "auditor", "security"]
"""What agents report needs no role; the others are for what needs theirs."""

_MOST_WAITING = 64  # requests of one lane


class Lane:
    """One of them, over the registry at `path`."""

    def __init__(self, name: str, path: str) -> None:
        self.book = KeptBook(path)
        self._thread = ThreadPoolExecutor(1, f"mcp-guard-api-{name}")
        self._waiting = 0

    @property
    def full(self) -> bool:
        """Whether as many wait as may."""
        return self._waiting >= _MOST_WAITING

    def run(self, answer: Callable[[], Answer]) -> "asyncio.Future[Answer]":
        """Have an answer made when it is its turn."""
        self._waiting += 1
        answering = asyncio.get_running_loop().run_in_executor(self._thread, answer)
        answering.add_done_callback(self._done)
        return answering

    def _done(self, _: object) -> None:
        self._waiting -= 1

    def close(self) -> None:
        """Nothing more is answered."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        self.book.close()


def lanes(path: str) -> Mapping[Name, Lane]:
    """All of them."""
    return {name: Lane(name, path) for name in get_args(Name)}
