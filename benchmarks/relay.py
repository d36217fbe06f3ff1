"""A relay that moves bytes and does nothing else: what a Python process between two pipes costs at the least.

`relay.py CMD ARG…`: starts CMD, one thread for each direction.
"""

import os
import subprocess
import sys
import threading


def relay(source: int, target: int) -> None:
    while chunk := os.read(source, 65536):
        while chunk:
            chunk = chunk[os.write(target, chunk) :]
    os.close(target)


def main() -> int:
    server = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    assert server.stdin is not None
    assert server.stdout is not None
    threading.Thread(target=relay, args=(0, server.stdin.fileno()), daemon=True).start()
    relay(server.stdout.fileno(), 1)
    return server.wait()


if __name__ == "__main__":
    raise SystemExit(main())
