"""The event loop of a guard that is not one pair of pipes: what it waits with, and how it ends in time.

Names are looked up and keyrings asked in threads, which nobody can break off: a guard whose client has left does not
wait for them.
"""

import asyncio
import os
import selectors
import sys
import threading
import time
from collections.abc import Coroutine
from typing import Any

_PATIENCE = 0.5  # seconds that threads get to end when everything else has


def run(main: Coroutine[Any, Any, int]) -> int:
    """Run `main` to its end on a loop of its own; gives what it gives. Tasks that it left are cancelled."""
    loop = asyncio.SelectorEventLoop(_selector())
    try:
        return loop.run_until_complete(main)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def leave_if_held_up(status: int) -> None:
    """End the process here and now where a thread would keep it from ending; everything must be closed by now."""
    deadline = time.monotonic() + _PATIENCE
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                sys.stdout.flush()
                os._exit(status)


def _selector() -> selectors.BaseSelector:
    """One that can also wait for a regular file as stdin, which epoll refuses."""
    return getattr(selectors, "PollSelector", selectors.SelectSelector)()
