"""Closures for comparisons, `in`, arithmetic and signs. The frequent cases have a closure of their own.

What is compared with a literal is tested for the literal's type first; whatever is not of it goes the general way of
`comparison`, which knows all types, unknowns and errors. So a short cut is never a second opinion.
"""

from mcp_guard.cel.arithmetic import compute, negative
from mcp_guard.cel.closures.logic import negation
from mcp_guard.cel.closures.scope import BUDGET, Frame, Names, Run, Scope
from mcp_guard.cel.comparison import ORDERINGS, contains, equal, ordered
from mcp_guard.cel.syntax import Binary, ListOf, Literal, Node, Unary
from mcp_guard.cel.values import UNKNOWN, Value, kind_of, refusal


def binary(node: Binary, scope: Scope) -> Run:
    """A comparison, `in`, or arithmetic."""
    operator = node.operator
    if operator in ("==", "!="):
        return _equality(node, scope, operator == "==")
    if operator == "in":
        return _membership(node, scope)
    left, right = scope.build(node.left), scope.build(node.right)
    if operator in ORDERINGS:
        if isinstance(node.right, Literal) and type(node.right.value) is int:
            return _ordering_of_int(operator, left, node.right.value)
        return _ordering(operator, left, right)
    return _arithmetic(operator, left, right)


def unary(node: Unary, scope: Scope) -> Run:
    """`!operand` or `-operand`."""
    operand = scope.build(node.operand)
    if node.operator == "!":
        return negation(operand)
    return lambda names, frame: negative(operand(names, frame))


def _equality(node: Binary, scope: Scope, wanted: bool) -> Run:
    for one, other in ((node.left, node.right), (node.right, node.left)):
        if isinstance(other, Literal):
            if type(other.value) is str:
                return _equals_text(scope.build(one), other.value, wanted)
            if type(other.value) is int or type(other.value) is bool:
                return _equals_constant(scope.build(one), other.value, wanted)
    left, right = scope.build(node.left), scope.build(node.right)

    def run(names: Names, frame: Frame) -> Value:
        return equal(left(names, frame), right(names, frame), frame[BUDGET]) is wanted

    return run


def _equals_text(operand: Run, text: str, wanted: bool) -> Run:
    if wanted:

        def run(names: Names, frame: Frame) -> Value:
            value = operand(names, frame)
            if type(value) is str:
                return value == text
            if value is UNKNOWN:
                return value
            return equal(value, text, frame[BUDGET])
    else:

        def run(names: Names, frame: Frame) -> Value:
            value = operand(names, frame)
            if type(value) is str:
                return value != text
            if value is UNKNOWN:
                return value
            return not equal(value, text, frame[BUDGET])

    return run


def _equals_constant(operand: Run, constant: int, wanted: bool) -> Run:
    kind = kind_of(constant)

    def run(names: Names, frame: Frame) -> Value:
        value = operand(names, frame)
        if type(value) is kind:
            return (value == constant) is wanted
        if value is UNKNOWN:
            return value
        return equal(value, constant, frame[BUDGET]) is wanted

    return run


def _membership(node: Binary, scope: Scope) -> Run:
    if isinstance(node.right, ListOf) and not node.right.optional:
        texts = _texts(node.right.items)
        if texts is not None:
            return _one_of_texts(scope.build(node.left), texts)
    container = scope.build(node.right)
    if isinstance(node.left, Literal) and type(node.left.value) is str:
        return _text_within(node.left.value, container)
    wanted = scope.build(node.left)

    def run(names: Names, frame: Frame) -> Value:
        value = wanted(names, frame)
        return contains(container(names, frame), value, frame[BUDGET])

    return run


def _texts(items: tuple[Node, ...]) -> list[str] | None:
    """The strings of a list literal that holds nothing else."""
    texts = [item.value for item in items if isinstance(item, Literal) and type(item.value) is str]
    return texts if len(texts) == len(items) else None


def _one_of_texts(operand: Run, texts: list[str]) -> Run:
    known = frozenset(texts)
    longest = max(map(len, texts), default=0)

    def run(names: Names, frame: Frame) -> Value:
        value = operand(names, frame)
        if type(value) is str:
            return len(value) <= longest and value in known
        if value is UNKNOWN:
            return value
        return contains(texts, value, frame[BUDGET])

    return run


def _text_within(text: str, container: Run) -> Run:
    def run(names: Names, frame: Frame) -> Value:
        found = container(names, frame)
        kind = kind_of(found)
        if kind is dict:
            return text in found
        if found is UNKNOWN:
            return found
        if kind is not list:
            raise refusal("in", text, found)
        frame[BUDGET].spend_characters(len(found), 8)
        if text in found:
            return True
        return UNKNOWN if UNKNOWN in found else False

    return run


def _ordering_of_int(operator: str, operand: Run, number: int) -> Run:
    holds = ORDERINGS[operator]

    def run(names: Names, frame: Frame) -> Value:
        value = operand(names, frame)
        if type(value) is int:
            return holds(value, number)
        if value is UNKNOWN:
            return value
        return ordered(operator, value, number, frame[BUDGET])

    return run


def _ordering(operator: str, left: Run, right: Run) -> Run:
    holds = ORDERINGS[operator]

    def run(names: Names, frame: Frame) -> Value:
        one = left(names, frame)
        other = right(names, frame)
        if type(one) is int and type(other) is int:
            return holds(one, other)
        return ordered(operator, one, other, frame[BUDGET])

    return run


def _arithmetic(operator: str, left: Run, right: Run) -> Run:
    def run(names: Names, frame: Frame) -> Value:
        one = left(names, frame)
        return compute(operator, one, right(names, frame), frame[BUDGET])

    return run
