"""A profile of an argument as a condition that all its values fulfil, as tight as still reads well.

A value list where there are few values, a directory, hosts, mail domains or a prefix where there are many. Nothing is
generalised from fewer than `minimum` different values.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from mcp_guard.insight.suggest.profile import Profile, Stem, Texts
from mcp_guard.insight.yaml_text import quoted

Tightness = Literal["places", "shapes", "values"]
"""How much is asked: only where something is (paths, URLs); also what shape or which of few values; every value."""

FEW = 8  # values that are listed although there are enough of them to generalise
_OFTEN, _OFTEN_IN_PROSE = 2, 5  # times that each of few values came on average, to be a list of values
_MOST_PLACES = 4  # directories, hosts or domains in one condition
_SHORTEST_PREFIX = 2
_SEPARATORS = "-_/:.#@\\"
_INT_LIMIT = 2**63
_WORDS = (
    "as break const continue else false for function if import in let loop namespace null package return true var void "
    "while"
)
_RESERVED = frozenset(_WORDS.split())  # words that cannot stand behind a dot
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def constraint(name: str, profile: Profile, calls: int, tightness: Tightness, minimum: int) -> str | None:
    """What is asked of the argument of this name, of which `calls` calls were seen; None where nothing can be."""
    if profile.unknown or not profile.seen:
        return None
    test = _test(profile, tightness, minimum)
    if test is None:
        return None
    place = field(name)
    condition = f"{place}.all(item, {test('item')})" if profile.types == {"list"} else test(place)
    return condition if profile.seen == calls else f"(!{present(name)} || {condition})"


def field(name: str) -> str:
    """An argument in a condition."""
    return f"request.args.{name}" if _is_plain(name) else f"request.args[{quoted(name)}]"


def present(name: str) -> str:
    """That an argument is there."""
    return f"has(request.args.{name})" if _is_plain(name) else f"({quoted(name)} in request.args)"


def _is_plain(name: str) -> bool:
    return _IDENTIFIER.match(name) is not None and name not in _RESERVED


Test = Callable[[str], str]
"""A condition on the value that stands at a place in the source."""


def _test(profile: Profile, tightness: Tightness, minimum: int) -> Test | None:
    values = profile.known_values
    if profile.types in ({"str"}, {"list"}):
        return _of_texts(profile.texts, values, tightness, minimum)
    if tightness == "places" or values is None or "list" in profile.types:
        return None
    if any(isinstance(value, int) and abs(value) >= _INT_LIMIT for value in values):
        return None
    few = len(values) < minimum or profile.types == {"bool"} or tightness == "values"
    return _one_of(values) if few else None


def _of_texts(
    texts: Texts, values: Sequence[str | int | float] | None, tightness: Tightness, minimum: int
) -> Test | None:
    if values == []:
        return lambda place: "false"  # only empty lists were seen
    listed = _one_of(values) if values else None
    if listed and values and (tightness == "values" or len(values) < minimum):
        return listed
    times = _OFTEN_IN_PROSE if texts.spaced else _OFTEN
    often = values is not None and len(values) <= FEW and texts.count >= times * len(values)
    place = _at_places(texts, minimum)
    if place is not None or tightness == "places":
        return place
    return listed if often else _with_prefix(texts)


def _one_of(values: Sequence[str | int | float]) -> Test:
    shown = [quoted(value) if isinstance(value, str) else _number(value) for value in values]
    if len(shown) == 1:
        return lambda place: f"{place} == {shown[0]}"
    return lambda place: f"{place} in [{', '.join(shown)}]"


def _number(value: float) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)


def _at_places(texts: Texts, minimum: int) -> Test | None:
    """Paths below directories, URLs at hosts, addresses at domains."""
    if texts.stems:
        return _below(texts.stems, minimum)
    if texts.hosts and len(texts.hosts) <= _MOST_PLACES:
        parts = [("== ", host) for host in sorted(texts.bare_hosts)] + [
            ("^", host + "/") for host in sorted(texts.hosts)
        ]
        return lambda place: _any(_equals_or_starts(place, how, text) for how, text in parts)
    if texts.domains and len(texts.domains) <= _MOST_PLACES:
        patterns = [f"^[^@,; <>]+@{domain.replace('.', '[.]')}$" for domain in sorted(texts.domains)]
        return lambda place: _any(f"{place}.matches({quoted(pattern)})" for pattern in patterns)
    return None


def _below(stems: set[Stem], minimum: int) -> Test | None:
    """Paths below the directories that they are in. `..` is refused: it would lead out again."""
    parts: list[tuple[str, str]] = []
    for directory, members in _clusters(stems):
        if not directory:
            return None
        path = "/" + "/".join(directory)
        below = {member for member in members if len(member) > len(directory)}
        if len(members) < minimum and all(member[-1] for member in members):
            parts += [("== ", "/" + "/".join(member)) for member in sorted(members)]
        else:
            parts += [("== ", path)] if directory in members else []
            parts += [("^", path + "/")] if below else []
    if all(how == "== " for how, _ in parts):
        return _one_of([text for _, text in parts])

    def test(place: str) -> str:
        return f'{_any(_equals_or_starts(place, how, text) for how, text in parts)} && !{place}.contains("..")'

    return test


def _clusters(stems: set[Stem]) -> list[tuple[Stem, set[Stem]]]:
    """The paths with the deepest directory that they are in; where that is near the root, one by one what is below it,
    if that is little.
    """
    common = _common_stem(stems)
    branches = {stem[: len(common) + 1] for stem in stems}
    if len(common) < 2 and len(branches) <= _MOST_PLACES and common not in stems and all(one[-1] for one in branches):
        groups = [{stem for stem in stems if stem[: len(branch)] == branch} for branch in sorted(branches)]
        return [(_common_stem(group), group) for group in groups]
    return [(common, stems)]


def _common_stem(stems: set[Stem]) -> Stem:
    first, last = min(stems), max(stems)
    length = 0
    for one, other in zip(first, last, strict=False):
        if one != other:
            break
        length += 1
    common = first[:length]
    return common[:-1] if len(stems) == 1 and len(common) > 1 else common


def _with_prefix(texts: Texts) -> Test | None:
    """The beginning that all share, up to a separator; prose has none that means anything. What stands behind it must
    not lead elsewhere: a server may make a path of the text (`SUP-7/../ENG-1`).
    """
    prefix = texts.prefix or ""
    cut = max((prefix.rfind(separator) for separator in _SEPARATORS), default=-1) + 1
    if texts.spaced or texts.odd or cut < _SHORTEST_PREFIX:
        return None
    begins = quoted(prefix[:cut])
    away = '.contains("..")' if texts.leading else f".matches({quoted('[/?#%]')})"
    return lambda place: f"{place}.startsWith({begins}) && !{place}{away}"


def _equals_or_starts(place: str, how: str, text: str) -> str:
    return f"{place} == {quoted(text)}" if how == "== " else f"{place}.startsWith({quoted(text)})"


def _any(parts: Iterable[str]) -> str:
    alternatives = list(parts)
    return alternatives[0] if len(alternatives) == 1 else f"({' || '.join(alternatives)})"
