"""A document of the right shape to a configuration: what its fields mean together, each mistake at its place.

A server is either started or reached, never both; its name tells its tools from those of others; references are well
formed. Whether what they refer to exists is the edge's to find out.
"""

import re
from collections.abc import Iterable, Iterator

from msgspec import UNSET

from mcp_guard.config import secrets
from mcp_guard.config.document import AuthSection, GuardDocument, ServerSection
from mcp_guard.config.values import Auth, GuardConfig, HttpServer, ServerConfig, StdioServer
from mcp_guard.gate.hub.naming import confusable, fault
from mcp_guard.policy.declarations import SERVER_SLUG, slug_of
from mcp_guard.policy.report import Report
from mcp_guard.policy.shapes import Checked
from mcp_guard.policy.tree import Fields, Path
from mcp_guard.slugs import AGENT_RULE, is_agent

_STDIO_FIELDS = ("args", "env", "cwd")
_HTTP_FIELDS = ("transport", "headers", "auth")
_URL = re.compile(r"https?://[^\s/?#]+", re.IGNORECASE)
_PLAIN_HTTP = re.compile(r"http://(?!localhost[:/]|localhost$|127\.|\[::1\])", re.IGNORECASE)
_VARIABLE = re.compile(r"[^=\0]+\Z")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_REFERENCE = re.compile(r"\$\$|\$\{(?P<inner>[^{}]*)\}|(?P<broken>\$\{)")
_REFERRED = re.compile(r"(?:(?:env:)?[A-Za-z_][A-Za-z0-9_]*|file:.+)\Z")


def config(checked: Checked[GuardDocument], report: Report) -> GuardConfig:
    """The configuration of a document. What is wrong is reported; with errors reported it is not to be used."""
    document, tree = checked.document, checked.tree
    servers = {
        slug: server for slug, one in document.servers.items() if (server := _server(checked, slug, one, report))
    }
    if not document.servers and not report.has_errors:
        node = tree.find(("servers",)) if "servers" in tree.root.at else tree.root
        report.error("missing-field", "a configuration needs `servers`, at least one", tree.place(node))
    _check_names(checked, report)
    if document.agent is not UNSET and not is_agent(document.agent):
        report.error("bad-slug", "`agent` is no agent slug", tree.place(tree.find(("agent",))), f"it is {AGENT_RULE}")
    return GuardConfig(
        servers=servers,
        policy=document.policy,
        db=document.db or None,
        agent=document.agent or None,
        user=document.user or None,
        groups=document.groups,
        prefix=document.prefix,
        wait=document.wait,
    )


def _check_names(checked: Checked[GuardDocument], report: Report) -> None:
    """Each server's name is a slug, and none of their tools could be taken for another's."""
    document, tree = checked.document, checked.tree
    bad = [slug for slug in document.servers if not SERVER_SLUG.match(slug)]
    for slug in bad:
        message = "a server's name is made of lower-case letters, digits, `-` and `_`"
        hint = f"write `{slug_of(slug, otherwise='server')}`"
        report.error("bad-slug", message, tree.place(tree.key(("servers", slug))), hint)
    wrong = None if bad else fault(list(document.servers), document.prefix)
    if wrong is not None:
        pair = confusable(list(document.servers), document.prefix)
        at_fault = tree.find(("prefix",)) if "prefix" in tree.root.at else tree.key(("servers",))
        where = at_fault if pair is None else tree.key(("servers", pair[1]))
        hint = 'the usual one is `prefix: "{server}__"`' if pair is None else "rename one of them"
        report.error("bad-prefix", wrong, tree.place(where), hint)


def _server(checked: Checked[GuardDocument], slug: str, section: ServerSection, report: Report) -> ServerConfig | None:
    tree, path = checked.tree, ("servers", slug)
    key = tree.place(tree.key(path))
    if (section.command is UNSET) == (section.url is UNSET):
        found = "has both `command` and `url`" if section.command is not UNSET else "needs `command` or `url`"
        report.error("command-or-url", f"a server {found}", key, "`command` starts it here, `url` reaches it elsewhere")
        return None
    node = tree.find(path)
    foreign = _HTTP_FIELDS if section.url is UNSET else _STDIO_FIELDS
    for name in foreign:
        if isinstance(node, Fields) and name in node.at:
            what = "is started" if section.url is UNSET else "is reached at a `url`"
            place = tree.place(tree.key((*path, name)))
            report.error("field-not-here", f"`{name}` is not for a server that {what}", place, "leave it out")
    for at, text in _referring(section):
        _check_reference(checked, (*path, *at), text, report)
    return _stdio(checked, path, section, report) if section.url is UNSET else _http(checked, path, section, report)


def _stdio(checked: Checked[GuardDocument], path: Path, section: ServerSection, report: Report) -> StdioServer:
    tree, command = checked.tree, section.command or ""
    place = tree.place(tree.find((*path, "command")))
    if not command.strip():
        report.error("empty-value", "nothing is named here", place)
    elif " " in command and not section.args and "/" not in command and "\\" not in command:
        first, *rest = command.split()
        hint = f"write `command: {first}` and `args: [{', '.join(rest)}]`"
        report.warning("command-with-spaces", "this is the name of one program, spaces and all", place, hint)
    for name in section.env:
        if not _VARIABLE.match(name):
            report.error("bad-variable", "no variable has such a name", tree.place(tree.key((*path, "env", name))))
    _warn_of_secrets(checked, (*path, "env"), secrets.in_texts(section.env), report)
    _warn_of_secrets(checked, (*path, "args"), secrets.in_arguments(section.args), report)
    return StdioServer(
        command=command, args=section.args, env=section.env, cwd=section.cwd or None, start=section.start
    )


def _http(checked: Checked[GuardDocument], path: Path, section: ServerSection, report: Report) -> HttpServer:
    tree, url = checked.tree, section.url or ""
    place = tree.place(tree.find((*path, "url")))
    holds_user = "@" in url.split("://", 1)[-1].split("/")[0]
    if "${" not in url and not _URL.match(url):
        report.error("bad-url", "a URL begins with `https://` or `http://` and a host", place)
    elif holds_user:
        hint = 'send them in a header: `headers: {Authorization: "Basic ${CREDENTIALS}"}`'
        report.error("bad-url", "a URL holds no user and password", place, hint)
    elif _PLAIN_HTTP.match(url):
        hint = "write `https://`, unless this network is trusted with every call and every secret"
        report.warning("plain-http", "what is sent there can be read and changed on its way", place, hint)
    for name, value in section.headers.items():
        if not _HEADER.match(name) or any(ord(char) < 32 or ord(char) == 127 for char in value):
            where = tree.place(tree.key((*path, "headers", name)))
            report.error("bad-header", "no header has such a name or value", where)
    _warn_of_secrets(checked, (*path, "headers"), secrets.in_texts(section.headers), report)
    if not holds_user and secrets.in_url(url):
        _warn_of_secret(checked, (*path, "url"), report)
    auth = Auth() if section.auth is UNSET else _auth(checked, (*path, "auth"), section.auth, report)
    return HttpServer(url=url, transport=section.transport, headers=section.headers, auth=auth, start=section.start)


def _auth(checked: Checked[GuardDocument], path: Path, section: AuthSection, report: Report) -> Auth:
    tree = checked.tree
    if section.kind == "client_credentials" and not (section.client_id and section.client_secret):
        place = tree.place(tree.find(path))
        report.error("missing-field", "client credentials are a `client_id` and a `client_secret`", place)
    secret = section.client_secret or None
    if secret is not None:
        _check_reference(checked, (*path, "client_secret"), secret, report)
        if "${" not in secret:
            _warn_of_secret(checked, (*path, "client_secret"), report)
    return Auth(
        kind=section.kind,
        client_id=section.client_id or None,
        client_secret=secret,
        scopes=section.scopes,
        issuer=section.issuer or None,
    )


# References and secrets


def _referring(section: ServerSection) -> Iterator[tuple[Path, str]]:
    """Every text of a server that may hold references, with its path in the server."""
    for name, text in (("command", section.command), ("cwd", section.cwd), ("url", section.url)):
        if text is not UNSET:
            yield (name,), text
    yield from ((("args", position), text) for position, text in enumerate(section.args))
    yield from ((("env", name), text) for name, text in section.env.items())
    yield from ((("headers", name), text) for name, text in section.headers.items())


def _check_reference(checked: Checked[GuardDocument], path: Path, text: str, report: Report) -> None:
    for found in _REFERENCE.finditer(text):
        inner = found["inner"]
        if found["broken"] is None and (inner is None or _REFERRED.match(inner)):
            continue
        place = checked.tree.place(checked.tree.find(path))
        hint = "`${NAME}` is a variable of the environment, `${file:PATH}` what a file holds, `$$` a dollar sign"
        report.error("bad-reference", "this refers to nothing", place, hint)
        return


def _warn_of_secrets(checked: Checked[GuardDocument], path: Path, found: Iterable[str | int], report: Report) -> None:
    """Warn of secrets that stand in the file, each under its key or at its position. They are not shown."""
    for at in found:
        _warn_of_secret(checked, (*path, at), report)


def _warn_of_secret(checked: Checked[GuardDocument], path: Path, report: Report) -> None:
    place = checked.tree.place(checked.tree.key(path))
    hint = "refer to it: `${NAME}` for a variable of the environment, `${file:PATH}` for a file"
    report.warning("secret-in-file", "a secret stands in the file, for everyone to read who reads it", place, hint)
