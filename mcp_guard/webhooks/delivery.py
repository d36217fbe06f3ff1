"""Following the log and telling each receiver, on a thread of its own: no call ever waits for a webhook.

The log is the queue: what is not told yet is still in it, and a `Place` says how far it is told. A receiver that fails
is tried again, after longer and longer waits; one that goes on failing gets one try an event until it is there again,
and no more than the newest events.

Invariant: an event is passed only when it has been delivered or given up.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from mcp_guard.errors import GuardError
from mcp_guard.store.reader import Filters, RecordedEvent, newest_seq, read_events
from mcp_guard.webhooks.notices import TOLD, Target, body, name_of, signed
from mcp_guard.webhooks.place import Place

if TYPE_CHECKING:
    from http.client import HTTPConnection

LOOK = 1.0  # seconds between two looks into the log
TIMEOUT = 10.0  # seconds to reach a receiver, and then for it to take what it is told
WAITS = (1.0, 2.0, 4.0, 8.0, 16.0)  # seconds before each further try
MOST_BEHIND = 1_000  # events; older ones are given up
LAST_MOMENT = 1.0  # seconds that the end waits for what is under way
_READ = 64 << 10  # bytes of an answer that are read


class Receiver:
    """One receiver, told in turn with all who have the same one. `say` tells a person what could not be delivered."""

    def __init__(
        self,
        path: str,
        target: Target,
        key: bytes,
        say: Callable[[str], None],
        *,
        look: float = LOOK,
        waits: tuple[float, ...] = WAITS,
        timeout: float = TIMEOUT,
    ) -> None:
        self._path, self._target, self._key, self._say = path, target, key, say
        self._look, self._waits, self._timeout = look, waits, timeout
        self._place = Place(path, name_of(target, key), lambda: newest_seq(path))
        self._failing = False
        self._ending = threading.Event()
        self.delivered = self.failed = 0
        self._thread = threading.Thread(target=self._follow, name="mcp-guard-webhook", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """End, after a last look; what is under way then gets a moment, and is told again by who comes next."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(LAST_MOMENT)

    def _follow(self) -> None:
        ends = unusable = False
        while True:
            try:
                if self._place.take():
                    self._tell_new()
                unusable = False
            except GuardError as error:
                if not unusable:
                    self._say(f"webhooks wait: {error.message}")
                unusable = True
            if ends:
                return self._place.leave()
            ends = self._ending.wait(self._look)

    def _tell_new(self) -> None:
        upto = newest_seq(self._path)
        for event in self._new(upto):
            if not self._tell(event):
                return
            self._place.move(event.seq)
        self._place.move(upto)  # which is less than before where the log is another one: that is told from now on

    def _new(self, upto: int) -> "deque[RecordedEvent]":
        """The events since the last look, as many as are told at most."""
        found: deque[RecordedEvent] = deque(maxlen=MOST_BEHIND)
        behind = 0
        if upto > self._place.seq:
            for event in read_events(self._path, Filters(types=tuple(TOLD), after=self._place.seq, upto=upto)):
                found.append(event)
                behind += 1
        if behind > MOST_BEHIND:
            self._give_up(behind - MOST_BEHIND, "there are too many")
        return found

    def _tell(self, event: RecordedEvent) -> bool:
        """Deliver, or give up; False where the end came before either."""
        said = body(event)
        why = self._post(event, said)
        for wait in () if self._failing else self._waits:
            if not why:
                break
            if self._ending.wait(wait):
                return False
            why = self._post(event, said)
        self._failing = bool(why)
        if why:
            self._give_up(1, why)
        else:
            self.delivered += 1
        return True

    def _give_up(self, number: int, why: str) -> None:
        self.failed += number
        self._say(f"{number} webhook{'' if number == 1 else 's'} to {self._target.name} could not be delivered: {why}")

    def _post(self, event: RecordedEvent, said: bytes) -> str:
        """Tell once; gives why it was not taken, or nothing. A redirect is not followed: it is no receiver."""
        from http.client import HTTPException  # which loads TLS: a guard with nothing to tell starts without it
        from ssl import SSLError

        connection, head = _connection(self._target), signed(event.id, int(time.time()), said, self._key)
        try:
            connection.connect()
            with _bounded(connection, self._timeout):
                connection.request("POST", self._target.path, said, head)
                answer = connection.getresponse()
                answer.read(_READ)
        except SSLError as error:
            return f"TLS failed: {error.reason or 'no trust'}"
        except (OSError, HTTPException) as error:
            return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
        finally:
            connection.close()
        return "" if 200 <= answer.status < 300 else f"it answered with status {answer.status}"


@contextmanager
def _bounded(connection: "HTTPConnection", seconds: float) -> Generator[None]:
    """For so long at most: a receiver that says a little now and then would never run into a time-out of the socket."""
    from socket import SHUT_RDWR

    reached = connection.sock

    def cut() -> None:
        with suppress(OSError):
            reached.shutdown(SHUT_RDWR)

    cutting = threading.Timer(seconds, cut)
    cutting.daemon = True
    cutting.start()
    try:
        yield
    finally:
        cutting.cancel()


def _connection(target: Target) -> "HTTPConnection":
    from http.client import HTTPConnection, HTTPSConnection

    if not target.secure:
        return HTTPConnection(target.host, target.port, timeout=TIMEOUT)
    from ssl import create_default_context

    return HTTPSConnection(target.host, target.port, timeout=TIMEOUT, context=create_default_context())
