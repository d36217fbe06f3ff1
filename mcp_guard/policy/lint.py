"""What is legal in a policy and probably not meant: reported as warnings, which refuse nothing."""

from collections.abc import Sequence

from mcp_guard.policy.declarations import Declarations
from mcp_guard.policy.report import Report
from mcp_guard.policy.rules import Rule


def check(rules: Sequence[Rule], declared: Declarations, report: Report) -> None:
    """Report what looks wrong in rules that are right in form."""
