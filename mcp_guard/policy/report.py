"""Where the readers of a policy put what they find, in the order in which they find it."""

from collections.abc import Sequence

from mcp_guard.policy.diagnostics import Diagnostic, Place, printable


class Report:
    """The findings so far."""

    def __init__(self) -> None:
        self.found: list[Diagnostic] = []

    @property
    def has_errors(self) -> bool:
        """Whether anything found refuses the policy."""
        return any(diagnostic.severity == "error" for diagnostic in self.found)

    def error(self, code: str, message: str, place: Place, hint: str = "") -> None:
        """Report what refuses the policy."""
        self.found.append(Diagnostic("error", code, printable(message), place, printable(hint)))

    def warning(self, code: str, message: str, place: Place, hint: str = "", related: Sequence[Place] = ()) -> None:
        """Report what is probably not meant."""
        self.found.append(Diagnostic("warning", code, printable(message), place, printable(hint), tuple(related)))
