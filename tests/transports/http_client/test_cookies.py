"""Cookies of one origin: what is kept, for which path, and for how long."""

import pytest

from mcp_guard.transports.http_client.cookies import Cookies

NOW = 1_800_000_000.0

# what was set by an answer for /mcp/x of https://s.example, for which request, how much later: what goes back
SENT = [
    ("lb=node-1", "/mcp/x", 0, "lb=node-1"),
    ("lb=node-1; Path=/; HttpOnly; Secure; SameSite=None", "/", 0, "lb=node-1"),
    ("lb=node-1; path=/mcp", "/mcp", 0, "lb=node-1"),
    ("lb=node-1; Path=/mcp", "/mcp/y?z", 0, "lb=node-1"),
    ("lb=node-1; Path=/mcp", "/mcpx", 0, ""),
    ("lb=node-1; Path=/mcp/", "/mcp", 0, ""),
    ("lb=node-1", "/mcp/y", 0, "lb=node-1"),
    ("lb=node-1", "/other", 0, ""),
    ("lb=node-1; Path=nonsense", "/mcp/y", 0, "lb=node-1"),
    ("lb=node-1; Max-Age=60", "/mcp/x", 59, "lb=node-1"),
    ("lb=node-1; Max-Age=60", "/mcp/x", 60, ""),
    ("lb=node-1; Max-Age=0", "/mcp/x", 0, ""),
    ("lb=node-1; Max-Age=-1", "/mcp/x", 0, ""),
    ("lb=node-1; Max-Age=soon", "/mcp/x", 0, "lb=node-1"),
    ("lb=node-1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "/mcp/x", 0, ""),
    ("lb=node-1; Expires=Thu, 01-Jan-1970 00:00:00 GMT", "/mcp/x", 0, ""),
    ("lb=node-1; Expires=Fri, 15 Jan 2027 09:00:00 GMT", "/mcp/x", 60, "lb=node-1"),
    ("lb=node-1; Expires=Fri, 15 Jan 2027 09:00:00 GMT", "/mcp/x", 7200, ""),
    ("lb=node-1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60", "/mcp/x", 0, "lb=node-1"),
    ("lb=node-1; Expires=when it rains", "/mcp/x", 0, "lb=node-1"),
    ("lb=node-1; Domain=s.example", "/mcp/x", 0, "lb=node-1"),
    ("lb=node-1; Domain=.example", "/mcp/x", 0, "lb=node-1"),
    ("lb=node-1; Domain=evil.example", "/mcp/x", 0, ""),
    ('lb="a b=c"', "/mcp/x", 0, 'lb="a b=c"'),
    ("lb=", "/mcp/x", 0, "lb="),
    ("lb", "/mcp/x", 0, ""),
    ("=node-1", "/mcp/x", 0, ""),
    ("l b=node-1", "/mcp/x", 0, ""),
    ("lb=a\x01b", "/mcp/x", 0, ""),
    ("lb=\xe9", "/mcp/x", 0, ""),
    ("lb=" + "x" * 5000, "/mcp/x", 0, ""),
]


@pytest.mark.parametrize(("line", "target", "later", "sent"), SENT)
def test_a_cookie_goes_back(line: str, target: str, later: float, sent: str) -> None:
    cookies = Cookies("s.example", secure=True)
    cookies.take(line.encode("latin-1"), "/mcp/x", NOW)
    assert cookies.header(target, NOW + later) == sent


def test_what_is_for_tls_alone_is_not_kept_without_it() -> None:
    cookies = Cookies("s.example", secure=False)
    cookies.take(b"lb=1; Secure; Path=/", "/", NOW)
    assert not cookies


def test_a_cookie_that_is_set_again_is_another_and_one_that_is_over_is_gone() -> None:
    cookies = Cookies("s.example", secure=True)
    cookies.take(b"lb=1", "/mcp", NOW)
    cookies.take(b"lb=2", "/mcp", NOW)
    assert cookies.header("/mcp", NOW) == "lb=2"
    cookies.take(b"lb=; Max-Age=0", "/mcp", NOW)
    assert not cookies


def test_longer_paths_come_first() -> None:
    cookies = Cookies("s.example", secure=True)
    cookies.take(b"a=1; Path=/", "/mcp", NOW)
    cookies.take(b"a=2; Path=/mcp", "/mcp", NOW)
    assert cookies.header("/mcp", NOW) == "a=2; a=1"


def test_the_jar_is_bounded_and_lets_the_oldest_go() -> None:
    cookies = Cookies("s.example", secure=True)
    for number in range(1000):
        cookies.take(b"c%d=x" % number, "/", NOW)
    sent = cookies.header("/", NOW)
    assert sent.count("=x") == 50
    assert "c999=x" in sent
    assert "c0=x" not in sent
