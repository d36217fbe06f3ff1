"""Whom the client's handshake and lists wait for: a server that owes one of them, but only once for `Patience.wait`.

The time runs from the first thing that a server owes, and on until it owes nothing: a start of which both the handshake
and the first list hang costs the client one wait. From then on the server is overdue, and nobody waits for it before it
has answered all it owes. What it was waited for in vain is known to all hubs that share a `Tardy`: another client, or
the server's next life, does not pay for it again.
"""

from mcp_guard.gate.hub.arm import Arm
from mcp_guard.gate.hub.desk import Desk

GREETING = "greeting"  # what a server owes that has been greeted; else it is the method of a list


def owes(desk: Desk, arm: Arm, what: str, now: int) -> None:
    """A server has just been asked for something that the client may wait for."""
    if not arm.owed:
        arm.due = now + desk.patience.wait
    arm.owed.add(what)
    if desk.tardy.knows(arm.slug, what):
        go_without(desk, arm)


def paid(desk: Desk, arm: Arm, what: str) -> None:
    """It has answered."""
    arm.owed.discard(what)
    desk.tardy.discard(arm.slug, what)
    if not arm.owed:
        arm.overdue = False


def expire(desk: Desk, now: int) -> None:
    """Wait no longer for those whose time is up."""
    for arm in desk.arms.values():
        if arm.owed and not arm.overdue and now >= arm.due:
            for what in arm.owed:
                desk.tardy.add(arm.slug, what)
            go_without(desk, arm)


def go_without(desk: Desk, arm: Arm) -> None:
    """Nobody waits for this server until it owes nothing; who does, is told as soon as the matter at hand is done."""
    arm.overdue = True
    desk.missed.append(arm)
