"""Signals as bytes on a pipe, for a loop that polls descriptors (Python, "signal": set_wakeup_fd)."""

import os
import signal
import sys

ENDING = (signal.SIGTERM, signal.SIGINT, *((signal.SIGHUP,) if sys.platform != "win32" else ()))


class Signals:
    """Takes the signals that ask the guard to end, from now until `close`. `descriptor` is readable when one came."""

    def __init__(self) -> None:
        self.descriptor, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        os.set_blocking(self.descriptor, False)
        self._previous = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._handlers = {number: signal.signal(number, _leave_to_the_pipe) for number in ENDING}

    def read(self) -> list[signal.Signals]:
        """The signals that came since the last time, in order."""
        return [signal.Signals(number) for number in os.read(self.descriptor, 64) if number in ENDING]

    def close(self) -> None:
        """Put everything back as it was."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._previous)
        os.close(self._writer)
        os.close(self.descriptor)


def _leave_to_the_pipe(number: int, frame: object) -> None:
    """Does nothing: that Python has a handler at all is what makes it write to the pipe."""
