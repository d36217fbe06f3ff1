"""Who may connect to `serve`: from its options and the registry to what judges a request's head."""

import ipaddress
import re
from typing import TYPE_CHECKING

import msgspec

from mcp_guard.cli.credentials import refused
from mcp_guard.errors import GuardError
from mcp_guard.gate import Connection
from mcp_guard.governance import Credential as Proven
from mcp_guard.governance import Registry, Ruling, Snapshot
from mcp_guard.identity.key_sets import KeySets, beside
from mcp_guard.store import LiveRegistry, Store
from mcp_guard.transports.http_server.access import LOOPBACK, Access, Credential
from mcp_guard.transports.http_server.clients import Client
from mcp_guard.transports.http_server.registry_access import RegistryAccess
from mcp_guard.transports.stdio import say

if TYPE_CHECKING:
    from mcp_guard.cli.serve_arguments import ServeArguments

_HOST = re.compile(r"[^\s/]+")
_ORIGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/]+")


def check_exposure(arguments: "ServeArguments", credentials: tuple[Credential, ...]) -> None:
    """Raise GuardError for a server that everybody could reach and use, or that says of itself what cannot be."""
    if not (is_loopback(arguments.host) or credentials or arguments.require_token):
        raise GuardError(
            f"{arguments.host} can be reached from other machines, and no bearer token is asked for",
            "give --require-token, --token-file or --token-env, or listen at 127.0.0.1",
        )
    if arguments.metrics_open and not is_loopback(arguments.host):
        raise GuardError(
            f"{arguments.host} can be reached from other machines, and --metrics-open asks for no token",
            "leave it out, and let Prometheus bring a token with role=auditor",
        )
    for option, given, form, such in (
        ("--allow-host", arguments.allow_hosts, _HOST, "mcp.example.com"),
        ("--allow-origin", arguments.allow_origins, _ORIGIN, "https://app.example.com"),
    ):
        for one in given:
            if form.fullmatch(one) is None:  # no request could ever have it
                raise GuardError(f"{option} {one} lets nobody in", f"such as {such}: no path, no slash at the end")
    url = arguments.public_url
    if url is not None and (not url.startswith(("https://", "http://")) or not (url.isascii() and url.isprintable())):
        raise GuardError("--public-url is no URL", "such as https://mcp.example.com")


def access(
    arguments: "ServeArguments", credentials: tuple[Credential, ...], store: Store, registry: LiveRegistry
) -> Access:
    """Who may connect: by where they are, by the tokens of a file, by what the registry knows."""
    local, allowed = is_loopback(arguments.host), set(arguments.allow_hosts)
    hosts = LOOPBACK | allowed if local else allowed or None

    def record(agent: str | None, why: str, peer: str, untold: int) -> None:
        try:
            refused(store, agent, why, peer=peer, **({"not_recorded_before": untold} if untold else {}))
        except GuardError as error:
            say(f"a credential was refused, which could not be recorded: {error.message}")

    by_registry = RegistryAccess(
        store,
        registry,
        KeySets(beside),
        record,
        needed=arguments.require_token,
        url=arguments.public_url,
        secure=arguments.tls_cert is not None,
    )
    by_registry.issuers()  # whose keys are fetched with that
    return Access(hosts, arguments.allow_origins, credentials, by_registry)


class OfClient:
    """The registry as it is for one client: its agent stands by the token that the client has shown last, which may be
    a newer one than its connection began with. A `Registry`.
    """

    def __init__(self, registry: Registry, client: Client) -> None:
        self._registry, self._client = registry, client

    def snapshot(self, agent: str, credential: Proven | None) -> Snapshot:
        """How an agent stands now."""
        return self._registry.snapshot(agent, self._client.caller.proven_by)

    @property
    def changes(self) -> int:
        """As the registry's."""
        return self._registry.changes

    def refresh(self, now: int) -> int:
        """As the registry does."""
        return self._registry.refresh(now)

    def ruling(self, approval: str) -> Ruling | None:
        """What a person has decided about an approval."""
        return self._registry.ruling(approval)

    def ended(self, instance: str) -> str | None:
        """Why somebody has ordered that this instance's connection ends."""
        return self._registry.ended(instance)


def for_client(facts: Connection, client: Client, transport: str) -> Connection:
    """Who is on the line: what a credential proves comes before what the command line says."""
    caller = client.caller
    return msgspec.structs.replace(
        facts,
        user=caller.user or facts.user,
        groups=caller.groups or (facts.groups if caller.user is None else ()),
        agent=caller.agent or facts.agent,
        credential=caller.proven_by,
        user_verified=caller.user is not None,
        transport=transport,
    )


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own, which no other can reach."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
