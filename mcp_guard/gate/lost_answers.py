"""An answer that was too large to be taken, or is no JSON, still leaves a request open. Here: the error that closes it,
made from the start and the end of the line. Nothing between them is read.

Both forms of a response are known: the id before the result, or the result before the id. In JSON a quotation mark
within a text is escaped, so no text that the answer carries can look like the members that are looked for. Whose
request an error closes, the gate decides as for any answer: only one that this upstream was asked.
"""

import re

import msgspec

from mcp_guard.gate import answers
from mcp_guard.gate.messages import INTERNAL_ERROR, RequestId

EDGE = 256  # bytes of the start and of the end of a line
RAISED = "it is raised with `--max-message` (in MiB), where mcp-guard is started"
_ID = rb'\s*"id"\s*:\s*(-?\d+|"(?:[^"\\]|\\.)*")\s*'
_VERSION = rb'\s*"jsonrpc"\s*:\s*"2\.0"\s*'
_ANSWER = rb'\s*"(?:result|error)"\s*:'
_ID_FIRST = re.compile(rb"\s*\{(?:" + _VERSION + rb",)?" + _ID + rb",(?:" + _VERSION + rb",)?" + _ANSWER)
_ANSWER_FIRST = re.compile(rb"\s*\{(?:" + _VERSION + rb",)?" + _ANSWER)
_ID_LAST = re.compile(rb"[}\]](?:," + _VERSION + rb")?\s*," + _ID + rb"(?:," + _VERSION + rb")?\}\s*\Z")


def too_large(limit: int) -> str:
    """Why an answer of more than `limit` bytes is not there."""
    return f"is larger than the limit of {limit} bytes; {RAISED}"


def answer_instead(start: bytes, end: bytes, why: str) -> bytes | None:
    """The error that stands for an answer of which `start` and `end` are left; `why` follows "the server's answer".
    None where they do not say that it is a whole answer, and to which request.
    """
    if not end.rstrip().endswith(b"}"):
        return None
    found = _ID_FIRST.match(start) or (_ID_LAST.search(end) if _ANSWER_FIRST.match(start) else None)
    request_id = None if found is None else _read_id(found[1])
    if request_id is None:
        return None
    return answers.error(request_id, INTERNAL_ERROR, f"mcp-guard: the server's answer {why}")


def instead_of(line: bytes | msgspec.Raw) -> bytes | None:
    """The error that stands for an answer that is no JSON; None where the line is none."""
    text = bytes(line)
    return answer_instead(text[:EDGE], text[-EDGE:], "is no JSON")


def _read_id(text: bytes) -> RequestId | None:
    try:
        return msgspec.json.decode(text, type=int | str)
    except ValueError:
        return None
