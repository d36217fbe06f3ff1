"""What the rules of a policy look at: of the caller, and of the arguments. What none looks at may be missing."""

from typing import TypeAlias

from mcp_guard.insight.holes import Pointer
from mcp_guard.policy import Policy
from mcp_guard.policy.rules import Rule

Reading: TypeAlias = "tuple[str | None, ...]"
"""The path of a read below the arguments; None: any item, a computed key."""

_ARGUMENTS = ("request", "args")  # where the arguments are among a condition's variables


class Interest:
    """What the active rules of a policy look at, worked out once.

    `agents`, `users` and `instances` say whether any rule tells these apart; `readings` are the paths below the
    arguments that each rule's condition reads, `()` for all of them.
    """

    def __init__(self, policy: Policy) -> None:
        active = [rule for rule in policy.rules if rule.status == "active"]
        variables = {path.segments[0] for rule in active for path in (rule.condition.paths if rule.condition else ())}
        self.agents = "agent" in variables or any(rule.scope.agents is not None for rule in active)
        self.users = "user" in variables or any(rule.scope.users or rule.scope.groups for rule in active)
        self.instances = any(entry.startswith("instance:") for rule in active for entry in rule.scope.agents or ())
        self.readings = {rule.id: readings(rule) for rule in active}


def readings(rule: Rule) -> list[Reading]:
    """The paths below the arguments that a rule's condition reads; `()` for all of them."""
    found = rule.condition.paths if rule.condition else ()
    return [path.segments[len(_ARGUMENTS) :] for path in found if path.used and touches(path.segments, _ARGUMENTS)]


def touches(reading: Reading, pointer: Pointer) -> bool:
    """Whether one of the two is in, above or at the other."""
    return all(step is None or step == token for step, token in zip(reading, pointer, strict=False))
