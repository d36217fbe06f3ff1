"""A policy file while it is being written: what can be made of it, however much is wrong with it at this moment.

Rules that do not compile still have a scope, and a file that cannot be read at all still has what was last read of it.
"""

import re
from collections.abc import Sequence
from functools import cached_property
from math import inf

from mcp_guard.policy import assembly, declaring
from mcp_guard.policy.catalog import Catalog
from mcp_guard.policy.diagnostics import Diagnostic, PolicyError, Source
from mcp_guard.policy.document import PolicyDocument
from mcp_guard.policy.lints import examine
from mcp_guard.policy.lints.reach import Reach
from mcp_guard.policy.lints.subjects import Subject, subjects
from mcp_guard.policy.reading import read
from mcp_guard.policy.report import Report
from mcp_guard.policy.shapes import check
from mcp_guard.policy.tree import Fields, Items, Node, Scalar, Tree, UnreadableError

CONDITION = re.compile(r"^(\s*(?:-\s+)?)when:[ \t]+(?![|>]).*$", re.MULTILINE)
LOOKS_LIKE_POLICY = re.compile(r"^(rules|\s*\"rules\")\s*:", re.MULTILINE)


class Draft:
    """One state of a file's text. `before` is the one that it came from: what cannot be read now is looked up there."""

    def __init__(self, path: str, text: str, catalog: Catalog | None, before: "Draft | None" = None) -> None:
        self.path = path
        self.text = text
        self.catalog = catalog
        self._tree_before = before.tree if before is not None else None

    @property
    def is_policy(self) -> bool:
        """Whether this is a policy at all, and not some other YAML or JSON file."""
        return LOOKS_LIKE_POLICY.search(self.text) is not None

    @cached_property
    def findings(self) -> tuple[Diagnostic, ...]:
        """All that is wrong with it, or probably not meant; nothing where it is no policy."""
        if not self.is_policy:
            return ()
        try:
            return examine([_source(self.path, self.text)], self.catalog).findings
        except PolicyError as error:
            return error.diagnostics

    @cached_property
    def tree(self) -> Tree | None:
        """The file as a tree; where it cannot be read, without its conditions of one line, else as it last could be."""
        if self._own_tree is not None:
            return self._own_tree
        return _read(self.path, CONDITION.sub(r"\1when: 'true'", self.text)) or self._tree_before

    @cached_property
    def _own_tree(self) -> Tree | None:
        """The file as a tree, in which offsets are those of the text."""
        return _read(self.path, self.text)

    @cached_property
    def subjects(self) -> Sequence[Subject]:
        """The rules that can be made out, with the tools that come to them: drafts too, which are being written."""
        if self.tree is None:
            return ()
        report = Report()
        files = [check(self.tree, PolicyDocument, report)]
        declared = declaring.declarations(files, report)
        entries = assembly.entries(files)
        rules = assembly.rules(entries, report)
        reach = Reach(self.catalog or Catalog(), declared)
        return subjects(list(zip(entries, rules, strict=True)), declared, reach, inactive=True)

    def subject_at(self, line: int) -> Subject | None:
        """The rule in which a line (from 1) stands, or that ends above it."""
        if self.tree is None or line >= _line_after_rules(self.tree):
            return None
        above = [subject for subject in self.subjects if self.first_line(subject) <= line]
        return above[-1] if above else None

    def first_line(self, subject: Subject) -> int:
        """The line on which a rule begins."""
        return subject.entry.place().line

    def path_at(self, offset: int) -> tuple[tuple[str | int, ...], Node] | None:
        """The innermost value at an offset of the text, with its path. None where the file cannot be read just now."""
        if self._own_tree is None:
            return None
        path: tuple[str | int, ...] = ()
        node: Node = self._own_tree.root
        while True:
            step = _step(node, offset)
            if step is None:
                return path, node
            path, node = (*path, step[0]), step[1]


def _read(path: str, text: str) -> Tree | None:
    try:
        return read(_source(path, text))
    except UnreadableError:
        return None


def _source(path: str, text: str) -> Source:
    return Source(path, text.encode("utf-8", "surrogatepass"))


def _line_after_rules(tree: Tree) -> float:
    """The line on which the section after `rules` begins."""
    rules = tree.find(("rules",))
    later = (tree.place(key).line for key, _ in tree.root.pairs if key.start > rules.start)
    return min(later, default=inf)


def _step(node: Node, offset: int) -> tuple[str | int, Node] | None:
    """The child of a node in which an offset lies."""
    match node:
        case Fields():
            pairs = [(str(key.value), child) for key, child in node.pairs]
            return next(((name, child) for name, child in pairs if _holds(child, offset)), None)
        case Items():
            return next(((at, child) for at, child in enumerate(node.nodes) if _holds(child, offset)), None)
        case Scalar():
            return None


def _holds(node: Node, offset: int) -> bool:
    return node.start <= offset <= node.end if isinstance(node, Scalar) else node.start <= offset < node.end
