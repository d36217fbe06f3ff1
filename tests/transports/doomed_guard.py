"""A guard that starts an upstream and does nothing more, to be killed: `python doomed_guard.py MARK VERB COMMAND…`.

VERB is what it does with its commands (separated by `--`): `start` or `prepare`.
Says `{"guard": pid, "upstreams": [pid…], "keepers": [pid…]}` once all of them are ready.
"""

import json
import os
import select
import signal
import sys

from mcp_guard.transports.process import Upstream, prepare, spawn


def ready(upstream: Upstream) -> int:
    waiting = select.poll()
    waiting.register(upstream.stdout, select.POLLIN)
    waiting.poll()
    os.read(upstream.stdout, 65536)
    return upstream.pid


def commands(arguments: list[str]) -> list[list[str]]:
    split: list[list[str]] = [[]]
    for argument in arguments:
        if argument == "--":
            split.append([])
        else:
            split[-1].append(argument)
    return split


def main() -> None:
    verb, wanted = sys.argv[2], commands(sys.argv[3:])
    if verb == "start":
        kept = [spawn(command) for command in wanted]
        pids = [ready(upstream) for upstream in kept]
    else:
        kept = [prepare(command) for command in wanted]
        pids = []
    keepers = [upstream.keeper_pid for upstream in kept]
    print(json.dumps({"guard": os.getpid(), "upstreams": pids, "keepers": keepers}), flush=True)
    while True:
        signal.pause()


main()
