"""The form in which clients write their servers: `{"mcpServers": {NAME: {"command": …} | {"url": …}}}`.

Each client has words of its own in there. The ones that say how a server is reached are read; the others are left to
the client, with a warning where leaving them could matter. What comes out is a tree in the guard's own form.
"""

from collections.abc import Iterable

from mcp_guard.policy.declarations import slug_of
from mcp_guard.policy.report import Report
from mcp_guard.policy.tree import Fields, Node, Scalar, Tree

KEY = "mcpServers"

_SAME = ("command", "args", "env", "cwd", "headers")
_URLS = ("url", "httpUrl", "serverUrl")  # most clients; Gemini CLI; Windsurf
_TRANSPORTS = {
    "stdio": None,
    "http": "http",
    "streamable-http": "http",
    "streamableHttp": "http",
    "streamable_http": "http",
    "sse": "sse",
}
_OFF = {"disabled": True, "enabled": False}
_NARROWING = {"includeTools", "excludeTools", "enabledTools", "disabledTools", "enabled_tools", "disabled_tools"}
_GUARD = "mcp-guard"


def in_guards_form(tree: Tree, report: Report) -> Tree:
    """The same servers as the guard writes them. A name that is no slug is made one; what is off is left out."""
    found = tree.root.pair(KEY)
    servers = found[1] if found is not None else None
    if not isinstance(servers, Fields):
        report.error("wrong-type", f"`{KEY}` is a mapping of servers", tree.place(servers or tree.root))
        return Tree(tree.text, Fields.of((), 0, 0))
    pairs = [pair for name, server in servers.pairs if (pair := _server(tree, name, server, report)) is not None]
    kept = Fields.of(_unique(tree, pairs, report), servers.start, servers.end)
    key = Scalar("servers", servers.start, servers.start)
    return Tree(tree.text, Fields.of([(key, kept)], tree.root.start, tree.root.end))


def _unique(tree: Tree, pairs: list[tuple[Scalar, Node]], report: Report) -> Iterable[tuple[Scalar, Node]]:
    seen: set[object] = set()
    for name, server in pairs:
        if name.value in seen:
            report.error("duplicate-key", f"two servers would be named `{name.value}`", tree.place(name), "rename one")
        else:
            seen.add(name.value)
            yield name, server


def _server(tree: Tree, name: Scalar, server: Node, report: Report) -> tuple[Scalar, Node] | None:
    slug = Scalar(slug_of(str(name.value), otherwise="server"), name.start, name.end)
    if not isinstance(server, Fields):
        return slug, server
    if any((pair := server.pair(word)) and _value(pair[1]) is off for word, off in _OFF.items()):
        report.warning("server-off", f"`{name.value}` is switched off and left out", tree.place(name))
        return None
    if _is_the_guard(server):
        report.warning("guard-itself", f"`{name.value}` is the guard itself and left out", tree.place(name))
        return None
    return slug, Fields.of(_fields(tree, server, report), server.start, server.end)


def _fields(tree: Tree, server: Fields, report: Report) -> Iterable[tuple[Scalar, Node]]:
    url = next((pair for word in _URLS if (pair := server.pair(word)) is not None), None)
    for key, node in server.pairs:
        if key.value in _SAME:
            yield key, node
        elif key.value in _NARROWING:
            hint = "write a rule for it in the policy"
            report.warning("left-to-client", f"`{key.value}` narrows nothing here", tree.place(key), hint)
    if url is not None:
        key, node = url
        yield Scalar("url", key.start, key.end), node
        yield from _transport(tree, server, key, report)


def _transport(tree: Tree, server: Fields, url: Scalar, report: Report) -> Iterable[tuple[Scalar, Node]]:
    named = server.pair("type") or server.pair("transport")
    if named is None:
        if url.value == "httpUrl":
            yield Scalar("transport", url.start, url.end), Scalar("http", url.start, url.end)
        return
    key, node = named
    word = _value(node)
    if word not in _TRANSPORTS:
        report.error(
            "unknown-value", f"no transport of the name is known: {word!r}", tree.place(node), "`http` or `sse`"
        )
    elif (transport := _TRANSPORTS[str(word)]) is not None:
        yield Scalar("transport", key.start, key.end), Scalar(transport, node.start, node.end)


def _is_the_guard(server: Fields) -> bool:
    """Whether a server is a guard that reads a file such as this one: it would start itself without end."""
    words = [_value(pair[1]) for word in ("command",) if (pair := server.pair(word))]
    args = server.pair("args")
    words += [_value(node) for node in getattr(args[1], "nodes", ())] if args else []
    texts = [word for word in words if isinstance(word, str)]
    is_guard = any(word.replace("\\", "/").rsplit("/", 1)[-1] in (_GUARD, "mcp_guard") for word in texts)
    return is_guard and any(word == "--config" or word.startswith("--config=") for word in texts)


def _value(node: Node) -> object:
    return node.value if isinstance(node, Scalar) else None
