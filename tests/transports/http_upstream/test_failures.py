"""What a person reads when a server cannot be reached: the reason, what to do about it, and nothing that is secret."""

import errno
import socket
import ssl

import pytest

from mcp_guard.transports.http_client.errors import BrokenOffError, EncodedError, NotHttpError, ProxyError
from mcp_guard.transports.http_client.url import parse
from mcp_guard.transports.http_upstream.failures import of_exception

UNTRUSTED = ssl.SSLCertVerificationError("certificate verify failed")
UNTRUSTED.verify_message = "self-signed certificate"

REASONS = [
    (socket.gaierror(socket.EAI_NONAME, "s3cret"), "its host name is not known"),
    (UNTRUSTED, "its TLS certificate is not to be trusted (self-signed certificate)"),
    (ssl.SSLError(1, "s3cret"), "no TLS connection could be made. Is it https at all?"),
    (ProxyError(), "the HTTP proxy on the way does not answer. Check HTTPS_PROXY and NO_PROXY"),
    (ProxyError(502), "the HTTP proxy on the way does not answer. Check HTTPS_PROXY and NO_PROXY"),
    (ProxyError(407), "the HTTP proxy on the way demands authorization (HTTP 407)"),
    (ConnectionRefusedError(errno.ECONNREFUSED, "s3cret"), "connection refused. Is it running, and is the port right?"),
    (ConnectionResetError(errno.ECONNRESET, "s3cret"), "connection reset by peer"),
    (OSError(errno.EHOSTUNREACH, "s3cret"), "no route to host"),
    (OSError("s3cret"), "the connection failed"),
    (TimeoutError(), "it did not answer in time"),
    (BrokenOffError(), "it broke the connection off"),
    (NotHttpError("s3cret"), "what it says is not HTTP"),
    (EncodedError("s3cret"), "its answer is compressed"),
    (ValueError("s3cret"), "the request failed (ValueError)"),
]


@pytest.mark.parametrize(("error", "reason"), REASONS)
def test_a_failure_is_told_in_words_without_secrets(error: Exception, reason: str) -> None:
    message = of_exception(parse("https://h:8443/mcp?key=s3cret"), error).message
    assert message.startswith("the MCP server at https://h:8443/mcp cannot be reached: ")
    assert reason in message
    assert "s3cret" not in message
