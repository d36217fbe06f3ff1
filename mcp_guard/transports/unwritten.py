"""What becomes of outputs whose rows were not written, on either pump: judged again, or denied.

Where the registry was changed between a decision and its row, the gate hears of the change, and judges again what it
had let through. The invariant: nothing goes upstream without its row, and the row of what goes on is only ever written
under the version of the registry that it was decided under. A denial stands whatever has changed.
"""

import time
from collections.abc import Callable, Mapping

from msgspec import structs

from mcp_guard.events import Event, Judged
from mcp_guard.gate import Admitted, Denied, Pending, Record, Refusal
from mcp_guard.gate.calls import unconditional, unrecorded
from mcp_guard.transports.conversation import Addressed, Conversation
from mcp_guard.transports.ledger import OUTDATED, Ledger

ATTEMPTS = 20  # to judge the same thing again, each under a registry that was changed once more; then it is denied

RECORDED = (Admitted, Denied, Pending, Record)


def settled(
    outputs: list[Addressed],
    refused: Mapping[str, Refusal],
    conversation: Conversation,
    ledger: Ledger,
    reload: Callable[[int], list[Addressed]],
) -> list[Addressed]:
    """What is left to do of outputs of which some rows were `refused` (by the event's id), once all rows are written
    that can be. `reload` takes in what has changed, and gives the outputs of that.
    """
    for _ in range(ATTEMPTS):
        if not any(refusal is OUTDATED for refusal in refused.values()):
            break
        outputs = _judged_again(outputs, conversation, reload)
        refused = ledger.commit([output.event for _, output in outputs if isinstance(output, RECORDED)])
    return _denied(outputs, refused, conversation, ledger)


def _judged_again(
    outputs: list[Addressed], conversation: Conversation, reload: Callable[[int], list[Addressed]]
) -> list[Addressed]:
    """The same outputs, with what was admitted judged again in its place. What the change itself brings comes last: it
    may settle what is only asked about in one of these.
    """
    now = time.time_ns() // 1000
    changed = reload(now)
    along = {row for _, output in outputs if isinstance(output, Admitted) for row in output.along}
    anew: list[Addressed] = []
    for slug, output in outputs:
        if isinstance(output, Admitted):
            anew += conversation.again(slug, output, now)
        elif isinstance(output, Denied):
            anew.append((slug, structs.replace(output, event=unconditional(output.event))))
        elif not isinstance(output, Record):
            anew.append((slug, output))
        elif output.event.id not in along:  # those are made again with what they go along with
            anew.append((slug, Record(_standing(output.event))))
    return anew + changed


def _standing(event: Event) -> Event:
    """An event that is written whatever has changed: nothing goes upstream by it."""
    return unconditional(event) if isinstance(event, Judged) else event


def _denied(
    outputs: list[Addressed], refused: Mapping[str, Refusal], conversation: Conversation, ledger: Ledger
) -> list[Addressed]:
    """What is left to do, with a denial in the place of everything whose row was not written."""
    along = {row: refused[one.event.id] for one in _refused(outputs, refused) for row in one.along}
    left: list[Addressed] = []
    for slug, output in outputs:
        if isinstance(output, RECORDED) and (refusal := refused.get(output.event.id)) is not None:
            event = output.event
            if isinstance(output, Admitted | Pending):
                output = conversation.refuse(slug, output, refusal)
                event = output.event
            elif event.id in along and isinstance(event, Judged):
                event = unrecorded(event, along[event.id])
            ledger.later(event)
        if not isinstance(output, Record):
            left.append((slug, output))
    return left


def _refused(outputs: list[Addressed], refused: Mapping[str, Refusal]) -> list[Admitted]:
    return [output for _, output in outputs if isinstance(output, Admitted) and output.event.id in refused]
