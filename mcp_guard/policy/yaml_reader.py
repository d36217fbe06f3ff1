"""YAML text to a tree, one event of the parser at a time, so that nothing recurses and nothing grows unseen.

Read as YAML 1.2: `yes`, `no`, `on` and `off` are text, `010` is ten. Left out on purpose, each with an error that says
so: tags, merge keys, several documents, keys that are not text, the same key twice.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from mcp_guard.policy.tree import MAX_DEPTH, MAX_NODES, Fields, Items, Node, Scalar, Style, Text, Tree, has_surrogate

if TYPE_CHECKING:
    from yaml.error import MarkedYAMLError
    from yaml.events import AliasEvent, Event, NodeEvent, ScalarEvent

LONGEST_NUMBER = 400
STYLES: dict[str, Style] = {"'": "single", '"': "double", "|": "literal", ">": "folded"}
WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
INTEGER = re.compile(r"[-+]?[0-9]+\Z|0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
HINTS = {
    "\t": "indent with spaces: YAML has no tabs there",
    "*": "quote it: an unquoted `*` begins an alias",
    "&": "quote it: an unquoted `&` begins an anchor",
    "!": "quote it, or put it on its own line after `|`: an unquoted `!` begins a tag",
    "%": "quote it: an unquoted `%` begins a directive",
    "@": "quote it: YAML keeps an unquoted `@` for itself",
    "`": "quote it: YAML keeps an unquoted backtick for itself",
}
COLON_HINT = "quote a text that has `: ` in it"
CONDITION_HINT = "put a condition with quotes, `: ` or ` #` in it on its own line after `when: |`"


class _Open(msgspec.Struct):
    """A list or mapping whose end is not read yet. `size` and `height` are those of what it holds so far."""

    anchor: str | None
    start: int
    is_mapping: bool
    children: list[Node] = []
    keys: set[str] = set()
    size: int = 1
    height: int = 0


class _Anchored(msgspec.Struct, frozen=True):
    node: Node
    size: int
    height: int


def read_yaml(text: Text) -> Tree:
    """The tree of a YAML file. Raises `UnreadableError` for anything that is not one mapping in plain YAML."""
    composer = _Composer(text)
    for event in _events(text):
        composer.take(event)
    if composer.root is None:
        raise text.unreadable("empty-file", "the file holds no policy", 0, "begin with `version: 1` and `rules:`")
    if not isinstance(composer.root, Fields):
        raise text.unreadable("wrong-type", "a policy is a mapping: `version: 1`, `rules: …`", composer.root.start)
    return Tree(text, composer.root)


def _events(text: Text) -> "Iterator[Event]":
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        yield from yaml.parse(text.characters, Loader=loader)
    except yaml.MarkedYAMLError as error:
        offset = _index(error.problem_mark)
        raise text.unreadable("syntax", f"not YAML: {_problem(error)}", offset, _hint(text, offset)) from None
    except yaml.YAMLError as error:
        offset = getattr(error, "position", 0)
        raise text.unreadable("syntax", "not YAML: a character that no text file holds", offset) from None


def _problem(error: "MarkedYAMLError") -> str:
    return ", ".join(part for part in (error.problem, error.context) if part)


def _hint(text: Text, offset: int) -> str:
    """What to do about the character that the parser stopped at, or just behind."""
    before, found = text.characters[max(0, offset - 1) : offset], text.characters[offset : offset + 1]
    if hint := HINTS.get(found) or HINTS.get(before):
        return hint
    is_condition = "when" in text.place(offset).source_line
    return CONDITION_HINT if is_condition else COLON_HINT if found == ":" else ""


class _Composer:
    """Builds the tree from events. `stack` holds what is open, outermost first."""

    def __init__(self, text: Text) -> None:
        self.text = text
        self.root: Node | None = None
        self.stack: list[_Open] = []
        self.anchors: dict[str, _Anchored] = {}
        self.nodes = 0

    def take(self, event: "Event") -> None:
        import yaml

        match event:
            case yaml.ScalarEvent():
                self._place(_scalar(self.text, event), event.anchor, 1, 0)
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._open(event, is_mapping=isinstance(event, yaml.MappingStartEvent))
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._close(_index(event.end_mark))
            case yaml.DocumentStartEvent() if self.root is not None:
                hint = "give each policy its own file, and `--policy` several times"
                raise self.text.unreadable("several-documents", "a second document begins here", _at(event), hint)
            case _:
                pass

    def _open(self, event: "NodeEvent", *, is_mapping: bool) -> None:
        _refuse_tag(self.text, event)
        if len(self.stack) >= MAX_DEPTH:
            raise self.text.unreadable("too-deep", f"nested deeper than {MAX_DEPTH} levels", _at(event))
        self.stack.append(_Open(event.anchor, _at(event), is_mapping))

    def _close(self, end: int) -> None:
        done = self.stack.pop()
        children = done.children
        if done.is_mapping:
            keys = (child for child in children[::2] if isinstance(child, Scalar))
            node = Fields.of(zip(keys, children[1::2], strict=True), done.start, end)
        else:
            node = Items(tuple(children), done.start, end)
        self._place(node, done.anchor, done.size, done.height + 1)

    def _alias(self, event: "AliasEvent") -> None:
        target = self.anchors.get(event.anchor or "")
        if target is None:
            raise self.text.unreadable(
                "unknown-anchor", f"no `&{event.anchor}` before this alias", _at(event), HINTS["*"]
            )
        if len(self.stack) + target.height > MAX_DEPTH:
            raise self.text.unreadable("too-deep", f"nested deeper than {MAX_DEPTH} levels", _at(event))
        self._place(target.node, None, target.size, target.height)

    def _place(self, node: Node, anchor: str | None, size: int, height: int) -> None:
        """Put a finished node where it belongs: into the innermost open one, or at the root."""
        if not self.stack:
            self.root = node
            return
        parent = self.stack[-1]
        if parent.is_mapping and len(parent.children) % 2 == 0:
            self._check_key(parent, node)
        parent.children.append(node)
        parent.size += size
        parent.height = max(parent.height, height)
        if parent.size > MAX_NODES:
            raise self.text.unreadable("too-large", f"more than {MAX_NODES} values, aliases counted", node.start)
        if anchor is not None:
            self.anchors[anchor] = _Anchored(node, size, height)

    def _check_key(self, parent: _Open, key: Node) -> None:
        if not isinstance(key, Scalar) or not isinstance(key.value, str):
            raise self.text.unreadable("key-not-text", "a key must be text", key.start, "quote it")
        if key.value == "<<" and key.style == "plain":
            raise self.text.unreadable("merge-key", "merge keys are not read here", key.start, "write the fields out")
        if key.value in parent.keys:
            raise self.text.unreadable("duplicate-key", f"`{key.value}` is given twice", key.start, "keep one of them")
        parent.keys.add(key.value)


def _at(event: "Event") -> int:
    return _index(event.start_mark)


def _index(mark: object) -> int:
    return getattr(mark, "index", 0)


def _refuse_tag(text: Text, event: "NodeEvent") -> None:
    tag = getattr(event, "tag", None)
    if tag is not None:
        raise text.unreadable("tag", f"tags are not read here: `{tag}`", _at(event), HINTS["!"])


def _scalar(text: Text, event: "ScalarEvent") -> Scalar:
    _refuse_tag(text, event)
    start, end = _at(event), _index(event.end_mark)
    style = STYLES.get(event.style or "", "plain")
    if has_surrogate(event.value):
        raise text.unreadable("syntax", "half of a surrogate pair is no character", start)
    value = _plain_value(text, event.value, start) if style == "plain" else event.value
    return Scalar(value, start, end, style)


def _plain_value(text: Text, written: str, start: int) -> bool | int | float | str | None:
    """What an unquoted scalar stands for in YAML 1.2; text where it is nothing else."""
    if written in WORDS:
        return WORDS[written]
    is_integer = INTEGER.match(written)
    if not is_integer and not FLOAT.match(written):
        return written
    if len(written) > LONGEST_NUMBER:
        raise text.unreadable("bad-number", f"a number of more than {LONGEST_NUMBER} digits", start, "quote it")
    if is_integer:
        return int(written, 0) if written[:2] in ("0o", "0x") else int(written)
    value = float(written)
    if value in (float("inf"), float("-inf")):
        raise text.unreadable("bad-number", "a number beyond every double", start, "quote it")
    return value
