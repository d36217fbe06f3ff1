"""`base64.encode` and `base64.decode`."""

from binascii import Error, a2b_base64, b2a_base64

from mcp_guard.cel.budget import Budget
from mcp_guard.cel.errors import EvaluationError
from mcp_guard.cel.functions import Function, function
from mcp_guard.cel.types import BYTES, STRING
from mcp_guard.cel.values import Value, refusal


def encode(budget: Budget, value: Value) -> Value:
    """`base64.encode(bytes)`."""
    if type(value) is not bytes:
        raise refusal("base64.encode", value)
    budget.spend_characters(len(value))
    return b2a_base64(value, newline=False).decode("ascii")


def decode(budget: Budget, value: Value) -> Value:
    """`base64.decode(text)`, with or without the `=` at its end; strict in everything else."""
    if type(value) is not str:
        raise refusal("base64.decode", value)
    budget.spend_characters(len(value))
    padded = value if value.endswith("=") else value + "=" * (-len(value) % 4)
    try:
        return a2b_base64(padded, strict_mode=True)
    except (Error, ValueError):
        pass
    raise EvaluationError("the string is no base64")


FUNCTIONS: tuple[Function, ...] = (
    function("base64.encode", [BYTES], STRING, encode),
    function("base64.decode", [STRING], BYTES, decode),
)
