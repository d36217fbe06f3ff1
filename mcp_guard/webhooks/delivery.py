"""Following the log and telling each receiver, on a thread of its own: no call ever waits for a webhook.

The log is the queue: what is not told yet is still in it. A receiver that fails is tried again, after longer and longer
waits; one that goes on failing gets one try an event until it is there again, and no more than the newest events.
"""

import http.client
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable

from mcp_guard.errors import GuardError
from mcp_guard.store.reader import Filters, RecordedEvent, newest_seq, read_events
from mcp_guard.webhooks.notices import TOLD, Target, body, signed

LOOK = 1.0  # seconds between two looks into the log
TIMEOUT = 10.0  # seconds for a receiver to take it
WAITS = (1.0, 2.0, 4.0, 8.0, 16.0)  # seconds before each further try
MOST_BEHIND = 1_000  # events; older ones are given up
_READ = 64 << 10  # bytes of an answer that are read


class Receiver:
    """One receiver, told from now on. `say` tells a person what could not be delivered."""

    def __init__(
        self,
        path: str,
        target: Target,
        key: bytes,
        say: Callable[[str], None],
        *,
        look: float = LOOK,
        waits: tuple[float, ...] = WAITS,
    ) -> None:
        self._path, self._target, self._key, self._say = path, target, key, say
        self._look, self._waits = look, waits
        self._seen = newest_seq(path)
        self._failing = False
        self._ending = threading.Event()
        self.delivered = self.failed = 0
        self._thread = threading.Thread(target=self._follow, name="mcp-guard-webhook", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is under way gets a moment."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def _follow(self) -> None:
        unreadable = False
        while not self._ending.wait(self._look):
            try:
                for event in self._new():
                    self._tell(event)
                    if self._ending.is_set():
                        return
                unreadable = False
            except GuardError as error:
                if not unreadable:
                    self._say(f"webhooks wait, as the log cannot be read: {error.message}")
                unreadable = True

    def _new(self) -> "deque[RecordedEvent]":
        """The events since the last look, as many as are told at most."""
        upto = newest_seq(self._path)
        found: deque[RecordedEvent] = deque(maxlen=MOST_BEHIND)
        if upto > self._seen:
            behind = 0
            for event in read_events(self._path, Filters(types=tuple(TOLD), after=self._seen, upto=upto)):
                found.append(event)
                behind += 1
            if behind > MOST_BEHIND:
                self._give_up(behind - MOST_BEHIND, "there are too many")
        self._seen = max(self._seen, upto)
        return found

    def _tell(self, event: RecordedEvent) -> None:
        said = body(event)
        why = ""
        for wait in (0.0, *(() if self._failing else self._waits)):
            if self._ending.wait(wait):
                return
            why = self._post(event, said)
            if not why:
                self.delivered += 1
                self._failing = False
                return
        self._failing = True
        self._give_up(1, why)

    def _give_up(self, number: int, why: str) -> None:
        self.failed += number
        self._say(f"{number} webhook{'' if number == 1 else 's'} to {self._target.name} could not be delivered: {why}")

    def _post(self, event: RecordedEvent, said: bytes) -> str:
        """Tell once; gives why it was not taken, or nothing. A redirect is not followed: it is no receiver."""
        connection = _connection(self._target)
        try:
            connection.request("POST", self._target.path, said, signed(event.id, int(time.time()), said, self._key))
            answer = connection.getresponse()
            answer.read(_READ)
        except ssl.SSLError as error:
            return f"TLS failed: {error.reason or 'no trust'}"
        except (OSError, http.client.HTTPException) as error:
            return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
        finally:
            connection.close()
        return "" if 200 <= answer.status < 300 else f"it answered with status {answer.status}"


def _connection(target: Target) -> http.client.HTTPConnection:
    if target.secure:
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(target.host, target.port, timeout=TIMEOUT, context=context)
    return http.client.HTTPConnection(target.host, target.port, timeout=TIMEOUT)
