"""A server that offers nothing, in either era: it stands beside another one."""

import json
import sys

for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message or "method" not in message:
        continue
    answer = {"error": {"code": -32601, "message": f"{message['method']} is unknown"}}
    if message["method"] == "initialize":
        revision = message["params"]["protocolVersion"]
        info = {"name": "quiet", "version": "1"}
        answer = {"result": {"protocolVersion": revision, "capabilities": {}, "serverInfo": info}}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **answer}), flush=True)
