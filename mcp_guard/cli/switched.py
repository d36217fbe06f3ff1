"""`mcp-guard run` for a remote server, or for many: from arguments to a switch on an event loop.

One command over pipes goes through `guard`, which imports none of this: start-up is part of the product.
"""

import asyncio
import gc
import os
import signal
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from mcp_guard.cli import event_loop
from mcp_guard.cli.credentials import proven, taken_token
from mcp_guard.cli.guard import connection, load_policy, open_gate, tell_of, telling, user_policy, wanted_webhooks
from mcp_guard.cli.named_servers import read_config, remote_server, with_config
from mcp_guard.cli.policy_files import PolicyFiles
from mcp_guard.cli.run_arguments import RunArguments
from mcp_guard.cli.shared_policy import SharedPolicy
from mcp_guard.cli.upstreams import arm_of, slug_of_url, tell_unready
from mcp_guard.gate.bridge import Bridged
from mcp_guard.gate.hub import Hub, Member, Patience
from mcp_guard.store import LiveRegistry, SameClient, Store
from mcp_guard.store.location import default_database
from mcp_guard.transports.arms import Arm
from mcp_guard.transports.conversation import Conversation, Single
from mcp_guard.transports.ledger import Ledger
from mcp_guard.transports.signals import ENDING
from mcp_guard.transports.stdio import say
from mcp_guard.transports.stdio_ends import StdioClient
from mcp_guard.transports.switch import Switch

if TYPE_CHECKING:
    from mcp_guard.cli.webhooks import Webhooks
    from mcp_guard.policy import Policy
    from mcp_guard.store.registry.credentials import Proof

Converse = Callable[["Policy", LiveRegistry, bytes, "Proof | None"], Conversation]


def guard_remote(arguments: RunArguments) -> int:
    """Guard one remote server until the client is gone; gives the status to end with. Raises GuardError."""
    assert arguments.url is not None
    token, webhooks = taken_token(), wanted_webhooks(arguments)
    slug = arguments.server or slug_of_url(arguments.url)
    arm = arm_of(slug, remote_server(arguments), limit=arguments.max_message << 20)

    def converse(policy: "Policy", registry: LiveRegistry, key: bytes, proof: "Proof | None") -> Conversation:
        return Single(slug, open_gate(connection(arguments, slug, key, proof), policy, registry))

    return _guard(arguments, PolicyFiles(arguments.policy or user_policy()), [arm], converse, token, webhooks)


def guard_many(arguments: RunArguments) -> int:
    """Guard every server that a configuration file names. Raises GuardError."""
    assert arguments.config is not None
    token, webhooks = taken_token(), wanted_webhooks(arguments)  # before a server is prepared: it inherits what is left
    config, home = read_config(arguments.config), os.path.dirname(arguments.config)
    arguments = with_config(arguments, config, home)
    limit, many = arguments.max_message << 20, len(config.servers) > 1
    arms = [arm_of(slug, server, limit=limit, home=home, restart=many) for slug, server in config.servers.items()]
    if many:  # the others are begun at once, and say so then
        tell_unready({slug: server for slug, server in config.servers.items() if server.start == "lazy"}, home)

    def converse(policy: "Policy", registry: LiveRegistry, key: bytes, proof: "Proof | None") -> Conversation:
        client = SameClient()

        def gate_of(slug: str, prefix: str, policy: "Policy") -> Bridged:
            facts = replace(connection(arguments, slug, key, proof), prefix=prefix)
            registry.joined(client, facts.id)
            return open_gate(facts, policy, registry)

        if not many:
            return Single(arms[0].slug, gate_of(arms[0].slug, "", policy))
        members = [Member(slug, lazy=server.start == "lazy") for slug, server in config.servers.items()]
        facts, patience = connection(arguments, "", key, proof), Patience.of(config.wait)
        return Hub(facts, policy, members, gate_of, prefix=config.prefix, patience=patience)

    return _guard(arguments, PolicyFiles(arguments.policy or user_policy()), arms, converse, token, webhooks)


def _guard(
    arguments: RunArguments,
    files: PolicyFiles,
    arms: Sequence[Arm],
    converse: Converse,
    token: str | None,
    webhooks: "Webhooks | None",
) -> int:
    """Guard the arms for the client on stdin and stdout, in the conversation that `converse` makes."""
    policy = load_policy(files.read())
    tell_of(policy)
    store = Store.open(arguments.db or default_database(), retain_days=arguments.retain)
    try:
        registry = LiveRegistry(store)
        proof = None if token is None else proven(store, token, arguments.agent, arguments.user)
        conversation = converse(policy, registry, store.redaction_key(), proof)
        client = StdioClient(arguments.max_message << 20)
        ledger = Ledger(store, say, registry)
        shared = SharedPolicy(files, policy, registry)
        reload = shared.reloader(conversation)
        switch = Switch(conversation, client, arms, ledger, reload, limit=arguments.max_message << 20)
        with telling(webhooks, store.path):
            gc.collect()
            gc.freeze()  # what stands now stays: the collector need not walk it in the middle of a call
            status = event_loop.run(_until_over(switch))
            lost = ledger.close()
        if lost:
            say(lost)
    finally:
        store.close()
    event_loop.leave_if_held_up(status)
    return status


async def _until_over(switch: Switch) -> int:
    """Run the switch; a signal ends it in order, a second one at once. Gives the status to end with."""
    ended_by: list[int] = []

    def end(number: signal.Signals) -> None:
        ended_by.append(number)
        switch.stop(f"the guard was told to end by {number.name}")
        if len(ended_by) > 1:
            switch.kill()

    loop = asyncio.get_running_loop()
    for number in ENDING:
        loop.add_signal_handler(number, end, number)
    await switch.run()
    return 128 + ended_by[0] if ended_by else 1 if switch.lost else 0
