"""A second opinion on conditions, from engines that share no code with ours: what `--cross-check` asks.

Never on the way of a call: these engines can be made to hang or crash by arguments, so they see only what a policy's
author wrote. Parses are compared with cel-python's. Values are compared with Google's C++ engine (cel-expr-python)
where it is installed, else with cel-python, where that follows the language.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Literal, Protocol, cast

import msgspec

from mcp_guard import cel
from mcp_guard.cel import second_opinion
from mcp_guard.policy.diagnostics import Diagnostic
from mcp_guard.policy.inline_tests import TestResult
from mcp_guard.policy.policy import Policy
from mcp_guard.policy.rules import Rule
from mcp_guard.policy.values import Call, Json

Opinion = Literal["true", "false", "an error", "nothing"]
Facts = Mapping[str, Json]

OPTIONAL_SYNTAX = (".?", "[?", "{?")
"""What cel-python's parser does not know."""


class Engine(Protocol):
    """Another implementation of CEL."""

    name: str

    def opinion(self, source: str, facts: Facts) -> Opinion:
        """What a condition comes to; `nothing` where the engine has no answer to compare."""
        ...


def cross_check_syntax(policy: Policy) -> tuple[Diagnostic, ...]:
    """A warning for each condition that cel-python reads in another way than we do."""
    return tuple(
        Diagnostic("warning", "cross-check", f"`{rule.id}`: {difference}", rule.place)
        for rule in policy.rules
        if rule.condition is not None and (difference := _syntax_difference(rule.condition.source))
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


def disagreements(call: Call, policy: Policy, engine: Engine) -> Iterator[str]:
    """A sentence for each condition in scope of a call that comes to something else in the other engine."""
    in_scope, facts = policy.in_scope(call)
    for rule in in_scope:
        if rule.condition is None:
            continue
        ours, theirs = _our_opinion(rule, facts), engine.opinion(rule.condition.source, facts)
        if theirs not in (ours, "nothing"):
            yield f'rule "{rule.id}": the condition comes to {ours} here, and to {theirs} in {engine.name}'


def _syntax_difference(source: str) -> str | None:
    if any(mark in source for mark in OPTIONAL_SYNTAX):
        return None
    return second_opinion.difference(source)


def _cross_checked(result: TestResult, policy: Policy, engine: Engine) -> TestResult:
    found = (*result.failures, *disagreements(result.test.call, policy, engine))
    return msgspec.structs.replace(result, failures=found)


def _our_opinion(rule: Rule, facts: Facts) -> Opinion:
    assert rule.condition is not None
    try:
        return _opinion(rule.condition.evaluate(facts))
    except cel.EvaluationError:
        return "an error"


def _opinion(value: object) -> Opinion:
    """A value in a word. What is no boolean is an error of a condition."""
    if value is True:
        return "true"
    return "false" if value is False else "an error"


class CelPython:
    """cel-python, all Python."""

    name = "cel-python"

    def opinion(self, source: str, facts: Facts) -> Opinion:
        """What a condition comes to."""
        answer = second_opinion.answer(source, facts)
        if not answer.comparable:
            return "nothing"
        return "an error" if answer.failed else _opinion(answer.value)


class _Compiled(Protocol):
    def eval(self, *, data: Facts) -> "_Value": ...


class _Value(Protocol):
    def value(self) -> object: ...


class CelExpr:
    """Google's C++ engine. Raises ImportError where it is not installed."""

    name = "cel-expr-python"

    def __init__(self) -> None:
        module = import_module("cel_expr_python.cel")
        extensions = [
            import_module(f"cel_expr_python.ext.ext_{part}").__dict__[f"Ext{part.title()}"]()
            for part in ("strings", "optional", "bindings")
        ]
        variables = dict.fromkeys(("agent", "user", "mcp", "request"), module.Type.DYN)
        environment = module.NewEnv(variables=variables, extensions=extensions)
        self._compile = cast(Callable[[str], _Compiled], environment.compile)

    def opinion(self, source: str, facts: Facts) -> Opinion:
        """What a condition comes to. It cuts texts at U+0000, and so has no opinion on them."""
        if "\\u0000" in msgspec.json.encode(facts).decode():
            return "nothing"
        try:
            compiled = self._compile(source)
        except RuntimeError:
            return "nothing"
        return _opinion(compiled.eval(data=facts).value())
