"""One response out of the bytes of a connection. No I/O.

The parser is llhttp, in its strict mode. On top of it, refused is what two readers could take for two different
responses: transfer codings other than `chunked`, versions other than 1.0 and 1.1. A body is complete only where its
framing says so. Each response has a parser of its own, so nothing of one reaches the next on the same connection.
"""

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from mcp_guard.transports.http_client.errors import BrokenOffError, HttpError, NotHttpError

MOST_WITHOUT_BODY = 128 * 1024  # bytes in a row that bring nothing of a body: a head, informational ones, trailers
_SWITCHING = 101


class Incoming:
    """A response as far as it has come. `status` is 0 until its head is here; `pieces` of its body wait to be taken;
    `failure` is why it will never be complete. `keeps`: the connection can carry another exchange after it.

    Several fields of one name are one value, joined by commas (RFC 9110, 5.3); only `cookies` are kept apart.
    """

    __slots__ = (
        "_fields", "_parser", "_seen", "_without_body", "complete", "cookies", "failure", "keeps", "pieces", "size",
        "status",
    )  # fmt: skip

    def __init__(self) -> None:
        self.status = 0
        self.pieces: list[bytes] = []
        self.size = 0  # bytes of them
        self.complete = False
        self.keeps = False
        self.failure: HttpError | None = None
        self.cookies: list[bytes] = []
        self._fields: dict[bytes, bytes] = {}
        self._seen = False
        self._without_body = 0
        self._parser = HttpResponseParser(self)

    def get(self, name: str) -> str | None:
        """The value of a field, whatever the case of its name; None where there is none."""
        value = self._fields.get(name.lower().encode("ascii"))
        return None if value is None else value.decode("latin-1")

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.complete or self.failure is not None

    def take(self) -> bytes:
        """All that waits of the body."""
        pieces = self.pieces
        if not pieces:
            return b""
        self.pieces, self.size = [], 0
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def feed(self, data: bytes | memoryview) -> None:
        """Take in what the connection brought. What is wrong with it becomes the `failure`."""
        self._seen = True
        self._without_body += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            if self.complete:  # more came than was asked for
                self.keeps = False
            else:
                self.failure = NotHttpError()
        if self._without_body > MOST_WITHOUT_BODY and not self.complete:
            self.failure = NotHttpError()

    def end(self) -> None:
        """The server has closed its side, in order: the end of a body that has no other."""
        if self.status and not self._framed():
            self.complete = True
        else:
            self.lost()

    def lost(self) -> None:
        """Nothing more comes."""
        if not self.over:
            self.failure = BrokenOffError(untouched=not self._seen)

    def _framed(self) -> bool:
        return b"content-length" in self._fields or b"transfer-encoding" in self._fields

    # What the parser tells. What is raised here ends the parsing: see `feed`

    def on_message_begin(self) -> None:
        """A response begins."""
        if self.complete:
            raise NotHttpError

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header field, or a trailer, of which none is expected."""
        if self.status:
            return
        name, value = name.lower(), value.strip(b" \t")
        if name == b"set-cookie":
            self.cookies.append(value)
        else:
            before = self._fields.get(name)
            self._fields[name] = value if before is None else b"%b, %b" % (before, value)

    def on_headers_complete(self) -> None:
        """The head is here: of the response, or of one that only informs."""
        status, version = self._parser.get_status_code(), self._parser.get_http_version()
        if version not in ("1.1", "1.0") or status < 100 or status == _SWITCHING:
            raise NotHttpError
        if status < 200:
            self._fields, self.cookies = {}, []
            return
        coding = self._fields.get(b"transfer-encoding")
        if coding is not None and (coding.lower() != b"chunked" or version != "1.1"):
            raise NotHttpError
        self.status = status

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._without_body = 0
        self.pieces.append(body)
        self.size += len(body)

    def on_message_complete(self) -> None:
        """The response is here as a whole, or one that only informs."""
        if self.status:
            self.complete = True
            self.keeps = self._parser.should_keep_alive()
