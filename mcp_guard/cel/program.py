"""A compiled condition: what a caller holds, and the gate through which every failure leaves.

The invariant: nothing but `CompileError` leaves `compile`, nothing but `EvaluationError` leaves an evaluation, whatever
the source and the values are; and neither holds on to the values.
"""

from collections.abc import Mapping

from mcp_guard.cel.budget import Budget
from mcp_guard.cel.closures.reads import PartialNames
from mcp_guard.cel.closures.scope import Frame, Run
from mcp_guard.cel.errors import CompileError, EvaluationError, UnknownValueError, compile_error
from mcp_guard.cel.evaluator import evaluator
from mcp_guard.cel.parser import parse
from mcp_guard.cel.paths import Path, paths
from mcp_guard.cel.syntax import Node
from mcp_guard.cel.types import Type
from mcp_guard.cel.values import UNKNOWN, Unknown, Value, refusal

UNFORESEEN = "the condition cannot be evaluated on these values ({})"
"""What the evaluator did not expect: values that are no plain data, or no more memory or stack."""


class Program:
    """An expression, ready to be evaluated any number of times. Made by `compile`."""

    __slots__ = ("_frame", "_paths", "_run", "_tree", "source")

    def __init__(self, source: str, tree: Node, run: Run, size: int) -> None:
        self.source = source
        self._tree = tree
        self._run = run
        self._frame: Frame = [None] * size
        self._paths: tuple[Path, ...] | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every path from a variable down that the expression reads, and whether a `has` guards it."""
        if self._paths is None:
            self._paths = paths(self._tree)
        return self._paths

    def evaluate(self, activation: Mapping[str, Value], budget: Budget | None = None) -> Value:
        """The value of the expression for these variables. Raises `EvaluationError`.

        Pass one `budget` to all the conditions of one decision, so that together they do no more work than one may.
        """
        frame = self._frame
        try:
            frame = frame.copy()
            frame[0] = Budget() if budget is None else budget
            value = self._run(activation, frame)
            if value is not UNKNOWN:
                return value
            failure = refusal("", value)
        except EvaluationError as error:
            failure = error
        except Exception as error:
            failure = EvaluationError(UNFORESEEN.format(type(error).__name__))
        try:
            raise _without_traces(failure)
        finally:
            del failure, frame  # A traceback holds this frame: without this, values would wait for the collector.

    def partial(self, activation: Mapping[str, Value], budget: Budget | None = None) -> "bool | Unknown":
        """The condition as far as it can be told: True or False whatever the unknown values are, else `UNKNOWN`.

        Unknown is what stands in the activation as `UNKNOWN`, and every variable that it lacks. Raises
        `EvaluationError` where the condition fails whatever the unknown values are, or is no condition.
        """
        frame = self._frame
        allowance = Budget() if budget is None else budget
        try:
            frame = frame.copy()
            frame[0] = allowance
            value = self._run(PartialNames(activation), frame)
            if value is True or value is False or value is UNKNOWN:
                return value
            failure = refusal("condition", value)
        except UnknownValueError:
            return UNKNOWN
        except EvaluationError as error:
            if allowance.exhausted:
                return UNKNOWN
            failure = error
        except Exception:  # unforeseen, and so no ground for telling anything
            return UNKNOWN
        try:
            raise _without_traces(failure)
        finally:
            del failure, frame

    def __repr__(self) -> str:
        return f"Program({self.source!r})"


def _without_traces(failure: EvaluationError) -> EvaluationError:
    """The failure without the frames and errors behind it, which hold the caller's values."""
    failure.__context__ = failure.__cause__ = None
    return failure.with_traceback(None)


def compile(source: str, *, variables: Mapping[str, Type] | None = None, expect_bool: bool = False) -> Program:
    """An expression as a program. Raises `CompileError` with the place of what is wrong.

    `variables` declares what the expression may read, and has it type-checked; None checks nothing but the syntax.
    `expect_bool` also refuses what cannot be a bool.
    """
    try:
        tree = parse(source)
        if variables is not None:
            from mcp_guard.cel.checker import check

            check(source, tree, variables, expect_bool)
        run, size = evaluator(source, tree)
        return Program(source, tree, run, size)
    except CompileError:
        raise
    except Exception as error:
        raise compile_error(source, 0, f"the expression cannot be compiled ({type(error).__name__})") from None
