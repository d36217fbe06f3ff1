"""A server that can be made to wait: a small one of the legacy era, with a thread for each call.

`wait` answers when the file `path` exists, and says `started` by making the file `path` + ".started".
"""

import json
import os
import sys
import threading
import time
from pathlib import Path

LOCK = threading.Lock()


def say(message: dict) -> None:
    with LOCK:
        os.write(1, json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")


def wait(arguments: dict) -> str:
    path = Path(arguments["path"])
    Path(f"{path}.started").touch()
    while not path.exists():
        time.sleep(0.005)
    return path.read_text()


TOOLS = {
    "echo": lambda arguments: arguments["text"],
    "pid": lambda _: str(os.getpid()),
    "variable": lambda arguments: os.environ.get(arguments["name"], "not set"),
    "wait": wait,
}


def call(message: dict) -> None:
    text = TOOLS[message["params"]["name"]](message["params"].get("arguments", {}))
    say({"id": message["id"], "result": {"content": [{"type": "text", "text": text}]}})


def main() -> None:
    for line in sys.stdin.buffer:
        message = json.loads(line)
        match message.get("method"):
            case "initialize":
                about = {"name": "patient", "version": "1"}
                revision = message["params"]["protocolVersion"]
                result = {"protocolVersion": revision, "capabilities": {"tools": {}}, "serverInfo": about}
                say({"id": message["id"], "result": result})
            case "tools/list":
                tools = [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]
                say({"id": message["id"], "result": {"tools": tools}})
            case "tools/call":
                threading.Thread(target=call, args=(message,), daemon=True).start()
            case "ping":
                say({"id": message["id"], "result": {}})
            case _ if "id" in message and "method" in message:
                say({"id": message["id"], "error": {"code": -32601, "message": "Method not found"}})


if __name__ == "__main__":
    main()
