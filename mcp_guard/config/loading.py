"""A configuration file to a configuration: the one way in. Pure: bytes go in, a `GuardConfig` or a `ConfigError` comes
out. A file with any error is refused whole. No line that may hold a secret is shown with a finding.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from mcp_guard.config import assembly, client_form
from mcp_guard.config.document import GuardDocument
from mcp_guard.config.values import GuardConfig
from mcp_guard.policy.diagnostics import Diagnostic, PolicyError, Source
from mcp_guard.policy.reading import read
from mcp_guard.policy.report import Report
from mcp_guard.policy.shapes import check
from mcp_guard.policy.tree import Fields, Node, Tree, UnreadableError
from mcp_guard.redaction.patterns import mask
from mcp_guard.redaction.text import MARK

_SECRETS: Final = ("env", "headers", "client_secret")  # fields whose values are never shown
_WORDS: dict[str, tuple[str, str]] = {  # the readers speak of policies
    "empty-file": ("the file holds no configuration", "begin with `servers:`"),
    "wrong-type": ("a configuration is a mapping: `policy: …`, `servers: …`", ""),
    "several-documents": ("a second document begins here", "a configuration is one document"),
    "too-large": ("too large for a configuration", "write the servers into a file of their own"),
}


class ConfigError(PolicyError):
    """A configuration that is refused whole. `diagnostics` holds all that is wrong with it, in the file's order."""


def load(source: Source) -> GuardConfig:
    """The configuration that a file holds, in the guard's form or in that of clients (`mcpServers`).

    Raises `ConfigError` with every finding if there is any error; warnings alone are on the configuration.
    """
    try:
        tree = read(source)
    except UnreadableError as error:
        raise ConfigError([_reworded(_hidden(error.diagnostic, frozenset()))]) from None
    report = Report()
    secret = frozenset(_lines(tree, tree.root))
    if client_form.KEY in tree.root.at:
        tree = client_form.in_guards_form(tree, report)
    config = assembly.config(check(tree, GuardDocument, report), report)
    secret |= {one.place.line for one in report.found if one.code == "secret-in-file"}
    ordered = sorted(report.found, key=lambda one: (one.place.line, one.place.column))
    found = tuple(_hidden(one, secret) for one in ordered)
    if report.has_errors:
        raise ConfigError(found)
    return msgspec.structs.replace(config, warnings=found)


def _reworded(diagnostic: Diagnostic) -> Diagnostic:
    message, hint = _WORDS.get(diagnostic.code, (diagnostic.message, diagnostic.hint))
    return msgspec.structs.replace(diagnostic, message=message, hint=hint)


def _hidden(diagnostic: Diagnostic, secret: frozenset[int]) -> Diagnostic:
    """The finding without its source line, where that may hold a secret, and with none in its text."""
    place = diagnostic.place
    line = place.source_line
    if place.line in secret or mask(line, MARK) != line or ("://" in line and "@" in line):
        place = msgspec.structs.replace(place, source_line="")
    return msgspec.structs.replace(diagnostic, message=mask(diagnostic.message, MARK), place=place)


def _lines(tree: Tree, node: Node) -> Iterator[int]:
    """The lines on which values of secret fields stand."""
    if not isinstance(node, Fields):
        return
    for key, child in node.pairs:
        if key.value in _SECRETS:
            last = len(tree.text.characters[: child.end].rstrip())
            yield from range(tree.place(child).line, tree.text.place(last - 1).line + 1)
        else:
            yield from _lines(tree, child)
