"""A place in a condition is found in the file, however the condition is written down."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.policy.diagnostics import Source
from mcp_guard.policy.reading import read
from mcp_guard.policy.spans import offset_of
from mcp_guard.policy.tree import Scalar

WAYS = [
    ("plain", "when: one TARGET two"),
    ("plain over lines", "when: one\n  two\n\n  TARGET two"),
    ("single quotes", "when: 'it''s one ''a'' TARGET'"),
    ("single quotes over lines", "when: 'one\n   two\n\n   ''x'' TARGET'"),
    ("double quotes", 'when: "one \\"a\\" \\u0041\\x41 \\\\ \\n TARGET"'),
    ("double quotes over lines", 'when: "one\n   two \\\n   three TARGET"'),
    ("a literal block", "when: |\n  one\n    two\n\n  TARGET"),
    ("a literal block with a comment", "when: |-  # why\n  one\n  TARGET"),
    ("a literal block with its own indentation", "when: |2\n    one\n  TARGET"),
    ("a folded block", "when: >\n  one\n  two\n\n  three\n    more\n  TARGET"),
    ("Windows line ends", "when: |\r\n  one\r\n  TARGET\r\n"),
    ("characters beyond ASCII", "when: |\n  grüße 😀 == 'é'\n  TARGET"),
    ("JSON", '{"when": "one \\"a\\" \\u0041 \\ud83d\\ude00 \\n TARGET"}'),
]


@pytest.mark.parametrize("text", [way[1] for way in WAYS], ids=[way[0] for way in WAYS])
def test_a_word_is_found_where_it_is_written(text: str) -> None:
    tree = read(Source("a.json" if text.startswith("{") else "a.yaml", text.encode()))
    scalar = tree.find(("when",))
    assert isinstance(scalar, Scalar)
    value = str(scalar.value)
    before = value[: value.index("TARGET")]
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    assert offset_of(tree.text, scalar, line, column) == text.index("TARGET")


@given(st.text("ab '\"\\\n\t|>:#-", max_size=40), st.integers(0, 5), st.integers(0, 50))
def test_any_place_is_within_the_scalar(written: str, line: int, column: int) -> None:
    import json

    text = f"when: {json.dumps(written)}\nnext: 1\n"
    tree = read(Source("a.yaml", text.encode()))
    scalar = tree.find(("when",))
    assert isinstance(scalar, Scalar)
    assert scalar.start <= offset_of(tree.text, scalar, line, column) < scalar.end
