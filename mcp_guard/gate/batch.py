"""A batch of the 2025-03-26 revision: judged element by element, answered as one array (JSON-RPC 2.0, section 6).

Upstream its elements travel one by one, so no reader there has to know what a batch is; here their answers meet again.
They do not wait for each other whatever their size: once they are too large, those that are there go as an array of
their own.
"""

from mcp_guard.gate.messages import RequestId

MAX_ELEMENTS = 1_000  # of one batch, from either side
MAX_BYTES = 64 * 1024 * 1024  # of answers that wait for others


class Batch:
    """The answers of one batch, until the last of them is in. Lines are JSON texts of single responses."""

    def __init__(self) -> None:
        self._waiting: set[RequestId] = set()
        self._answers: list[bytes] = []
        self._size = 0
        self._complete = False

    def expect(self, request_id: RequestId) -> None:
        """An element of this batch went upstream and will be answered from there."""
        self._waiting.add(request_id)

    def answer(self, request_id: RequestId | None, line: bytes) -> bytes | None:
        """Take in one answer; gives the array when it was the last one that was missing, or no more are kept."""
        self._answers.append(line)
        self._size += len(line)
        return self.withdraw(request_id)

    def withdraw(self, request_id: RequestId | None) -> bytes | None:
        """Wait no longer for one element (it was answered or cancelled); gives the array when none is missing."""
        if request_id is not None:
            self._waiting.discard(request_id)
        return self._array()

    def close(self) -> bytes | None:
        """Every element has been read; gives the array when all of them have been answered already."""
        self._complete = True
        return self._array()

    def _array(self) -> bytes | None:
        waits = not self._complete or self._waiting
        if not self._answers or (waits and self._size <= MAX_BYTES):
            return None
        array = b"[" + b",".join(self._answers) + b"]"
        self._answers, self._size = [], 0
        return array
