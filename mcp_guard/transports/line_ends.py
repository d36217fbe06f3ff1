"""Lines on an event loop: read from a descriptor as they come, and written to one as it takes them."""

import asyncio
from collections.abc import Callable

from mcp_guard.transports.ends import Listener
from mcp_guard.transports.framing import HIGH_WATER, Lines, Outbox, Oversized, read

_CHUNK = 120 * 1024  # bytes of one read; from 128 KiB on, each costs a mapping and unmapping of memory
_APART = 256 * 1024  # bytes of a line from which on it is not copied to be written together with others


class LineReader:
    """Reads lines from a descriptor as they come, while it is not paused. For one that was too long, `instead` may give
    a line that is told after its size.
    """

    def __init__(
        self,
        descriptor: int,
        limit: int,
        ended: Callable[[], None],
        instead: Callable[[Oversized], bytes | None] | None = None,
    ) -> None:
        self._descriptor, self._lines, self._ended, self._instead = descriptor, Lines(limit), ended, instead
        self._listener: Listener | None = None
        self._watched = False

    def start(self, listener: Listener) -> None:
        """Tell `listener` of each line, and `ended` of the end of the stream."""
        self._listener = listener
        self.resume()

    def resume(self) -> None:
        """Read (again)."""
        if self._listener is not None and not self._watched:
            self._watched = True
            asyncio.get_running_loop().add_reader(self._descriptor, self.read)

    def pause(self) -> None:
        """Do not read for now."""
        if self._watched:
            self._watched = False
            asyncio.get_running_loop().remove_reader(self._descriptor)

    def stop(self) -> None:
        """Never read again."""
        self.pause()
        self._listener = None

    def read(self) -> bool:
        """Take in what is there, as far as one read goes; False where there is nothing (more) to read."""
        listener = self._listener
        if listener is None:
            return False
        chunk = read(self._descriptor, self._lines, _CHUNK)
        if chunk is None:
            return False
        for line in self._lines.feed(chunk) if chunk else self._lines.end():
            if isinstance(line, Oversized):
                listener.oversized(line.size)
                if self._instead is not None and (answer := self._instead(line)) is not None:
                    listener.deliver(answer)
            else:
                listener.deliver(line)
        if not chunk:
            self.stop()
            self._ended()
        return chunk != b""


class LineWriter:
    """Writes lines to a descriptor: at once where it takes them, else as it does. `gone` is called once it cannot."""

    def __init__(self, descriptor: int, gone: Callable[[], None]) -> None:
        self._outbox, self._gone = Outbox(descriptor), gone
        self._lines: list[bytes] = []
        self._watched = self._broken = False
        self.relieved: Callable[[], None] = lambda: None

    @property
    def waiting(self) -> int:
        """Bytes that nobody has taken yet."""
        return self._outbox.size

    def send(self, line: bytes) -> None:
        """Keep a line until `flush`."""
        if not self._broken:
            self._lines.append(line)

    def flush(self) -> None:
        """Write what was sent, with one call to the system where it is several lines."""
        if not self._lines:
            return
        lines, self._lines = self._lines, []
        try:
            if max(map(len, lines)) < _APART:
                self._outbox.send(b"\n".join([*lines, b""]))
            else:
                self._outbox.send_all([piece for line in lines for piece in (line, b"\n")])
        except OSError:
            self._break()
        if self._outbox.size and not self._watched:
            self._watched = True
            asyncio.get_running_loop().add_writer(self._outbox.descriptor, self._write)

    def _write(self) -> None:
        before = self._outbox.size
        try:
            self._outbox.flush()
        except OSError:
            self._break()
        if not self._outbox.size:
            self.stop()
        if before > HIGH_WATER >= self._outbox.size:
            self.relieved()

    def _break(self) -> None:
        self._broken = True
        self._outbox.clear()
        self.stop()
        asyncio.get_running_loop().call_soon(self._gone)  # nobody expects to be told within `send` or `flush`

    def stop(self) -> None:
        """Write no more, unless `flush` is called again."""
        if self._watched:
            self._watched = False
            asyncio.get_running_loop().remove_writer(self._outbox.descriptor)

    async def last_words(self, patience: float) -> None:
        """Wait until all is written, or nothing moves for so many seconds."""
        self.flush()
        before, left = -1, patience
        while self.waiting and left > 0:
            left = patience if self.waiting != before else left - 0.01
            before = self.waiting
            await asyncio.sleep(0.01)
        self.stop()
