"""What may be written next: fields of the arguments, their values, other variables, names of servers and tools."""

import re
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from mcp_guard.cel.types import Type
from mcp_guard.editor import describing
from mcp_guard.editor.draft import Draft
from mcp_guard.policy.catalog import Catalog
from mcp_guard.policy.conditions import VARIABLES
from mcp_guard.policy.fields import Field, fields
from mcp_guard.policy.lints.reach import fits_server
from mcp_guard.policy.lints.subjects import Subject

Kind = Literal["field", "value", "variable", "server", "tool"]

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
ARGUMENT = re.compile(r"request\.args((?:\.\??[A-Za-z_]\w*|\[\d+\])*)\.(\??)(\w*)\Z")
ITEM = re.compile(r"\[\d+\]")
VALUE = re.compile(r"request\.args\.([\w.?]+)\s*(?:==|!=)\s*(\"?)([\w-]*)\Z")
VARIABLE = re.compile(r"(?<![\w.])(?:(\w+(?:\.\w+)*)\.)?(\w*)\Z")
ENTRY = re.compile(r"\b(servers|tools):\s*(?:\[[^\]]*[\[,]\s*|\[\s*)?\"?([^\s,\"\[\]]*)\Z")
CONDITION = re.compile(r"\bwhen:\s")


class Suggestion(msgspec.Struct, frozen=True):
    """Something that may stand at the cursor in place of the last `replaces` characters. `rank` orders them."""

    label: str
    kind: Kind
    insert: str
    replaces: int
    rank: int
    detail: str = ""
    documentation: str = ""


def complete(draft: Draft, offset: int) -> list[Suggestion]:
    """What may be written at an offset of the text."""
    line_start = draft.text.rfind("\n", 0, offset) + 1
    head, line = draft.text[line_start:offset], draft.text.count("\n", 0, offset) + 1
    subject = draft.subject_at(line)
    entry = ENTRY.search(head)
    if entry is not None:
        return list(_entries(entry, subject, draft.catalog or Catalog()))
    if subject is None:
        return []
    value, argument = VALUE.search(head), ARGUMENT.search(head)
    if value is not None and (found := list(_values(value, subject))):
        return found
    if argument is not None:
        return list(_arguments(argument, subject))
    in_text = head.count('"') % 2 == 1
    in_condition = CONDITION.search(head) is not None or _inside_condition(draft, subject, offset)
    return list(_variables(head)) if in_condition and not in_text else []


def _inside_condition(draft: Draft, subject: Subject, offset: int) -> bool:
    found = draft.path_at(offset)
    return found is not None and found[0][-1:] == ("when",)


def _arguments(written: re.Match[str], subject: Subject) -> Iterator[Suggestion]:
    """The fields one step further than what is written."""
    before = ITEM.sub("[*]", written.group(1).replace("?", "").lstrip("."))
    prefix, typed = f"{before}." if before else "", written.group(3)
    found = [field for field in fields(subject.matches) if field.path.startswith(prefix)]
    inside = [field for field in found if "." not in field.path[len(prefix) :] and "[*]" not in field.path]
    for rank, field in enumerate(inside):
        yield _field(field, field.path[len(prefix) :], written.group(2), typed, rank, subject)


def _field(field: Field, name: str, optional: str, typed: str, rank: int, subject: Subject) -> Suggestion:
    """A field; one whose name is no word is asked for in brackets, and the dot before it goes."""
    plain = NAME.match(name) is not None
    return Suggestion(
        label=name,
        kind="field",
        insert=name if plain else f'[{optional}"{name}"]',
        replaces=len(typed) if plain else len(typed) + len(optional) + 1,
        rank=rank,
        detail=f"{field.type}, {field.coverage}",
        documentation=describing.field(field, subject.matches),
    )


def _values(written: re.Match[str], subject: Subject) -> Iterator[Suggestion]:
    """The values that an argument has, where the schemas name them."""
    path, quote, typed = written.group(1).replace("?", ""), written.group(2), written.group(3)
    field = next((field for field in fields(subject.matches) if field.path == path), None)
    for rank, choice in enumerate(field.choices if field is not None else ()):
        is_text = isinstance(choice, str)
        text = msgspec.json.encode(choice).decode()
        if is_text or not quote:
            insert = text[1:-1] if is_text and quote else text
            yield Suggestion(str(choice), "value", insert, len(typed), rank, detail=f"a value of `{path}`")


def _variables(head: str) -> Iterator[Suggestion]:
    """The variables of conditions, and the fields of one."""
    written = VARIABLE.search(head)
    if written is None:
        return
    members: dict[str, Type] = dict(VARIABLES)
    for step in (written.group(1) or "").split("."):
        if step:
            members = dict(members[step].fields or {}) if step in members else {}
    for rank, (name, kind) in enumerate(members.items()):
        yield Suggestion(name, "variable", name, len(written.group(2)), rank, detail=describing.type_word(kind))


def _entries(written: re.Match[str], subject: Subject | None, catalog: Catalog) -> Iterator[Suggestion]:
    """Names of servers, or of the tools of those that the rule is for."""
    typed = written.group(2)
    if written.group(1) == "servers":
        for rank, (slug, tools) in enumerate(catalog.servers.items()):
            yield Suggestion(slug, "server", slug, len(typed), rank, detail=f"{len(tools)} tools")
        return
    for rank, (name, servers) in enumerate(_tools(subject, catalog).items()):
        about = next(catalog.servers[server][name].description for server in servers)
        yield Suggestion(name, "tool", name, len(typed), rank, ", ".join(servers), describing.plain(about))


def _tools(subject: Subject | None, catalog: Catalog) -> dict[str, Sequence[str]]:
    """The tools of the servers that a rule is for, each with these servers."""
    found: dict[str, list[str]] = {}
    for server, tools in catalog.servers.items():
        if subject is None or fits_server(subject.rule, server, subject.declared):
            for name in sorted(tools):
                found.setdefault(name, []).append(server)
    return dict(found)
