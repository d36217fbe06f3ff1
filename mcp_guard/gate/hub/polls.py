"""One question of the client's to several servers, answered once: when all have answered, or when time is up."""

from mcp_guard.gate.hub.desk import Desk
from mcp_guard.gate.hub.messages import Head
from mcp_guard.gate.hub.under_way import Poll


def begin(desk: Desk, poll: Poll, now: int) -> None:
    """Wait for the answers, or finish at once where there are none to wait for."""
    desk.polls.append(poll)
    _finish_if_done(desk, poll, now)


def answered(desk: Desk, poll: Poll, slug: str, head: Head | None, now: int) -> None:
    """One of them has answered, or never will."""
    if slug in poll.waiting:
        poll.waiting.discard(slug)
        poll.answers[slug] = head
        _finish_if_done(desk, poll, now)


def gone(desk: Desk, slug: str, now: int) -> None:
    """A server is gone, or long overdue: nobody waits for it."""
    for poll in list(desk.polls):
        answered(desk, poll, slug, None, now)


def expire(desk: Desk, now: int) -> None:
    """Finish what is overdue."""
    for poll in list(desk.polls):
        if now >= poll.deadline:
            poll.waiting.clear()
            _finish_if_done(desk, poll, now)


def _finish_if_done(desk: Desk, poll: Poll, now: int) -> None:
    if not poll.waiting and poll in desk.polls:
        desk.polls.remove(poll)
        if desk.still(poll.request):
            poll.finish(poll, now)
