"""Which server something belongs to: a task, a progress token."""

from hashlib import sha256

MAX_KNOWN = 10_000  # keys of one server that are remembered
_LONGEST = 256  # characters of a key that is kept as it is


class Owners:
    """Which server something belongs to, by a key that servers or the client choose: the first to name one keeps it.

    Of each server's keys the latest are remembered: one that names many forgets its own, and no other's. Of a long key
    its digest is: strangers choose the length.
    """

    def __init__(self) -> None:
        self._slugs: dict[object, str] = {}
        self._keys: dict[str, dict[object, None]] = {}

    def get(self, key: object) -> str | None:
        """The owner's slug, or None."""
        return self._slugs.get(_short(key)) if isinstance(key, int | str) else None

    def claim(self, key: object, slug: str) -> bool:
        """Note the owner of a key. Gives whether it is this server's."""
        if not isinstance(key, int | str):
            return True
        known = _short(key)
        owner = self._slugs.get(known)
        if owner is not None:
            return owner == slug
        keys = self._keys.setdefault(slug, {})
        if len(keys) >= MAX_KNOWN:
            self._forget(next(iter(keys)))
        self._slugs[known] = slug
        keys[known] = None
        return True

    def pass_on(self, key: object, slug: str) -> None:
        """Note the owner of a key, whoever had it before: the client uses it anew."""
        if isinstance(key, int | str):
            self._forget(_short(key))
            self.claim(key, slug)

    def _forget(self, key: object) -> None:
        owner = self._slugs.pop(key, None)
        if owner is not None:
            del self._keys[owner][key]


def _short(key: int | str) -> int | str | bytes:
    return sha256(key.encode()).digest() if isinstance(key, str) and len(key) > _LONGEST else key
