"""A compiled condition: what a caller holds, and the gate through which every failure leaves.

The invariant: nothing but `CompileError` leaves `compile`, nothing but `EvaluationError` leaves an evaluation, whatever
the source and the values are; and neither holds on to the values.
"""

from collections.abc import Mapping

from mcp_guard.cel.budget import Budget
from mcp_guard.cel.closures.reads import PartialNames
from mcp_guard.cel.closures.scope import Frame
from mcp_guard.cel.errors import CompileError, EvaluationError, UnknownValueError, compile_error
from mcp_guard.cel.evaluator import evaluator
from mcp_guard.cel.parser import parse
from mcp_guard.cel.paths import Path, paths
from mcp_guard.cel.presence import where_present
from mcp_guard.cel.syntax import Node
from mcp_guard.cel.types import Type
from mcp_guard.cel.values import UNKNOWN, Unknown, Value, refusal

UNFORESEEN = "the condition cannot be evaluated on these values ({})"
"""What the evaluator did not expect: values that are no plain data, or no more memory or stack."""

NOT_A_BOOLEAN = "the condition gave something else than true or false"

Truth = bool | str
"""Whether a condition holds, or the text of why that could not be told."""


class Program:
    """An expression, ready to be evaluated any number of times. `compile` makes it of a source."""

    __slots__ = ("_paths", "_run", "_slots", "_tree", "_where_present", "source")

    def __init__(self, source: str, tree: Node) -> None:
        """Raises `CompileError` for what is no valid expression though its syntax is."""
        self.source = source
        self._tree = tree
        self._run, size = evaluator(source, tree)
        self._slots: Frame = [None] * (size - 1)  # of a frame, behind its budget
        self._paths: tuple[Path, ...] | None = None
        self._where_present: dict[str, Program] = {}

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
        frame = [Budget() if budget is None else budget, *self._slots]
        try:
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

    def holds(self, activation: Mapping[str, Value], budget: Budget) -> Truth:
        """Whether the expression holds, as a condition: what is neither true nor false counts as a failure, and a
        failure is told, not raised. For the path of a call; `budget` as for `evaluate`.
        """
        try:
            value = self._run(activation, [budget, *self._slots])
            if value is False or value is True:
                return value
            return NOT_A_BOOLEAN if value is not UNKNOWN else str(refusal("", value))
        except EvaluationError as error:
            return str(error)
        except Exception as error:
            return UNFORESEEN.format(type(error).__name__)

    def where_present(self, path: str) -> "Program":
        """The same condition for variables that have a field at this path (`request.args.branch`), which is not asked
        for again then.
        """
        known = self._where_present.get(path)
        if known is None:
            tree = where_present(self._tree, path)
            known = self if tree is self._tree else Program(self.source, tree)
            self._where_present[path] = known
        return known

    def partial(self, activation: Mapping[str, Value], budget: Budget | None = None) -> "bool | Unknown":
        """The condition as far as it can be told: True or False whatever the unknown values are, else `UNKNOWN`.

        Unknown is what stands in the activation as `UNKNOWN`, and every variable that it lacks. Raises
        `EvaluationError` where the condition fails whatever the unknown values are, or is no condition.
        """
        allowance = Budget() if budget is None else budget
        frame = [allowance, *self._slots]
        try:
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
        return Program(source, tree)
    except CompileError:
        raise
    except Exception as error:
        raise compile_error(source, 0, f"the expression cannot be compiled ({type(error).__name__})") from None
