"""Telling the client that lists have changed: because a server said so, or came, or went, or a new policy is in force.

In the legacy era the session hears of it; in the modern era each subscription that asked for it, under its own id.
"""

from collections.abc import Iterable

from mcp_guard.gate.hub import messages
from mcp_guard.gate.hub.arm import Arm
from mcp_guard.gate.hub.desk import Desk
from mcp_guard.gate.hub.kinds import CHANGES
from mcp_guard.gate.hub.listen import FLAGS, notice, tagged


def arm_changed(desk: Desk, arm: Arm) -> None:
    """A server has come or gone, and with it what it offers: lists that the client has been given are others now.

    A list that is just being fetched is in time for who waits for it, or is announced when it comes.
    """
    affected = [
        method
        for method, kinds in CHANGES.items()
        if any(kind.method in desk.listed and kind.method not in arm.listings and arm.offers(kind) for kind in kinds)
    ]
    changed(desk, affected)


def changed(desk: Desk, methods: Iterable[str]) -> None:
    """These lists are others now; `methods` are the notifications that say so."""
    for method in methods:
        if desk.era == "legacy":
            if desk.initialized:
                desk.reply(messages.notification(method))
            continue
        for subscription in desk.subscriptions.values():
            if subscription.wanted.get(FLAGS[method]) is True:
                notice(desk, subscription, tagged(method, {}, subscription.id))


def outdate(arm: Arm, method: str) -> None:
    """A server says that a list of its own has changed."""
    for kind in CHANGES[method]:
        arm.shelves[kind.method].outdated = True
        if (listing := arm.listings.get(kind.method)) is not None:
            listing.outdated = True
