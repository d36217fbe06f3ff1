"""URLs of http and https as values. What is compared here is what is connected to: nothing reads the text again.

Strict where a reader could be misled: no user names, no control characters, no backslashes, no odd hosts.
"""

import re
from ipaddress import IPv6Address
from typing import NamedTuple
from urllib.parse import quote, urljoin

DEFAULT_PORTS = {"http": 80, "https": 443}

_PARTS = re.compile(r"(?P<scheme>[a-z]+)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(\?(?P<query>[^#]*))?(#.*)?", re.I)
_AUTHORITY = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<name>[^\[\]:]+))(?::(?P<port>[0-9]{0,5}))?")
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]")
_LOOPBACK_V4 = re.compile(r"127(\.\d+){3}")
_IN_PATH = "/%:@!$&'()*+,;="
_IN_QUERY = _IN_PATH + "?[]"


class Url(NamedTuple):
    """Where a request goes. `host` is lower case and ASCII, an IPv6 address without brackets; `target` is the path and
    query as a request line says them.
    """

    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """What secrets are bound to."""
        return self[:3]

    @property
    def authority(self) -> str:
        """Host and port as the Host field says them: without a port that the scheme implies."""
        return self.bracketed if self.port == DEFAULT_PORTS[self.scheme] else f"{self.bracketed}:{self.port}"

    @property
    def bracketed(self) -> str:
        """The host as it stands before a port."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def path(self) -> str:
        """The target without its query, which may be secret."""
        return self.target.partition("?")[0]

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine's own."""
        host = self.host
        return host in ("localhost", "::1") or host.endswith(".localhost") or _LOOPBACK_V4.fullmatch(host) is not None

    def without_query(self) -> str:
        """The URL as it may be shown."""
        return f"{self.scheme}://{self.authority}{self.path}"

    def join(self, reference: str) -> "Url":
        """What a reference means where this URL is the base (RFC 3986, section 5). Raises ValueError."""
        if _FORBIDDEN.search(reference):
            raise ValueError("a control character or backslash in a URL")
        return parse(urljoin(str(self), reference))

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


def parse(text: str) -> Url:
    """Read an absolute URL; a fragment is left out. Raises ValueError."""
    parts = _PARTS.fullmatch(text.strip(" "))
    if parts is None or _FORBIDDEN.search(text):
        raise ValueError("not an absolute URL")
    scheme = parts["scheme"].lower()
    if scheme not in DEFAULT_PORTS:
        raise ValueError("neither http nor https")
    host, port = _authority(parts["authority"])
    target = quote(parts["path"] or "/", safe=_IN_PATH)
    if parts["query"]:
        target += "?" + quote(parts["query"], safe=_IN_QUERY)
    return Url(scheme, host, DEFAULT_PORTS[scheme] if port is None else port, target)


def _authority(text: str) -> tuple[str, int | None]:
    found = _AUTHORITY.fullmatch(text)
    if found is None:
        raise ValueError("not a host, with or without a port")
    port = int(found["port"]) if found["port"] else None
    if port is not None and not 0 < port < 65536:
        raise ValueError("not a port")
    return (IPv6Address(found["v6"]).compressed if found["v6"] else _name(found["name"])), port


def _name(name: str) -> str:
    """A host name as it is looked up: in lower case, one of other scripts in its ASCII form (IDNA 2008, UTS 46)."""
    if not name.isascii():
        import idna

        name = idna.encode(name, uts46=True).decode("ascii")  # raises an IDNAError, which is a ValueError
    name = name.lower()
    if not _NAME.fullmatch(name) or len(name) > 254:
        raise ValueError("not a host name")
    return name
