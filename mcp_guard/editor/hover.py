"""What stands under the cursor: an argument with its schema, a tool of a rule's scope, a rule."""

import re

import msgspec

from mcp_guard.editor import describing
from mcp_guard.editor.draft import Draft
from mcp_guard.policy.fields import fields
from mcp_guard.policy.lints.reach import entry_fits, fits_server
from mcp_guard.policy.lints.subjects import Subject
from mcp_guard.policy.tree import Scalar

ARGUMENT = re.compile(r"request\.args((?:\.\??[A-Za-z_]\w*|\[\??\"[^\"\n]*\"\]|\[\d+\])+)")
STEP = re.compile(r"\.\??([A-Za-z_]\w*)|\[\??\"([^\"\n]*)\"\]|\[\d+\]")
MOST_TOOLS = 8


class Hover(msgspec.Struct, frozen=True):
    """What is shown (Markdown) about the characters from `start` up to `end` of the text."""

    markdown: str
    start: int
    end: int


def hover(draft: Draft, offset: int) -> Hover | None:
    """What to show about an offset of the text."""
    subject = draft.subject_at(draft.text.count("\n", 0, offset) + 1)
    if subject is None:
        return None
    return _argument(draft.text, offset, subject) or _scope(draft, offset, subject)


def _argument(text: str, offset: int, subject: Subject) -> Hover | None:
    """The argument that is read at the offset, as far as the step under the cursor."""
    line_start, line_end = text.rfind("\n", 0, offset) + 1, text.find("\n", offset)
    line = text[line_start : len(text) if line_end < 0 else line_end]
    for written in ARGUMENT.finditer(line):
        if not written.start() <= offset - line_start <= written.end():
            continue
        path, end = "", written.start(1)
        for step in STEP.finditer(written.group(1)):
            name = step.group(1) or step.group(2)
            path += "[*]" if name is None else f".{name}" if path else name
            end = written.start(1) + step.end()
            if offset - line_start <= end:
                break
        found = next((field for field in fields(subject.matches) if field.path == path), None)
        if found is None and not subject.matches:
            return None
        about = f"no tool that this rule is for has {describing.code('request.args.' + path)}"
        markdown = about if found is None else describing.field(found, subject.matches)
        return Hover(markdown, line_start + written.start(), line_start + end)
    return None


def _scope(draft: Draft, offset: int, subject: Subject) -> Hover | None:
    """A tool or pattern of the rule's scope, or the rule itself at its id or name."""
    found = draft.path_at(offset)
    path, node = found or ((), None)
    if not isinstance(node, Scalar):
        return None
    match path:
        case ("rules", _, "id" | "name"):
            return Hover(describing.rule(subject), node.start, node.end)
        case ("rules", _, "tools", *_) if isinstance(node.value, str):
            return _tools(node, node.value, subject, draft)
        case _:
            return None


def _tools(node: Scalar, entry: str, subject: Subject, draft: Draft) -> Hover | None:
    every = [
        target
        for target in subject.reach.every
        if fits_server(subject.rule, target.server, subject.declared)
        and entry_fits(entry, target.server, target.tool.name, subject.declared)
    ]
    if not every:
        return None
    shown = [describing.tool(target) for target in every[:MOST_TOOLS]]
    more = [f"and {len(every) - MOST_TOOLS} more"] if len(every) > MOST_TOOLS else []
    return Hover("\n\n---\n\n".join([*shown, *more]), node.start, node.end)
