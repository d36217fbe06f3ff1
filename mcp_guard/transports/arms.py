"""One upstream of a switch over time: started when it is needed, begun again when it ended, never in another's way.

An arm holds at most one running end. What a former end still says is not heard. A line for an upstream that does not
run yet starts it, and waits for that; while it rests after a failure, nothing is kept for it.
"""

import asyncio
from collections.abc import Callable
from random import random
from typing import Literal, Protocol

from mcp_guard.errors import GuardError
from mcp_guard.gate.messages import RequestId
from mcp_guard.transports.ends import UpstreamEnd

FIRST_REST = 0.5  # seconds between the end of an upstream and its next start; doubled with each failure
LONGEST_REST = 60.0
STEADY = 30.0  # seconds after which an upstream that runs counts as recovered

State = Literal["idle", "starting", "running", "resting", "closed"]


class Owner(Protocol):
    """Who an arm tells of its upstream: the switch."""

    def arm_started(self, arm: "Arm") -> None:
        """Its upstream runs; lines that waited for it are sent after what this sends."""
        ...

    def arm_ended(self, arm: "Arm", how: str) -> None:
        """Its upstream is gone, or could not be started."""
        ...

    def arm_delivered(self, arm: "Arm", line: bytes, related: RequestId | None) -> None:
        """Its upstream said something."""
        ...

    def arm_parted(self, arm: "Arm", related: RequestId) -> None:
        """Its upstream has let go of the connection for a request that it has not answered."""
        ...

    def arm_oversized(self, arm: "Arm", size: int) -> None:
        """Its upstream said something too large."""
        ...

    def arm_relieved(self, arm: "Arm") -> None:
        """Its upstream takes lines again."""
        ...


class Arm:
    """The upstream named `slug`. `make` gives a new end for it; `restart`: it is begun again when it has ended."""

    def __init__(
        self, slug: str, make: Callable[[], UpstreamEnd], *, eager: bool = True, restart: bool = False
    ) -> None:
        self.slug, self.eager, self.restart = slug, eager, restart
        self.state: State = "idle"
        self._make = make
        self._owner: Owner | None = None
        self._run: _Run | None = None
        self._task: asyncio.Task[None] | None = None
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._paused = False
        self._failures = 0
        self._rest: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()  # former ends that are being closed

    def attach(self, owner: Owner) -> None:
        """Tell `owner` of everything from now on."""
        self._owner = owner

    @property
    def waiting(self) -> int:
        """Bytes that the upstream has not taken yet."""
        return self._run.end.waiting + self._kept_bytes if self._run else self._kept_bytes

    def begin(self) -> None:
        """Start the upstream unless it runs, is about to, or rests."""
        if self.state == "idle":
            self.state = "starting"
            self._task = asyncio.get_running_loop().create_task(self._start())

    def send(self, line: bytes) -> bool:
        """Send a line; False where the upstream rests after a failure or is closed, and the line is lost."""
        if self.state == "running":
            assert self._run is not None
            self._run.end.send(line)
            return True
        self.begin()
        if self.state != "starting":
            return False
        self._kept.append(line)
        self._kept_bytes += len(line)
        return True

    def flush(self) -> None:
        """Send what was held back."""
        if self._run is not None and self.state == "running":
            self._run.end.flush()

    def pause(self) -> None:
        """Take nothing from the upstream for now."""
        self._paused = True
        if self._run is not None:
            self._run.end.pause()

    def resume(self) -> None:
        """Take from the upstream again."""
        self._paused = False
        if self._run is not None:
            self._run.end.resume()

    def give_up(self, how: str) -> None:
        """The upstream cannot be lived with: it has ended as far as the conversation is concerned."""
        if self._run is not None:
            self._ended(self._run, how)

    def kill(self) -> None:
        """Do not wait for its end, when it is closed."""
        if self._run is not None:
            self._run.end.kill()

    async def close(self) -> None:
        """Done with this upstream. It is heard until it has closed."""
        if self._rest is not None:
            self._rest.cancel()
        if self.state == "starting" and self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.restart = False
        if self._run is not None:
            await self._run.end.close()
        self.state, self._run = "closed", None
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def _start(self) -> None:
        assert self._owner is not None
        run: _Run | None = None
        try:
            run = _Run(self, self._owner, self._make())
            self._run = run
            await run.end.start(run)
        except GuardError as error:
            hint = f" ({error.hint})" if error.hint else ""
            self._ended(run, f"could not be started: {error.message}{hint}")
            return
        except Exception as error:  # a mistake of ours is this upstream's failure, and no other's
            self._ended(run, f"could not be started: internal error ({type(error).__name__})")
            return
        except asyncio.CancelledError:
            self._run = None
            if run is not None:
                await run.end.close()
            raise
        if self._run is run and self.state == "starting":
            self._started(run)

    def _started(self, run: "_Run") -> None:
        assert self._owner is not None
        self.state = "running"
        run.since = asyncio.get_running_loop().time()
        if self._paused:
            run.end.pause()
        kept, self._kept, self._kept_bytes = self._kept, [], 0
        self._owner.arm_started(self)
        for line in kept:
            self.send(line)
        self.flush()

    def _ended(self, run: "_Run | None", how: str) -> None:
        """The end `run` is over: tell, and begin again after a rest where that is wanted."""
        assert self._owner is not None
        if self.state == "closed" or run is not self._run:
            return
        loop = asyncio.get_running_loop()
        steady = run is not None and run.since is not None and loop.time() - run.since >= STEADY
        self._failures = 1 if steady else self._failures + 1
        self.state, self._run = "resting", None
        if run is not None:
            closing = loop.create_task(run.end.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        self._kept.clear()
        self._kept_bytes = 0
        if self.restart:
            self._rest = loop.call_later(_rest(self._failures), self._wake)
        self._owner.arm_ended(self, how)

    def _wake(self) -> None:
        self._rest = None
        self.state = "idle"
        self.begin()

    def is_heard(self, run: "_Run") -> bool:
        """Whether an end is this arm's own, still."""
        return run is self._run


class _Run:
    """One life of an upstream: its end, and the listener of that end."""

    __slots__ = ("_arm", "_owner", "end", "since")

    def __init__(self, arm: Arm, owner: Owner, end: UpstreamEnd) -> None:
        self._arm, self._owner, self.end = arm, owner, end
        self.since: float | None = None

    def deliver(self, line: bytes, related: RequestId | None = None) -> None:
        if self._arm.is_heard(self):
            self._owner.arm_delivered(self._arm, line, related)

    def parted(self, related: RequestId) -> None:
        if self._arm.is_heard(self):
            self._owner.arm_parted(self._arm, related)

    def oversized(self, size: int) -> None:
        if self._arm.is_heard(self):
            self._owner.arm_oversized(self._arm, size)

    def relieved(self) -> None:
        if self._arm.is_heard(self):
            self._owner.arm_relieved(self._arm)

    def ended(self, how: str) -> None:
        if self._arm.is_heard(self):
            self._arm.give_up(how)


def _rest(failures: int) -> float:
    """Seconds before the next start: exponential, with some chance so that many do not start at once."""
    longest = min(FIRST_REST * 2 ** min(failures - 1, 16), LONGEST_REST)
    return longest * (0.75 + random() / 4)
