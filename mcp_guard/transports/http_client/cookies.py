"""Cookies of one origin, as load balancers use them to find the same server again (RFC 6265, section 5). No I/O.

They go back to the origin that set them and to nobody else, whatever `Domain` says; one for another domain is not kept.
"""

import re
from typing import NamedTuple

_MOST = 50
_LONGEST = 4096  # bytes of a name and its value
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\x21-\x3a\x3c-\x7e]([\x20-\x3a\x3c-\x7e]*[\x21-\x3a\x3c-\x7e])?|")
_AGE = re.compile(r"-?[0-9]{1,12}")


class _Cookie(NamedTuple):
    value: str
    until: float | None  # seconds since the epoch; None: as long as the guard runs


class Cookies:
    """The jar. `secure`: the origin is one of https. `now` is in seconds since the epoch everywhere."""

    def __init__(self, host: str, *, secure: bool) -> None:
        self._host, self._secure = host, secure
        self._kept: dict[tuple[str, str], _Cookie] = {}  # by name and path

    def __bool__(self) -> bool:
        return bool(self._kept)

    def take(self, line: bytes, target: str, now: float) -> None:
        """Take in a `Set-Cookie` that answered a request for `target`. What breaks the rules is not kept."""
        pair, *rest = line.decode("latin-1").split(";")
        name, equals, value = pair.partition("=")
        name, value = name.strip(), value.strip()
        attributes = {key.strip().lower(): text.strip() for key, _, text in (part.partition("=") for part in rest)}
        if not equals or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value) or len(pair) > _LONGEST:
            return
        if not self._is_for_us(attributes):
            return
        path = attributes.get("path", "")
        path = path if path.startswith("/") else target.partition("?")[0].rpartition("/")[0] or "/"
        self._kept.pop((name, path), None)
        until = _until(attributes, now)
        if until is None or until > now:
            self._kept[name, path] = _Cookie(value, until)
        while len(self._kept) > _MOST:
            del self._kept[next(iter(self._kept))]

    def header(self, target: str, now: float) -> str:
        """The `Cookie` for a request; "" for none. Longer paths come first."""
        for key in [key for key, cookie in self._kept.items() if cookie.until is not None and cookie.until <= now]:
            del self._kept[key]
        path = target.partition("?")[0]
        fitting = [(key, cookie) for key, cookie in self._kept.items() if _covers(key[1], path)]
        fitting.sort(key=lambda item: -len(item[0][1]))
        return "; ".join(f"{name}={cookie.value}" for (name, _), cookie in fitting)

    def _is_for_us(self, attributes: dict[str, str]) -> bool:
        domain = attributes.get("domain", "").removeprefix(".").lower()
        ours = not domain or self._host == domain or self._host.endswith(f".{domain}")
        return ours and (self._secure or "secure" not in attributes)


def _covers(cookie_path: str, path: str) -> bool:
    return path == cookie_path or path.startswith(cookie_path if cookie_path.endswith("/") else f"{cookie_path}/")


def _until(attributes: dict[str, str], now: float) -> float | None:
    """When a cookie ends. `Max-Age` goes before `Expires`; what cannot be read says nothing."""
    age = attributes.get("max-age", "")
    if _AGE.fullmatch(age):
        return now + int(age)
    if not attributes.get("expires"):
        return None
    from email.utils import mktime_tz, parsedate_tz

    try:
        date = parsedate_tz(attributes["expires"].replace("-", " "))
        return None if date is None else float(mktime_tz(date))
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
