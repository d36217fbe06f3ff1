"""Where a row did not keep a value of the arguments: its `redacted`, which `redaction` wrote, read back.

Rows may have been edited by anybody who can write the file: whatever cannot be read is said to be so, never guessed.
"""

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias, cast

Pointer: TypeAlias = tuple[str, ...]


class Hole(NamedTuple):
    """A place in the arguments whose value was not kept, and its bytes. `of_name`: the name of the key was not."""

    pointer: Pointer
    of_name: bool
    bytes: int

    @property
    def unknown(self) -> Pointer:
        """What is unknown because of it: the value, or the object of which it is not known what members it has."""
        return self.pointer[:-1] if self.of_name else self.pointer


def holes(data: Mapping[str, object]) -> list[Hole] | None:
    """Where the arguments were not kept; None where the row does not say it in a way that can be read."""
    try:
        return [_hole(entry) for entry in cast("list[dict[str, object]]", data.get("redacted") or [])]
    except (TypeError, KeyError, AttributeError):
        return None


def _hole(entry: dict[str, object]) -> Hole:
    path, why, size = cast("str", entry["path"]), entry.get("why"), entry.get("bytes")
    of_name = isinstance(why, str) and why.startswith("key ")
    return Hole(_tokens(path), of_name, size if isinstance(size, int) else 0)


def _tokens(pointer: str) -> Pointer:
    """A JSON Pointer (RFC 6901) as the tokens that it names."""
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])
