"""An answer that was too large to be taken still leaves a request open. Here: the error that closes it, made from what
is left of the line, its start and its end. Nothing between them is read.

Both forms of a response are known: the id before the result, or the result before the id. In JSON a quotation mark
within a text is escaped, so no text that the answer carries can look like the members that are looked for. Whose
request an error closes, the gate decides as for any answer: only one that this upstream was asked.
"""

import re

import msgspec

from mcp_guard.gate import answers
from mcp_guard.gate.messages import INTERNAL_ERROR, RequestId

RAISED = "it is raised with `--max-message` (in MiB), where mcp-guard is started"
_ID = rb'\s*"id"\s*:\s*(-?\d+|"(?:[^"\\]|\\.)*")\s*'
_VERSION = rb'\s*"jsonrpc"\s*:\s*"2\.0"\s*'
_ANSWER = rb'\s*"(?:result|error)"\s*:'
_ID_FIRST = re.compile(rb"\s*\{(?:" + _VERSION + rb",)?" + _ID + rb",(?:" + _VERSION + rb",)?" + _ANSWER)
_ANSWER_FIRST = re.compile(rb"\s*\{(?:" + _VERSION + rb",)?" + _ANSWER)
_ID_LAST = re.compile(rb"[}\]](?:," + _VERSION + rb")?\s*," + _ID + rb"(?:," + _VERSION + rb")?\}\s*\Z")


def answer_instead(start: bytes, end: bytes, limit: int) -> bytes | None:
    """The error that stands for an answer of more than `limit` bytes, of which `start` and `end` are left; None where
    they do not say that it is an answer, and to which request.
    """
    found = _ID_FIRST.match(start) or (_ID_LAST.search(end) if _ANSWER_FIRST.match(start) else None)
    request_id = None if found is None else _read_id(found[1])
    if request_id is None:
        return None
    reason = f"mcp-guard: the server's answer is larger than the limit of {limit} bytes; {RAISED}"
    return answers.error(request_id, INTERNAL_ERROR, reason)


def _read_id(text: bytes) -> RequestId | None:
    try:
        return msgspec.json.decode(text, type=int | str)
    except ValueError:
        return None
