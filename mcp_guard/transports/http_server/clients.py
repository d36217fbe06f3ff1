"""Who is connected: sessions and callers by what they prove themselves by, each with its guarded connection.

Each client is one end of one switch, which `open_switch` makes. How many there are, and for how long one may idle, is
bounded here.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Protocol, TypeAlias

from mcp_guard.errors import GuardError
from mcp_guard.gate.connection import CLIENT_META
from mcp_guard.policy.values import Json
from mcp_guard.transports.http_server.limits import Limits
from mcp_guard.transports.http_server.old_sse import OldSession
from mcp_guard.transports.http_server.requests import Caller
from mcp_guard.transports.http_server.session import Session
from mcp_guard.transports.http_server.stateless import StatelessCaller

_SPARE = 30.0  # seconds without a request after which a client may have to make room for another
_LOOK = 0.01  # seconds between two looks at whether open requests have ended

Client: TypeAlias = Session | StatelessCaller | OldSession
CallerKey: TypeAlias = tuple[Caller, str, str]  # a caller of the stateless revision, and its clientInfo


def caller_key(caller: Caller, meta: dict[str, Json]) -> CallerKey:
    """Whose connection a modern request belongs to: one credential, one address, one client by its own account."""
    info = meta.get(CLIENT_META)
    name, version = (info.get("name"), info.get("version")) if isinstance(info, dict) else (None, None)
    return caller, str(name)[:256], str(version)[:256]


class Switching(Protocol):
    """A guarded connection (`transports.switch.Switch`)."""

    async def run(self) -> str:
        """Carry lines until one side is gone; gives why."""
        ...

    def stop(self, why: str) -> None:
        """End the connection in order."""
        ...

    def kill(self) -> None:
        """What ends in order ends now: its upstreams get no moment more."""
        ...


OpenSwitch: TypeAlias = Callable[[Client, str], Switching]  # for a client, and the name of its transport


class Clients:
    """All clients of one server. `say` tells the person who runs it of what went wrong."""

    def __init__(self, limits: Limits, open_switch: OpenSwitch, say: Callable[[str], None]) -> None:
        self._limits, self._open_switch, self._say = limits, open_switch, say
        self._loop = asyncio.get_running_loop()
        self._switches: dict[Client, tuple[Switching, asyncio.Task[None]]] = {}
        self._sessions: dict[str, Session | OldSession] = {}
        self._callers: dict[CallerKey, StatelessCaller] = {}
        self._hurried = False

    def session(self, session_id: str, caller: Caller) -> Session | None:
        """The session of that id, if it is this caller's, who may have renewed its token."""
        found = self._sessions.get(session_id)
        return found if isinstance(found, Session) and _goes_on(found, caller) else None

    def old_session(self, session_id: str, caller: Caller) -> OldSession | None:
        """The same for HTTP with SSE."""
        found = self._sessions.get(session_id)
        return found if isinstance(found, OldSession) and _goes_on(found, caller) else None

    def is_anothers(self, session_id: str, caller: Caller) -> bool:
        """Whether a session is alive, and was begun by another caller."""
        found = self._sessions.get(session_id)
        return found is not None and not found.over and found.caller.credential != caller.credential

    def caller(self, key: CallerKey) -> StatelessCaller | None:
        """Whoever made requests of that key before, and is not gone."""
        found = self._callers.get(key)
        return None if found is None or found.over else found

    def has_room(self, caller: Caller) -> bool:
        """Whether there is room for one more; if not, one is let go for the next: the one that has been idle longest,
        else one of the credential that has the most.
        """
        if len(self._switches) < self._limits.sessions:
            return True
        now = self._loop.time()
        idle = [client for client in self._switches if not client.over and client.spare]
        idle = [client for client in idle if now - client.active > _SPARE]
        if idle:
            min(idle, key=lambda client: client.active).leave("the client was idle, and another one needed its place")
        elif (one := self._one_too_many(caller)) is not None:
            one.leave("its credential had the most clients, and that of another one needed a place")
        return False

    def _one_too_many(self, caller: Caller) -> Client | None:
        """A client of the credential that has the most, if that has two more than this caller's, so that nobody can
        keep all others out; and if none is on its way out already.
        """
        if any(client.over for client in self._switches):
            return None
        held = Counter(client.caller.credential for client in self._switches)
        most, number = held.most_common(1)[0]
        if number < held[caller.credential] + 2:
            return None
        theirs = [client for client in self._switches if client.caller.credential == most]
        return min(theirs, key=lambda client: (client.busy, client.active))

    def open(self, client: Client, transport: str, key: CallerKey | None = None) -> bool:
        """Begin the guarded connection of a new client; False where that cannot be."""
        try:
            switch = self._open_switch(client, transport)
        except GuardError as error:
            self._say(error.message)
            return False
        if isinstance(client, StatelessCaller):
            assert key is not None
            self._callers[key] = client
        else:
            self._sessions[client.id] = client
        self._switches[client] = (switch, self._loop.create_task(self._run(client, switch)))
        return True

    async def _run(self, client: Client, switch: Switching) -> None:
        try:
            await switch.run()
        except GuardError as error:
            self._say(error.message)
        except Exception as error:  # one client's connection must not be another's trouble
            self._say(f"a connection ended by an internal error ({type(error).__name__})")
        finally:
            client.over = True
            client.end_all("the guarded connection has ended")
            self._forget(client)

    def _forget(self, client: Client) -> None:
        self._switches.pop(client, None)
        if isinstance(client, StatelessCaller):
            self._callers = {key: other for key, other in self._callers.items() if other is not client}
        else:
            self._sessions.pop(client.id, None)

    def sweep(self, now: float) -> None:
        """About a second has passed."""
        for client in list(self._switches):
            if not client.over:
                client.sweep(now)
                if client.idle(now):
                    client.leave("the client was idle for too long")

    def dismiss(self, why_barred: Callable[[Caller], str | None]) -> None:
        """Let clients go whose credentials do not stand any more: nothing more is to reach them."""
        for client in list(self._switches):
            if not client.over and (why := why_barred(client.caller)) is not None:
                client.leave(why)

    async def stop(self, grace: float) -> None:
        """Let open requests end for so many seconds (or until `hurry`), then end every guarded connection in order."""
        for client in list(self._switches):
            if isinstance(client, StatelessCaller):
                client.end_subscriptions()
        deadline = self._loop.time() + grace
        while not self._hurried and self._loop.time() < deadline and any(client.busy for client in self._switches):
            await asyncio.sleep(_LOOK)
        tasks = [task for _, task in self._switches.values()]
        self._end_all()
        if tasks:
            await asyncio.wait(tasks)

    def hurry(self) -> None:
        """Wait for nothing any more: no open request, no upstream. What the log is to hold is written all the same."""
        self._hurried = True
        self._end_all()

    def _end_all(self) -> None:
        for switch, _ in list(self._switches.values()):
            switch.stop("the guard was told to end")
            if self._hurried:
                switch.kill()


def _goes_on(session: Session | OldSession, caller: Caller) -> bool:
    """Whether a session is alive, and was begun by the same caller; then it hangs on the token that was shown last."""
    if session.over or session.caller.credential != caller.credential:
        return False
    session.caller = caller
    return True
