"""The lists of all servers as one: every page of each is fetched, and put together in the configured order.

A client's list asks every server anew and waits for them, but no longer than `Patience.wait`; then it is answered
with what is known. A server's list that comes later is announced, if it differs. One server is asked for one list once
at a time: who asks meanwhile waits for the next turn. Only a legacy client's first list of tools is asked for ahead of
it, of each server as it gets ready, so that it need not wait for all of them when the slowest is there.
"""

from functools import partial

import msgspec

from mcp_guard.gate.hub import announcing, merging, messages, waiting
from mcp_guard.gate.hub.arm import Arm
from mcp_guard.gate.hub.desk import Desk, lasting_meta
from mcp_guard.gate.hub.kinds import KINDS, MAX_ENTRIES, Entry, Kind
from mcp_guard.gate.hub.messages import Head
from mcp_guard.gate.hub.pages import Pages
from mcp_guard.gate.hub.under_way import Gather, Listing
from mcp_guard.gate.messages import INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND
from mcp_guard.gate.requests import Request
from mcp_guard.gate.wire import encode
from mcp_guard.policy.values import Json

MAX_PAGES = 1_000  # of one server's list
MAX_BYTES = 16 * 1024 * 1024
MAX_GATHERS = 256  # lists that the client may wait for at once
MAX_HELD_BYTES = 64 * 1024 * 1024  # of the requests that wait for them; one alone may be as large as any
_ANOTHERS = "belongs to another server, which stands before this one"
_MISSHAPEN = "is left out: it is not what MCP says that it is, and clients could refuse the whole list for it"


# Asking


def ask(desk: Desk, request: Request, now: int) -> None:
    """A list request of the client's: the next page of one that it has begun, or a new one."""
    kind = KINDS[request.method]
    if "cursor" in request.params:
        _next_page(desk, request, kind)
        return
    arms = [arm for arm in desk.arms.values() if arm.standing not in ("down", "refused")]
    offering = [arm for arm in arms if arm.offers(kind)]
    if not offering and len(arms) == len(desk.arms):
        desk.fail(request.id, METHOD_NOT_FOUND, f"no server behind mcp-guard offers {request.method}")
    elif _is_full(desk):
        desk.fail(request.id, INTERNAL_ERROR, "too many lists are being waited for")
    else:
        gather = Gather(now + desk.patience.wait, len(encode(request.message)), request=request)
        _begin(desk, gather, offering, [kind], lasting_meta(request.params), now)


def hold(desk: Desk, request: Request, methods: list[str], now: int) -> None:
    """Keep a request until these lists are known, as far as they are not; then it is sent on its way again."""
    meta = lasting_meta(request.params)
    gather = Gather(now + desk.patience.wait, len(encode(request.message)), held=request)
    kinds = [KINDS[method] for method in methods]
    arms = [arm for arm in desk.arms.values() if any(_unknown(arm, kind) for kind in kinds)]
    _begin(desk, gather, arms, kinds, meta, now, only_unknown=True)


def ask_ahead(desk: Desk, arm: Arm, now: int) -> None:
    """Ask a server that has just got ready for its tools, if the client has not been given a list yet: it will want
    one as soon as its own handshake is done.
    """
    kind = KINDS["tools/list"]
    known = arm.capabilities is not None and arm.offers(kind)
    if known and kind.method not in desk.listed and kind.method not in arm.listings:
        arm.listings[kind.method] = Listing(kind, {}, [], ahead=True)
        _fetch(desk, arm, arm.listings[kind.method], now)


def settled(desk: Desk, methods: list[str]) -> bool:
    """Whether listing again could tell nothing new, or nobody could be asked."""
    if _is_full(desk):
        return True
    return not any(_unknown(arm, KINDS[method]) for arm in desk.arms.values() for method in methods)


def _is_full(desk: Desk) -> bool:
    """Whether so much waits for lists that nothing more can."""
    return len(desk.gathers) >= MAX_GATHERS or sum(gather.size for gather in desk.gathers) >= MAX_HELD_BYTES


def _unknown(arm: Arm, kind: Kind) -> bool:
    there = arm.standing not in ("down", "refused") and not arm.overdue
    return there and arm.offers(kind) and arm.shelves[kind.method].outdated


def _begin(
    desk: Desk,
    gather: Gather,
    arms: list[Arm],
    kinds: list[Kind],
    meta: dict[str, Json],
    now: int,
    *,
    only_unknown: bool = False,
) -> None:
    desk.gathers.append(gather)
    for arm in arms:
        for kind in kinds:
            if not arm.offers(kind) or (only_unknown and not arm.shelves[kind.method].outdated):
                continue
            if not only_unknown and arm.standing == "ready" and arm.shelves[kind.method].take_ahead(now):
                gather.answered.add(arm.slug)
            else:
                if not arm.overdue:
                    gather.waiting.add((arm.slug, kind.method))
                _join(desk, arm, kind, gather, meta, now)
    _finish_if_done(desk, gather, now)


def _join(desk: Desk, arm: Arm, kind: Kind, gather: Gather, meta: dict[str, Json], now: int) -> None:
    """Have a server asked for a list, in this turn or the next. Nobody waits for one that is overdue."""
    running = arm.listings.get(kind.method)
    if running is None:
        begun = Listing(kind, meta, [] if arm.overdue else [gather], late=arm.overdue)
        arm.listings[kind.method] = begun
        _fetch(desk, arm, begun, now)
    elif arm.overdue:
        running.late = True
    elif running.ahead and not running.outdated:
        running.ahead = False
        running.gathers.append(gather)
    elif running.asked:
        running.next.append(gather)
    else:
        running.gathers.append(gather)


def _fetch(desk: Desk, arm: Arm, listing: Listing, now: int) -> None:
    """Ask for the first page, or the next one; of a server that is not ready, once it is."""
    if arm.standing != "ready":
        desk.want(arm)
        return
    listing.asked = True
    waiting.owes(desk, arm, listing.kind.method, now)
    params: dict[str, Json] = {} if listing.cursor is None else {"cursor": listing.cursor}
    if listing.meta:
        params["_meta"] = listing.meta
    desk.ask(arm, listing.kind.method, params, partial(_page, desk, listing), now)


def _page(desk: Desk, listing: Listing, arm: Arm, head: Head, now: int) -> None:
    """A page has come, or an error."""
    kind = listing.kind
    if arm.listings.get(kind.method) is not listing:
        return  # it was given up meanwhile: the server was greeted anew
    if listing.void:
        gathers = [*listing.gathers, *listing.next]
        again = Listing(kind, listing.meta, gathers, late=listing.late, ahead=listing.ahead)
        arm.listings[kind.method] = again
        _fetch(desk, arm, again, now)
        return
    page, shelf = messages.page(head, kind.member), arm.shelves[kind.method]
    read = None if page.text is None else shelf.read(listing.pages, page.text, kind, arm.slug, desk.naming)
    if read is None:
        waiting.paid(desk, arm, kind.method)
        _end(desk, arm, listing, now, head)
        return
    for key in read.misshapen:
        desk.left_out(arm, kind.method, key, _MISSHAPEN, now)
    for entry in read.entries:
        if listing.size < MAX_BYTES and len(listing.entries) < MAX_ENTRIES:
            listing.entries.setdefault(entry.key, entry)
            listing.size += len(entry.text)
    listing.ttls.append(page.ttl)
    listing.pages += 1
    full = listing.pages >= MAX_PAGES or len(listing.entries) >= MAX_ENTRIES or listing.size >= MAX_BYTES
    if full:
        desk.rejected("upstream", f"{kind.method}: the list is too long, its end is left out", 0, now, arm.slug)
    if full or not isinstance(page.cursor, str) or page.cursor == listing.cursor:
        waiting.paid(desk, arm, kind.method)
        _end(desk, arm, listing, now)
    else:
        listing.cursor = page.cursor
        _fetch(desk, arm, listing, now)


def _end(desk: Desk, arm: Arm, listing: Listing, now: int, failure: Head | None = None) -> None:
    """A server's list is complete, or never will be: tell who waited, and begin the next turn if there is one."""
    kind, shelf = listing.kind, arm.shelves[listing.kind.method]
    del arm.listings[kind.method]
    if failure is None:
        kept = _own(desk, arm, listing.entries, kind, now)
        differs = shelf.put(kept, merging.ttl(listing.ttls))
        shelf.outdated = listing.outdated
        if listing.ahead:
            shelf.keep_ahead(now + desk.patience.wait)
        if listing.late and differs and kind.changed:
            announcing.changed(desk, [kind.changed])
    else:
        shelf.shown = shelf.outdated = False
    for gather in listing.gathers:
        if failure is None:
            gather.answered.add(arm.slug)
        elif failure.error is not msgspec.UNSET:
            gather.errors[arm.slug] = failure
        gather.waiting.discard((arm.slug, kind.method))
        _finish_if_done(desk, gather, now)
    if listing.next:
        arm.listings[kind.method] = Listing(kind, listing.meta, listing.next)
        _fetch(desk, arm, arm.listings[kind.method], now)


def _own(desk: Desk, arm: Arm, entries: dict[str, Entry], kind: Kind, now: int) -> dict[str, Entry]:
    """The entries that are the server's to list: a task belongs to the one that made it known first."""
    if kind.method != "tasks/list":
        return entries
    return {key: entry for key, entry in entries.items() if desk.tasks.claim(key, arm.slug)}


# Servers and time


def arm_ready(desk: Desk, arm: Arm, now: int) -> None:
    """A server that was waited for is ready: ask it."""
    for listing in list(arm.listings.values()):
        if not arm.offers(listing.kind):
            _end(desk, arm, listing, now, Head())
        elif not listing.asked:
            _fetch(desk, arm, listing, now)


def arm_gone(desk: Desk, arm: Arm, now: int) -> None:
    """A server will not answer any more."""
    for listing in list(arm.listings.values()):
        listing.gathers += listing.next
        listing.next = []
        _end(desk, arm, listing, now, Head())


def shown_anew(desk: Desk, now: int) -> None:
    """What the client may see may be something else now: nothing that was listed before is shown any more, and whoever
    waits for lists waits for new ones.
    """
    for arm in desk.arms.values():
        for shelf in arm.shelves.values():
            shelf.shown, shelf.outdated = False, True
        for listing in arm.listings.values():
            listing.void = listing.asked
    for gather in desk.gathers:
        if gather.request is not None:
            _ask_again(desk, gather, gather.request, now)


def _ask_again(desk: Desk, gather: Gather, request: Request, now: int) -> None:
    """What has come so far for a request is not good any more."""
    kind, meta = KINDS[request.method], lasting_meta(request.params)
    answered, gather.answered = gather.answered, set()
    for arm in [desk.arms[slug] for slug in answered]:
        if arm.standing == "ready":
            gather.waiting.add((arm.slug, kind.method))
            _join(desk, arm, kind, gather, meta, now)


def expire(desk: Desk, now: int) -> None:
    """Wait no longer for those who have kept somebody waiting for a whole list."""
    for gather in list(desk.gathers):
        if now >= gather.deadline:
            for slug in {slug for slug, _ in gather.waiting}:
                waiting.go_without(desk, desk.arms[slug])


def go_without(desk: Desk, arm: Arm, now: int) -> None:
    """Nobody waits for a server any more: who did is answered with what is known, and hears of it if it comes."""
    for gather in list(desk.gathers):
        missed = {(slug, method) for slug, method in gather.waiting if slug == arm.slug}
        for _, method in missed:
            if method in arm.listings:
                arm.listings[method].late = True
        gather.waiting -= missed
        _finish_if_done(desk, gather, now)


def _finish_if_done(desk: Desk, gather: Gather, now: int) -> None:
    if gather.waiting or gather not in desk.gathers:
        return
    desk.gathers.remove(gather)
    if gather.held is not None and desk.still(gather.held):
        desk.again.append(gather.held)
    request = gather.request
    if request is None or not desk.still(request):
        return
    error = next((gather.errors[slug] for slug in desk.arms if slug in gather.errors), None)
    if error is not None and not gather.answered:
        desk.answer(request.id, messages.response(request.id, error))
        return
    desk.listed.add(request.method)
    pages = desk.pages[request.method] = desk.pages.get(request.method) or Pages(request.method)
    shown, ttl = _merged(desk, KINDS[request.method], now)
    desk.answer(request.id, pages.first(request.id, shown, ttl, modern=request.modern))


def _merged(desk: Desk, kind: Kind, now: int) -> tuple[list[bytes], float]:
    """All that may be shown, in order, each key once; and how long it may be kept."""
    unshared = kind.named and desk.naming.prefixed  # no name under one server's prefix can be another's
    seen: set[str] = set()
    shown: list[bytes] = []
    ttls: list[Json] = []
    for arm in desk.arms.values():
        shelf = arm.shelves[kind.method]
        if arm.standing != "ready" or not shelf.shown:
            if arm.standing != "refused" and arm.offers(kind):
                ttls.append(0)
            continue
        ttls.append(shelf.ttl)
        if unshared or seen.isdisjoint(shelf.entries):
            shown += shelf.texts
        else:
            shown += [entry.text for key, entry in shelf.entries.items() if key not in seen]
            for key in shelf.entries:
                if key in seen:
                    desk.left_out(arm, kind.method, key, _ANOTHERS, now)
        seen.update(() if unshared else shelf.entries)
    return shown, merging.ttl(ttls)


def _next_page(desk: Desk, request: Request, kind: Kind) -> None:
    pages = desk.pages.get(request.method)
    line = pages.at(request.id, request.params["cursor"], modern=request.modern) if pages is not None else None
    if line is None:
        desk.fail(request.id, INVALID_PARAMS, "Invalid cursor: begin the list again")
    else:
        desk.answer(request.id, line)
