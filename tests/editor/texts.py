"""A policy with a cursor in it: `‸` marks the place."""

from mcp_guard.editor.draft import Draft
from tests.policy.lints.golden import CATALOG

CURSOR = "‸"


def draft(text: str, before: Draft | None = None) -> tuple[Draft, int]:
    """The draft of a text, and the offset of the cursor in it."""
    offset = text.index(CURSOR)
    return Draft("policy.yaml", text.replace(CURSOR, ""), CATALOG, before), offset
