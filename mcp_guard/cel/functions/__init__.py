"""The functions of the language, one module a family, each a table of signatures with what runs them.

A family is imported when a condition first names one of its functions. One implementation serves all overloads of a
function: it decides by the exact types of its arguments and refuses what it does not know, so it needs no checker.
"""

from collections.abc import Callable, Iterable
from importlib import import_module

from mcp_guard.cel.types import Type
from mcp_guard.cel.values import Value

Implementation = Callable[..., Value]
"""Takes the budget and the arguments (of a method: its target first). Raises `EvaluationError`, never anything else."""


class Function:
    """One overload: `name(parameters)`, or `parameters[0].name(…)` where `method`, and what it gives."""

    __slots__ = ("method", "name", "parameters", "result", "run")

    def __init__(
        self, name: str, parameters: tuple[Type, ...], result: Type, run: Implementation, method: bool
    ) -> None:
        self.name = name
        self.parameters = parameters
        self.result = result
        self.run = run
        self.method = method


Key = tuple[str, bool]

FAMILIES: dict[str, str] = {
    name: family
    for family, names in {
        "conversions": "bool bytes double dyn int string type uint",
        "strings": "contains endsWith matches size startsWith",
        "text": "charAt format indexOf join lastIndexOf lowerAscii replace reverse split strings.quote substring trim"
        " upperAscii",
        "optionals": "hasValue optional.none optional.of optional.ofNonZeroValue optional.unwrap or orValue unwrapOpt"
        " value",
        "networks": "ip cidr isIP isCIDR ip.isCanonical containsIP containsCIDR masked prefixLength family"
        " isUnspecified isLoopback isLinkLocalUnicast isLinkLocalMulticast isGlobalUnicast",
        "encoders": "base64.encode base64.decode",
        "timestamps": "timestamp duration getFullYear getMonth getDate getDayOfMonth getDayOfWeek getDayOfYear"
        " getHours getMinutes getSeconds getMilliseconds",
    }.items()
    for name in names.split()
}


def function(name: str, parameters: Iterable[Type], result: Type, run: Implementation) -> Function:
    """The signature of `name(parameters)`."""
    return Function(name, tuple(parameters), result, run, False)


def method(target: Type, name: str, parameters: Iterable[Type], result: Type, run: Implementation) -> Function:
    """The signature of `target.name(parameters)`."""
    return Function(name, (target, *parameters), result, run, True)


_loaded: dict[str, dict[Key, list[Function]]] = {}


def overloads(name: str, is_method: bool) -> list[Function]:
    """The overloads of a function or method (`math.abs` with its namespace); none where there is no such thing."""
    family = FAMILIES.get(name)
    if family is None:
        return []
    if family not in _loaded:
        rows: Iterable[Function] = import_module(f"{__name__}.{family}").FUNCTIONS
        table: dict[Key, list[Function]] = {}
        for row in rows:
            table.setdefault((row.name, row.method), []).append(row)
        _loaded[family] = table
    return _loaded[family].get((name, is_method), [])
