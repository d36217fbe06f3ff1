"""What `serve` answers and tells beside MCP: the API, metrics, telemetry, webhooks. From options to what does it."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager

from mcp_guard.api import metrics, telemetry
from mcp_guard.api.api import Api
from mcp_guard.cli.webhooks import Webhooks, telling
from mcp_guard.transports.http_server.access import Credential
from mcp_guard.transports.ledger import Ledger
from mcp_guard.transports.stdio import say


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
    with telling(path, told, say) as receivers:
        counters = {
            "mcp_guard_audit_failures_total": lambda: ledger.failures,
            "mcp_guard_webhooks_delivered_total": lambda: sum(one.delivered for one in receivers),
            "mcp_guard_webhooks_failed_total": lambda: sum(one.failed for one in receivers),
        }
        others = {
            metrics.PATH: metrics.Metrics(latency, counters, open_to_all=metrics_open),
            telemetry.PATH: telemetry.Telemetry(say),
        }
        api = Api(path, say, on=any(credential.role for credential in credentials), others=others)
        try:
            yield api
        finally:
            api.close()
