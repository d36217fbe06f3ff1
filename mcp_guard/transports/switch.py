"""One guarded connection on an event loop: a client end, upstream ends, and the conversation between them.

What `stdio.Pump` is for two pairs of pipes, for every other kind of end, and for many upstreams. The order of things is
the same: a call's row is committed before its line is sent to the upstream (`_carry_out`), and whatever cannot be
recorded is denied. A slow client stops the reading from its upstreams; a slow upstream stops the reading from the
client where it is the only one, and is given up where others would have to wait for it.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence

from mcp_guard.gate import Admitted, Denied, End, Forward, Pending, Record
from mcp_guard.gate.messages import RequestId
from mcp_guard.transports.arms import Arm
from mcp_guard.transports.conversation import Addressed, Conversation, Renaming
from mcp_guard.transports.ends import ClientEnd
from mcp_guard.transports.framing import DEFAULT_LIMIT, HIGH_WATER
from mcp_guard.transports.ledger import Ledger
from mcp_guard.transports.stdio import say
from mcp_guard.transports.unwritten import RECORDED, settled

IDLE = 0.01  # seconds after which events that wait are written
TICK = 1.0  # seconds between two looks at clocks and policy files
LAST_CHANCE = 1.0  # seconds without progress after which what is on its way from one who left is given up

_UPSTREAM = (Admitted, Forward)
_JUDGED = (Admitted, Denied, Pending)

Reload = Callable[[int], list[Addressed]]


class Switch:
    """Carries lines between a client and its upstreams, through a conversation.

    `reload(now)` gives the outputs of a policy that has changed since the last time, or none. The ledger may be shared
    with other switches of the same loop, and is not closed here. With one arm that does not restart, the connection
    ends when its upstream does.
    """

    def __init__(
        self,
        conversation: Conversation,
        client: ClientEnd,
        arms: Sequence[Arm],
        ledger: Ledger,
        reload: Reload,
        *,
        limit: int = DEFAULT_LIMIT,
        measure: Callable[[float], None] | None = None,
    ) -> None:
        self._conversation, self._client, self._ledger, self._reload = conversation, client, ledger, reload
        self._arms = {arm.slug: arm for arm in arms}
        self._only = arms[0] if len(arms) == 1 else None
        self._limit = limit
        self._measure = measure  # is told how long (seconds) a call took from its arrival until its row was committed
        self._arrived = 0.0  # when the line at hand came; 0: none is
        self._renaming = conversation if isinstance(conversation, Renaming) else None
        self._related: RequestId | None = None  # the request for which the line at hand came
        self._over: asyncio.Future[str] | None = None  # why the connection ends
        self._client_slow = self._client_held = False
        self._open, self._failed = True, False
        self._said: dict[Arm, str] = {}  # how each arm ended last
        self._told: str | None = None  # why it was told to end, if it was
        self._late: set[str] = set()  # arms of which was said that they do not answer
        self.lost = False  # whether it ended because its only upstream did
        self._flush_at: asyncio.TimerHandle | None = None
        self._active = False  # whether anything was carried since the flush was last put off
        for arm in arms:
            arm.attach(self)

    async def run(self) -> str:
        """Carry lines until the client is gone, or all there is upstream, or `stop`. Gives why it ended.

        Raises GuardError where the client's end cannot be started; whatever else is raised is a mistake in the guard.
        """
        loop = asyncio.get_running_loop()
        self._over = loop.create_future()
        ticking = loop.create_task(self._tick())
        try:
            self._handle(self._conversation.start)
            for arm in self._arms.values():
                if arm.eager:
                    arm.begin()
            await self._client.start(self)
            why = await self._over
            await self._see_off(why)
        finally:
            ticking.cancel()
            await self._close()
        return why

    def stop(self, why: str) -> None:
        """End the connection in order: what is on its way arrives, open calls get a moment to end. Those that get none
        are told why.
        """
        if self._over is not None and not self._over.done():
            self._told = why
        self._end(why)

    def _end(self, why: str) -> None:
        if self._over is not None and not self._over.done():
            self._over.set_result(why)

    def kill(self) -> None:
        """End it at once: upstreams get no moment more."""
        for arm in self._arms.values():
            arm.kill()

    # What the client's end tells

    def deliver(self, line: bytes, related: RequestId | None = None) -> None:
        """The client said a line."""
        if self._failed:
            return
        try:
            now = _now()
            if self._measure is not None:
                self._arrived = time.perf_counter()
            changed = self._reload(now)
            outputs = self._conversation.from_client(line, now)
            self._carry_out(changed + outputs if changed else outputs)
        except Exception as error:
            self._fail(error)
        finally:
            self._arrived = 0.0

    def oversized(self, size: int) -> None:
        """The client said too long a line."""
        self._handle(lambda now: self._conversation.client_oversized(size, self._limit, now))

    def relieved(self) -> None:
        """The client takes lines again."""
        self._regulate()

    def ended(self, how: str) -> None:
        """The client is gone."""
        self._end(how)

    # What upstreams tell

    def arm_delivered(self, arm: Arm, line: bytes, related: RequestId | None) -> None:
        """An upstream said a line, on the response stream of `related` or on none."""
        if self._failed:
            return
        try:
            if related is not None and self._renaming is not None:
                related = self._renaming.asked_under(arm.slug, related)
            self._related = related
            self._carry_out(self._conversation.from_upstream(arm.slug, line, _now()))
        except Exception as error:
            self._fail(error)
        finally:
            self._related = None

    def arm_parted(self, arm: Arm, related: RequestId) -> None:
        """An upstream has let go of the connection for a request: the client's is let go of as well."""
        if self._renaming is not None:
            related = self._renaming.asked_under(arm.slug, related)
        self._client.part(related)

    def arm_oversized(self, arm: Arm, size: int) -> None:
        """An upstream said too long a line."""
        self._handle(lambda now: self._conversation.upstream_oversized(arm.slug, size, self._limit, now))

    def arm_relieved(self, arm: Arm) -> None:
        """An upstream takes lines again."""
        self._regulate()

    def arm_started(self, arm: Arm) -> None:
        """An upstream runs, for the first time or again."""
        self._handle(lambda now: self._conversation.upstream_started(arm.slug, now))

    def arm_ended(self, arm: Arm, how: str) -> None:
        """An upstream is gone: what it owed is answered."""
        if self._over is not None and not self._over.done() and self._said.get(arm) != how:
            self._said[arm] = how  # said once, not with every attempt
            say(f"the server {arm.slug} {how}")
        told = how if self._told is None else f"{how}: {self._told}"
        self._handle(lambda now: self._conversation.upstream_exited(arm.slug, told, now))
        if self._only is arm and not arm.restart:
            self.lost = self._over is not None and not self._over.done()
            self._end("the upstream is gone")

    # Carrying out

    def _handle(self, what: Callable[[int], list[Addressed]]) -> None:
        """Ask the conversation something at this moment, and carry out what comes of it."""
        if self._failed:
            return
        try:
            self._carry_out(what(_now()))
        except Exception as error:
            self._fail(error)

    def _carry_out(self, outputs: list[Addressed]) -> None:
        """Do what the conversation wants done, in order. Where a call is among it, all rows are committed first."""
        for _, output in outputs:
            if isinstance(output, _JUDGED):
                outputs = self._recorded(outputs)
                if self._measure is not None and self._arrived:
                    self._measure(time.perf_counter() - self._arrived)
                break
        lost: list[str] = []
        touched: set[Arm] = set()
        replied = False
        for slug, output in outputs:
            if isinstance(output, _UPSTREAM):
                arm = self._arms[slug]
                if arm.send(output.line):
                    touched.add(arm)
                else:
                    lost.append(slug)
            elif isinstance(output, Record):
                self._ledger.later(output.event)
            elif isinstance(output, End):
                self.stop(output.why)  # somebody has ordered it
            elif output.line is not None:
                self._client.send(output.line, output.request_id if isinstance(output, Pending) else self._related)
                replied = True
        for arm in touched:
            arm.flush()
        if replied:
            self._client.flush()
        self._regulate(touched)
        self._flush_later()
        for slug in dict.fromkeys(lost):
            self._not_there(slug)

    def _recorded(self, outputs: list[Addressed]) -> list[Addressed]:
        """Commit the rows of these outputs; gives what is left to do. A call whose row is not written is judged again,
        or denied.
        """
        refused = self._ledger.commit([output.event for _, output in outputs if isinstance(output, RECORDED)])
        if not refused:
            return [(slug, output) for slug, output in outputs if not isinstance(output, Record)]
        return settled(outputs, refused, self._conversation, self._ledger, self._reload)

    def _not_there(self, slug: str) -> None:
        """Lines were for an upstream that has just failed and is not begun again yet: whoever asked gets an answer."""
        if self._open:
            self._handle(lambda now: self._conversation.upstream_exited(slug, "is not running", now))

    def _regulate(self, sent: Iterable[Arm] = ()) -> None:
        """Stop and start the reading on one side by what waits on the other; `sent`: arms that were just given more."""
        slow = self._client.waiting > HIGH_WATER
        if slow is not self._client_slow:
            self._client_slow = slow
            for arm in self._arms.values():
                arm.pause() if slow else arm.resume()
        if self._only is None:
            for arm in sent:
                if arm.waiting > HIGH_WATER + self._limit:
                    arm.give_up("does not take what it is sent")
        hold = slow or (self._only is not None and self._only.waiting > HIGH_WATER)
        if hold is not self._client_held:
            self._client_held = hold
            self._client.pause() if hold else self._client.resume()

    # Time

    def _flush_later(self) -> None:
        self._active = True
        if self._flush_at is None and self._ledger.urgent:
            self._active = False
            self._flush_at = asyncio.get_running_loop().call_later(IDLE, self._flush)

    def _flush(self) -> None:
        """Write what waits for an idle moment, once there is one."""
        self._flush_at = None
        if self._active:
            self._flush_later()
        else:
            self._ledger.flush()
            self._flush_later()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self._ledger.beat(_now())
            self._handle(self._reload)
            self._handle(self._conversation.tick)
            for slug in self._conversation.late:
                if slug not in self._late:  # said once: it may be late with every list
                    self._late.add(slug)
                    say(f"the server {slug} does not answer; going on without it until it does")

    # The end

    def _fail(self, error: Exception) -> None:
        """A mistake of the guard's own: nothing more is carried, and `run` raises it."""
        self._failed = True
        if self._over is not None and not self._over.done():
            self._over.set_exception(error)

    async def _see_off(self, why: str) -> None:
        """Let what the client sent arrive as long as the upstreams take it, then end them; tell the log."""
        left = LAST_CHANCE
        before = -1
        while left > 0 and (waiting := self._waiting()):
            left = LAST_CHANCE if waiting != before else left - IDLE
            before = waiting
            await asyncio.sleep(IDLE)
        self._conversation.client_leaves(why)
        await asyncio.gather(*(arm.close() for arm in self._arms.values()))
        self._carry_out(self._conversation.client_closed(why, _now()))

    def _waiting(self) -> int:
        return sum(arm.waiting for arm in self._arms.values()) + self._conversation.holding

    async def _close(self) -> None:
        """Close whatever is open, however this came to its end."""
        self._open = False
        await asyncio.gather(*(arm.close() for arm in self._arms.values()), return_exceptions=True)
        await self._client.close()
        if self._flush_at is not None:
            self._flush_at.cancel()
        self._ledger.settle()


def _now() -> int:
    return time.time_ns() // 1000
