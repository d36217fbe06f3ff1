"""What `serve` answers and tells beside MCP: the API, metrics, telemetry, webhooks. From options to what does it."""

import os
from collections.abc import Generator, Iterable, MutableMapping
from contextlib import contextmanager
from typing import NamedTuple

from mcp_guard.api import metrics, telemetry
from mcp_guard.api.api import Api
from mcp_guard.api.kept import KeptBook
from mcp_guard.errors import GuardError
from mcp_guard.transports.http_server.access import Credential
from mcp_guard.transports.ledger import Ledger
from mcp_guard.transports.stdio import say
from mcp_guard.webhooks.delivery import Receiver
from mcp_guard.webhooks.notices import Target, secret, target

SECRET = "MCP_GUARD_WEBHOOK_SECRET"


class Webhooks(NamedTuple):
    """Who is told, and the key that what they are told is signed with."""

    targets: tuple[Target, ...] = ()
    key: bytes = b""


def webhooks(urls: Iterable[str], environment: MutableMapping[str, str] = os.environ) -> Webhooks:
    """The webhooks that were asked for. The secret is taken out of the environment: no server is to see it.

    Raises GuardError where there is no secret, or a URL is none.
    """
    given = environment.pop(SECRET, "")
    targets = tuple(target(url) for url in urls)
    if not targets:
        return Webhooks()
    if not given:
        raise GuardError(f"--webhook needs a secret in {SECRET}", "What is sent is signed with it: any random text.")
    return Webhooks(targets, secret(given))


@contextmanager
def beside(
    path: str,
    credentials: Iterable[Credential],
    told: Webhooks,
    ledger: Ledger,
    latency: metrics.Latency,
    *,
    metrics_open: bool,
) -> Generator[Api]:
    """All that is beside MCP, as long as the server runs. Raises StoreError."""
    receivers = [Receiver(path, one, told.key, say) for one in told.targets]
    counters = {
        "mcp_guard_audit_failures_total": lambda: ledger.failures,
        "mcp_guard_webhooks_delivered_total": lambda: sum(one.delivered for one in receivers),
        "mcp_guard_webhooks_failed_total": lambda: sum(one.failed for one in receivers),
    }
    book = KeptBook(path)
    others = {
        metrics.PATH: metrics.Metrics(book, latency, counters, open_to_all=metrics_open),
        telemetry.PATH: telemetry.Telemetry(book, say),
    }
    api = Api(book, say, on=any(credential.role for credential in credentials), others=others)
    for receiver in receivers:
        receiver.start()
    try:
        yield api
    finally:
        for receiver in receivers:
            receiver.stop()
        api.close()
