"""Which HTTP proxy the environment names for a server: HTTP_PROXY, HTTPS_PROXY, NO_PROXY, as Python reads them."""

import re
from base64 import b64encode
from typing import NamedTuple
from urllib.parse import unquote

from mcp_guard.transports.http_client.url import Url, parse

_PARTS = re.compile(r"(?:(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*)://)?(?:(?P<user>[^/?#]*)@)?(?P<rest>[^@]*)")


class Proxy(NamedTuple):
    """A proxy. `authorization` is the value of `Proxy-Authorization`, or "" for none."""

    url: Url
    authorization: str


def named_for(url: Url) -> str | None:
    """What the environment names for a URL; nothing for this machine's own."""
    if url.is_loopback:
        return None
    from urllib.request import getproxies, proxy_bypass  # loads half of the standard library's network

    if proxy_bypass(url.host) or proxy_bypass(f"{url.bracketed}:{url.port}"):
        return None
    return getproxies().get(url.scheme)


def read(text: str) -> Proxy:
    """The proxy that is meant; one without a scheme is one of http. Raises ValueError."""
    parts = _PARTS.fullmatch(text)
    if parts is None:
        raise ValueError("not a proxy's URL")
    url = parse(f"{parts['scheme'] or 'http'}://{parts['rest']}")
    if parts["user"] is None:
        return Proxy(url, "")
    return Proxy(url, f"Basic {b64encode(unquote(parts['user']).encode()).decode()}")
