"""`matches`: regular expressions by RE2, in time linear in the text whatever the pattern.

Python's own `re` is not used: it backtracks, its `$` matches before a last line break, its `\\d` matches the digits of
other scripts. A literal pattern is compiled with its condition; one that is not is short, and compiling it is charged.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from mcp_guard.cel.budget import Budget
from mcp_guard.cel.errors import EvaluationError
from mcp_guard.cel.limits import PATTERN_LENGTH, REGEX_UNIT
from mcp_guard.cel.values import Value, refusal

COST_OF_COMPILING = 1_000
MEMORY = 1 << 20
"""Bytes that a pattern which is no literal may take."""

Search = Callable[[bytes], object]


class BadPatternError(Exception):
    """Not a regular expression that RE2 reads. The text is RE2's, and may quote the pattern."""


def compile_pattern(pattern: str, memory: int | None = None) -> Search:
    """The search for a pattern in UTF-8. Raises `BadPatternError`."""
    re2: Any = import_module("re2")  # it has no types
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    if memory:
        options.max_mem = memory
    try:
        return re2.compile(pattern.encode(), options).search
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        raise BadPatternError(reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)) from None


def utf8(text: str, budget: Budget) -> bytes:
    """The text as RE2 reads it, paid for."""
    budget.spend_characters(len(text), REGEX_UNIT)
    try:
        return text.encode()
    except UnicodeEncodeError:
        pass
    raise EvaluationError("the string holds half a surrogate pair")


def matches(budget: Budget, text: Value, pattern: Value) -> Value:
    """`text.matches(pattern)` with a pattern that is no literal."""
    if type(text) is not str or type(pattern) is not str:
        raise refusal("matches", text, pattern)
    if len(pattern) > PATTERN_LENGTH:
        raise EvaluationError(f"a computed pattern has at most {PATTERN_LENGTH} characters")
    budget.spend(COST_OF_COMPILING)
    try:
        search = compile_pattern(pattern, MEMORY)
    except (BadPatternError, UnicodeEncodeError):
        search = None
    if search is None:
        raise EvaluationError("the computed pattern is no regular expression")
    return search(utf8(text, budget)) is not None
