"""Names of members that nearly are those that a policy's conditions read within arguments.

Some readers match the names of an object's members without regard to case (Go's encoding/json does, with Unicode
folding), and for some a text ends at its first NUL (in C: cJSON's do both). Where a condition reads
`request.args.issue.project`, such a server takes a `Project` beside it, or in its place, for what was judged. So the
invariant: an object that a condition looks into has each name that is read there in one spelling, that of the
condition, or the call is denied.

Only the paths that conditions read are followed, with a list of what is still to be looked at in the place of a call
within a call: the work is bounded by the members along them, however large and deep the arguments are.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import cast

import msgspec

from mcp_guard.policy.rules import Reading, Rule
from mcp_guard.policy.standing import Step
from mcp_guard.policy.values import Decision, Json

NEAR_MEMBERS = Decision(
    "deny",
    "guard",
    None,
    "A name within an argument differs only in case, or behind a NUL, from one that the policy reads, or from another: "
    "it could be read in two ways.",
)
Steps = tuple[Step, ...]
REMEMBERED = 1024  # levels; then all are forgotten and made anew
MOST_NAMES, LONGEST_NAME = 256, 64  # names of arguments that are remembered beside a level, and their characters


def folded(name: str) -> str:
    """A name as the most heedless reader takes it: up to a NUL, without its case.

    Folding is Unicode's (casefold), which covers what Go folds: U+017F for s, U+212A for k.
    """
    return name.casefold() if "\0" not in name else name.partition("\0")[0].casefold()


class Level(msgspec.Struct, frozen=True):
    """What conditions read of one value in the arguments: of an object's members, or of a list's items.

    `spellings` has, by its fold, what each name that is read must be called: as every condition calls it that reads any
    such name. Those in `only` can be called nothing else. `computed`: a key that is computed may lead to any member.
    `members` is what is read further down, by the name, and `each` what is read so of any member or item.
    """

    spellings: Mapping[str, frozenset[str]]
    only: frozenset[str]
    computed: bool
    members: Mapping[str, "Level"]
    each: "Level | None"

    def is_misread(self, names: Iterable[str]) -> bool:
        """Whether among the names of an object's members one nearly is another that is read."""
        only, spellings = self.only, self.spellings
        for name in names:
            if name not in only and (self.computed or folded(name) in spellings):
                return self._has_two_for_one(names)
        return False

    def _has_two_for_one(self, names: Iterable[str]) -> bool:
        seen: set[str] = set()
        for name in names:
            fold = folded(name)
            right = self.spellings.get(fold)
            if right is None and not self.computed:
                continue
            if fold in seen or (right is not None and name not in right):
                return True
            seen.add(fold)
        return False


def level_of(conditions: Collection[Collection[Reading]]) -> Level:
    """What several conditions read, each given by its paths from here down."""
    spellings: dict[str, frozenset[str]] = {}
    for readings in conditions:
        for fold, names in _by_fold(readings).items():
            spellings[fold] = spellings.get(fold, names) & names
    steps = {reading[0] for readings in conditions for reading in readings}
    below = {step: made for step in steps if (made := _below(conditions, step)) is not None}
    return Level(
        spellings=spellings,
        only=frozenset(name for names in spellings.values() if len(names) == 1 for name in names),
        computed=None in steps,
        members={step: level for step, level in below.items() if step is not None},
        each=below.get(None),
    )


def _by_fold(readings: Iterable[Reading]) -> Mapping[str, frozenset[str]]:
    """The names that are read first, by what they are to a heedless reader."""
    found: dict[str, frozenset[str]] = {}
    for name in (reading[0] for reading in readings):
        if name is not None:
            fold = folded(name)
            found[fold] = found.get(fold, frozenset()) | {name}
    return found


def _below(conditions: Iterable[Collection[Reading]], step: str | None) -> Level | None:
    rests = [{reading[1:] for reading in readings if reading[0] == step and reading[1:]} for readings in conditions]
    further = [rest for rest in rests if rest]
    return level_of(further) if further else None


def are_misread(arguments: Mapping[str, Json], level: Level) -> bool:
    """Whether some reader takes a member for one that conditions read, and that is called otherwise."""
    waiting: list[tuple[Iterable[object], Level]] = [((arguments,), level)]
    while waiting:
        values, level = waiting.pop()
        for value in values:
            if isinstance(value, dict):
                members = cast("dict[str, Json]", value)
                if level.is_misread(members):
                    return True
                for name, below in level.members.items():
                    if name in members:
                        waiting.append(((members[name],), below))
                if level.each is not None:
                    waiting.append((members.values(), level.each))
            elif isinstance(value, list) and level.each is not None:
                waiting.append((cast("list[Json]", value), level.each))
    return False


def reads_within(level: Level, pointer: Sequence[str]) -> bool:
    """Whether conditions read members of the value at this place in the arguments, or items of it."""
    here = [level]
    for token in pointer:
        here = [below for one in here for below in (one.members.get(token), one.each) if below is not None]
    return bool(here)


class Look(msgspec.Struct):
    """What some steps read within arguments, if anything; and names of arguments that are nothing to them, as found so
    far: calls of a tool nearly always have the same.
    """

    steps: Steps
    level: Level | None
    apart: set[str]

    def remember(self, names: Iterable[str]) -> None:
        """Keep those of these names that lead nowhere and are near to nothing that is read."""
        level = self.level
        if level is None or level.computed or level.each is not None:
            return
        new = [name for name in names if name not in self.apart and len(name) <= LONGEST_NAME]
        if len(self.apart) + len(new) <= MOST_NAMES:
            self.apart.update(name for name in new if folded(name) not in level.spellings)


class Members:
    """What the active rules of a policy read within arguments. What was looked up is kept in a bounded memory, which
    changes speed only.
    """

    def __init__(self, readings: Mapping[int, frozenset[Reading]]) -> None:
        self._readings = readings
        self._looks: dict[int, Look] = {}  # by the steps' place in memory, kept with them

    @classmethod
    def of(cls, rules: Sequence[Rule]) -> "Members | None":
        """Those of these rules; None where no condition looks into an argument."""
        active = ((position, rule.reads.members) for position, rule in enumerate(rules) if rule.status == "active")
        readings = {position: members for position, members in active if members}
        return cls(readings) if readings else None

    def level(self, steps: Steps) -> Level | None:
        """What these steps read within arguments, if anything."""
        return (self._looks.get(id(steps)) or self._look(steps)).level

    def are_misread(self, arguments: Mapping[str, Json], steps: Steps) -> bool:
        """Whether some reader takes a member for one that these steps read, and that is called otherwise."""
        look = self._looks.get(id(steps)) or self._look(steps)
        if look.level is None or look.apart.issuperset(arguments):
            return False
        if are_misread(arguments, look.level):
            return True
        look.remember(arguments)
        return False

    def _look(self, steps: Steps) -> Look:
        if len(self._looks) >= REMEMBERED:
            self._looks.clear()
        read = [self._readings[step.position] for step in steps if step.position in self._readings]
        made = self._looks[id(steps)] = Look(steps, level_of(read) if read else None, set())
        return made
