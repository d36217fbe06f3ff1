"""The guard's own `tools/list`: begun when the connection stands, followed page by page, ended by an answer or a clock.

When it has ended, the client's connection is recorded with what it may see. Calls that wait for it are `calls`' matter.
"""

from mcp_guard.gate import answers
from mcp_guard.gate.catalog import ChangedTool
from mcp_guard.gate.outputs import Forward, Output, Record
from mcp_guard.gate.pages import UnlistableError
from mcp_guard.gate.requests import Open
from mcp_guard.gate.session import Session

MOST_ANNOUNCED = 100  # introductions on one connection that get a row each: it names every tool
_MINUTE = 60_000_000  # microseconds


def begin(session: Session, now: int, cursor: str | None = None) -> list[Output]:
    """Ask the upstream for its tools, or for the next page of them."""
    request_id = session.own_id()
    session.opened(Open(request_id, "own_list", now))
    session.tools.begin(request_id, now)
    return [Forward(answers.list_request(request_id, cursor, session.client.envelope))]


def receive(session: Session, line: bytes, now: int) -> list[Output]:
    """Take in the answer to the guard's own request: one more page, the last one, or none."""
    try:
        changes, cursor = session.tools.take_page(session.tools.read(line))
    except UnlistableError as error:
        return fail(session, str(error), now)
    outputs = changed(session, changes, now)
    if cursor is not None:
        return outputs + begin(session, now, cursor)
    session.tools.finish()
    if session.tools.due(now):
        return outputs + begin(session, now)  # they changed again while they were being listed
    outputs.append(Record(session.recorder.listed(now, list(session.tools.catalog))))
    return outputs + connected(session, now)


def fail(session: Session, reason: str, now: int) -> list[Output]:
    """The listing came to nothing: record why."""
    session.tools.fail()
    return [*session.rejected("upstream", f"tools/list: {reason}", 0, now), *connected(session, now)]


def expire(session: Session, now: int) -> list[Output]:
    """Give up a listing whose answer is overdue."""
    running = session.tools.running
    if running is None or now < session.tools.deadline:
        return []
    session.close(running)
    return fail(session, "the upstream did not answer in time", now)


def again(session: Session, now: int) -> list[Output]:
    """List again, where the upstream has said that its tools changed, and that was put off."""
    return begin(session, now) if session.tools.due(now) else []


def changed(session: Session, changes: list[ChangedTool], now: int) -> list[Output]:
    """One event for each tool that came back with another definition than it had, up to a bound."""
    return [
        Record(
            session.recorder.event(
                "tool.changed",
                now,
                {"before": change.before.hash, "after": change.after.hash, "members": change.members},
                change.after.label,
            )
        )
        for change in session.tools.told(changes)
    ]


def none_to_list(session: Session, now: int) -> list[Output]:
    """The upstream's capabilities say that it has no tools: that is the whole list."""
    session.tools.finish()
    return connected(session, now)


def connected(session: Session, now: int) -> list[Output]:
    """The agent.connected event, unless it stands already; of a client that introduces itself anew without end, one a
    minute.
    """
    soon = 0 <= now - session.announced_at < _MINUTE
    if session.announced or (soon and session.announcements >= MOST_ANNOUNCED):
        return []
    session.announced, session.announced_at = True, now
    session.announcements += 1
    return [Record(session.recorder.connected(now, session.tools.by_visibility()))]
