"""A server that behaves badly when it is told to: each of its tools does one thing that servers should not do.

It answers `ok` to everything else, so that a test can see that the session lives on.
"""

import json
import os
import signal
import sys
import time


def say(line: bytes) -> None:
    while line:
        line = line[os.write(1, line) :]


def answer(message: dict, text: str = "ok") -> None:
    result = {"content": [{"type": "text", "text": text}]}
    response = {"jsonrpc": "2.0", "id": message["id"], "result": result}
    say(json.dumps(response, ensure_ascii=False).encode() + b"\n")


def garbage(message: dict) -> None:
    say(b"Listening on stdin...\n\n\xff\xfe not even text\n[1, 2\n{}\n42\nnull\n" + b"[" * 5000 + b"\n")
    say(b'{"jsonrpc": "2.0", "id": 999999, "result": {}}\n')  # nobody asked for that
    say(b'{"jsonrpc": "1.0", "id": 1, "result": {}}\n{"jsonrpc": "2.0"}\n{"jsonrpc": "2.0", "method": 5}\n')
    say(b"[" * 400 + b"]" * 400 + b"\n")
    answer(message)


def twice(message: dict) -> None:
    answer(message, "first")
    answer(message, "second")


def flood(message: dict) -> None:
    """A line that is far too long, then the answer."""
    for _ in range(message["params"]["arguments"]["mebibytes"]):
        say(b"x" * (1 << 20))
    say(b"\n")
    answer(message)


def large(message: dict) -> None:
    """A result of that many bytes of text, with characters that some readers take for line ends."""
    size = message["params"]["arguments"]["bytes"]
    answer(message, ("naïve \u2028\u0085 text " * (size // 14 + 1))[:size])


def torrent(message: dict) -> None:
    """Notices of a mebibyte each, and the answer after the last."""
    data = json.dumps({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": [[]] * 400_000}})
    for _ in range(message["params"]["arguments"]["messages"]):
        say(data.encode() + b"\n")
    answer(message)


def chatter(message: dict) -> None:
    sys.stderr.write("this goes to stderr\n")
    sys.stderr.flush()
    answer(message)


def leave(message: dict) -> None:
    os._exit(message["params"]["arguments"]["status"])


def crash(message: dict) -> None:
    os.kill(os.getpid(), message["params"]["arguments"]["signal"])


def hang(message: dict) -> None:
    """No answer: the next request is answered again."""


def half(message: dict) -> None:
    """The beginning of a large answer; then the end, and a child that holds the output open a little longer."""
    say(b'{"jsonrpc": "2.0", "result": {"content": [{"type": "text", "text": "' + b"x" * 600_000)
    if os.fork() == 0:
        time.sleep(30)
    os._exit(3)


def block(message: dict) -> None:
    """Deaf to everything: SIGTERM, the end of its input."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    answer(message)
    while True:
        time.sleep(60)


TOOLS = {
    function.__name__: function
    for function in (answer, garbage, twice, flood, large, torrent, chatter, leave, crash, hang, half, block)
}


def main() -> None:
    for line in sys.stdin.buffer:
        message = json.loads(line)
        if "id" not in message:
            continue
        if message["method"] == "tools/call":
            TOOLS[message["params"]["name"]](message)
            continue
        result: dict = {}
        if message["method"] == "initialize":
            revision = message["params"]["protocolVersion"]
            about = {"name": "odd", "version": "1"}
            result = {"protocolVersion": revision, "capabilities": {"tools": {}}, "serverInfo": about}
        elif message["method"] == "tools/list":
            result = {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]}
        say(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode() + b"\n")


if __name__ == "__main__":
    main()
