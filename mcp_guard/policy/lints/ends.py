"""Texts that are let pass for how they begin or end, whatever else stands in them: `..` behind a directory, another
host behind a host, another address before one's own.

A comparison lets pass where its being true makes an allowing rule match, or keeps a denying one from it. Where the same
text is looked into elsewhere in the condition, somebody has thought of the rest.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice

import msgspec

from mcp_guard.cel.paths import Aliases
from mcp_guard.cel.syntax import Call, Literal, Logic, Loop, Node, Ternary, Unary
from mcp_guard.policy.input_schema import Segments
from mcp_guard.policy.lints.comparisons import argument, inner_parts, start, uses
from mcp_guard.policy.lints.fields import shown
from mcp_guard.policy.lints.subjects import Subject
from mcp_guard.policy.report import Report

LOOKED_INTO = frozenset(("contains", "matches", "split"))
"""Functions that are asked of a whole text."""

_LONGEST = 80  # characters of what is compared, as it is written


class Doubt(msgspec.Struct, frozen=True):
    """A text that passes as well, and how to keep it out; in a rule that denies by `denies`, where that is another way.
    `{}` stands for what is compared.
    """

    example: str
    hint: str
    denies: str = ""


def check(subject: Subject, report: Report) -> None:
    """Report comparisons with a beginning or an end that leave the rest of a text to whoever sends it."""
    if subject.tree is None:
        return
    looked_into = {use.path for use in uses(subject.tree, {}) if use.function in LOOKED_INTO}
    denies = subject.rule.effect == "deny"
    for call, path in _letting_pass(subject.tree, {}, lets=not denies):
        doubt = _doubt(call)
        if doubt is not None and path not in looked_into:
            _report(subject, call, path, doubt, (denies and doubt.denies) or doubt.hint, report)


def _report(subject: Subject, call: Call, path: Segments, doubt: Doubt, hint: str, report: Report) -> None:
    assert call.target is not None
    assert subject.rule.condition is not None
    at = start(call.target)
    written = subject.rule.condition.source[at:].partition(f".{call.function}")[0]
    name = written if written.isprintable() and len(written) <= _LONGEST else shown(path)
    how = "begins" if call.function == "startsWith" else "ends"
    message = f"`{name}` is let pass for how it {how}: so {how} `{doubt.example}`"
    report.warning("loose-end", message, subject.place(at, len(name)), hint.replace("{}", name))


def _letting_pass(node: Node, aliases: Aliases, *, lets: bool) -> Iterator[tuple[Call, Segments]]:
    """The comparisons of an argument's beginning or end that let a call pass by being true. `lets`: whether the node
    does. What a condition compares or computes with their outcome is not followed.
    """
    if isinstance(node, Unary) and node.operator == "!":
        yield from _letting_pass(node.operand, aliases, lets=not lets)
    elif isinstance(node, Call) and node.function in _DOUBTS:
        path = None if node.target is None else argument(node.target, aliases)
        if lets and path is not None:
            yield node, path
    elif isinstance(node, Logic | Loop | Ternary):
        first = 0 if isinstance(node, Logic) else 1  # what is looped over or chosen by is not what comes of it
        for part, inside in islice(inner_parts(node, aliases), first, None):
            yield from _letting_pass(part, inside, lets=lets)


def _doubt(call: Call) -> Doubt | None:
    """What else passes by this comparison, where it is with a text that is written out."""
    (compared, *_) = call.arguments or (None,)
    if not isinstance(compared, Literal) or not isinstance(compared.value, str):
        return None
    return _DOUBTS[call.function](compared.value)


def _beginning(text: str) -> Doubt | None:
    _, scheme, rest = text.partition("://")
    if scheme:
        bare = bool(rest) and "/" not in rest
        return Doubt(f"{text}.evil.example/", f'ask for the end of the host as well: "{text}/"') if bare else None
    separator = next((one for one in "/\\" if one in text), None)
    if separator is None:
        return None
    return Doubt(f"{text}..{separator}", 'add `&& !{}.contains("..")`', 'deny it also where `{}.contains("..")`')


def _end(text: str) -> Doubt | None:
    if not text.startswith("@"):
        return None
    escaped = text.replace(".", r"\.")
    return Doubt(f"eve@evil.example,me{text}", f'ask for one address: `{{}}.matches(r"^[A-Za-z0-9._+-]+{escaped}$")`')


_DOUBTS: Mapping[str, Callable[[str], Doubt | None]] = {"startsWith": _beginning, "endsWith": _end}
