"""The arguments of `serve`, as `cli/serve.py` has read them."""

from typing import NamedTuple

from mcp_guard.cli.run_arguments import RunArguments


class ServeArguments(NamedTuple):
    """What `mcp-guard serve` was told: the upstreams and everything about policy and log as in `run`, and the rest."""

    run: RunArguments
    host: str = "127.0.0.1"
    port: int = 8808
    token_file: str | None = None
    token_env: str | None = None
    allow_hosts: tuple[str, ...] = ()
    allow_origins: tuple[str, ...] = ()
    tls_cert: str | None = None
    tls_key: str | None = None
    max_clients: int = 128
    idle: int = 30  # minutes
    grace: float = 10.0  # seconds
    metrics_open: bool = False
    require_token: bool = False
    public_url: str | None = None
    poll_after: float | None = None  # seconds
