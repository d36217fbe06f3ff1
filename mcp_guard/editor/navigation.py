"""Where to go from a place: to the rule that decides first, or to the rule that a test names."""

from mcp_guard.editor.draft import Draft
from mcp_guard.policy.diagnostics import Place
from mcp_guard.policy.tree import Scalar


def definitions(draft: Draft, offset: int) -> list[Place]:
    """The places that the cursor's place leads to, in this file."""
    named = _named_rule(draft, offset)
    if named is not None:
        return [named]
    line = draft.text.count("\n", 0, offset) + 1
    subject = draft.subject_at(line)
    if subject is None:
        return []
    first = draft.first_line(subject)
    found = [one for one in draft.findings if one.related and first <= one.place.line]
    own = [one for one in found if draft.subject_at(one.place.line) is subject]
    here = [one for one in own if one.place.line == line] or own
    return list(dict.fromkeys(place for one in here for place in one.related))


def _named_rule(draft: Draft, offset: int) -> Place | None:
    """The rule that the `rule` of a test names, where the cursor is on it."""
    found = draft.path_at(offset)
    path, node = found or ((), None)
    if not isinstance(node, Scalar) or path[:1] != ("tests",) or path[-1:] != ("rule",):
        return None
    return next((one.rule.place for one in draft.subjects if one.rule.id == node.value), None)
