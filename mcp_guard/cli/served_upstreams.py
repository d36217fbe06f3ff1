"""What stands behind `serve`: for each client upstreams and gates of its own, made in the same way."""

import os
from collections.abc import Callable
from typing import NamedTuple

from msgspec.structs import replace

from mcp_guard.cli.guard import open_gate, server_slug
from mcp_guard.cli.named_servers import read_config, remote_server, with_config
from mcp_guard.cli.run_arguments import RunArguments
from mcp_guard.cli.upstreams import arm_of, slug_of_url, tell_unready
from mcp_guard.config import GuardConfig
from mcp_guard.errors import GuardError
from mcp_guard.gate import Connection
from mcp_guard.gate.bridge import Bridged
from mcp_guard.gate.hub import Hub, Member, Patience, Tardy
from mcp_guard.governance import Registry
from mcp_guard.policy import Policy
from mcp_guard.transports.arms import Arm
from mcp_guard.transports.conversation import Conversation, Single
from mcp_guard.transports.stdio_ends import StdioUpstream

Facts = Callable[[str], Connection]  # the facts of a new connection to the upstream of this slug


class Upstreams(NamedTuple):
    """How to make, for one client, the arms of its switch, and the conversation that they take part in."""

    arms: Callable[[], list[Arm]]
    converse: Callable[[Facts, Policy, Registry], Conversation]


def upstreams(run: RunArguments) -> tuple[RunArguments, Upstreams]:
    """The upstreams that the arguments name, and the arguments with what a configuration adds to them.

    Raises GuardError where they cannot be: now, and not when the first client comes.
    """
    if sum(map(bool, (run.command, run.url, run.config))) != 1:
        raise GuardError("one server, or one file of servers, is needed", "give -- CMD ARG…, or --url, or --config")
    if run.config is not None:
        return _configured(run, run.config)
    limit = run.max_message << 20
    if run.url is not None:
        slug, server = run.server or slug_of_url(run.url), remote_server(run)
        behind = Upstreams(lambda: [arm_of(slug, server, limit=limit)], _single(slug))
    else:
        slug = run.server or server_slug(run.command)
        behind = Upstreams(lambda: [Arm(slug, lambda: StdioUpstream(run.command, limit))], _single(slug))
    behind.arms()
    return run, behind


def _configured(run: RunArguments, path: str) -> tuple[RunArguments, Upstreams]:
    config, home = read_config(path), os.path.dirname(path)
    run = with_config(run, config, home)
    servers, limit, many = config.servers, run.max_message << 20, len(config.servers) > 1

    def arms() -> list[Arm]:
        return [arm_of(slug, server, limit=limit, home=home, restart=many) for slug, server in servers.items()]

    arms()
    if many:
        tell_unready(servers, home)
    return run, Upstreams(arms, _many(config) if many else _single(next(iter(servers))))


def _single(slug: str) -> Callable[[Facts, Policy, Registry], Conversation]:
    return lambda facts, policy, registry: Single(slug, open_gate(facts(slug), policy, registry))


def _many(config: GuardConfig) -> Callable[[Facts, Policy, Registry], Conversation]:
    members = [Member(slug, lazy=server.start == "lazy") for slug, server in config.servers.items()]
    patience, tardy = Patience.of(config.wait), Tardy()  # what one client has waited for in vain, the next does not

    def converse(facts: Facts, policy: Policy, registry: Registry) -> Conversation:
        def gate_of(slug: str, prefix: str, policy: Policy) -> Bridged:
            return open_gate(replace(facts(slug), prefix=prefix), policy, registry)

        return Hub(facts(""), policy, members, gate_of, prefix=config.prefix, patience=patience, tardy=tardy)

    return converse
