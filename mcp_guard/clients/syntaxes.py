"""The ways in which files are written, behind one set of functions; and the check that an edit changed nothing else."""

from collections.abc import Sequence

from mcp_guard.clients import json_text, toml_text
from mcp_guard.clients.operations import Changes, applied
from mcp_guard.clients.values import Path, Syntax
from mcp_guard.policy.tree import UnreadableError
from mcp_guard.policy.values import Json

_SYNTAXES = {"json": json_text, "toml": toml_text}


class UnsafeEditError(Exception):
    """An edit that would not come out as it should: nothing may be written."""


def data(syntax: Syntax, text: str, path: str = "") -> dict[str, Json]:
    """What a file says. Raises `UnreadableError`."""
    return _SYNTAXES[syntax].data(text, path)


def rewritten(syntax: Syntax, text: str, changes: Changes) -> str:
    """The text with these servers changed and all else as it was. Raises `UnsafeEditError` where that is not so."""
    wanted = data(syntax, text)
    for at, operations in changes.items():
        server = value_at(wanted, at)
        assert isinstance(server, dict)
        wanted = with_member(wanted, at[:-1], [at[-1]], {at[-1]: applied(server, operations)})
    return _checked(syntax, lambda: _SYNTAXES[syntax].rewritten(text, changes), wanted)


def exchanged(syntax: Syntax, text: str, at: Path, names: Sequence[str], name: str, value: dict[str, Json]) -> str:
    """The text with one new server in place of these, and all else as it was. Raises `UnsafeEditError`."""
    wanted = with_member(data(syntax, text), at, names, {name: value})
    return _checked(syntax, lambda: _SYNTAXES[syntax].exchanged(text, at, names, name, value), wanted)


def restored(syntax: Syntax, text: str, at: Path, name: str, original: str, names: Sequence[str]) -> str:
    """The text with one server replaced by what the original has under `names`. Raises `UnsafeEditError`."""
    servers = value_at(data(syntax, original), at)
    assert isinstance(servers, dict)
    members = {one: servers[one] for one in names}
    wanted = with_member(data(syntax, text), at, [name], members)
    return _checked(syntax, lambda: _SYNTAXES[syntax].restored(text, at, name, original, names), wanted)


def masked(syntax: Syntax, text: str, sections: Sequence[Path]) -> str:
    """The text without the values that may be secrets, to be shown."""
    return _SYNTAXES[syntax].masked(text, sections)


def value_at(value: Json, at: Path) -> Json:
    """What stands at a path of keys, or None."""
    for name in at:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def with_member(value: Json, at: Path, names: Sequence[str], members: dict[str, Json]) -> dict[str, Json]:
    """The value in which, in the mapping at `at`, the members `names` are replaced by these."""
    assert isinstance(value, dict)
    if at:
        return {**value, at[0]: with_member(value[at[0]], at[1:], names, members)}
    return {**{name: kept for name, kept in value.items() if name not in names}, **members}


def _checked(syntax: Syntax, edit: "Callable[[], str]", wanted: Json) -> str:
    try:
        text = edit()
        found = data(syntax, text)
    except (UnreadableError, AssertionError, LookupError, ValueError) as error:
        raise UnsafeEditError from error
    if found != wanted:
        raise UnsafeEditError
    return text


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
