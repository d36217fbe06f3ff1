"""URLs: what is connected to, what is compared, what may be shown."""

from collections.abc import Callable

import pytest

from mcp_guard.transports.http_client.url import Url, parse


def is_read(reading: Callable[[], Url]) -> bool:
    try:
        reading()
    except ValueError:
        return False
    return True


MEANINGS = [
    ("http://h", Url("http", "h", 80, "/")),
    ("HTTPS://Example.COM:443/mcp", Url("https", "example.com", 443, "/mcp")),
    ("http://h:8080/a?b=c#d", Url("http", "h", 8080, "/a?b=c")),
    ("http://h?b=c", Url("http", "h", 80, "/?b=c")),
    ("http://h:/", Url("http", "h", 80, "/")),
    ("http://[::1]:80/", Url("http", "::1", 80, "/")),
    ("http://[2001:DB8:0:0::1]/", Url("http", "2001:db8::1", 80, "/")),
    ("http://a_b.example./", Url("http", "a_b.example.", 80, "/")),
    ("http://bücher.example/ä?ö=ü", Url("http", "xn--bcher-kva.example", 80, "/%C3%A4?%C3%B6=%C3%BC")),
    ("http://BÜCHER。example/", Url("http", "xn--bcher-kva.example", 80, "/")),
    ("http://h/a b|", Url("http", "h", 80, "/a%20b%7C")),
    ("http://h/%7Ea%2fb", Url("http", "h", 80, "/%7Ea%2fb")),
    (" http://h/ ", Url("http", "h", 80, "/")),
]


@pytest.mark.parametrize(("text", "url"), MEANINGS)
def test_a_url_means(text: str, url: Url) -> None:
    assert parse(text) == url
    assert parse(str(url)) == url


WRONG = [
    *("", "/mcp", "h/mcp", "http:/h", "http:///mcp", "http://", "http://:80/", "ftp://h/", "file:///etc/passwd"),
    *("http://u@h/", "http://u:p@h/", "http://h@evil/", "http://@h/", "http://h:99999/", "http://h:0/", "http://h:8a/"),
    *("http://[::1/", "http://::1/", "http://[::1]x/", "http://[fe80::1%25eth0]/", "http://[g::1]/", "http://h:80:80/"),
    *("http://a%41/", "http://a b/", "http://a..b/", "http://.a/", "http://h\\x/", "http://h/\\x", "http://a,b/"),
    *("http://h/\r\nX: y", "http://h/\x00", "http://h\t/", "http://h/\x7f", "http://\u200b/", "http://xn--a\u00fc/"),
    "http://" + "a" * 300 + "/",
]


@pytest.mark.parametrize("text", WRONG)
def test_what_could_be_read_in_two_ways_is_no_url(text: str) -> None:
    assert not is_read(lambda: parse(text))


REFERENCES = [
    ("/b", "http://h:8080/b"),
    ("b", "http://h:8080/x/b"),
    ("../b", "http://h:8080/b"),
    ("../../../b", "http://h:8080/b"),
    ("?c=d", "http://h:8080/x/y?c=d"),
    ("//other/b", "http://other/b"),
    ("https://h:8080/b", "https://h:8080/b"),
    ("/messages/?session_id=1", "http://h:8080/messages/?session_id=1"),
]


@pytest.mark.parametrize(("reference", "url"), REFERENCES)
def test_a_reference_means_what_it_means_to_its_base(reference: str, url: str) -> None:
    assert str(parse("http://h:8080/x/y?a=b").join(reference)) == url


@pytest.mark.parametrize("reference", ["javascript:alert(1)", "http://[", "/a\r\nb", "\\\\evil\\", "//u@h/", "//h:x/"])
def test_a_reference_that_leads_nowhere_safe_is_none(reference: str) -> None:
    assert not is_read(lambda: parse("http://h/").join(reference))


def test_origins_are_the_same_only_by_scheme_host_and_port() -> None:
    origin = parse("https://h/a").origin
    assert origin == parse("https://H:443/b?c").origin
    assert all(parse(other).origin != origin for other in ("http://h/", "https://h:444/", "https://h./", "https://g/"))


def test_a_url_is_shown_without_its_query_and_names_its_host_as_a_field_does() -> None:
    url = parse("https://[2001:db8::1]:8443/mcp?key=s3cret")
    assert url.without_query() == "https://[2001:db8::1]:8443/mcp"
    assert (url.authority, url.path) == ("[2001:db8::1]:8443", "/mcp")
    assert parse("https://h:443/").authority == "h"
