"""Small upstreams, each with one habit: `python upstream_zoo.py HABIT MARK`. All say "ready" when they have it.

MARK does nothing: it makes a test's processes, and all that they fork, recognisable by their arguments.
"""

import json
import os
import signal
import sys
import time


def say(line: str) -> None:
    os.write(1, line.encode() + b"\n")


def echo() -> None:
    """A well-behaved server: answers each chunk with itself, ends at EOF."""
    say("ready")
    while chunk := os.read(0, 65536):
        os.write(1, chunk)


def polite() -> None:
    """Has something to do at SIGTERM, and ends with a status of its own; EOF means nothing to it."""
    signal.signal(signal.SIGTERM, lambda *_: (say("tidied up"), os._exit(5)))
    say("ready")
    while True:
        signal.pause()


def stubborn() -> None:
    """Ignores EOF and every signal that can be ignored."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    say("ready")
    while True:
        signal.pause()


def slow_to_end() -> None:
    """Needs a while after SIGTERM, and says how often it was told."""
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    say("ready")
    while not told:
        signal.pause()
    time.sleep(0.2)
    say(f"told {len(told)} times")


def daemon() -> None:
    """Leaves group and session by forking twice, keeps the pipes, and is stubborn; the first process echoes."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            stubborn()
        os._exit(0)
    os.wait()
    while chunk := os.read(0, 65536):
        os.write(1, chunk)


def runaway() -> None:
    """Is never the same process for long: forks, leaves its session, and lets the parent end, for ever."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say("ready")
    if os.fork():
        while os.read(0, 65536):
            pass
        return
    while True:
        if os.fork():
            os._exit(0)
        os.setsid()
        time.sleep(0.005)


def facts() -> None:
    """Tells what it was given by whoever started it, as JSON."""
    # Python itself ignores these two; so does whoever looks from inside it.
    ignored = [
        number
        for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}
        if signal.getsignal(number) is signal.SIG_IGN
    ]
    descriptors = [int(name) for name in os.listdir("/dev/fd")]
    given = {
        "own_group": os.getpgrp() == os.getpid(),
        "own_session": os.getsid(0) == os.getpid(),
        "ignored": ignored,
        "blocked": [int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, ())],
        "descriptors": sorted(descriptor for descriptor in descriptors if _is_open(descriptor)),
        "stdin_blocks": os.get_blocking(0),
        "cwd": os.getcwd(),
        "env": dict(os.environ),
    }
    os.write(2, b"a word on stderr\n")
    say(json.dumps(given))


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    globals()[sys.argv[1]]()
