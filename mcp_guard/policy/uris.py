"""How a resource's URI may be read: its normal form, and whether somebody could take it for another resource's.

One resource can be spelled in many ways, and a server may read any of them: `file:///a/../b` is `/b` to most, `%62` is
`b`, `FILE:` is `file:`. Differences that leave the structure alone are evened out in the normal form (RFC 3986, section
6.2.2), by which rules judge beside what was sent. What different readers take for different resources is a doubt: dot
segments, encoded slashes, credentials that hide a host, numbers that are addresses, and the like. The invariant: a URI
without doubt names one resource, its normal form, to every reader that follows RFC 3986 or the WHATWG URL standard.
"""

import re

import msgspec

LONGEST = 8192  # characters

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)\Z", re.DOTALL)
WEB_PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443", "ftp": "21"}
WEB_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_-])?\Z")
PORT = re.compile(r"[1-9][0-9]{0,4}\Z")
NUMERIC_HOST = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\Z")
ENCODED_BYTE = re.compile(rb"%([0-9A-Fa-f]{2})")
ENCODED = re.compile(r"%([0-9A-Fa-f]{2})")
STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
TWICE_ENCODED = re.compile(r"%25[0-9A-Fa-f]{2}")
UNSAFE = re.compile(r"""[^A-Za-z0-9._~!$&'()*+,;=:@/?%-]""")

ENCODED_BEYOND_ASCII = re.compile(r"(?:%[89A-Fa-f][0-9A-Fa-f])+")

_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PLAIN_IN_PATH = _UNRESERVED | frozenset("!$&'()*+,;=:@")
_STRUCTURE = frozenset("/\\?#")  # to whoever decodes before taking a URI apart


class Reading(msgspec.Struct, frozen=True):
    """A URI in its normal form; or, with `doubt`, why there is none: a sentence's part, without any of the URI."""

    normal: str
    doubt: str | None = None


class _DoubtError(Exception):
    """The URI can be read as another one. The text says why."""


def read(uri: str) -> Reading:
    """How a URI is read. Never raises, whatever the text."""
    try:
        return Reading(_normal(uri))
    except _DoubtError as error:
        return Reading(uri, str(error))


def read_pattern(pattern: str) -> Reading:
    """How the entry of a rule is read: as a URI in which `*` is a character like others. One with a `*` before its path
    is taken as it is.
    """
    scheme, _, rest = pattern.partition(":")
    authority = _split(rest[2:])[0] if rest.startswith("//") else ""
    return Reading(pattern) if "*" in scheme + authority else read(pattern)


def _normal(uri: str) -> str:
    if len(uri) > LONGEST:
        raise _DoubtError(f"it is longer than {LONGEST} characters")
    _refuse_characters(uri)
    found = SCHEME.match(uri)
    if found is None:
        raise _DoubtError("it has no scheme, so it is no URI")
    scheme, rest = found[1].lower(), found[2]
    if "#" in rest:
        raise _DoubtError("it has a fragment, which some servers leave out")
    hierarchical = rest.startswith("//")
    authority, tail = _split(rest[2:]) if hierarchical else ("", rest)
    path, asks, query = tail.partition("?")
    if asks and (not query or scheme == "file"):
        raise _DoubtError("it has a query that says nothing, or that a reader of files leaves out")
    normal_authority = "//" + _authority(scheme, authority) if hierarchical else ""
    _refuse_form(scheme, hierarchical, path)
    normal = scheme + ":" + normal_authority + _path(path) + asks + _even(query, _UNRESERVED, in_query=True)
    if TWICE_ENCODED.search(normal):
        raise _DoubtError("it is percent-encoded twice")
    return normal


def _split(rest: str) -> tuple[str, str]:
    """What follows `//`, cut where its authority ends."""
    ends = [at for at in (rest.find("/"), rest.find("?")) if at >= 0]
    end = min(ends, default=len(rest))
    return rest[:end], rest[end:]


def _refuse_characters(uri: str) -> None:
    """Raise for characters that readers strip, fold into others or take for a slash."""
    if "\\" in uri:
        raise _DoubtError("it has a backslash, which some servers take for a slash")
    if not uri.isprintable() or uri != uri.strip():
        raise _DoubtError("it has characters that cannot be seen, or space round it")
    if STRAY_PERCENT.search(uri):
        raise _DoubtError("it has a percent sign that encodes nothing")
    if not uri.isascii() or "%" in uri:
        _refuse_decoded(uri)


def _refuse_decoded(uri: str) -> None:
    """The same for the text that the percent-encoding stands for."""
    from unicodedata import normalize

    try:
        text = _decoded(uri)
    except UnicodeError:
        raise _DoubtError("its percent-encoding is no UTF-8") from None
    if not text.isprintable():
        raise _DoubtError("it has characters that cannot be seen")
    if normalize("NFKC", text) != normalize("NFC", text):
        raise _DoubtError("it has characters that some servers take for others")


def _authority(scheme: str, authority: str) -> str:
    if scheme == "file":
        if authority:
            raise _DoubtError("it is a file on a named host, which some servers leave out")
        return ""
    if scheme in WEB_PORTS:
        return _web_host(scheme, authority)
    user, at, host = authority.rpartition("@")
    if at and (not user or "@" in user):
        raise _DoubtError("it has more than one `@`, or an empty user, before its host")
    normal_host = ENCODED.sub(lambda found: found[0].upper(), _even(host, _UNRESERVED).lower())
    if normal_host.endswith((".", ":")):
        raise _DoubtError("its host ends in a dot or a colon, which some servers leave out")
    return _even(user, _UNRESERVED) + at + normal_host


def _web_host(scheme: str, authority: str) -> str:
    """A host of the web, as browsers read it (WHATWG URL, "host parsing"): only what they leave as it is."""
    host, colon, port = authority.lower().partition(":")
    if not WEB_HOST.match(host) or ".." in host:
        raise _DoubtError("its host is not plain letters, digits, dots and dashes")
    if colon and (not PORT.match(port) or port == WEB_PORTS[scheme]):
        raise _DoubtError("its port says nothing, or is none")
    if NUMERIC_HOST.match(host) and not _is_plain_address(host):
        raise _DoubtError("its host is an address in an unusual form")
    return host + colon + port


def _is_plain_address(host: str) -> bool:
    parts = host.split(".")
    return len(parts) == 4 and all(part.isdigit() and str(int(part[:4])) == part and int(part) < 256 for part in parts)


def _refuse_form(scheme: str, hierarchical: bool, path: str) -> None:
    if not hierarchical and (scheme == "file" or scheme in WEB_PORTS or path.startswith("/")):
        raise _DoubtError("`//` is missing after its scheme")


def _path(path: str) -> str:
    normal = _even(path, _PLAIN_IN_PATH)
    if normal.endswith("/"):
        normal = normal[:-1]  # `dir/` is `dir` to a reader of files
    segments = normal.split("/")
    if any(segment.split(";")[0] in (".", "..") for segment in segments):
        raise _DoubtError("it has a `.` or `..` segment")
    if "" in segments[1:]:
        raise _DoubtError("it has an empty segment")
    return normal


def _even(part: str, plain: frozenset[str], *, in_query: bool = False) -> str:
    """A part with each character in one spelling: encoded where a URI has to, plain where it may be."""

    def spelled(found: re.Match[str]) -> str:
        character = chr(int(found[1], 16))
        if character in _STRUCTURE and not in_query:
            raise _DoubtError("it has an encoded slash, question mark or hash sign")
        return character if character in plain else found[0].upper()

    text = ENCODED_BEYOND_ASCII.sub(lambda found: _decoded(found[0]), part)
    if not text.isascii():
        from unicodedata import normalize

        text = normalize("NFC", text)
    return UNSAFE.sub(_encoded, ENCODED.sub(spelled, text))


def _decoded(text: str) -> str:
    """What the percent-encoding in a text stands for. Raises UnicodeError."""
    return ENCODED_BYTE.sub(lambda found: bytes((int(found[1], 16),)), text.encode()).decode()


def _encoded(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode())
