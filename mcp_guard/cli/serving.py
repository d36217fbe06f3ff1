"""`mcp-guard serve`, once its arguments are known: from a policy and servers to a guarded connection a client."""

import asyncio
import gc
import os
import ssl
from collections.abc import Callable

from mcp_guard.api.api import Api
from mcp_guard.api.metrics import Latency
from mcp_guard.cli.bearer_tokens import is_exposed, read_tokens
from mcp_guard.cli.credentials import taken_token, taken_webhook_secret
from mcp_guard.cli.guard import connection, load_policy, tell_of, user_policy
from mcp_guard.cli.output import EXIT_DONE, EXIT_FINDING
from mcp_guard.cli.policy_files import PolicyFiles
from mcp_guard.cli.run_arguments import RunArguments
from mcp_guard.cli.serve_arguments import ServeArguments
from mcp_guard.cli.served_access import OfClient, access, check_exposure, for_client, is_loopback
from mcp_guard.cli.served_beside import beside
from mcp_guard.cli.served_upstreams import Upstreams, upstreams
from mcp_guard.cli.shared_policy import SharedPolicy
from mcp_guard.cli.webhooks import webhooks
from mcp_guard.errors import GuardError
from mcp_guard.gate import Connection
from mcp_guard.slugs import check_pinned
from mcp_guard.store import LiveRegistry, SameClient, Store
from mcp_guard.store.location import default_database
from mcp_guard.transports.http_server.access import Access, Credential
from mcp_guard.transports.http_server.clients import Client
from mcp_guard.transports.http_server.limits import Limits
from mcp_guard.transports.http_server.service import Service
from mcp_guard.transports.http_server.serving import serve
from mcp_guard.transports.ledger import Ledger
from mcp_guard.transports.stdio import say
from mcp_guard.transports.switch import Switch


def start(arguments: ServeArguments) -> int:
    """Serve until a signal asks to end; gives the exit status. Raises GuardError for what a person can mend."""
    check_pinned(arguments.run.agent)
    taken_token()  # clients bring their own; what is in the environment is for no server to see
    credentials = read_tokens(arguments.token_file, arguments.token_env, os.environ)
    os.environ.pop(arguments.token_env or "", None)  # nor is the token that they have to bring
    told = webhooks(arguments.run.webhook, taken_webhook_secret())
    check_exposure(arguments, credentials)
    context = _tls(arguments)
    run, behind = upstreams(arguments.run)
    files = PolicyFiles(run.policy or user_policy())
    policy = load_policy(files.read())
    tell_of(policy)
    _warn(arguments, credentials)
    store = Store.open(run.db or default_database(), retain_days=run.retain)
    try:
        registry = LiveRegistry(store)
        who = access(arguments, credentials, store, registry)
        shared = SharedPolicy(files, policy, registry)
        ledger = Ledger(store, say, registry)
        latency = Latency()
        open_switch = _opener(run, behind, shared, ledger, store.redaction_key(), latency)
        gc.collect()
        gc.freeze()  # what stands now stays: the collector need not walk it in the middle of a call
        with beside(store.path, credentials, told, ledger, latency, metrics_open=arguments.metrics_open) as api:
            asyncio.run(_serve(arguments, who, context, open_switch, api))
        lost = ledger.close()
        if lost:
            say(lost)
        return EXIT_FINDING if lost else EXIT_DONE
    finally:
        store.close()


async def _serve(
    arguments: ServeArguments,
    who: Access,
    context: ssl.SSLContext | None,
    open_switch: Callable[[Client, str], Switch],
    api: Api,
) -> None:
    largest = arguments.run.max_message
    limits = Limits(
        body=largest << 20,
        bodies=max(4 * largest, 256) << 20,
        sessions=arguments.max_clients,
        session_idle=arguments.idle * 60.0,
        poll_after=arguments.poll_after,
    )
    service = Service(who, limits, open_switch, say, api)
    scheme = "https" if context else "http"

    def ready(host: str, port: int) -> None:
        address = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
        say(f"serving {address}/mcp (streamable HTTP) and {address}/sse (HTTP with SSE)")

    await serve(service, arguments.host, arguments.port, ready=ready, grace=arguments.grace, ssl=context)


def _opener(
    run: RunArguments,
    behind: Upstreams,
    shared: SharedPolicy,
    ledger: Ledger,
    redaction_key: bytes,
    latency: Latency,
) -> Callable[[Client, str], Switch]:
    """What makes the guarded connection of a new client: gates and upstreams of its own, one policy, one log."""

    def open_switch(client: Client, transport: str) -> Switch:
        same = SameClient()

        def facts(slug: str) -> Connection:
            made = for_client(connection(run, slug, redaction_key), client, transport)
            shared.registry.joined(same, made.id)
            return made

        conversation = behind.converse(facts, shared.policy, OfClient(shared.registry, client))
        reload = shared.reloader(conversation)
        limit = run.max_message << 20
        return Switch(conversation, client, behind.arms(), ledger, reload, limit=limit, measure=latency.observe)

    return open_switch


def _tls(arguments: ServeArguments) -> ssl.SSLContext | None:
    if arguments.tls_cert is None:
        if arguments.tls_key is not None:
            raise GuardError("--tls-key without --tls-cert", "give both, or neither")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(arguments.tls_cert, arguments.tls_key)
    except OSError as error:  # SSLError among them
        reason = getattr(error, "reason", None) or error.strerror or "not a certificate and its key"
        raise GuardError(f"{arguments.tls_cert}: cannot be used: {reason}", "it must be PEM, with its key") from None
    return context


def _warn(arguments: ServeArguments, credentials: tuple[Credential, ...]) -> None:
    """What a person should know before clients come."""
    if arguments.token_file is not None and is_exposed(arguments.token_file):
        say(f"others on this machine may read {arguments.token_file}: chmod 600 it")
    if (credentials or arguments.require_token) and arguments.tls_cert is None and not is_loopback(arguments.host):
        say("tokens travel in the clear: give --tls-cert, or let only a proxy with TLS reach this server")
