"""What the log keeps of a call's arguments, and what stands in for the rest.

For a person who has to approve the call, a secret within a longer text is left out alone: nobody else would see what
runs. A value that is not kept is null in `arguments` and has an entry in `redacted`: where it was (a JSON Pointer, RFC
6901), a keyed hash, why, its bytes. Equal values have equal hashes under one key, so they can be compared without being
known. The invariant: a row is bounded, whatever the arguments are.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from mcp_guard.redaction.patterns import is_secret_name, kind_of_secret, mask_in_part, may_hold_secret

if TYPE_CHECKING:
    from mcp_guard.policy.values import Json

ArgumentsMode = Literal["full", "redacted", "hashed", "none"]

LARGEST = 256 * 1024  # bytes of arguments that are kept as they are
LONGEST = 1024  # characters of a string that is kept where the arguments are larger than that
DEEPEST = 200  # levels; SQLite's JSON functions and other readers give up not far beyond
_LONGEST_PAIR = 8  # members of an object that may be a name and its value
MOST_ENTRIES = 512  # values that stand redacted one by one; with more, the arguments are as a whole

Entry: TypeAlias = dict[str, "str | int | None"]
Judge: TypeAlias = "Callable[[str | None, Json], str | None]"  # (name of the key, value) -> why it is not kept, or None
Path: TypeAlias = "tuple[Path, str] | None"
_Pending: TypeAlias = "tuple[dict[str, Json] | list[Json], dict[str, Json] | list[Json], Path]"  # from, to, where

_encode = msgspec.json.Encoder().encode


NOT_SHOWN = "[NOT SHOWN: {} characters]"
"""What stands for a secret in what a person is shown."""


class _UnkeepableError(Exception):
    """The arguments cannot be kept even in part; the text is why."""


def recorded_arguments(
    arguments: "Mapping[str, Json]", encoded: bytes, mode: ArgumentsMode, key: bytes
) -> dict[str, object]:
    """The part of an event's data that holds a call's arguments: `arguments`, and `redacted` where anything is.

    `encoded` is the JSON text of `arguments`, as the guard encoded it: no character escaped without need but those
    beyond ASCII. `key` (bytes, secret) keys the hashes.
    """
    size = len(encoded)
    shallow = size <= 2 * DEEPEST or encoded.count(b"{") + encoded.count(b"[") <= DEEPEST  # a level takes two bytes
    if size <= LARGEST and shallow and (mode == "full" or (mode == "redacted" and not may_hold_secret(encoded))):
        return {"arguments": msgspec.Raw(encoded)}
    if mode == "none":
        return {"arguments": None, "redacted": [{"path": "", "hash": None, "why": "none", "bytes": size}]}
    try:
        return _kept(arguments, size > LARGEST, mode, key)
    except _UnkeepableError as error:
        return {"arguments": None, "redacted": [_entry(None, encoded, str(error), key)]}


def shown_arguments(arguments: "Mapping[str, Json]", encoded: bytes, key: bytes) -> dict[str, object]:
    """The same for a person who has to approve the call: as in the mode "redacted", but of a text that holds a secret
    only the secret is left out. Its entry in `redacted` says how many bytes are (`hidden`).
    """
    if len(encoded) > LARGEST or not may_hold_secret(encoded):
        return recorded_arguments(arguments, encoded, "redacted", key)
    try:
        return _kept(arguments, False, "redacted", key, in_part=True)
    except _UnkeepableError as error:
        return {"arguments": None, "redacted": [_entry(None, encoded, str(error), key)]}


def _kept(
    arguments: "Mapping[str, Json]", large: bool, mode: ArgumentsMode, key: bytes, *, in_part: bool = False
) -> dict[str, object]:
    """The arguments with what may not be kept taken out. Raises _UnkeepableError where too little would be left."""
    judge = _JUDGES.get(mode, _is_leaf)
    walk = _Walk(_or_too_long(judge) if large else judge, key, names_too=mode != "full", in_part=in_part)
    copy, entries = walk.copy(arguments)
    try:
        text = _encode(copy)
    except (RecursionError, ValueError, msgspec.MsgspecError):
        raise _UnkeepableError("depth") from None
    if len(text) > LARGEST:
        raise _UnkeepableError("size")
    return {"arguments": msgspec.Raw(text), "redacted": entries} if entries else {"arguments": msgspec.Raw(text)}


def _is_secret(name: str | None, value: "Json") -> str | None:
    if isinstance(value, str):
        return "name" if value and name is not None and is_secret_name(name) else kind_of_secret(value)
    if value is None or isinstance(value, bool) or name is None or value == {} or value == []:
        return None
    return "name" if is_secret_name(name, of_number=isinstance(value, int | float)) else None


def _is_leaf(name: str | None, value: "Json") -> str | None:
    return None if isinstance(value, dict | list) else "hashed"


def _is_nothing(name: str | None, value: "Json") -> str | None:
    return None


_JUDGES: dict[ArgumentsMode, Judge] = {"full": _is_nothing, "redacted": _is_secret, "hashed": _is_leaf}


def _or_too_long(judge: Judge) -> Judge:
    def judge_size(name: str | None, value: "Json") -> str | None:
        too_long = isinstance(value, str) and len(value) > LONGEST and judge is not _is_leaf
        return "size" if too_long else judge(name, value)

    return judge_size


class _Walk:
    """One copy of JSON values without those that a judge takes out. Level by level: no depth exhausts the stack."""

    def __init__(self, judge: Judge, key: bytes, *, names_too: bool, in_part: bool) -> None:
        self._judge = judge
        self._key = key
        self._names_too = names_too
        self._in_part = in_part
        self._below: list[_Pending] = []
        self._entries: list[Entry] = []
        self._path_room = LARGEST
        self._room = LARGEST  # bytes that the copy may still take, at the least that its values do

    def copy(self, arguments: "Mapping[str, Json]") -> "tuple[dict[str, Json], list[Entry]]":
        """The copy, and an entry for each value that is null in it instead."""
        top: dict[str, Json] = {}
        level: list[_Pending] = [(dict(arguments), top, None)]
        for _ in range(DEEPEST):
            for source, target, path in level:
                if isinstance(source, dict) and isinstance(target, dict):
                    self._fill_object(source, target, path)
                elif isinstance(source, list) and isinstance(target, list):
                    self._fill_list(source, target, path)
            if not self._below:
                return top, self._entries
            level, self._below = self._below, []
        raise _UnkeepableError("depth")

    def _fill_object(self, source: "dict[str, Json]", target: "dict[str, Json]", path: Path) -> None:
        paired = _paired_name(source) if self._names_too and len(source) <= _LONGEST_PAIR else None
        for name, value in source.items():
            kind = kind_of_secret(name) if self._names_too else None
            shown = name if kind is None else f"{self._masked(name)} {_hash(self._key, name.encode())}"
            if kind is not None:
                self._add((path, shown), name, f"key {kind}")
            judged_by = paired if paired is not None and name.lower() == "value" else name
            target[shown] = self._kept(judged_by, value, (path, shown))

    def _fill_list(self, source: "list[Json]", target: "list[Json]", path: Path) -> None:
        before: Json = None
        for index, value in enumerate(source):
            target.append(self._kept(_option(before, value) if self._names_too else None, value, (path, str(index))))
            before = value

    def _kept(self, name: str | None, value: "Json", path: Path) -> "Json":
        """The value as it is kept: itself, an empty copy that is filled on the next level, or None."""
        why = self._judge(name, value)
        if why is not None:
            self._add(path, value, why)
            if not (self._in_part and isinstance(value, str) and why != "name"):
                return None
            text, hidden = mask_in_part(value, NOT_SHOWN)
            self._entries[-1]["hidden"] = hidden
            if not hidden:  # the beginning of a key, and no key
                self._entries.pop()
            return text
        self._room -= len(value) + 2 if isinstance(value, str) else 2
        if self._room < 0:  # it would be too large in the end: to see that soon is to bound the work
            raise _UnkeepableError("size")
        if not isinstance(value, dict | list):
            return value
        copy: dict[str, Json] | list[Json] = {} if isinstance(value, dict) else []
        self._below.append((value, copy, path))
        return copy

    def _masked(self, name: str) -> str:
        """A key that holds a secret, without it. What goes behind it keeps it apart from others."""
        return mask_in_part(name, NOT_SHOWN)[0] if self._in_part else "redacted"

    def _add(self, path: Path, value: "Json", why: str) -> None:
        try:
            text = value.encode() if isinstance(value, str) else _encode(value)
        except RecursionError:
            raise _UnkeepableError("depth") from None
        entry = _entry(path, text, why, self._key)
        self._entries.append(entry)
        self._path_room -= len(_encode(entry["path"]))
        if len(self._entries) > MOST_ENTRIES or self._path_room < 0:
            raise _UnkeepableError("hashed" if why == "hashed" else "size")


def _paired_name(members: "Mapping[str, Json]") -> str | None:
    """The name that an object gives its own `value`: `{"name": "DB_PASSWORD", "value": "…"}`, as in environments and
    headers.
    """
    named = {name.lower(): value for name, value in members.items()}
    found = named.get("name", named.get("key"))
    return found if isinstance(found, str) else None


def _option(before: "Json", value: "Json") -> str | None:
    """The option of a command whose value stands behind it in a list of words: `["--password", "…"]`.

    A line of a list or a diff, which begins with a `-` too, is no option; and a whole command or object behind one is
    no value of it: an agent could keep from the log, and from who approves, what it does.
    """
    if not isinstance(before, str) or not before.startswith("-") or not (_is_word(before) and _is_word(value)):
        return None
    return None if isinstance(value, str) and value.startswith("-") else before


def _is_word(value: "Json") -> bool:
    return len(value.split(None, 1)) < 2 if isinstance(value, str) else isinstance(value, int | float)


def _entry(path: Path, text: bytes, why: str, key: bytes) -> Entry:
    return {"path": _pointer(path), "hash": _hash(key, text), "why": why, "bytes": len(text)}


def _pointer(path: Path) -> str:
    tokens: list[str] = []
    while path is not None:
        path, token = path
        tokens.append("/" + token.replace("~", "~0").replace("/", "~1"))
    return "".join(reversed(tokens))


def _hash(key: bytes, text: bytes) -> str:
    from hmac import digest

    return "hmac-sha256:" + digest(key, text, "sha256").hex()
