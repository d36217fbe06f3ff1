"""A request is judged again, because the registry was changed before the row of its decision could be written.

Nothing of it has gone upstream, so it is as if it had only come now, under the registry as it is now. What a person has
approved of it stays approved: where nothing denies it by now, nobody is asked twice.
"""

from msgspec import structs

from mcp_guard.gate import calls, judging, offers, subscriptions
from mcp_guard.gate.outputs import Admitted, Denied, Output, Refusal
from mcp_guard.gate.session import Session

_CANCELLED = Refusal("the client cancelled it before its row was written")
_ANOTHER = Refusal("another agent is on the line than when this was judged")


def judge(session: Session, admitted: Admitted, now: int) -> list[Output]:
    """Judge what was admitted again, in the place of what was to be done about it."""
    entry = session.open[admitted.request_id]
    if entry.cancelled:
        return [structs.replace(refuse(session, admitted, _CANCELLED), line=None)]
    if admitted.event.agent != session.client.principal.agent:
        return [refuse(session, admitted, _ANOTHER)]
    session.close(admitted.request_id)
    call = admitted.call
    if call.request.method == subscriptions.METHOD:
        return subscriptions.again(session, call.request, now)
    return [judging.of(call).judge(session, call, now, admitted.approved)]


def refuse(session: Session, admitted: Admitted, refusal: Refusal) -> Denied:
    """Deny what was admitted, because its row was not written."""
    return (calls if admitted.call.kind == "tool" else offers).refuse(session, admitted, refusal)
