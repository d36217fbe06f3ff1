"""`mcp-guard run`, once its arguments are known: from an idle process to a guarded connection.

The upstream takes longest to start, so it is started as early as is safe: at once, when the log says that this very
policy has been loaded before; else as soon as the policy has been found good and the log stands. The rest is imported
while it boots. Only where the agent has to prove who it is, nothing is started before it has.
"""

import gc
import os
import re
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from mcp_guard import __version__
from mcp_guard.cli.credentials import proven, taken_token, taken_webhook_secret
from mcp_guard.cli.policy_files import PolicyFiles, sources_hash
from mcp_guard.cli.run_arguments import RunArguments
from mcp_guard.errors import GuardError
from mcp_guard.ids import RANDOM_BYTES, new_id
from mcp_guard.transports import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mcp_guard.cli.webhooks import Webhooks
    from mcp_guard.gate import Connection, Output
    from mcp_guard.gate.bridge import Bridged
    from mcp_guard.governance import Registry
    from mcp_guard.policy import Policy
    from mcp_guard.store import LiveRegistry
    from mcp_guard.store.registry.credentials import Proof


def guard(arguments: RunArguments) -> int:
    """Guard one stdio upstream until its client or it is gone; gives the status to end with. Raises GuardError."""
    gc.disable()  # until all stands: of what is imported and read meanwhile, one object in a hundred is garbage
    files = PolicyFiles(arguments.policy or user_policy())
    token = taken_token()  # before the upstream is prepared, which inherits the environment
    webhooks = wanted_webhooks(arguments)
    upstream = process.prepare(arguments.command)
    try:
        return _guard(arguments, files, upstream, token, webhooks)
    finally:
        upstream.close()


def _guard(
    arguments: RunArguments,
    files: PolicyFiles,
    upstream: process.Upstream,
    token: str | None,
    webhooks: "Webhooks | None",
) -> int:
    from mcp_guard.store.known import known_policy
    from mcp_guard.store.location import default_database

    sources = files.read()
    database = arguments.db or default_database()
    known = token is None and known_policy(database, sources_hash(sources), __version__)
    if known:
        upstream.start()

    from mcp_guard.cli import imports

    imports.msgspec_alone()
    if not all(path.lower().endswith(".json") for path in files.paths):
        imports.yaml()
    policy = load_policy(sources)

    from mcp_guard.store import Store

    store = Store.open(database, retain_days=arguments.retain)
    try:
        if not known and token is None:
            upstream.start()

        from mcp_guard.store import LiveRegistry
        from mcp_guard.transports.ledger import Ledger
        from mcp_guard.transports.stdio import Pump, say

        tell_of(policy)
        registry = LiveRegistry(store)
        imports.first_needed()
        proof = None if token is None else proven(store, token, arguments.agent, arguments.user)
        slug = arguments.server or server_slug(arguments.command)
        facts = connection(arguments, slug, store.redaction_key(), proof)
        gate = open_gate(facts, policy, registry)
        if token is not None:
            upstream.start()
        reload = _reloader(gate, files, registry)
        pump = Pump(gate, upstream, Ledger(store, say, registry), reload, limit=arguments.max_message << 20)
        with telling(webhooks, database):
            gc.freeze()  # what stands now stays: the collector need not walk it in the middle of a call
            gc.enable()
            return pump.run()
    finally:
        store.close()


def wanted_webhooks(arguments: RunArguments) -> "Webhooks | None":
    """The webhooks that were asked for, if any. Their secret leaves the environment in any case: no server may see it.

    Raises GuardError.
    """
    secret = taken_webhook_secret()
    if not arguments.webhook:
        return None
    from mcp_guard.cli.webhooks import webhooks

    return webhooks(arguments.webhook, secret)


def telling(webhooks: "Webhooks | None", database: str) -> AbstractContextManager[object]:
    """Those who asked for it are told of what the log gets, as long as this lasts. Raises StoreError."""
    if webhooks is None:
        return nullcontext()
    from mcp_guard.cli.webhooks import telling
    from mcp_guard.transports.stdio import say

    return telling(database, webhooks, say)


def user_policy() -> tuple[str, ...]:
    """Without `--policy`: the user's own policy file, if there is one."""
    from mcp_guard import user_directories

    path = user_directories.policy()
    return (path,) if os.path.exists(path) else ()


def load_policy(files: Sequence[tuple[str, bytes]]) -> "Policy":
    """The policy that these files make, by their paths and what they hold; without any, the one that denies all.

    Raises PolicyError.
    """
    from mcp_guard.policy import Policy, Source, load

    return load([Source(path, text) for path, text in files]) if files else Policy.empty()


def tell_of(policy: "Policy") -> None:
    """What a person should know of a policy before clients come."""
    from mcp_guard.transports.stdio import say

    if not policy.files:
        say("no policy: every call is denied; give one with --policy FILE")
    for warning in policy.warnings:
        say(str(warning))


def open_gate(facts: "Connection", policy: "Policy", registry: "Registry") -> "Bridged":
    """The gate of one new connection, for clients and servers of either era."""
    from mcp_guard.gate import Gate
    from mcp_guard.gate.bridge import Bridged
    from mcp_guard.gate.bridge.bridged import KEY_BYTES

    return Bridged(Gate(facts, policy, registry), os.urandom(KEY_BYTES))


def connection(
    arguments: RunArguments, server: str, redaction_key: bytes, proof: "Proof | None" = None
) -> "Connection":
    """The facts of one new connection to the upstream of this slug, as the arguments have them, and as a credential
    proves.
    """
    from mcp_guard.gate import Connection

    user = None if proof is None else proof.user
    return Connection(
        id=new_id(time.time_ns() // 1_000_000, os.urandom(RANDOM_BYTES)),
        server=server,
        user=user or arguments.user or login(),
        groups=arguments.group if proof is None or user is None else proof.groups,
        agent=(None if proof is None else proof.agent) or arguments.agent,
        credential=None if proof is None else proof.credential,
        user_verified=user is not None,
        mode=arguments.mode,
        audit_arguments=arguments.audit_arguments,
        redaction_key=redaction_key,
    )


def _reloader(gate: "Bridged", files: PolicyFiles, registry: "LiveRegistry") -> "Callable[[int], list[Output]]":
    """What the pump asks before each call: a changed registry takes effect; a changed policy is read, and takes effect
    or is refused.
    """
    seen = registry.changes

    def reload(now: int) -> "list[Output]":
        nonlocal seen
        registry.look(now)
        outputs: list[Output] = []
        if seen != registry.changes:
            seen = registry.changes
            outputs = gate.registry_changed(now)
        return outputs + _policy_changed(now) if files.changed() else outputs

    def _policy_changed(now: int) -> "list[Output]":
        from mcp_guard.transports.stdio import say

        try:
            policy = load_policy(files.read())
        except GuardError as error:
            say(f"the changed policy is refused, the last good one stays in force\n{error}")
            return gate.policy_rejected(files.paths, [error.message], now)
        say(f"the changed policy is in force: {', '.join(files.paths)}")
        return gate.replace_policy(policy, now)

    return reload


def login() -> str:
    """The operating system's login of the person who runs the guard."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user id without a name, as in some containers
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"


_RUNNERS = frozenset(
    ["npx", "uvx", "uv", "node", "bunx", "bun", "deno", "python", "python3", "pipx", "run", "tool", "sh"]
)
_ENDINGS = r"(?<=.)@.*$|\.(js|mjs|cjs|ts|py|exe)$"  # compiled where they are needed: `--server` spares a start that
_AFFIXES = r"^(mcp-server-|server-|mcp-)|(-mcp-server|-server|-mcp)$"


def server_slug(command: tuple[str, ...]) -> str:
    """A slug for an upstream out of its command, where the launching config gives none.

    The package or program behind the usual runners, without scope, version, file ending and the words "mcp" and
    "server": `npx -y @modelcontextprotocol/server-filesystem /data` gives `filesystem`, `uvx mcp-server-git` `git`.
    """
    words = [word for word in command if not word.startswith("-")]
    names = [os.path.basename(word.rstrip("/")) for word in words]
    name = next((name for name in names if name and name.lower() not in _RUNNERS), names[0] if names else "")
    bare = re.sub(_ENDINGS, "", name.lower()).replace("_", "-")
    slug = re.sub(r"[^a-z0-9-]+", "-", bare).strip("-")
    return (re.sub(_AFFIXES, "", slug) or slug or "server")[:100]
