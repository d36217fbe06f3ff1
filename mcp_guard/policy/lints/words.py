"""How lints speak: tools by server and name, a few of many; counts with their nouns."""

from collections.abc import Iterable, Sequence

from mcp_guard.policy.lints.reach import Target

MOST_NAMES = 6


def tools(targets: Iterable[Target]) -> str:
    """Tools by server: `github: create_issue, get_issue; gitlab: create_issue`; of many the first few."""
    found = list(targets)
    shown: dict[str, list[str]] = {}
    for target in found[:MOST_NAMES]:
        shown.setdefault(target.server, []).append(target.tool.name)
    text = "; ".join(f"{server}: {', '.join(names)}" for server, names in shown.items())
    return f"{text} and {len(found) - MOST_NAMES} more" if len(found) > MOST_NAMES else text


def count(number: int, noun: str) -> str:
    """A number with its noun: `1 tool`, `3 tools`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def all_of(number: int, noun: str) -> str:
    """All of so many: `the one tool`, `each of the 3 tools`."""
    return f"the one {noun}" if number == 1 else f"each of the {number} {noun}s"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence, each in backticks."""
    return ", ".join(f"`{name}`" for name in names)
