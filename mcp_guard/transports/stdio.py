"""The guard between two pairs of pipes: lines in, through the gate, the log, and out again. The hot path.

One thread, one poll, no event loop: a call costs two reads, two writes and one commit. The order of things is what
makes the guard one: a call's row is committed before its line is written to the upstream (`_carry_out`). A slow reader
stops the reading on the other side, so memory is bounded by the message limit.
"""

import os
import select
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TypeAlias

from mcp_guard.events import Event
from mcp_guard.gate import Admitted, End, Forward, Output, Record, Refusal, Reply
from mcp_guard.gate.bridge import Bridged
from mcp_guard.transports.cut_through import LONG, CutThrough
from mcp_guard.transports.framing import DEFAULT_LIMIT, HIGH_WATER, Lines, Outbox, Oversized, make_non_blocking, read
from mcp_guard.transports.ledger import Ledger
from mcp_guard.transports.process import Upstream, enlarge
from mcp_guard.transports.signals import Signals

_HEAD = 64  # bytes of a long line by which the gate tells whether it looks like a message
_IDLE = 10  # milliseconds after which events that wait are written
_TICK = 1_000  # milliseconds between two looks at clocks and policy files
_LAST_CHANCE = 1.0  # seconds without progress after which what is on its way to or from one who left is given up
_HANG_UP = getattr(select, "POLLRDHUP", 0)  # with it or without, poll tells when all writers of a pipe are gone

Flow: TypeAlias = tuple[bool, bool, bool, bool, bool]

_AT_REST: Flow = (True, False, True, False, False)  # both sides are read, and nothing waits to be written


def say(text: str) -> None:
    """One line of the guard's own on stderr, where clients keep what their servers say."""
    with suppress(OSError):
        os.write(2, f"mcp-guard: {text}\n".encode())


class Pump:
    """Carries lines between a client (`client_in`, `client_out`: descriptors) and an upstream, through a gate.

    `reload(now)` gives the outputs of a policy that has changed since the last time, or none.
    """

    def __init__(
        self,
        gate: Bridged,
        upstream: Upstream,
        ledger: Ledger,
        reload: Callable[[int], list[Output]],
        *,
        client_in: int = 0,
        client_out: int = 1,
        limit: int = DEFAULT_LIMIT,
    ) -> None:
        self._gate, self._upstream, self._ledger, self._reload = gate, upstream, ledger, reload
        self._client_in = client_in
        self._client_lines, self._upstream_lines = Lines(limit), Lines(limit)
        self._to_client, self._to_upstream = Outbox(client_out), Outbox(upstream.stdin)
        self._cut_through = CutThrough()
        self._deferred: list[bytes] = []  # lines that wait for the end of one that was cut through
        self._limit = limit
        self._poll = select.poll()
        self._handlers: dict[int, Callable[[], None]] = {}
        self._watched: Flow | None = None
        self._at_rest = False  # nothing waits to be written, and no side is gone since the poll was told what to watch
        self._signals = Signals()
        self._signal = 0  # the first signal that asked the guard to end
        self._client_open = True
        self._hung_up = False  # the client has closed its end, and what it sent before is not all read yet
        self._client_end = ""  # why the client is gone
        self._upstream_open = True
        self._idle_by = 0.0  # monotonic time at which what waits for a quiet moment waits no longer
        self._end_by = 0.0  # monotonic time at which what a client sent before it left is given up
        self._end_asked = False
        self._status: int | None = None

    def run(self) -> int:
        """Carry lines until one side is gone. Gives the status to end with: the upstream's own, or 128 and a signal."""
        blocking = make_non_blocking(self._to_client.descriptor)
        enlarge(self._to_client.descriptor)
        try:
            self._carry_out(self._gate.start(_now()))
            while self._status is None:
                self._turn()
            return self._status
        finally:
            self._upstream.close()
            self._signals.close()
            if blocking:
                os.set_blocking(self._to_client.descriptor, True)

    # One turn of the loop

    def _turn(self) -> None:
        """Wait until something is ready, and do what is to be done about it."""
        if not self._at_rest or self._to_client.size or self._to_upstream.size:
            self._watch(self._flow())
        leaving = self._hung_up or not self._client_open
        ready = self._poll.poll(_IDLE if self._ledger.urgent or leaving else _TICK)
        if not ready or time.monotonic() >= self._idle_by:
            self._idle()
        for descriptor, _ in ready:
            self._handlers[descriptor]()
            if self._status is not None:
                return
        if self._hung_up or not self._client_open:
            self._see_off()

    def _flow(self) -> Flow:
        """What may be read and what has to be written now: a source is read only while its readers keep up."""
        client, upstream = self._to_client.size, self._to_upstream.size
        keeps_up = client <= HIGH_WATER
        read_client = self._client_open and keeps_up and upstream <= HIGH_WATER
        return (
            read_client,
            self._client_open and not read_client and not self._hung_up,
            self._upstream_open and keeps_up,
            client > 0,
            upstream > 0,
        )

    def _watch(self, flow: Flow) -> None:
        """Tell the poll what to wait for from now on, unless it waits for just that."""
        self._at_rest = flow == _AT_REST
        if flow == self._watched:
            return
        read_client, notice_client, read_upstream, write_client, write_upstream = flow
        sources = (
            (self._client_in, read_client, select.POLLIN, self._read_client),
            (self._client_in, notice_client, _HANG_UP, self._note_hang_up),
            (self._upstream.stdout, read_upstream, select.POLLIN, self._read_upstream),
            (self._to_client.descriptor, write_client, select.POLLOUT, self._flush_client),
            (self._to_upstream.descriptor, write_upstream, select.POLLOUT, self._flush_upstream),
            (self._upstream.status, True, select.POLLIN, self._read_status),
            (self._signals.descriptor, True, select.POLLIN, self._read_signals),
        )
        self._poll, self._handlers, self._watched = select.poll(), {}, flow
        for descriptor, wanted, mask, handler in sources:
            if wanted:
                self._poll.register(descriptor, mask)
                self._handlers[descriptor] = handler

    def _see_off(self) -> None:
        """The client has left: let what it sent arrive as long as the upstream takes it, then end the upstream."""
        late = time.monotonic() >= self._end_by
        on_its_way = self._to_upstream.size > 0 or self._gate.holding
        if self._client_open:
            reading, *_ = self._flow()
            if late and not reading:
                self._client_gone("the client closed its end")
        elif late or not on_its_way:
            self._end_upstream()

    def _idle(self) -> None:
        """What waits for a quiet moment, and comes about all the same where one side never stops talking."""
        self._idle_by = time.monotonic() + _TICK / 1_000
        self._ledger.flush()
        now = _now()
        self._ledger.beat(now)
        self._carry_out(self._reload(now))
        self._carry_out(self._gate.tick(now))

    # Reading

    def _read_client(self) -> None:
        chunk = read(self._client_in, self._client_lines)
        if chunk is None:
            return
        now = _now()
        outputs = self._reload(now)
        gate = self._gate
        for line in self._client_lines.feed(chunk) if chunk else self._client_lines.end():
            if isinstance(line, Oversized):
                outputs += gate.client_oversized(line.size, self._limit, now)
            else:
                outputs += gate.from_client(line, now)
        if outputs:
            self._carry_out(outputs)
        if not chunk:
            self._client_gone("the client closed its end")

    def _read_upstream(self) -> None:
        chunk = read(self._upstream.stdout, self._upstream_lines)
        if chunk is not None:
            self._take_from_upstream(chunk)

    def _take_from_upstream(self, chunk: bytes) -> None:
        now = _now()
        outputs: list[Output] = []
        for line in self._upstream_lines.feed(chunk) if chunk else self._upstream_lines.end():
            if isinstance(line, Oversized):
                outputs += self._gate.upstream_oversized(line.size, self._limit, now)
                outputs += self._answered_instead(line, now)
                self._complete(b"", None)
            else:
                found = self._gate.from_upstream(line, now)
                outputs += self._completed(line, found) if self._cut_through.active else found
        self._carry_out(outputs)
        if LONG <= self._upstream_lines.unfinished <= self._limit:
            self._pass_on(chunk)
        if not chunk:  # nothing more can be answered, so there is nothing left to guard
            self._upstream_open = self._at_rest = False
            self._complete(b"", None)
            self._end_upstream()

    def _pass_on(self, chunk: bytes) -> None:
        """Let the start of a long line go ahead, if the gate will pass it as it comes."""
        if self._cut_through.active:
            self._write_client(self._cut_through.offer(chunk))
        elif self._gate.may_go_ahead(self._upstream_lines.start(_HEAD)):
            self._cut_through.start()
            self._write_client(self._cut_through.offer(self._upstream_lines.start()))

    def _answered_instead(self, line: Oversized, now: int) -> list[Output]:
        """What becomes of the request whose answer was too large."""
        from mcp_guard.gate.lost_answers import answer_instead, too_large

        answer = answer_instead(line.start, line.end, too_large(self._limit))
        return [] if answer is None else self._gate.from_upstream(answer, now)

    def _completed(self, line: bytes, found: list[Output]) -> list[Output]:
        """Complete a line whose start went ahead, with what the gate makes of it; gives what else there is to do."""
        reply = next((output for output in found if isinstance(output, Reply)), None)
        self._complete(line, reply.line if reply else None)
        return [output for output in found if output is not reply]

    def _complete(self, line: bytes, reply: bytes | None) -> None:
        if self._cut_through.active:
            self._write_client(self._cut_through.finish(line, reply))
            deferred, self._deferred = self._deferred, []
            if deferred:
                self._send_client(deferred)

    # Writing

    def _carry_out(self, outputs: list[Output]) -> None:
        """Do what the gate wants done, in order. Where a call is among it, all rows are committed first, as one."""
        up, down, events, judged = self._sorted(outputs)
        if not judged:
            for event in events:
                self._ledger.later(event)
        elif refused := self._ledger.commit(events):
            up, down, _, _ = self._sorted(self._settled(outputs, refused))
        if up:
            self._send_upstream(up)
        if down:
            self._send_client(down)

    def _sorted(self, outputs: list[Output]) -> tuple[list[bytes], list[bytes], list[Event], bool]:
        """The lines for the upstream and for the client, the events, and whether a call was judged among them."""
        up: list[bytes] = []
        down: list[bytes] = []
        events: list[Event] = []
        judged = False
        for output in outputs:
            if isinstance(output, Admitted):
                judged = True
                events.append(output.event)
                up.append(output.line)
            elif isinstance(output, Reply):
                down.append(output.line)
            elif isinstance(output, Record):
                events.append(output.event)
            elif isinstance(output, Forward):
                up.append(output.line)
            elif isinstance(output, End):
                self._client_gone(output.why)
            else:
                judged = True
                events.append(output.event)
                if output.line is not None:
                    down.append(output.line)
        return up, down, events, judged

    def _settled(self, outputs: list[Output], refused: Mapping[str, Refusal]) -> list[Output]:
        """What is left to do where rows were not written: such a call is judged again, or denied."""
        from mcp_guard.transports.conversation import Single
        from mcp_guard.transports.unwritten import settled

        one = Single("", self._gate)
        addressed = [("", output) for output in outputs]
        left = settled(addressed, refused, one, self._ledger, lambda now: [("", out) for out in self._reload(now)])
        return [output for _, output in left]

    def _send_client(self, lines: list[bytes]) -> None:
        """Send whole lines to the client, after the line that is on its way to it, if there is one."""
        if self._cut_through.active:
            self._deferred += lines
        else:
            self._write_client(b"\n".join((*lines, b"")))

    def _write_client(self, data: bytes) -> None:
        try:
            self._to_client.send(data)
        except OSError:
            self._to_client.clear()
            self._client_gone("the client stopped reading")

    def _flush_client(self) -> None:
        try:
            self._to_client.flush()
        except OSError:
            self._to_client.clear()
            self._client_gone("the client stopped reading")

    def _send_upstream(self, lines: list[bytes]) -> None:
        if self._end_asked:
            return  # its stdin is closed
        with suppress(OSError):  # an upstream that closed its stdin is on its way out: its status tells how
            self._to_upstream.send(b"\n".join((*lines, b"")))

    def _flush_upstream(self) -> None:
        before = self._to_upstream.size
        try:
            self._to_upstream.flush()
        except OSError:
            self._to_upstream.clear()
        if self._to_upstream.size < before:
            self._end_by = time.monotonic() + _LAST_CHANCE  # it goes on, so it is worth waiting for

    def _note_hang_up(self) -> None:
        """The client has closed its end while nothing is read from it, because its readers are slow."""
        self._hung_up, self._at_rest = True, False
        self._end_by = time.monotonic() + _LAST_CHANCE

    # The end

    def _client_gone(self, why: str) -> None:
        """Nobody asks any more: let what is on its way arrive, then end the upstream."""
        if self._client_open:
            self._client_open = self._at_rest = False
            self._client_end = why
            self._end_by = time.monotonic() + _LAST_CHANCE

    def _end_upstream(self) -> None:
        """Close the upstream's stdin; where that does not end it, its keeper sees to it."""
        if not self._end_asked:
            self._end_asked = True
            self._to_upstream.clear()
            self._upstream.end()

    def _read_status(self) -> None:
        """The upstream is gone: pass on what it still said, answer what it left open, and end with its status."""
        exit = self._upstream.read_status()
        if exit is None:
            return
        while self._upstream_open and (chunk := read(self._upstream.stdout, self._upstream_lines)) is not None:
            self._take_from_upstream(chunk)
        self._complete(b"", None)  # of a line that will not end, where something still holds the pipe open
        self._carry_out(self._gate.upstream_exited(exit.describe(), _now()))
        if self._client_open:
            say(f"the server {exit.describe()}")
        self._carry_out(self._gate.client_closed(self._client_end or "the upstream is gone", _now()))
        self._last_words()
        lost = self._ledger.close()
        if lost:
            say(lost)
        forced = not self._client_open and exit.signal is not None  # it did not end by itself when the client had
        self._status = 128 + self._signal if self._signal else 0 if forced else exit.exit_code

    def _last_words(self) -> None:
        """Give the client what waits for it, if it still reads."""
        waiting = select.poll()
        waiting.register(self._to_client.descriptor, select.POLLOUT)
        deadline = time.monotonic() + _LAST_CHANCE
        while self._to_client.size and (left := deadline - time.monotonic()) > 0:
            waiting.poll(left * 1000)
            self._flush_client()

    def _read_signals(self) -> None:
        """The first signal ends the guard in order; a second one ends the upstream without further ceremony."""
        for number in self._signals.read():
            if self._signal:
                self._upstream.kill()
            elif not self._client_open:
                self._upstream.terminate()
            self._signal = self._signal or number
            self._client_gone(f"the guard was told to end by {number.name}")


def _now() -> int:
    return time.time_ns() // 1000
