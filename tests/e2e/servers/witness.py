"""A server that writes down every call before it does anything else: what it saw is what went upstream.

`witness.py FILE`: appends the `n` of each call's arguments to FILE, one number a line, and answers with it.
"""

import json
import os
import sys


def main() -> None:
    seen = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for line in sys.stdin.buffer:
        message = json.loads(line)
        if "id" not in message:
            continue
        result: dict[str, object] = {}
        if message["method"] == "tools/call":
            number = message["params"]["arguments"]["n"]
            os.write(seen, b"%d\n" % number)
            result = {"content": [{"type": "text", "text": str(number)}]}
        elif message["method"] == "tools/list":
            schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
            result = {"tools": [{"name": "note", "inputSchema": schema}]}
        elif message["method"] == "initialize":
            revision = message["params"]["protocolVersion"]
            about = {"name": "witness", "version": "1"}
            result = {"protocolVersion": revision, "capabilities": {"tools": {}}, "serverInfo": about}
        os.write(1, json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode() + b"\n")


if __name__ == "__main__":
    main()
