"""The registry as a guard sees it while it runs: always the present one, at next to no cost.

A call that is allowed need not ask whether anything has changed: the store takes no row that was decided under another
version (`store.writing`). Before anything is denied or shown, `refresh` asks; for what nobody waits for, `look` does.
"""

import time
from collections.abc import MutableMapping

from mcp_guard.errors import GuardError
from mcp_guard.governance import Credential, Ruling, Snapshot
from mcp_guard.store.store import Store

_SELDOM = 0.5  # seconds between two looks that nothing hangs on
_MOST_KNOWN = 1024  # agents; then all is forgotten and begun anew
_NEVER = -1


class SameClient:
    """The instances of one client in front of many servers, over all lives of those: to end one ends them all."""

    def __init__(self) -> None:
        self.instances: list[str] = []
        self.ended: tuple[int, str | None] | None = None  # why any of them is to end, at this version of the registry


class LiveRegistry:
    """The registry in a store, for all connections of one process. Implements `governance.Registry`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[str, Credential | None], Snapshot] = {}
        self._version = _NEVER
        self._looked = 0.0
        self._changes_at: int | None = None
        self._clients: MutableMapping[str, SameClient] | None = None  # by the instance, where clients have several
        self.changes = 0  # goes up whenever something may stand otherwise than before

    def snapshot(self, agent: str, credential: Credential | None) -> Snapshot:
        """How an agent stands now. Where that cannot be told, a snapshot that says why, and lets nothing through."""
        known = self._known.get((agent, credential))
        if known is not None and not known.counted:  # what is spent moves without any change
            return known
        now = time.time_ns() // 1000
        try:
            found = self._store.snapshot(agent, credential, now)
        except GuardError as error:
            self._version = _NEVER  # ask again with the next call
            return Snapshot(agent, None, now, barred=f"it cannot be told how its agent stands: {error.message}")
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[agent, credential] = found
        if found.changes_at is not None and (self._changes_at is None or found.changes_at < self._changes_at):
            self._changes_at = found.changes_at
        return found

    def renewed(self, under: Snapshot) -> int | None:
        """The present version, where the agent stands in it as it did then; None where it does not, or where that
        cannot be told. The change itself is heard of with the next look.
        """
        try:
            present = self._store.snapshot(under.agent, under.credential, time.time_ns() // 1000)
        except GuardError:
            return None
        return present.version if present.deciding == under.deciding else None

    def outdate(self) -> None:
        """Something in the registry has changed, as the store has found: the next look is not put off."""
        self._looked = 0.0

    def ruling(self, approval: str) -> Ruling | None:
        """What a person has decided about an approval."""
        try:
            return self._store.ruling(approval)
        except GuardError:
            return None

    def joined(self, client: SameClient, instance: str) -> None:
        """From now on this instance is one of that client's. It is forgotten when nobody holds the client any more."""
        if self._clients is None:
            from weakref import WeakValueDictionary  # not on the path of a guard of one server

            self._clients = WeakValueDictionary()
        client.instances.append(instance)
        client.ended = None
        self._clients[instance] = client

    def ended(self, instance: str) -> str | None:
        """Why somebody has ordered that this instance's connection ends, or another one's of the same client."""
        client = None if self._clients is None else self._clients.get(instance)
        try:
            return self._store.instance_ended(instance) if client is None else self._ended(client)
        except GuardError:
            return None

    def _ended(self, client: SameClient) -> str | None:
        """The same of all instances of a client: looked up once as long as nothing in the registry changes, because
        each of its gates asks. An order to end is such a change.
        """
        version = self._store.registry_version()
        if client.ended is None or client.ended[0] != version:
            reasons = map(self._store.instance_ended, client.instances)
            client.ended = version, next((why for why in reasons if why is not None), None)
        return client.ended[1]

    def look(self, now: int) -> int:
        """As `refresh`, but where nothing expires only if nobody has looked for a while."""
        expired = self._changes_at is not None and now >= self._changes_at
        return self.refresh(now) if expired or time.monotonic() - self._looked >= _SELDOM else self.changes

    def refresh(self, now: int) -> int:
        """Look whether anything has changed, or expired by `now` (microseconds since the epoch); gives `changes`."""
        self._looked = time.monotonic()
        try:
            version = self._store.registry_version()
        except GuardError:
            version = _NEVER
        expired = self._changes_at is not None and now >= self._changes_at
        if version != self._version or version == _NEVER or expired:
            self._version = version
            self._changes_at = None
            self._known.clear()
            self.changes += 1
        return self.changes
