"""What someone may have meant who wrote a name that does not exist. Only ever asked for when an error is certain."""

from collections.abc import Iterable, Mapping

from mcp_guard.cel.functions import FAMILIES, overloads
from mcp_guard.cel.types import Type


def closest(name: str, known: Iterable[str]) -> str:
    """`did you mean …` for a name much like this one, else nothing."""
    from difflib import get_close_matches

    found = get_close_matches(name, list(known), 1, 0.6)
    return f"did you mean `{found[0]}`?" if found else ""


def variable(name: str, declared: Mapping[str, Type]) -> str:
    """What was meant by an undeclared variable: a field of a declared one, or one that is spelled much like it."""
    for root, type_ in declared.items():
        path = _field(name, root, type_)
        if path:
            return f"did you mean `{path}`?"
    return closest(name, declared) or f"there are {', '.join(f'`{known}`' for known in declared)}"


def _field(name: str, path: str, type_: Type) -> str:
    for field, inner in (type_.fields or {}).items():
        found = f"{path}.{field}"
        if field == name:
            return found
        deeper = _field(name, found, inner)
        if deeper:
            return deeper
    return ""


def field(name: str, record: Type) -> str:
    """What was meant by a field that a record does not have."""
    known = record.fields or {}
    return closest(name, known) or f"it has {', '.join(f'`{known_field}`' for known_field in known)}"


def function(name: str, is_method: bool) -> str:
    """What was meant by a function that does not exist: the same written the other way round, or one spelled alike."""
    if overloads(name, not is_method):
        return f"write `{name}(x)`" if is_method else f"write `x.{name}(…)`"
    return closest(name, FAMILIES)
