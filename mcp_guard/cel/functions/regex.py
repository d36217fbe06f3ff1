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

MEMORY = 1 << 20
"""Bytes that a pattern which is no literal may take."""

COST_OF_COMPILING, COST_OF_INSTRUCTION = 1_000, 4
"""Steps for compiling a pattern that is no literal, and for each instruction that it comes to."""

INSTRUCTIONS = 64
"""So many instructions of a pattern make each character cost once more: at its worst RE2 tries all of them on each."""


class BadPatternError(Exception):
    """Not a regular expression that RE2 reads. The text is RE2's, and may quote the pattern."""


class Pattern:
    """A compiled pattern: how it is searched for in UTF-8, its instructions, and what a character costs by them."""

    __slots__ = ("instructions", "search", "weight")

    def __init__(self, search: Callable[[bytes], object], instructions: int) -> None:
        self.search = search
        self.instructions = instructions
        self.weight = 1 + instructions // INSTRUCTIONS

    def is_in(self, text: str, budget: Budget, unit: int = REGEX_UNIT) -> bool:
        """Whether some part of the text matches. Raises `EvaluationError` for a text that has no UTF-8."""
        budget.spend_characters(len(text) * self.weight, unit)
        try:
            return self.search(text.encode()) is not None
        except UnicodeEncodeError:
            pass
        raise EvaluationError("the string holds half a surrogate pair")


def compile_pattern(pattern: str, memory: int | None = None) -> Pattern:
    """The pattern of a source. Raises `BadPatternError`."""
    re2: Any = import_module("re2")  # it has no types
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    if memory:
        options.max_mem = memory
    try:
        compiled = re2.compile(pattern.encode(), options)
        return Pattern(compiled.search, compiled.programsize)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
    except UnicodeEncodeError:
        text = "it holds half a surrogate pair"
    raise BadPatternError(text)


def matches(budget: Budget, text: Value, pattern: Value) -> Value:
    """`text.matches(pattern)` with a pattern that is no literal: nothing of what it may cost is taken on trust."""
    if type(text) is not str or type(pattern) is not str:
        raise refusal("matches", text, pattern)
    if len(pattern) > PATTERN_LENGTH:
        raise EvaluationError(f"a computed pattern has at most {PATTERN_LENGTH} characters")
    budget.spend(COST_OF_COMPILING)
    try:
        compiled = compile_pattern(pattern, MEMORY)
    except BadPatternError:
        compiled = None
    if compiled is None:
        raise EvaluationError("the computed pattern is no regular expression")
    budget.spend(compiled.instructions * COST_OF_INSTRUCTION)
    return compiled.is_in(text, budget, 1)
