"""Patterns: `*` is any run of characters, all else is itself, with its case."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.policy.globs import Glob

CASES = [
    ("get_issue", "get_issue", True),
    ("get_issue", "get_issues", False),
    ("get_*", "get_issue", True),
    ("get_*", "get_", True),
    ("get_*", "forget_issue", False),
    ("*_issue", "get_issue", True),
    ("*_issue", "get_issue_2", False),
    ("*issue*", "reissued", True),
    ("*", "", True),
    ("*", "anything\nat all", True),
    ("a*a", "a", False),
    ("a*a", "aa", True),
    ("*ab*ab*", "abab", True),
    ("*ab*ab*", "aab", False),
    ("Get_*", "get_issue", False),
    ("get.issue", "getXissue", False),
    ("get_?", "get_a", False),
    ("get_[ab]", "get_a", False),
]


@pytest.mark.parametrize(("pattern", "name", "fits"), CASES)
def test_a_name_fits_a_pattern(pattern: str, name: str, fits: bool) -> None:
    assert Glob.of(pattern).matches(name) is fits


@given(st.text("ab*", max_size=8), st.text("ab", max_size=10))
def test_patterns_mean_the_same_as_regular_expressions(pattern: str, name: str) -> None:
    meant = ".*".join(re.escape(piece) for piece in pattern.split("*"))
    assert Glob.of(pattern).matches(name) is (re.fullmatch(meant, name, re.DOTALL) is not None)


def test_a_hostile_name_does_not_make_matching_slow() -> None:
    glob = Glob.of("*a" * 50 + "*b")
    before = time.thread_time()
    assert not glob.matches("a" * 1_000_000)
    assert time.thread_time() - before < 5
