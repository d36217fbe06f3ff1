"""A small MCP server to try things on: notes, kept in memory. Standard library only.

It reads one JSON-RPC message a line from stdin and writes one a line to stdout, as every stdio server does.
"""

import json
import sys
from typing import Any

NOTES = {"shopping": "Milk, bread.", "salaries": "Confidential: see the safe."}


def list_notes() -> str:
    return ", ".join(sorted(NOTES))


def read_note(title: str) -> str:
    return NOTES[title]


def write_note(title: str, text: str) -> str:
    NOTES[title] = text
    return f"Wrote {title}."


def delete_note(title: str) -> str:
    del NOTES[title]
    return f"Deleted {title}."


TOOLS = {function.__name__: function for function in (list_notes, read_note, write_note, delete_note)}


def describe(name: str) -> dict[str, Any]:
    code = TOOLS[name].__code__
    arguments = code.co_varnames[: code.co_argcount]
    schema = {"type": "object", "properties": {a: {"type": "string"} for a in arguments}, "required": list(arguments)}
    return {"name": name, "description": name.replace("_", " ").capitalize() + ".", "inputSchema": schema}


def answer(method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    """The result of a request; None for a method that is not there."""
    if method == "initialize":
        about = {"name": "notes", "version": "1"}
        return {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": about}
    if method == "tools/list":
        return {"tools": [describe(name) for name in TOOLS]}
    if method == "tools/call":
        try:
            text, failed = TOOLS[params["name"]](**params.get("arguments", {})), False
        except (KeyError, TypeError) as error:
            text, failed = f"That did not work: {error!r}", True
        return {"content": [{"type": "text", "text": text}], "isError": failed}
    return {} if method == "ping" else None


def main() -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message:
            continue  # a notification
        result = answer(message["method"], message.get("params", {}))
        outcome = {"error": {"code": -32601, "message": "Method not found"}} if result is None else {"result": result}
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **outcome}), flush=True)


if __name__ == "__main__":
    main()
