"""Closures for the macros: loops over lists and maps, `cel.bind`, `optMap`.

Every turn of a loop is charged before it runs, by the number of parts of its body; a turn that fails costs more, since
a failure does. So the time of a condition is bounded whatever the arguments are, and nested loops draw on one budget.
"""

from collections.abc import Callable, Iterable

from mcp_guard.cel.closures.containers import known, put
from mcp_guard.cel.closures.logic import Doubt, graver, no_bool, outcome
from mcp_guard.cel.closures.reads import Failed
from mcp_guard.cel.closures.scope import BUDGET, Frame, Names, Run, Scope
from mcp_guard.cel.errors import EvaluationError
from mcp_guard.cel.syntax import Bind, Loop, LoopKind, Node, OptionalMap, walk
from mcp_guard.cel.values import NONE, OptionalValue, Value, kind_of, refusal

COST_OF_FAILURE = 16

Rounds = Callable[[Names, Frame], Iterable[None]]
"""Goes over what a loop goes over: at each step the variables are set and the turn is paid for."""


def loop(node: Loop, scope: Scope) -> Run:
    """Any of the loops."""
    inner, slots = scope.inside(*node.variables)
    body = [part for part in (node.test, node.result) if part is not None]
    rounds = _rounds(node, scope.build(node.over), slots, 1 + sum(_weight(part) for part in body))
    test = inner.build(node.test) if node.test else None
    result = inner.build(node.result) if node.result else None
    first: Run = lambda names, frame: frame[slots[0]]  # noqa: E731
    return MAKERS[node.kind](rounds, test or _always, result or first, first)


def _weight(body: Node) -> int:
    return sum(1 for _ in walk(body))


def _always(names: Names, frame: Frame) -> bool:
    return True


def _rounds(node: Loop, over: Run, slots: list[int], cost: int) -> Rounds:
    first, last, macro = slots[0], slots[-1], node.kind

    def items(names: Names, frame: Frame) -> Iterable[None]:
        budget = frame[BUDGET]
        for item in _walkable(macro, over(names, frame)):
            budget.spend(cost)
            frame[first] = item
            yield

    def pairs(names: Names, frame: Frame) -> Iterable[None]:
        budget = frame[BUDGET]
        found = _walkable(macro, over(names, frame))
        for key, item in found.items() if kind_of(found) is dict else enumerate(found):
            budget.spend(cost)
            frame[first], frame[last] = key, item
            yield

    return items if len(slots) == 1 else pairs


def _walkable(macro: str, value: Value) -> Value:
    kind = kind_of(value)
    if kind is not list and kind is not dict:
        raise refusal(macro, value)
    return value


def _quantifier(settles: bool) -> Callable[[Rounds, Run, Run, Run], Run]:
    """`exists`, which a true turn settles, and `all`, which a false one does; with failures as in `||` and `&&`."""

    def make(rounds: Rounds, test: Run, result: Run, key: Run) -> Run:
        def run(names: Names, frame: Frame) -> Value:
            doubt: Doubt | None = None
            for _ in rounds(names, frame):
                try:
                    value = test(names, frame)
                except EvaluationError as error:
                    doubt = graver(doubt, error)
                    frame[BUDGET].spend(COST_OF_FAILURE)
                    continue
                if value is settles:
                    return settles
                if value is not True and value is not False:
                    doubt = graver(doubt, no_bool("&&", value))
            try:
                return not settles if doubt is None else outcome(doubt)
            finally:
                del doubt

        return run

    return make


def _holds(test: Run, names: Names, frame: Frame) -> bool:
    value = test(names, frame)
    if value is not True and value is not False:
        raise refusal("filter", value)
    return value


def _exactly_one(rounds: Rounds, test: Run, result: Run, key: Run) -> Run:
    """`exists_one` looks at every item, since an error at any of them is its error."""
    return lambda names, frame: sum(_holds(test, names, frame) for _ in rounds(names, frame)) == 1


def _list(rounds: Rounds, test: Run, result: Run, key: Run) -> Run:
    def run(names: Names, frame: Frame) -> Value:
        turns = rounds(names, frame)
        return [known(result(names, frame)) for _ in turns if _holds(test, names, frame)]

    return run


def _map(rounds: Rounds, test: Run, result: Run, key: Run) -> Run:
    def run(names: Names, frame: Frame) -> Value:
        found: dict[Value, Value] = {}
        for _ in rounds(names, frame):
            if _holds(test, names, frame):
                put(found, key(names, frame), result(names, frame))
        return found

    return run


def _entries(rounds: Rounds, test: Run, result: Run, key: Run) -> Run:
    """`transformMapEntry`: the result of each turn is a map, and all of them together are the result."""

    def run(names: Names, frame: Frame) -> Value:
        found: dict[Value, Value] = {}
        for _ in rounds(names, frame):
            if _holds(test, names, frame):
                entries = result(names, frame)
                kind = kind_of(entries)
                if kind is not dict:
                    raise refusal("transformMapEntry", entries)
                frame[BUDGET].spend(len(entries))
                for one, value in entries.items():
                    put(found, one, value)
        return found

    return run


MAKERS: dict[LoopKind, Callable[[Rounds, Run, Run, Run], Run]] = {
    "all": _quantifier(False),
    "exists": _quantifier(True),
    "exists_one": _exactly_one,
    "map": _list,
    "filter": _list,
    "transform_list": _list,
    "transform_map": _map,
    "transform_entries": _entries,
}


def bind(node: Bind, scope: Scope) -> Run:
    """`cel.bind`: the value is computed once; where that fails, it fails where it is used."""
    value = scope.build(node.value)
    inner, (slot,) = scope.inside(node.variable, deferred=True)
    body = inner.build(node.body)

    def run(names: Names, frame: Frame) -> Value:
        try:
            frame[slot] = value(names, frame)
        except EvaluationError as error:
            frame[slot] = Failed(error.with_traceback(None))
        return body(names, frame)

    return run


def optional_map(node: OptionalMap, scope: Scope) -> Run:
    """`optMap` and `optFlatMap`: the body for the value of an optional, where it has one."""
    target = scope.build(node.target)
    inner, (slot,) = scope.inside(node.variable)
    body, flat = inner.build(node.body), node.flat

    def run(names: Names, frame: Frame) -> Value:
        found = target(names, frame)
        if type(found) is not OptionalValue:
            raise refusal("optMap", found)
        if not found.present:
            return NONE
        frame[slot] = found.value
        result = known(body(names, frame))
        if not flat:
            return OptionalValue(result)
        if type(result) is not OptionalValue:
            raise refusal("optFlatMap", result)
        return result

    return run
