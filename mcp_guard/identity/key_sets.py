"""The keys of issuers, fetched from where their JWK Sets are, and kept. The one place of this room that does I/O.

A set is fetched when it is first needed, again when it is ten minutes old, and when a token names a key that is not in
it: at most once a minute, whatever tokens come. When it cannot be fetched, the last good one serves for another hour:
an issuer that is out of order for a moment locks nobody out, and a key that it has withdrawn does not live on.

Only https is fetched from, but on this machine; a redirect to another origin is not followed.
"""

import os
import threading
import time
from collections.abc import Callable
from http.client import HTTPException
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mcp_guard.identity.errors import CredentialError, KeysPendingError
from mcp_guard.identity.keys import BadKeyError, Key, of_set

if TYPE_CHECKING:
    from urllib.request import Request

FRESH, STALE, PAUSE = 600.0, 3600.0, 60.0  # seconds
_LARGEST = 1 << 20  # bytes of a set
_PATIENCE = 10.0  # seconds that fetching one may take
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

Run = Callable[[Callable[[], None]], None]
Fetch = Callable[[str], bytes]


def at_once(job: Callable[[], None]) -> None:
    """Fetch while everything waits: where nothing else is to be done, as at start-up."""
    job()


def beside(job: Callable[[], None]) -> None:
    """Fetch on a thread of its own; whoever needs the keys has to ask again."""
    threading.Thread(target=job, name="keys of an issuer", daemon=True).start()


class _Kept:
    """What is known of one set."""

    def __init__(self) -> None:
        self.keys: tuple[Key, ...] = ()
        self.fetched = self.tried = -STALE
        self.fetching = False
        self.trouble = ""


class KeySets:
    """The JWK Sets of all issuers. `run` says how to wait for one, `clock` gives seconds that only go forward."""

    def __init__(self, run: Run = at_once, clock: Callable[[], float] = time.monotonic, fetch: "Fetch | None" = None):
        self._run, self._clock, self._fetch = run, clock, fetch or read_set
        self._kept: dict[str, _Kept] = {}

    def keys(self, source: str, key_id: str | None) -> tuple[Key, ...]:
        """The keys at a place (a file, or a URL), for a token that names one of them.

        Raises KeysPendingError where they are being fetched, CredentialError where they cannot be had.
        """
        kept = self._kept.setdefault(source, _Kept())
        now = self._clock()
        old = now - kept.fetched > FRESH
        unknown = key_id is not None and all(key.id != key_id for key in kept.keys)
        if (old or unknown) and not kept.fetching and now - kept.tried > PAUSE:
            kept.tried = now
            self._begin(source, kept)
        if kept.fetching and (unknown or not kept.keys):
            raise KeysPendingError("the keys of the token's issuer are being fetched")
        if not kept.keys or self._clock() - kept.fetched > STALE:
            raise CredentialError(f"the keys of the token's issuer cannot be had: {kept.trouble or 'they are too old'}")
        return kept.keys

    def _begin(self, source: str, kept: _Kept) -> None:
        kept.fetching = True
        try:
            self._run(lambda: self._refresh(source, kept))
        except RuntimeError:  # no thread to be had: a minute later there may be
            kept.fetching, kept.trouble = False, "nothing could be started to fetch them"

    def _refresh(self, source: str, kept: _Kept) -> None:
        try:
            kept.keys = of_set(self._fetch(source))
            kept.fetched, kept.trouble = self._clock(), ""
        except (BadKeyError, CredentialError) as error:
            kept.trouble = error.message
        except Exception as error:  # whatever it is, it is a set that cannot be had
            kept.trouble = type(error).__name__
        finally:
            kept.fetching = False


def is_url(source: str) -> bool:
    """Whether the place of a set is a URL; else it is a file."""
    return "://" in source


def may_be_fetched(url: str) -> bool:
    """Whether keys from there can be believed: https, or this very machine."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    )


def read_set(source: str) -> bytes:
    """The text of a JWK Set. Raises CredentialError."""
    try:
        return _fetched(source) if is_url(source) else _read(source)
    except (OSError, HTTPException, ValueError) as error:  # URLError is an OSError
        raise CredentialError(f"{source}: {_reason(error)}") from None


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size > _LARGEST:
            raise CredentialError(f"{path}: larger than {_LARGEST >> 20} MiB")
        return file.read(_LARGEST + 1)


def _fetched(url: str) -> bytes:
    from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

    class WithinOrigin(HTTPRedirectHandler):
        def redirect_request(self, req: "Request", fp: object, code: int, msg: str, headers: object, newurl: str):
            if _origin(newurl) != _origin(url):
                raise CredentialError(f"{url}: redirects to another origin, which is not followed")
            return super().redirect_request(req, fp, code, msg, headers, newurl)  # pyright: ignore

    if not may_be_fetched(url):
        raise CredentialError(f"{url}: keys are fetched over https only")
    deadline = time.monotonic() + _PATIENCE
    pieces: list[bytes] = []
    request = Request(url, headers={"Accept": "application/jwk-set+json, application/json"})
    here = [ProxyHandler({})] if urlsplit(url).scheme == "http" else []  # through a proxy, it is another machine
    with build_opener(WithinOrigin, *here).open(request, timeout=_PATIENCE / 2) as response:
        while piece := response.read1(65_536):
            pieces.append(piece)
            if sum(map(len, pieces)) > _LARGEST:
                raise CredentialError(f"{url}: larger than {_LARGEST >> 20} MiB")
            if time.monotonic() > deadline:
                raise CredentialError(f"{url}: takes too long")
    return b"".join(pieces)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return str(getattr(reason, "strerror", None) or (reason if isinstance(reason, str) else type(reason).__name__))
