"""What one client, or all of them together, may take up. Every number that bounds memory or time of the HTTP server."""

import msgspec

from mcp_guard.gate.batch import MAX_ELEMENTS


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes are in bytes, times in seconds."""

    body: int = 64 * 1024 * 1024  # of one message
    bodies: int = 256 * 1024 * 1024  # of all messages that are being received at one time
    head: int = 32 * 1024  # request line and header fields
    fields: int = 100  # header fields of one request

    connections: int = 1024  # open at one time
    sessions: int = 128  # clients at one time: each has upstreams of its own
    open_requests: int = 1024  # of one client
    batch: int = MAX_ELEMENTS  # messages in one

    head_time: float = 10.0  # for a request's head to arrive, from its first byte on (or from the connection's start)
    body_rate: int = 8 * 1024  # bytes a second that a body has to arrive with, on average, after `head_time`
    keep_alive: float = 75.0  # between two requests of one connection
    stall: float = 60.0  # without any progress, before a client that does not read is given up
    linger: float = 2.0  # for a client to read why it was refused before its connection is cut

    session_idle: float = 1800.0  # a legacy session without an open stream or a message
    caller_idle: float = 600.0  # a client of the stateless revision without an open request
    patience: float = 15.0  # for an answer to come before its response begins as a stream; between keep-alive comments
    poll_after: float | None = None  # for a response to wait before its client is let go to come back; None: never
    retry: int = 1000  # milliseconds that a client should wait before it resumes a stream
    replay: int = 4 * 1024 * 1024  # events of one session that can be sent again
    report: float = 60.0  # between two lines about requests that were refused for who made them
    goodbye: float = 5.0  # for clients to read what is on its way to them when the server ends
