"""A second opinion on conditions, from engines that share no code with ours: what `--cross-check` asks.

Never on the way of a call: these engines can be made to hang or crash by arguments, so they see only what a policy's
author wrote. cel-python is the parser to compare with. The evaluator is Google's C++ engine (cel-expr-python) where it
is installed, else cel-python, which follows the language less closely.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Literal, Protocol, cast

import msgspec

from mcp_guard import cel
from mcp_guard.policy.diagnostics import Diagnostic
from mcp_guard.policy.inline_tests import TestResult
from mcp_guard.policy.policy import Policy
from mcp_guard.policy.rules import Rule
from mcp_guard.policy.values import Call, Json

Answer = Literal["true", "false", "error", "unsupported"]
Facts = Mapping[str, Json]


class Engine(Protocol):
    """Another implementation of CEL."""

    name: str
    is_exact_on_errors: bool

    def answer(self, source: str, facts: Facts) -> Answer:
        """What a condition comes to; `unsupported` where the engine does not know a function or macro in it."""
        ...


def cross_check_syntax(policy: Policy) -> tuple[Diagnostic, ...]:
    """A warning for each condition that cel-python's parser refuses, though ours took it."""
    parses = CelPython().parses
    return tuple(
        Diagnostic("warning", "cross-check", f"`{rule.id}`: cel-python cannot parse this condition", rule.place)
        for rule in policy.rules
        if rule.condition is not None and not parses(rule.condition.source)
    )


def cross_checked(results: Sequence[TestResult], policy: Policy) -> list[TestResult]:
    """The results, with a failure added for each condition on which the second engine disagrees."""
    engine = second_engine()
    return [_cross_checked(result, policy, engine) for result in results]


def second_engine() -> Engine:
    """The best engine that is installed."""
    try:
        return CelExpr()
    except ImportError:
        return CelPython()


def _cross_checked(result: TestResult, policy: Policy, engine: Engine) -> TestResult:
    found = (*result.failures, *disagreements(result.test.call, policy, engine))
    return msgspec.structs.replace(result, failures=found)


def disagreements(call: Call, policy: Policy, engine: Engine) -> Iterator[str]:
    """A sentence for each condition in scope of a call that comes to something else in the other engine."""
    in_scope, facts = policy.in_scope(call)
    for rule in in_scope:
        if rule.condition is None:
            continue
        ours, theirs = _our_answer(rule, facts), engine.answer(rule.condition.source, facts)
        if "error" in (ours, theirs) and not engine.is_exact_on_errors:
            continue
        if theirs not in (ours, "unsupported"):
            yield f'rule "{rule.id}": the condition comes to {ours} here, and to {theirs} in {engine.name}'


def _our_answer(rule: Rule, facts: Facts) -> Answer:
    assert rule.condition is not None
    try:
        return _answer(rule.condition.evaluate(facts))
    except cel.EvaluationError:
        return "error"


def _answer(value: object) -> Answer:
    if value is True:
        return "true"
    return "false" if value is False else "error"


class _Compiled(Protocol):
    def eval(self, *, data: Facts) -> "_Value": ...


class _Value(Protocol):
    def value(self) -> object: ...


class CelExpr:
    """Google's C++ engine. Raises ImportError where it is not installed."""

    name = "cel-expr-python"
    is_exact_on_errors = True

    def __init__(self) -> None:
        module = import_module("cel_expr_python.cel")
        extensions = [
            import_module(f"cel_expr_python.ext.ext_{part}").__dict__[f"Ext{part.title()}"]()
            for part in ("strings", "optional", "bindings")
        ]
        variables = dict.fromkeys(("agent", "user", "mcp", "request"), module.Type.DYN)
        self._compile = cast(
            Callable[[str], _Compiled], module.NewEnv(variables=variables, extensions=extensions).compile
        )

    def answer(self, source: str, facts: Facts) -> Answer:
        """What a condition comes to."""
        try:
            compiled = self._compile(source)
        except RuntimeError:
            return "unsupported"
        return _answer(compiled.eval(data=facts).value())


class CelPython:
    """cel-python, all Python. It gives values where the language has errors (`in` and macros over texts) and errors
    where the language has values (comparisons of unlike types), so only its true and false are compared.
    """

    name = "cel-python"
    is_exact_on_errors = False

    def __init__(self) -> None:
        self._celpy = import_module("celpy")
        self._to_cel = cast(Callable[[object], object], import_module("celpy.adapter").json_to_cel)
        self._environment = self._celpy.Environment()

    def parses(self, source: str) -> bool:
        """Whether it takes the condition for CEL."""
        try:
            self._environment.compile(source)
        except self._celpy.CELParseError:
            return False
        return True

    def answer(self, source: str, facts: Facts) -> Answer:
        """What a condition comes to. What fails for want of a function is not held against the condition."""
        if not self.parses(source):
            return "unsupported"
        program = self._environment.program(self._environment.compile(source))
        try:
            value = cast(object, program.evaluate({name: self._to_cel(value) for name, value in facts.items()}))
        except self._celpy.CELEvalError as error:
            return "unsupported" if "undeclared reference" in str(error) else "error"
        except Exception:  # it breaks on values that the language has errors for: no opinion then
            return "unsupported"
        return _answer(bool(value)) if type(value).__name__ in ("BoolType", "bool") else "error"
