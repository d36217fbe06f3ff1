"""How much work one decision may still do.

One budget is shared by all loops of an expression, nested ones too, and may be shared by all conditions of one
decision. Work is charged by the size of what a primitive reads or builds, before it is done. A used-up budget stays
used up.
"""

from mcp_guard.cel.errors import BudgetExceededError
from mcp_guard.cel.limits import STEPS, STRING_UNIT


class Budget:
    """Steps that are left. `spend` raises `BudgetExceededError` once they are gone."""

    __slots__ = ("left",)

    def __init__(self, steps: int = STEPS) -> None:
        self.left = steps

    @property
    def exhausted(self) -> bool:
        """Whether something was refused for want of steps."""
        return self.left < 0

    def spend(self, steps: int) -> None:
        """Take `steps` off; raises `BudgetExceededError` where they are not there."""
        self.left -= steps
        if self.left < 0:
            raise BudgetExceededError("the condition takes too much work on these values")

    def spend_characters(self, count: int, unit: int = STRING_UNIT) -> None:
        """Take off what it costs to go through `count` characters."""
        if count >= unit:
            self.spend(count // unit)
