"""The two ways in which this language fails, and what makes them; nothing else may leave the package.

The invariant: no text of an error ever holds a value that a caller passed in (it may be a secret). Field names that
stand in the source, types, and sizes are all that an error may tell.
"""


class CompileError(Exception):
    """A source that is no valid condition: `message`, where (`line` and `column`, both from 1), and a `hint` or ""."""

    def __init__(self, message: str, line: int, column: int, hint: str = "") -> None:
        super().__init__(message, line, column, hint)
        self.message = message
        self.line = line
        self.column = column
        self.hint = hint

    def __str__(self) -> str:
        hint = f"; {self.hint}" if self.hint else ""
        return f"{self.message}{hint} (line {self.line}, column {self.column})"


class EvaluationError(Exception):
    """A condition that has no answer for these values: a missing field, a wrong type, an overflow, too much work."""


class BudgetExceededError(EvaluationError):
    """The work allowed for one decision is used up. What comes after it in the same decision fails in the same way."""


class UnknownValueError(EvaluationError):
    """The answer hangs on a value that is not known yet. It is absorbed wherever an error is, and outranks one."""


def compile_error(source: str, at: int, message: str, hint: str = "") -> CompileError:
    """The error for what stands at offset `at` of the source."""
    line_start = source.rfind("\n", 0, at) + 1
    return CompileError(message, source.count("\n", 0, at) + 1, at - line_start + 1, hint)
